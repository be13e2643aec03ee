// A tree, and what lies beside it, taken away: after everything has been looked at that speaks against it.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describeErrno } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { mountsIn, REMEMBERED, releaseLock, takeLock } from '@tsnspawn/runtime';
import { BootstrapError, reasonOf } from './errors';
import { O_PATH } from './linux';
import { storeBeside } from './owners/store';
import { removeContents } from './removal';

const { O_DIRECTORY, O_NOFOLLOW } = fs.constants;

export interface RemoveOptions {
  readonly directory: string;
  /** Also what does not look like a tree. */
  readonly force?: boolean;
}

/**
 * Remove a tree.
 *
 * @throws BootstrapError before anything was changed, or with the first thing that stays; the error of a tree that is in use
 */
export function removeTree({ directory, force = false }: RemoveOptions): void {
  const tree = treeAt(directory);
  const opened = addon().openTree(tree);
  if (typeof opened === 'number') throw refusal(directory, describeErrno(opened).text);
  try {
    if (opened.path !== tree) throw refusal(directory, 'it was exchanged for another one meanwhile');
    if (!force && !looksLikeTree(tree, opened.fd)) {
      const hint = `nothing in it says that it is an operating system's; --force removes it all the same`;
      throw refusal(directory, 'it is no tree', hint);
    }
  } finally {
    addon().closeFd(opened.fd);
  }
  requireWritable(directory, path.dirname(tree));
  const mounts = mountsIn(tree);
  if (mounts.length > 0) {
    const hint = `umount ${mounts.map((mount) => `'${mount}'`).join(' ')}`;
    throw refusal(directory, `something is mounted on ${mounts.join(', ')}`, hint);
  }
  const lock = takeLock({ tree: opened, readOnly: false });
  // From here on by descriptors: the tree may lie in a directory of somebody else, who may exchange what is there.
  const parent = fs.openSync(path.dirname(tree), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  const beside = (name: string): string => `/proc/self/fd/${parent}/${path.basename(name)}`;
  try {
    // As root it takes attributes away that keep even root from removing a file.
    if (process.geteuid?.() === 0) addon().removeDirectory(lock.lockFd, beside(tree));
    removeContents(lock.lockFd, tree);
    fs.rmSync(beside(storeBeside(tree)), { force: true });
    if (fs.lstatSync(beside(tree), { throwIfNoEntry: false }) !== undefined) fs.rmdirSync(beside(tree));
  } catch (error) {
    throw error instanceof BootstrapError ? error : refusal(directory, reasonOf(error));
  } finally {
    fs.closeSync(parent);
    releaseLock(lock);
  }
}

/** The tree's path without links. */
function treeAt(directory: string): string {
  const absolute = path.resolve(directory);
  if (absolute === '/') throw refusal(directory, 'it is the root directory');
  let tree: string;
  try {
    tree = path.join(fs.realpathSync(path.dirname(absolute)), path.basename(absolute));
    const stat = fs.lstatSync(tree);
    if (stat.isSymbolicLink())
      throw refusal(
        directory,
        'it is a link',
        `remove what it leads to, ${fs.readlinkSync(tree)}, or the link with rm`,
      );
    if (!stat.isDirectory()) throw refusal(directory, 'it is no directory');
  } catch (error) {
    throw error instanceof BootstrapError ? error : refusal(directory, reasonOf(error));
  }
  if (isBelow(process.cwd(), tree)) throw refusal(directory, 'it is the current directory, or around it');
  return tree;
}

/** What cannot go in the end is not to be emptied first. */
function requireWritable(directory: string, parent: string): void {
  try {
    fs.accessSync(parent, fs.constants.W_OK | fs.constants.X_OK);
  } catch (error) {
    throw refusal(directory, `${parent}: ${reasonOf(error)}`);
  }
}

function looksLikeTree(tree: string, descriptor: number): boolean {
  const isDirectory = (name: string): boolean =>
    fs.lstatSync(path.join(tree, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isDirectory('usr') || addon().extendedAttribute(descriptor, REMEMBERED) !== undefined;
}

function isBelow(place: string, tree: string): boolean {
  return place === tree || place.startsWith(`${tree}/`);
}

function refusal(directory: string, reason: string, hint?: string): BootstrapError {
  return new BootstrapError('TARGET_INVALID', `cannot remove ${directory}: ${reason}`, { path: directory, hint });
}

// --template: a tree is made from another one, where it does not exist. It is made beside its place, in a directory that
// nobody but root can enter, and renamed at the end: a tree that is there is a whole one.

import { existsSync, lstatSync, mkdtempSync, realpathSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TEMPORARY_PREFIX, TreeError } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { removeStale, removeTemporary } from './temporary';

/**
 * Makes the tree `directory` from the tree `template`, with modes, owners, links, devices and extended attributes; data is shared
 * where the file system can. What is mounted below the template stays behind. A signal that ends the program ends the copy, and
 * removes it.
 *
 * @returns false: the tree was there already
 * @throws TreeError with nothing left behind
 */
export async function populate(template: string, directory: string): Promise<boolean> {
  if (existsSync(directory)) return false;
  const place = placeOf(template, directory);
  removeStale(place.parent);
  const interruption = new Interruption();
  const workspace = mkdtempSync(join(place.parent, `${TEMPORARY_PREFIX}${place.name}-`));
  // for as long as this process lives: what is not locked is stale
  const lock = addon().lockTree(workspace, true, identityOf(workspace));
  try {
    const tree = join(workspace, 'tree');
    await copy(place.template, tree, interruption);
    return moveInto(tree, join(place.parent, place.name));
  } finally {
    if (lock >= 0) {
      removeTemporary(lock, workspace);
      addon().closeFd(lock);
    }
    interruption.end();
  }
}

interface Place {
  readonly template: string;
  readonly parent: string;
  readonly name: string;
}

function placeOf(template: string, directory: string): Place {
  const refuse = (reason: string, path = directory): TreeError =>
    new TreeError(`cannot make ${directory} from the template ${template}: ${reason}`, { path, option: '--template' });
  const source = resolved(template);
  if (source === undefined) throw refuse('there is no such template', template);
  if (!statSync(source).isDirectory()) throw refuse('the template is no directory', template);
  if (lstatSync(directory, { throwIfNoEntry: false }) !== undefined) throw refuse('it is a link that leads nowhere');
  const parent = resolved(dirname(directory));
  if (parent === undefined) throw refuse(`there is no directory ${dirname(directory)}`);
  if (parent === source || parent.startsWith(source === '/' ? '/' : `${source}/`))
    throw refuse('it would lie in the template itself');
  return { template: source, parent, name: basename(directory) };
}

function resolved(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** As openTree() of the addon tells it. */
function identityOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** Hears the signals that end a program while there is something to remove first. */
class Interruption {
  static readonly #signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  signal: string | undefined;
  /** called at each of them */
  stop: () => void = () => {};
  readonly #hear = (signal: string): void => {
    this.signal = signal;
    this.stop();
  };

  constructor() {
    for (const signal of Interruption.#signals) process.on(signal, this.#hear);
  }

  end(): void {
    for (const signal of Interruption.#signals) process.off(signal, this.#hear);
  }
}

async function copy(from: string, to: string, interruption: Interruption): Promise<void> {
  const { spawn } = require('node:child_process') as typeof import('node:child_process');
  const what = ['-dR', '-x', '--reflink=auto', '--preserve=mode,ownership,timestamps,links,xattr'];
  // a group of its own: of Ctrl-C on a terminal it hears through this process
  const child = spawn('cp', [...what, '-T', '--', from, to], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  interruption.stop = () => child.kill('SIGKILL');
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => {
    if (complaint.length < 4096) complaint += data.toString();
  });
  const reason = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status) => resolve(status === 0 ? undefined : firstLine(complaint)));
  });
  if (interruption.signal !== undefined) {
    throw new TreeError(`making the tree was ended by ${interruption.signal}, and nothing is left of it`);
  }
  if (reason === undefined) return;
  throw new TreeError(`cannot copy the template ${from}: ${reason}`, { path: from, option: '--template' });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] || 'cp has failed';
}

/** Gives the tree its name; false when somebody else was faster, whose tree it then is. */
function moveInto(tree: string, directory: string): boolean {
  try {
    renameSync(tree, directory);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTEMPTY') return false;
    throw new TreeError(`cannot move the tree to ${directory}: ${message}`, { path: directory, option: '--template' });
  }
}

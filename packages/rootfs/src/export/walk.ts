// A walk through a tree that may be hostile, or changed meanwhile: each step goes from the descriptor of a directory to that of
// one of its entries, no link is ever followed, and what is done with an entry is done with its descriptor.
import * as fs from 'node:fs';
import { describeErrno } from '@tsnspawn/core';
import { addon, type FileFacts } from '@tsnspawn/native';
import { BootstrapError, errorCode, printable, reasonOf } from '../errors';
import { O_PATH } from '../linux';

const { O_DIRECTORY, O_NOFOLLOW, S_IFDIR, S_IFMT } = fs.constants;

export interface Found {
  /** from the root of the tree on, which itself is empty */
  readonly path: Buffer;
  /** open with O_PATH until the walk goes on */
  readonly descriptor: number;
  readonly facts: FileFacts;
  /** it lies in another mount than the tree's root; what is below is not looked at */
  readonly mounted: boolean;
}

interface Level {
  readonly descriptor: number;
  readonly path: Buffer;
  /** what is still to be visited, the next one last; read when the walk gets there */
  names?: Buffer[];
}

/** All of a tree from its root on: each directory before what is in it, names in the order of their bytes. */
export function* walkTree(root: number): Generator<Found> {
  const nowhere = Buffer.alloc(0);
  const whole = factsOf(root, nowhere);
  const top = fs.openSync(`/proc/self/fd/${root}`, O_PATH | O_DIRECTORY);
  const levels: Level[] = [{ descriptor: top, path: nowhere }];
  try {
    yield { path: nowhere, descriptor: top, facts: whole, mounted: false };
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      level.names ??= namesIn(level);
      const name = level.names.pop();
      if (name === undefined) {
        levels.pop();
        fs.closeSync(level.descriptor);
        continue;
      }
      const path = level.path.length === 0 ? name : Buffer.concat([level.path, SLASH, name]);
      const descriptor = openEntry(level.descriptor, name, path);
      if (descriptor === undefined) continue;
      let kept = false;
      try {
        const facts = factsOf(descriptor, path);
        const mounted = facts.mount !== whole.mount;
        yield { path, descriptor, facts, mounted };
        if ((facts.mode & S_IFMT) === S_IFDIR && !mounted) kept = levels.push({ descriptor, path }) > 0;
      } finally {
        if (!kept) fs.closeSync(descriptor);
      }
    }
  } finally {
    for (const { descriptor } of levels) fs.closeSync(descriptor);
  }
}

const SLASH = Buffer.from('/');

/** A path of the tree as text for messages. */
export function shown(path: Buffer): string {
  return path.length === 0 ? 'the root of the tree' : printable(path.toString());
}

function openEntry(directory: number, name: Buffer, path: Buffer): number | undefined {
  try {
    return fs.openSync(Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), name]), O_PATH | O_NOFOLLOW);
  } catch (error) {
    // Removed since the directory was read: a tree that nobody runs in may still be worked on.
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unreadable(path, reasonOf(error));
  }
}

function namesIn({ descriptor, path }: Level): Buffer[] {
  try {
    const names = fs.readdirSync(`/proc/self/fd/${descriptor}`, { encoding: 'buffer' });
    return names.sort((a, b) => Buffer.compare(b, a));
  } catch (error) {
    throw unreadable(path, reasonOf(error));
  }
}

function factsOf(descriptor: number, path: Buffer): FileFacts {
  const facts = addon().inspect(descriptor);
  if (typeof facts === 'number') throw unreadable(path, describeErrno(facts).text);
  return facts;
}

/** A file of the tree that cannot be read. */
export function unreadable(path: Buffer, reason: string): BootstrapError {
  const hint = /^permission denied$/i.test(reason) ? 'only the owner of the tree can export all of it' : undefined;
  return new BootstrapError('READ_FAILED', `cannot read ${shown(path)}: ${reason}`, { hint });
}

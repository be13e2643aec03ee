// Owners of what cannot carry an attribute: links, FIFOs and sockets. They stand in the file `.#NAME.owners` beside the tree NAME,
// a line each: `INODE BIRTH UID GID`. The last line about a file counts, and 0:0 forgets it. The time of birth tells a file from
// another one that got its number later.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Ownership } from '../archive/tree-writer';
import { errorCode } from '../errors';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = fs.constants;

/** Which file a line is about. */
export interface StoreKey {
  readonly inode: string;
  readonly birth: string;
}

/** Where the owners of a tree's links lie. */
export function storeBeside(tree: string): string {
  return path.join(path.dirname(tree), `.#${path.basename(tree)}.owners`);
}

/** Read a store: the owner of each file, by `INODE BIRTH`. Empty where there is none. */
export function readStore(file: string): Map<string, Ownership> {
  const owners = new Map<string, Ownership>();
  let text = '';
  try {
    const descriptor = fs.openSync(file, O_NOFOLLOW | O_NONBLOCK);
    try {
      if (fs.fstatSync(descriptor).isFile()) text = fs.readFileSync(descriptor, 'latin1');
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  for (const [, key, uid, gid] of text.matchAll(/^(\d+ \d+\.\d+) (\d{1,10}) (\d{1,10})\n/gm)) {
    if (Number(uid) === 0 && Number(gid) === 0) owners.delete(key as string);
    else owners.set(key as string, { uid: Number(uid), gid: Number(gid) });
  }
  return owners;
}

/** Note an owner. */
export function appendToStore(file: string, { inode, birth }: StoreKey, { uid, gid }: Ownership): void {
  const descriptor = fs.openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    fs.writeSync(descriptor, `${inode} ${birth} ${uid} ${gid}\n`);
  } finally {
    fs.closeSync(descriptor);
  }
}

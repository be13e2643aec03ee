// A tree as the bytes of a tar archive, in pieces.
import * as fs from 'node:fs';
import { describeErrno } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import type { EntryKind } from '../archive/tar';
import { encodeHeader, endOfArchive, type Member, padding } from '../archive/tar-writer';
import { reasonOf } from '../errors';
import { recordsOf } from './attributes';
import type { Attributes, OwnerView } from './owners';
import { type Found, shown, unreadable, walkTree } from './walk';

const { O_NOCTTY, O_NONBLOCK, O_RDONLY, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } = fs.constants;

/** Small pieces are put together to ones of about this size. */
const PIECE = 1 << 20;

const KINDS: Readonly<Record<number, EntryKind>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
  [S_IFCHR]: 'character-device',
  [S_IFBLK]: 'block-device',
  [S_IFIFO]: 'fifo',
};

/**
 * The archive of the tree whose root is open as `root`.
 *
 * @param note hears of what cannot be in an archive, or is not of the tree
 */
export function* archiveOf(root: number, owners: OwnerView, note: (line: string) => void): Generator<Buffer> {
  let pieces: Buffer[] = [];
  let size = 0;
  for (const piece of piecesOf(root, owners, note)) {
    pieces.push(piece);
    size += piece.length;
    if (size < PIECE) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    size = 0;
  }
  yield Buffer.concat(pieces);
}

function* piecesOf(root: number, owners: OwnerView, note: (line: string) => void): Generator<Buffer> {
  const seen = new Map<string, Buffer>();
  for (const found of walkTree(root)) {
    const { facts, path } = found;
    const kind = KINDS[facts.mode & S_IFMT];
    if (kind === undefined) {
      note(`${shown(path)} is a socket, which no archive can hold`);
      continue;
    }
    if (found.mounted) {
      note(`${shown(path)} is a mount point; what is mounted there is not of the tree`);
      if (kind !== 'directory') continue;
    }
    const name = nameOf(path, kind);
    const key = `${facts.device} ${facts.inode}`;
    const first = kind !== 'directory' && facts.links > 1 ? seen.get(key) : undefined;
    if (first === undefined) {
      if (facts.links > 1) seen.set(key, name);
      yield* memberOf(found, name, kind, owners);
    } else {
      const { mode, modified: mtime } = facts;
      const owner = owners.of(facts, attributesOf(found));
      yield encodeHeader({ name, kind: 'link', target: first, mode, mtime, ...owner, size: 0 });
    }
  }
  yield endOfArchive();
}

/** As tar(1) calls what it finds in the directory `.`. */
function nameOf(path: Buffer, kind: EntryKind): Buffer {
  return Buffer.concat([
    Buffer.from(path.length === 0 ? '.' : './'),
    path,
    Buffer.from(kind === 'directory' ? '/' : ''),
  ]);
}

function attributesOf({ descriptor, path }: Found): Attributes {
  const attributes = addon().attributes(descriptor);
  if (typeof attributes === 'number') throw unreadable(path, describeErrno(attributes).text);
  return attributes;
}

function* memberOf(found: Found, name: Buffer, kind: EntryKind, owners: OwnerView): Generator<Buffer> {
  const { facts } = found;
  const attributes = attributesOf(found);
  const device = kind === 'file' ? owners.device(attributes) : undefined;
  const member: Member = {
    name,
    kind: device === undefined ? kind : device.kind === 'c' ? 'character-device' : 'block-device',
    mode: facts.mode,
    ...owners.of(facts, attributes),
    size: kind === 'file' && device === undefined ? facts.size : 0,
    mtime: facts.modified,
    records: recordsOf(attributes, owners),
    ...(facts.target === undefined ? {} : { target: facts.target }),
    major: (device ?? facts).major,
    minor: (device ?? facts).minor,
  };
  yield encodeHeader(member);
  if (member.size > 0) yield* contentOf(found, member.size);
}

/** Exactly as many bytes as the header says. */
function* contentOf({ descriptor, path }: Found, size: number): Generator<Buffer> {
  let file: number;
  try {
    file = fs.openSync(`/proc/self/fd/${descriptor}`, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    throw unreadable(path, reasonOf(error));
  }
  try {
    for (let left = size; left > 0; ) {
      const piece = Buffer.allocUnsafe(Math.min(left, PIECE));
      const read = fs.readSync(file, piece);
      if (read === 0) throw unreadable(path, 'it became shorter meanwhile');
      left -= read;
      yield piece.subarray(0, read);
    }
    yield padding(size);
  } finally {
    fs.closeSync(file);
  }
}

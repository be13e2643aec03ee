// Remembering owners where files cannot be given to anybody. A file is named by its descriptor, which may be one made with O_PATH.
import * as fs from 'node:fs';
import { describeErrno } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { probeHost } from '@tsnspawn/runtime';
import type { OwnerKeeping, Ownership } from '../archive/tree-writer';
import { BootstrapError } from '../errors';
import { DEVICE_ATTRIBUTE, encodeOwner, OWNER_ATTRIBUTE } from './remembered';
import { appendToStore, storeBeside } from './store';

const ENODATA = 61;

/** How this caller can keep the owners of packages' files. */
export function ownersHere(): OwnerKeeping {
  const { rootless, euid } = probeHost();
  return rootless === undefined || (euid === 0 && rootless.size > 1) ? 'given' : 'remembered';
}

/** Mark a directory as a tree that remembers its owners. */
export function markTree(tree: string): void {
  const descriptor = fs.openSync(tree, fs.constants.O_DIRECTORY);
  try {
    rememberOwner(descriptor, { uid: 0, gid: 0 }, true);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Remember the owner of a regular file or directory. Root is what is not remembered, but on the `root` of a tree, which is marked. */
export function rememberOwner(descriptor: number, owner: Ownership, root = false): void {
  if (root || owner.uid !== 0 || owner.gid !== 0) {
    check(addon().setAttribute(descriptor, OWNER_ATTRIBUTE, encodeOwner(owner)));
  } else {
    const error = addon().removeAttribute(descriptor, OWNER_ATTRIBUTE);
    if (error !== -ENODATA) check(error);
  }
}

/** Remember the owner of what takes no attributes, beside the tree. */
export function noteOwner(tree: string, descriptor: number, owner: Ownership): void {
  if (owner.uid === 0 && owner.gid === 0) return;
  const facts = addon().inspect(descriptor);
  if (typeof facts === 'number') check(facts);
  else appendToStore(storeBeside(tree), facts, owner);
}

/** Say which device a file stands for. */
export function rememberDevice(descriptor: number, kind: 'b' | 'c', major: number, minor: number): void {
  check(addon().setAttribute(descriptor, DEVICE_ATTRIBUTE, Buffer.from(`${kind} ${major} ${minor}`)));
}

function check(error: number): void {
  if (error === 0) return;
  const { name, text } = describeErrno(error);
  const hint =
    name === 'EOPNOTSUPP' ? 'choose a directory on a file system that has extended attributes of users' : undefined;
  throw new BootstrapError('WRITE_FAILED', `cannot remember the owner of a file: ${text}`, { hint });
}

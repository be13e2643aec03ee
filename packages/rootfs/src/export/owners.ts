// Whose a file of a tree is, in the ids of the tree: as it says itself, shifted by a range, or remembered.

import { RANGE } from '@tsnspawn/core';
import type { FileFacts } from '@tsnspawn/native';
import { addon } from '@tsnspawn/native';
import type { Ownership } from '../archive/tree-writer';
import { DEVICE_ATTRIBUTE, decodeDevice, decodeOwner, isMemory, OWNER_ATTRIBUTE } from '../owners/remembered';
import { readStore, storeBeside } from '../owners/store';

export type Attributes = ReadonlyArray<readonly [name: string, value: Buffer]>;

/** The tree's view of owners. */
export interface OwnerView {
  /** what the tree's root is on the disk */
  readonly root: number;
  uid(id: number): number;
  gid(id: number): number;
  of(facts: FileFacts, attributes: Attributes): Ownership;
  /** whether an attribute is not of the file */
  hides(attribute: string): boolean;
  /** the device that a file stands for */
  device(attributes: Attributes): ReturnType<typeof decodeDevice>;
}

/** Nobody, who has what belongs to none of a range. */
const NOBODY = 65534;

/**
 * How the owners of a tree are to be read; `descriptor` is one of its root.
 *
 * @param note hears that they are those of a host
 */
export function ownersOf(descriptor: number, path: string, note: (line: string) => void): OwnerView {
  const facts = addon().inspect(descriptor);
  const attributes = addon().attributes(descriptor);
  const owner = typeof facts === 'number' ? { uid: 0, gid: 0 } : facts;
  const isMarked = typeof attributes !== 'number' && attributes.some(([name]) => name === OWNER_ATTRIBUTE);
  if (isMarked) return remembered(owner.uid, storeBeside(path));
  const base = owner.uid >= RANGE && owner.uid === owner.gid ? owner.uid : 0;
  if (base > 0) return shifted(base);
  if (owner.uid !== 0) {
    const whose = `the user ${owner.uid}`;
    note(
      `the tree is of ${whose}, and its owners are numbers of this host: exported by ${whose} they are those of the tree`,
    );
  }
  return asTheyAre(owner.uid);
}

function asTheyAre(root: number): OwnerView {
  return { ...DISK, root, uid: (id) => id, gid: (id) => id, of: ({ uid, gid }) => ({ uid, gid }) };
}

const DISK = { hides: () => false, device: () => undefined } satisfies Pick<OwnerView, 'hides' | 'device'>;

/** Owners of a tree that was given to a range of ids. */
function shifted(base: number): OwnerView {
  const inside = (id: number): number => (id >= base && id < base + RANGE ? id - base : NOBODY);
  return {
    ...DISK,
    root: base,
    uid: inside,
    gid: inside,
    of: ({ uid, gid }) => ({ uid: inside(uid), gid: inside(gid) }),
  };
}

function remembered(root: number, file: string): OwnerView {
  const store = readStore(file);
  const value = (attributes: Attributes, wanted: string): Buffer | undefined =>
    attributes.find(([name]) => name === wanted)?.[1];
  return {
    root,
    // No list of a tree with one id can name another one.
    uid: () => 0,
    gid: () => 0,
    hides: isMemory,
    of({ inode, birth }, attributes) {
      const own = value(attributes, OWNER_ATTRIBUTE);
      return (own && decodeOwner(own)) ?? store.get(`${inode} ${birth}`) ?? { uid: 0, gid: 0 };
    },
    device(attributes) {
      const text = value(attributes, DEVICE_ATTRIBUTE);
      return text && decodeDevice(text.toString('latin1'));
    },
  };
}

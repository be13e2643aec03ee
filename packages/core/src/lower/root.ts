// The root of the guest as a detached mount: the tree or a file system of its image, what takes the changes, how owners show.

import { type Slot, type Step, TREE_SLOT } from '../plan';
import type { RootView, UsersView } from '../view/model';
import { CHANGES_DIRECTORY, mountDevice, openChanges } from './filesystem';
import { MAP, treeFlags } from './users';

/** Slot of the mount that becomes the root. */
export const ROOT: Slot = 'root';

/** An overlay has flags of its own: those of an image's mount would be lost. */
const NO_DEVICES = ['nodev'] as const;

/** Slot of the mount that takes the changes. */
const CHANGES: Slot = 'changes';

/** Names of the writable layer and its work directory, in the mount that takes the changes. */
const UPPER = 'upper';
const WORK = 'work';

export interface RootSteps {
  /** opens what the root is made of */
  readonly open: readonly Step[];
  /** lays it together, in the scratch mount namespace */
  readonly overlay: readonly Step[];
  /** what is put right once the root has been entered */
  readonly entered: readonly Step[];
}

export function lowerRoot(root: RootView, users: UsersView | undefined): RootSteps {
  const plain = root.changes === undefined && root.usrOnly === undefined;
  const tree: Slot = plain ? ROOT : 'tree as it is';
  const open: Step[] = [];
  const shifts = users?.tree === 'shift';
  if (shifts && root.changes === undefined && root.base.kind === 'directory')
    open.push({ op: 'shiftOwners', from: TREE_SLOT, path: root.base.source, base: users.base });
  open.push(...openBase(root, tree, users));
  if (shifts && root.changes === undefined && root.base.kind === 'image')
    open.push({ op: 'shiftOwners', from: tree, path: '/', base: users.base });
  if (users?.tree === 'map') open.push({ op: 'mapOwners', mount: tree, by: MAP });
  if (root.usrOnly !== undefined)
    open.push({ op: 'newMount', fs: 'tmpfs', flags: ['strictatime'], data: owned(root.usrOnly.data, users), as: ROOT });

  const overlay: Step[] = [];
  if (root.changes !== undefined) {
    open.push(...makeChanges(root.changes));
    overlay.push({
      op: 'overlay',
      lower: [tree],
      upper: { from: CHANGES, directory: UPPER, work: WORK },
      flags: [
        ...(root.readOnly && !shifts ? (['ro'] as const) : []),
        ...(root.base.kind === 'image' ? NO_DEVICES : treeFlags(users)),
      ],
      as: ROOT,
    });
    // the layer on top was made for the range, what shows through it was not
    if (shifts) overlay.push({ op: 'shiftOwners', from: ROOT, path: '/', base: users.base, always: true });
  }
  const usr: Step[] =
    root.usrOnly === undefined
      ? []
      : [{ op: 'bind', source: { from: tree }, target: '/usr', recursive: true, flags: ['ro'] }];
  return { open, overlay, entered: [...usr, ...pivot(root)] };
}

/** Options of a tmpfs that is made before the monitor acts as the guest's root. */
function owned(data: string, users: UsersView | undefined): string {
  return users === undefined ? data : `${data},uid=${users.base},gid=${users.base}`;
}

/** The locked directory, not its path: what lies there at a reboot of the guest may be another one. */
function openBase({ base, readOnly, changes, usrOnly }: RootView, as: Slot, users: UsersView | undefined): Step[] {
  const lower = changes !== undefined;
  if (base.kind === 'image') {
    if (usrOnly === undefined) return [mountDevice(base, as)];
    const image: Slot = 'root of the image';
    const usr = { from: image, path: base.device, inside: '/usr' };
    return [mountDevice(base, image), { op: 'openTree', source: usr, recursive: false, flags: ['ro'], as }];
  }
  return [
    {
      op: 'openTree',
      source: { from: TREE_SLOT, path: base.source, ...(usrOnly === undefined ? {} : { inside: '/usr' }) },
      // a layer of an overlay is one file system
      recursive: !lower,
      flags: [...(readOnly || lower || usrOnly !== undefined ? (['ro'] as const) : []), ...treeFlags(users)],
      as,
    },
  ];
}

function makeChanges(changes: NonNullable<RootView['changes']>): Step[] {
  const open = openChanges(changes, CHANGES);
  if (changes.kind === 'memory') return [open];
  const { path } = changes;
  return [{ op: 'tempDirectory', path, as: CHANGES_DIRECTORY }, open];
}

/** A second root, below the first: the first stays visible in it where that is wanted. */
function pivot({ pivot }: RootView): Step[] {
  if (pivot === undefined) return [];
  const { newRoot, oldRoot } = pivot;
  const open = (inside: string, as: Slot): Step => ({
    op: 'openTree',
    source: { inside },
    recursive: true,
    flags: [],
    as,
  });
  return [
    open(newRoot, 'new root'),
    ...(oldRoot === undefined ? [] : [open('/', 'old root')]),
    { op: 'pivotRoot', from: 'new root', propagation: 'slave' },
    ...(oldRoot === undefined
      ? []
      : [{ op: 'bind', source: { from: 'old root' }, target: oldRoot, recursive: true, flags: [] } as const]),
  ];
}

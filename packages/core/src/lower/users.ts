// The user namespace in a plan: its maps, and what has to be done by the host's root before, or while, the guest's root begins.

import type { MountFlag, Slot, Step } from '../plan';
import type { UsersView } from '../view/model';
import { mapsOf } from '../view/users';

/** Slot of a user namespace that maps as the guest's own does: mounts show the owners of their files by it. */
export const MAP: Slot = 'ids';

/** Flags of what is the tree's. A guest with a user namespace can make no device nodes: none that its tree brought along works. */
export function treeFlags(users: UsersView | undefined): readonly MountFlag[] {
  return users === undefined ? [] : ['nodev'];
}

/** The procfs that the guest's first process makes, before it can be put in its place. */
export const PROC: Slot = 'proc';
/** The same of a sysfs of a network namespace of its own. */
export const SYSFS: Slot = 'sysfs';

/** The host's own procfs and sysfs, with all that is mounted in them. */
const HOST_PROC: Slot = '/proc';
const HOST_SYSFS: Slot = '/sys';

/** An empty directory that is there anyway: mounts stand here for a moment. */
export const SCRATCH = '/run/host/incoming';

/** Slot of the lock of a range that was picked: it lasts as long as the monitor. */
export const RANGE_LOCK: Slot = 'lock of the range of ids';

const API = ['nosuid', 'nodev', 'noexec'] as const;

export interface UsersSteps {
  /** before mounts are opened */
  readonly open: readonly Step[];
  /** while the guest's first process waits */
  readonly host: readonly Step[];
  /** the last mounts of the monitor in its scratch namespace */
  readonly visible: readonly Step[];
  /** what the guest's first process does first */
  readonly begin: readonly Step[];
  /** the monitor, meanwhile */
  readonly late: readonly Step[];
}

/**
 * The steps around a user namespace.
 *
 * The kernel lets a user namespace mount proc and sysfs only where the mount namespace has one already of which nothing is
 * covered (mount_too_revealing()). So the monitor puts one of its own in each place; when the guest has made its own they go
 * again, by propagation: what came with the namespace is locked for the guest. A monitor in a user namespace is bound by that rule
 * itself: it puts the host's there.
 *
 * What goes onto proc or sysfs can only be put there by the guest. It comes by way of the namespace too, out of which the guest copies
 * it: a copy has its flags locked like what it is a copy of.
 */
export function lowerUsers(
  users: UsersView,
  ownNetwork: boolean,
  network: readonly Step[],
  own: readonly Slot[],
): UsersSteps {
  const ids = mapsOf(users);
  const owners = ids.uids.map((range) => ({ ...range, inside: range.inside + (users.treeBase ?? 0) }));
  const show = (fs: string, target: string): Step => ({
    op: 'mount',
    fs,
    target,
    flags: API,
    data: '',
    nofollow: true,
  });
  const opened = (source: string, as: Slot): Step => ({ op: 'openTree', source, recursive: true, flags: [], as });
  const bound = (from: Slot, target: string): Step => ({
    op: 'bind',
    source: { from },
    target,
    recursive: true,
    flags: [],
    nofollow: true,
  });
  const inside = users.around !== undefined;
  const way = (index: number): string => `${SCRATCH}/${index}`;
  return {
    open: inside
      ? [opened('/proc', HOST_PROC), ...(ownNetwork ? [opened('/sys', HOST_SYSFS)] : [])]
      : [{ op: 'userNamespace', uids: owners, gids: owners, as: MAP }],
    host: [{ op: 'idMap', ...ids }],
    visible: [
      ...(own.length === 0 ? [] : [{ op: 'mount', fs: 'tmpfs', target: SCRATCH, flags: API, data: '' } as const]),
      ...own.map(
        (from, index): Step => ({ op: 'bind', source: { from }, target: way(index), recursive: true, flags: [] }),
      ),
      inside ? bound(HOST_PROC, '/proc') : show('proc', '/proc'),
      ...(ownNetwork ? [inside ? bound(HOST_SYSFS, '/sys') : show('sysfs', '/sys')] : []),
    ],
    begin: [
      { op: 'becomeRoot' },
      { op: 'newMount', fs: 'proc', flags: API, data: '', as: PROC },
      // read-only, as the host's own may be, of which it must not give more
      ...(ownNetwork ? [{ op: 'newMount', fs: 'sysfs', flags: ['ro', ...API], data: '', as: SYSFS } as const] : []),
      ...own.map(
        (as, index): Step => ({ op: 'openTree', source: { inside: way(index) }, recursive: true, flags: [], as }),
      ),
      { op: 'await' },
    ],
    late: [
      ...(own.length === 0 ? [] : [{ op: 'umount', target: SCRATCH } as const]),
      { op: 'umount', target: '/proc' },
      ...(ownNetwork ? [{ op: 'umount', target: '/sys' } as const] : []),
      { op: 'returnToHost' },
      // here, and not on the host side: it takes programs and files of the host
      ...network,
      { op: 'resume' },
    ],
  };
}

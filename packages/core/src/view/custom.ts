// The mounts that were asked for: --bind, --bind-ro, --tmpfs, --overlay, --overlay-ro, --inaccessible.

import { UsageError } from '../errors';
import type { HostFacts, Owner, TreeFacts } from '../facts';
import { absolute, components, hasDotDot, lastComponent, simplify } from '../paths';
import type { IdMap, MountFlag } from '../plan';
import type { BindMount, ContainerSpec, CustomMount, OverlayMount, Source, TmpfsMount } from '../spec';
import type { Entry, MountSource, UsersView } from './model';
import { TEMPORARY_PLACE, temporaryName } from './root';
import { idInGuest, mapsOf, RANGE, requireOwners } from './users';

/** Custom mounts by destination, parents before what lies below them; of two at the same place the later one is on top. */
export function customEntries(spec: ContainerSpec, host: HostFacts, tree: TreeFacts, places: Places): Entry[] {
  return spec.mounts
    .map((mount, index) => entryOf(mount, { host, tree, ...places, index }))
    .sort((a, b) => compare(components(a.path), components(b.path)));
}

/** What the entries of mounts are made with. */
export interface Places {
  readonly machine: string;
  readonly users: UsersView | undefined;
}

interface Setting extends Places {
  readonly host: HostFacts;
  readonly tree: TreeFacts;
  /** number of the mount, which makes names of temporary directories unique */
  readonly index: number;
}

function temporaryDirectory({ machine, host, index }: Setting): string {
  return `${TEMPORARY_PLACE}/${temporaryName(machine, host)}.${index}`;
}

function entryOf(mount: CustomMount, setting: Setting): Entry {
  const entry = shownAt(mount, setting);
  // what is closed and filled there at the end of the set-up would be gone
  if (entry.path === '/run') {
    throw new UsageError('a mount at /run would hide /run/host from the container', {
      option: OPTIONS[mount.kind],
      hint: 'mount below /run instead',
    });
  }
  return entry;
}

const OPTIONS = { bind: '--bind', tmpfs: '--tmpfs', overlay: '--overlay', inaccessible: '--inaccessible' } as const;

function shownAt(mount: CustomMount, setting: Setting): Entry {
  switch (mount.kind) {
    case 'tmpfs':
      return tmpfsEntry(mount);
    case 'bind':
      return bindEntry(mount, setting);
    case 'overlay':
      return overlayEntry(mount, setting);
    case 'inaccessible':
      return { kind: 'cover', path: mount.destination, ...(mount.optional === true ? { optional: true } : {}) };
  }
}

function bindEntry(mount: BindMount, setting: Setting): Entry {
  const { recursive, source: from } = mount;
  const flags: readonly MountFlag[] = [...(mount.readOnly ? (['ro'] as const) : []), ...(mount.flags ?? [])];
  if (from === 'temporary') {
    const source = temporaryDirectory(setting);
    return { kind: 'host', path: mount.destination ?? '/', source, recursive, flags, temporary: true };
  }
  const option = mount.readOnly ? '--bind-ro' : '--bind';
  if (from.inTree) {
    if (mount.ids !== 'none') {
      throw new UsageError(`the owners of ${from.path} of the tree are mapped with those of the tree`, { option });
    }
    const inside = simplify(from.path);
    const optional = mount.optional === true ? { optional: true } : {};
    return { kind: 'guest', path: mount.destination ?? inside, source: inside, recursive, flags, ...optional };
  }
  const source = absolute(from.path, setting.host.cwd);
  const path = mount.destination ?? sameAs(source, from.path, option);
  const link = mount.coverLink === true ? { coverLink: true } : {};
  return { kind: 'host', path, source, recursive, flags, ...link, ...shownOwners(mount, source, path, setting) };
}

/** How the owners of a bind's files show; nothing where they show as they are. */
function shownOwners(
  { ids }: BindMount,
  source: string,
  path: string,
  { host, tree, users }: Setting,
): { readonly uids?: readonly IdMap[]; readonly gids?: readonly IdMap[] } {
  const base = users?.base ?? 0;
  if (ids !== 'none' && users?.around !== undefined) requireOwners(ids, users);
  switch (ids) {
    case 'none':
      return {};
    case 'idmap':
      return mapsOf(users ?? { base: 0, size: RANGE });
    default: {
      const owner = host.owners?.[source] ?? { uid: 0, gid: 0 };
      const shown = ids === 'rootidmap' ? { uid: 0, gid: 0 } : ownerInGuest(tree.owners?.[path], path, users);
      const one = (inside: number, id: number): readonly IdMap[] => [{ inside, outside: base + id, size: 1 }];
      return { uids: one(owner.uid, shown.uid), gids: one(owner.gid, shown.gid) };
    }
  }
}

/** @throws UsageError where the owner is no user of the guest */
function ownerInGuest(owner: Owner | undefined, path: string, users: UsersView | undefined): Owner {
  if (owner === undefined) return { uid: 0, gid: 0 };
  const uid = idInGuest(owner.uid, users);
  const gid = idInGuest(owner.gid, users);
  if (uid !== undefined && gid !== undefined) return { uid, gid };
  throw new UsageError(`the owner ${owner.uid}:${owner.gid} of ${path} in the tree is no user of the container`, {
    option: '--bind',
    hint: 'rootidmap shows the files as those of root',
  });
}

function overlayEntry(mount: OverlayMount, setting: Setting): Entry {
  const place = ({ path, inTree }: Source): MountSource =>
    inTree ? { tree: simplify(path) } : { host: absolute(path, setting.host.cwd) };
  const { destination: path, upper } = mount;
  const common = { kind: 'overlay', path, lower: mount.lower.map(place) } as const;
  if (upper === undefined) return common;
  if (upper === 'temporary') return { ...common, upper: { temporary: temporaryDirectory(setting) } };
  const top = place(upper);
  // links may lead from one directory to another, but the layer and its work directory must lie in the same one
  const real: MountSource = 'host' in top ? { host: setting.host.uppers?.[top.host] ?? top.host } : top;
  // beside the upper one: both must be on one mount. Always the same: what a killed machine has left is taken again
  return { ...common, upper: real, work: `.#${lastComponent('host' in real ? real.host : real.tree)}.work` };
}

/** The destination of a relative source that names none: where it is on the host. */
function sameAs(source: string, given: string, option: string): string {
  const path = simplify(source);
  if (!hasDotDot(source) && path !== '/') return path;
  throw new UsageError(`the bind of ${given} needs a destination`, {
    option,
    hint: `write ${given}:/path/in/the/container`,
  });
}

/** Generic mount options and the flag that each sets, or takes back. */
const GENERIC: { readonly [word: string]: { readonly set?: MountFlag; readonly clear?: readonly MountFlag[] } } = {
  ro: { set: 'ro' },
  rw: { clear: ['ro'] },
  nosuid: { set: 'nosuid' },
  suid: { clear: ['nosuid'] },
  nodev: { set: 'nodev' },
  dev: {},
  noexec: { set: 'noexec' },
  exec: { clear: ['noexec'] },
  noatime: { set: 'noatime', clear: ['relatime', 'strictatime'] },
  relatime: { set: 'relatime', clear: ['noatime', 'strictatime'] },
  strictatime: { set: 'strictatime', clear: ['noatime', 'relatime'] },
  nodiratime: { set: 'nodiratime' },
  nosymfollow: { set: 'nosymfollow' },
  defaults: {},
};

function tmpfsEntry(mount: TmpfsMount): Entry {
  // nodev cannot be taken back: device nodes belong into /dev
  const flags = new Set<MountFlag>(['nodev', 'strictatime']);
  const data: string[] = [];
  for (const option of (mount.options ?? 'mode=0755').split(',').filter((word) => word !== '')) {
    const generic = Object.hasOwn(GENERIC, option) ? GENERIC[option] : undefined;
    if (generic === undefined) data.push(option);
    for (const flag of generic?.clear ?? []) flags.delete(flag);
    if (generic?.set !== undefined) flags.add(generic.set);
  }
  return { kind: 'filesystem', path: mount.destination, type: 'tmpfs', flags: [...flags], data: data.join(',') };
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const [left = '', right = ''] = [a[i], b[i]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

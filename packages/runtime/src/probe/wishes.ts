// What only some launches ask of the host and the tree: whose ids are free, whether owners can be mapped, where a writable layer
// can lie. A launch that asks for none of it pays for none.

import { accessSync, constants, readlinkSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  absolute,
  asksForNetwork,
  type ContainerSpec,
  type CustomMount,
  describeErrno,
  type HostFacts,
  machineName,
  type Owner,
  pathOf,
  RANGE_LOCK,
  type Slot,
  TEMPORARY_PLACE,
  TreeError,
  type TreeFacts,
} from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { removeStale } from '../place/temporary';
import { pickRange } from './ids';
import { probeJournal } from './journal';
import { probeNetwork } from './network';
import { probeResources } from './resources';
import { program } from './rootless';
import { hostUsers } from './users';

export interface Wishes {
  readonly host: HostFacts;
  readonly tree: TreeFacts;
  /** descriptors that go to the monitor, by slot */
  readonly handed: ReadonlyMap<Slot, number>;
}

/**
 * The facts, with what this spec needs to know beyond the usual.
 *
 * @param uuid the machine id of a guest that has none, dashed or not
 * @throws TreeError for a tree that cannot be used in the way that is asked for
 */
export function probeWishes(spec: ContainerSpec, host: HostFacts, tree: TreeFacts, uuid: string): Wishes {
  const handed = new Map<Slot, number>();
  let [hostMore, treeMore]: [Partial<HostFacts>, Partial<TreeFacts>] = [{}, {}];
  if (host.rootless !== undefined) {
    treeMore = { ...treeMore, ...ownTree(tree) };
    if (wantsOverlay(spec)) hostMore = { ...hostMore, fuseOverlay: fuseOverlay() };
  } else if (spec.users.mode !== 'no') {
    treeMore = { ...treeMore, ...owners(spec, tree) };
    if (spec.users.mode === 'pick' && host.userNamespaces !== false) {
      const picked = pickRange(machineName(spec, tree), treeMore.owner);
      if (picked?.lock !== undefined) handed.set(RANGE_LOCK, picked.lock);
      hostMore = { ...hostMore, freeRange: picked?.base };
    }
  }
  const journal = probeJournal(spec, tree, uuid);
  if (journal !== undefined) hostMore = { ...hostMore, journal };
  if (spec.bindUsers.length > 0) hostMore = { ...hostMore, users: hostUsers(spec.bindUsers) };
  if (asksForNetwork(spec)) hostMore = { ...hostMore, network: probeNetwork(spec, host) };
  if (spec.properties.length > 0 || host.systemd === true)
    hostMore = { ...hostMore, resources: probeResources(spec.properties, host) };
  if (spec.mounts.some(isTemporary)) removeStale(TEMPORARY_PLACE);
  if (spec.ephemeral) treeMore = { ...treeMore, besides: placeBesides(tree) };
  if (spec.volatile === 'yes') treeMore = { ...treeMore, usrLinks: usrLinks(tree) };
  const uppers = spec.mounts.flatMap((mount) =>
    mount.kind === 'overlay' && typeof mount.upper === 'object' && !mount.upper.inTree
      ? [absolute(mount.upper.path, host.cwd)]
      : [],
  );
  if (uppers.length > 0) hostMore = { ...hostMore, uppers: Object.fromEntries(uppers.flatMap(realPath)) };
  const binds = spec.mounts.flatMap((mount) =>
    mount.kind === 'bind' && mount.source !== 'temporary' && (mount.ids === 'rootidmap' || mount.ids === 'owneridmap')
      ? [{ source: absolute(mount.source.path, host.cwd), target: mount.destination ?? mount.source.path }]
      : [],
  );
  if (binds.length > 0) {
    hostMore = {
      ...hostMore,
      owners: Object.fromEntries(binds.flatMap(({ source }) => entryOf(source, ownerOf(source)))),
    };
    treeMore = {
      ...treeMore,
      owners: targetOwners(
        tree,
        binds.map(({ target }) => target),
      ),
    };
  }
  return { host: withMore(host, hostMore), tree: withMore(tree, treeMore), handed };
}

function wantsOverlay({ ephemeral, volatile, mounts }: ContainerSpec): boolean {
  return ephemeral || volatile === 'overlay' || mounts.some(({ kind }) => kind === 'overlay');
}

/** What lays layers over each other where the kernel does not: programs of FUSE need its device. */
function fuseOverlay(): string | undefined {
  return addon().canOpen('/dev/fuse') ? program('fuse-overlayfs') : undefined;
}

function isTemporary(mount: CustomMount): boolean {
  return (
    (mount.kind === 'bind' && mount.source === 'temporary') || (mount.kind === 'overlay' && mount.upper === 'temporary')
  );
}

/** The facts as they are where nothing is added: a copy would ask for all that is looked for only when it is asked after. */
function withMore<T extends object>(facts: T, more: Partial<T>): T {
  return Object.keys(more).length === 0 ? facts : { ...facts, ...more };
}

/** A directory and where it is; nothing where there is none. */
function realPath(directory: string): [string, string][] {
  const opened = addon().openTree(directory);
  if (typeof opened === 'number') return [];
  addon().closeFd(opened.fd);
  return [[directory, opened.path]];
}

function entryOf(path: string, owner: Owner | undefined): [string, Owner][] {
  return owner === undefined ? [] : [[path, owner]];
}

function ownerOf(path: string): Owner | undefined {
  const status = statSync(pathOf(path), { throwIfNoEntry: false });
  return status && { uid: status.uid, gid: status.gid };
}

/** Owner of the tree's root, and whether its file system can show others. A disk image is made for root, and its file systems can. */
function owners(spec: ContainerSpec, tree: TreeFacts): Partial<TreeFacts> {
  if (tree.image !== undefined) return {};
  const opened = addon().openTree(tree.path);
  if (typeof opened === 'number') {
    throw new TreeError(`cannot open the tree ${tree.path}: ${describeErrno(opened).text}`, { path: tree.path });
  }
  try {
    const owner = { uid: opened.uid, gid: opened.gid };
    return spec.ownership === 'auto' || spec.ownership === 'map'
      ? { owner, mapsOwners: addon().mapsOwners(opened.fd) }
      : { owner };
  } finally {
    addon().closeFd(opened.fd);
  }
}

/** The mark of a tree that was made by a user with one id: what umoci(1) keeps the owners of files in. */
export const REMEMBERED = 'user.rootlesscontainers';

/** Whose the tree is, and whether its files are: the view of a user who is not root. */
function ownTree(tree: TreeFacts): Partial<TreeFacts> {
  const opened = addon().openTree(tree.path);
  if (typeof opened === 'number') return {};
  try {
    const remembers = addon().extendedAttribute(opened.fd, REMEMBERED) !== undefined;
    return { owner: { uid: opened.uid, gid: opened.gid }, ...(remembers ? { remembers } : {}) };
  } finally {
    addon().closeFd(opened.fd);
  }
}

function targetOwners(tree: TreeFacts, targets: readonly string[]): { readonly [path: string]: Owner } {
  const opened = addon().openTree(tree.path);
  if (typeof opened === 'number') return {};
  try {
    return Object.fromEntries(
      targets.flatMap((target) => {
        const inside = addon().resolveInTree(opened.fd, target);
        return entryOf(target, inside === undefined ? undefined : ownerOf(join(tree.path, inside)));
      }),
    );
  } finally {
    addon().closeFd(opened.fd);
  }
}

/** File systems that overlayfs does not take for its writable layer (statfs(2), f_type): overlay, NFS, FUSE, FAT, CIFS, 9P. */
const NO_UPPER: readonly number[] = [0x794c7630, 0x6969, 0x65735546, 0x4d44, 0xff534d42, 0x01021997];

/** Where a writable layer over the tree can lie: beside it, so that what is taken is taken from the same disk, or with all
 *  temporary files; in memory where both cannot be used. What killed machines have left there is removed. */
function placeBesides(tree: TreeFacts): string | undefined {
  if (tree.path === '/') return undefined; // all of the disk would lie below its own lower layer
  const place = [dirname(tree.path), TEMPORARY_PLACE].find((path) => {
    try {
      accessSync(path, constants.W_OK | constants.X_OK);
      return !NO_UPPER.includes(statfsSync(path).type);
    } catch {
      return false;
    }
  });
  if (place !== undefined) removeStale(place);
  return place;
}

/** The directories that are links into /usr on every merged system. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'] as const;

/** Their targets in this tree. @throws TreeError where one is a directory: its programs would be missing */
function usrLinks(tree: TreeFacts): { readonly [path: string]: string } {
  if (tree.image !== undefined) return Object.fromEntries(MERGED.map((name) => [`/${name}`, `usr/${name}`]));
  return Object.fromEntries(
    MERGED.flatMap((name): [string, string][] => {
      const path = join(tree.path, name);
      try {
        return [[`/${name}`, readlinkSync(path)]];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EINVAL') return [];
        throw new TreeError(`${path} is no link into /usr: the system cannot start from its /usr alone`, {
          path,
          option: '--volatile',
          hint: '--volatile=overlay or --volatile=state starts it',
        });
      }
    }),
  );
}

// The user namespace: which ids of the host the guest's users are, and how the tree's files come to belong to them.

import { PermissionError, TreeError, UnsupportedError, UsageError } from '../errors';
import type { HostFacts, IdRange, Owner, RootlessFacts, TreeFacts } from '../facts';
import type { IdMap, UserMaps } from '../plan';
import type { ContainerSpec } from '../spec';
import type { RootView, UsersView } from './model';

/** Ids that every distribution hands out: a range has as many, and starts at a multiple of it. */
export const RANGE = 65536;

/** The last one means none. */
const MOST_IDS = 0xffffffff;

const OPTION = '--private-users';

/**
 * The guest's user namespace, or undefined for none.
 *
 * @throws UnsupportedError where the kernel has none, or lacks what was asked for by name
 * @throws TreeError for a tree whose owner is no start of a range
 */
export function usersOf(spec: ContainerSpec, host: HostFacts, tree: TreeFacts): UsersView | undefined {
  if (host.rootless !== undefined) return ownUsers(spec, host.rootless, tree);
  const range = rangeOf(spec, host, tree);
  if (range === undefined) return undefined;
  const how = ownershipOf(spec, tree, range);
  const from = treeBase(tree, range.size);
  return { ...range, tree: how, ...(how === 'map' && from > 0 ? { treeBase: from } : {}) };
}

/**
 * All that a caller has that is not root of the host: nobody else has these ids, so there is nothing to choose. What the guest's root
 * owns is the caller's, and the files of the tree are as they are.
 */
function ownUsers({ users, ownership }: ContainerSpec, facts: RootlessFacts, tree: TreeFacts): UsersView {
  const refuse = (option: string, asked: string): PermissionError =>
    new PermissionError(`${option}=${asked}: only root can do that`, {
      option,
      hint: 'an ordinary user has the ids of /etc/subuid and /etc/subgid, and trees that were made with them',
    });
  if (users.mode === 'range') throw refuse(OPTION, `${users.base}:${users.size}`);
  if (users.mode === 'owner' || users.mode === 'managed')
    throw refuse(OPTION, users.mode === 'owner' ? 'yes' : 'managed');
  if (ownership !== 'auto' && ownership !== 'off') throw refuse('--private-users-ownership', ownership);
  const { maps, uids, gids, size } = tree.remembers === true ? withOneId(facts, '') : facts;
  return { base: 0, size, tree: 'as-is', around: { ...(maps === undefined ? {} : { maps }), uids, gids } };
}

/** The same where there is one id only: the owners that the disk cannot keep are remembered. */
export function remembering(users: UsersView, root: RootView): UsersView {
  if (users.size !== 1) return users;
  const { base, changes, readOnly, usrOnly } = root;
  const kept = changes === undefined && usrOnly === undefined && !readOnly;
  return { ...users, remember: base.kind === 'image' ? { kept: false } : { store: storeBeside(base.source), kept } };
}

/** Where the owners of a tree's links lie. */
export function storeBeside(tree: string): string {
  const slash = tree.lastIndexOf('/');
  return `${tree.slice(0, slash + 1)}.#${tree.slice(slash + 1)}.owners`;
}

/**
 * What is left of it where the programs do not map the ids.
 * @param reason in words
 */
export function withOneId({ maps, ...facts }: RootlessFacts, reason: string): RootlessFacts {
  const first = [{ first: 0, size: 1 }];
  return { ...facts, ...(maps === undefined ? {} : { maps: oneId(maps) }), size: 1, uids: first, gids: first, reason };
}

/** The first of the ids, which is the caller's own: anyone may map that (user_namespaces(7)). */
function oneId({ uids, gids }: UserMaps): UserMaps {
  const first = ([range]: readonly IdMap[]): IdMap[] => (range === undefined ? [] : [{ ...range, size: 1 }]);
  return { uids: first(uids), gids: first(gids), denySetgroups: true };
}

/**
 * Refuses what shows owners as others: mount_setattr(2) takes a privilege over the file system itself.
 * @throws PermissionError for a guest of a caller that is not root of the host
 */
export function requireOwners(asked: string, { around }: UsersView, option = '--bind'): void {
  if (around === undefined) return;
  throw new PermissionError(`${option}: only root can show files as those of other owners (${asked})`, {
    option,
    hint: "without it your own files are those of the container's root",
  });
}

/** Whether a file with this owner on the disk belongs to somebody in the guest of a caller that is not root of the host. */
export function isMapped(owner: Owner, maps: UserMaps): boolean {
  const has = (ranges: readonly IdMap[], id: number): boolean =>
    ranges.some(({ outside, size }) => id >= outside && id < outside + size);
  return has(maps.uids, owner.uid) && has(maps.gids, owner.gid);
}

function rangeOf(spec: ContainerSpec, host: HostFacts, tree: TreeFacts): Omit<UsersView, 'tree'> | undefined {
  const { users } = spec;
  if (users.mode === 'no') return undefined;
  if (host.userNamespaces === false) {
    if (users.mode === 'pick' && users.wherePossible) return undefined;
    throw new UnsupportedError('this kernel gives no user namespaces', {
      option: OPTION,
      hint: 'see /proc/sys/user/max_user_namespaces',
    });
  }
  switch (users.mode) {
    case 'identity':
      return { base: 0, size: RANGE };
    case 'range':
      return { base: users.base, size: users.size };
    case 'managed':
      throw new UnsupportedError(`${OPTION}=managed needs systemd-nsresourced, which is not asked`, {
        option: OPTION,
        hint: `${OPTION}=pick finds a free range without it`,
      });
    case 'owner':
      return { base: ownerBase(tree), size: RANGE };
    case 'pick':
      if (host.freeRange !== undefined) return { base: host.freeRange, size: RANGE, picked: true };
      throw new PermissionError('no range of user ids is free', { option: OPTION, hint: `name one: ${OPTION}=BASE` });
  }
}

/** The range that the owner of the tree's root is the first of. */
function ownerBase({ owner, path }: TreeFacts): number {
  const { uid, gid } = owner ?? { uid: 0, gid: 0 };
  if (uid === gid && uid % RANGE === 0) return uid;
  throw new TreeError(`the owner ${uid}:${gid} of the tree ${path} is not the first of a range of ${RANGE}`, {
    path,
    option: OPTION,
    hint: `name the range: ${OPTION}=BASE`,
  });
}

/** Where the ids of the tree begin: 0, or where those of another range do in which it lies, of this tool or another. */
function treeBase({ owner }: TreeFacts, size: number): number {
  const { uid, gid } = owner ?? { uid: 0, gid: 0 };
  return uid >= RANGE && uid === gid && uid + size <= MOST_IDS ? uid : 0;
}

/** Which id of the guest an owner in the tree is. Undefined for none of its. */
export function idInGuest(id: number, users: UsersView | undefined): number | undefined {
  if (users === undefined) return id;
  // in a tree that is left alone and lies in no range of the guest, nobody is of the guest: the number is what is meant
  const first = users.tree === 'map' ? (users.treeBase ?? 0) : id < users.base ? 0 : users.base;
  const inside = users.tree === 'shift' ? id % RANGE : id - first;
  return inside >= 0 && inside < users.size ? inside : undefined;
}

function ownershipOf(spec: ContainerSpec, tree: TreeFacts, { base, size }: Omit<UsersView, 'tree'>): UsersView['tree'] {
  const owner = tree.owner ?? { uid: 0, gid: 0 };
  const already = Math.floor(owner.uid / RANGE) * RANGE === base && Math.floor(owner.gid / RANGE) * RANGE === base;
  switch (spec.ownership) {
    case 'off':
      return 'as-is';
    case 'map':
      if (already) return 'as-is';
      if (tree.mapsOwners !== false) return 'map';
      throw new UnsupportedError(`the file system of the tree ${tree.path} cannot show other owners than it has`, {
        option: '--private-users-ownership',
        hint: '--private-users-ownership=chown changes them on the disk',
      });
    case 'chown':
      return shift(spec, base, size);
    case 'foreign':
      throw new UnsupportedError('--private-users-ownership=foreign is for trees of systemd-mountfsd', {
        option: '--private-users-ownership',
        hint: '--private-users-ownership=map does the same for trees whose ids start at 0',
      });
    case 'auto':
      if (already) return 'as-is';
      return tree.mapsOwners === false ? shift(spec, base, size) : 'map';
  }
}

/** @throws UsageError for a range that does not take the lower halves of all ids */
function shift(spec: ContainerSpec, base: number, size: number): 'shift' {
  if (base % RANGE !== 0 || size !== RANGE) {
    throw new UsageError(
      `owners can be changed to a whole range only: ${RANGE} ids from a multiple of it, not ${base}:${size}`,
      {
        option: '--private-users-ownership',
      },
    );
  }
  if (spec.readOnly || spec.volatile === 'yes' || spec.volatile === 'state') {
    throw new UsageError('the owners of a tree that is not written to cannot be changed', {
      option: '--private-users-ownership',
      hint: 'this file system cannot map owners either; leave out --read-only or --volatile once',
    });
  }
  return 'shift';
}

/** The maps of the guest's ids. */
export function mapsOf({ base, size, around }: Omit<UsersView, 'tree'>): Pick<UserMaps, 'uids' | 'gids'> {
  const same = (ranges: readonly IdRange[]): IdMap[] =>
    ranges.map((range) => ({ inside: range.first, outside: range.first, size: range.size }));
  if (around !== undefined) return { uids: same(around.uids), gids: same(around.gids) };
  const ids = [{ inside: 0, outside: base, size }];
  return { uids: ids, gids: ids };
}

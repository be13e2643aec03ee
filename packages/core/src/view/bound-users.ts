// --bind-user: users of the host as users of the guest, for as long as it runs. Each gets a home, shown with the owner that the
// user has inside, and records that nss-systemd of the guest reads (systemd 249 and later; USER_RECORD at systemd.io).

import { TsnspawnError, UnsupportedError, UsageError } from '../errors';
import type { Accounts, HostFacts, HostUser, TreeFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import type { AccountView, Entry, UsersView } from './model';
import { requireOwners } from './users';

/** Ids that systemd keeps for such users: systemd.io/UIDS-GIDS. */
export const FIRST_BOUND_ID = 60514;
export const LAST_BOUND_ID = 60577;

const HOMES = '/run/host/home';
const RECORDS = '/run/host/userdb';

/** Who answers for the records; the guest's programs know the name. */
const SERVICE = 'io.systemd.NSpawn';
const NOBODY = 65534;
const OPTION = '--bind-user';

interface BoundUser {
  readonly of: HostUser;
  /** user and group id inside */
  readonly id: number;
  readonly account: AccountView;
}

/**
 * The users, with an id each that nobody has inside.
 * @throws UsageError for one that cannot be a user of the guest
 */
function boundUsers(spec: ContainerSpec, host: HostFacts, tree: TreeFacts, users: UsersView): BoundUser[] {
  if (spec.bindUsers.length > 0) requireOwners(spec.bindUsers.join(), users, '--bind-user');
  const taken = tree.accounts ?? { names: [], groups: [], ids: [] };
  let next = FIRST_BOUND_ID;
  return [...new Set(spec.bindUsers)].map((name) => {
    const of = host.users?.find((user) => user.name === name);
    if (of === undefined) {
      throw new UsageError(`${OPTION}=${name}: there is no user ${name} on the host`, { option: OPTION });
    }
    refuse(of, taken, users);
    while (taken.ids.includes(next)) next += 1;
    if (next > LAST_BOUND_ID) {
      throw new TsnspawnError(
        `${OPTION}=${name}: no id from ${FIRST_BOUND_ID} to ${LAST_BOUND_ID} is free in the tree`,
        {
          code: 'EBUSY',
          option: OPTION,
        },
      );
    }
    const id = next;
    next += 1;
    const shell = spec.bindUserShell === true ? of.shell : spec.bindUserShell === false ? '' : spec.bindUserShell;
    return { of, id, account: { uid: id, gid: id, home: `${HOMES}/${name}`, shell, groups: spec.bindUserGroups } };
  });
}

function refuse({ name, uid, gid, home }: HostUser, taken: Accounts, { base, size }: UsersView): void {
  const within = (id: number): boolean => id >= base && id < base + size;
  const reason =
    uid === 0 || uid === NOBODY
      ? `the container has a ${name} of its own`
      : within(uid) || within(gid)
        ? `its ids ${uid}:${gid} lie in the range of the container`
        : taken.names.includes(name)
          ? `the tree has a user ${name} already`
          : taken.groups.includes(name)
            ? `the tree has a group ${name} already`
            : home === '/' || !home.startsWith('/')
              ? `it has no home directory but ${home || 'none'}`
              : undefined;
  if (reason !== undefined) {
    throw new UnsupportedError(`${OPTION}=${name}: the user cannot be bound: ${reason}`, { option: OPTION });
  }
}

/** The account that the payload runs as, when that is a bound user; the guest's own programs need no nss-systemd for it. */
export function boundAccount(
  spec: ContainerSpec,
  host: HostFacts,
  tree: TreeFacts,
  users: UsersView | undefined,
): AccountView | undefined {
  if (users === undefined || spec.user === undefined || !spec.bindUsers.includes(spec.user)) return undefined;
  return boundUsers(spec, host, tree, users).find(({ of }) => of.name === spec.user)?.account;
}

/** Homes and records. */
export function boundUserEntries(
  spec: ContainerSpec,
  host: HostFacts,
  tree: TreeFacts,
  users: UsersView | undefined,
): Entry[] {
  if (users === undefined || spec.bindUsers.length === 0) return [];
  return [
    { kind: 'directory', path: HOMES, mode: 0o755 },
    { kind: 'directory', path: RECORDS, mode: 0o755 },
    ...boundUsers(spec, host, tree, users).flatMap((user) => [...recordsOf(user), homeOf(user, users)]),
  ];
}

/** On the disk the files stay the user's: only of these two ids anything can be made there. */
function homeOf({ of, account }: BoundUser, { base }: UsersView): Entry {
  const one = (inside: number, id: number) => [{ inside, outside: base + id, size: 1 }];
  return {
    kind: 'host',
    path: account.home,
    source: of.home,
    recursive: false,
    flags: [],
    uids: one(of.uid, account.uid),
    gids: one(of.gid, account.gid),
  };
}

function recordsOf({ of, id, account }: BoundUser): Entry[] {
  const { name } = of;
  const { shell, groups, home: homeDirectory } = account;
  const user = {
    userName: name,
    uid: id,
    gid: id,
    homeDirectory,
    ...(shell === '' ? {} : { shell }),
    ...(groups.length === 0 ? {} : { memberOf: groups }),
    service: SERVICE,
  };
  const group = { groupName: name, gid: id, service: SERVICE };
  return [
    ...record(name, id, 'user', 0o644, user),
    // the hash lets the user log in with the password of the host; only the guest's root may see it
    ...(of.hashedPassword === undefined
      ? []
      : record(name, id, 'user-privileged', 0o600, { privileged: { hashedPassword: [of.hashedPassword] } })),
    ...record(name, id, 'group', 0o644, group),
    // an empty file would count as masked
    ...groups.map(
      (other): Entry => ({
        kind: 'file',
        path: `${RECORDS}/${name}:${other}.membership`,
        mode: 0o644,
        content: '{}\n',
      }),
    ),
  ];
}

/** Found by the name and by the id. */
function record(name: string, id: number, suffix: string, mode: number, content: object): Entry[] {
  return [
    { kind: 'file', path: `${RECORDS}/${name}.${suffix}`, mode, content: `${JSON.stringify(content)}\n` },
    { kind: 'link', path: `${RECORDS}/${id}.${suffix}`, target: `${name}.${suffix}` },
  ];
}

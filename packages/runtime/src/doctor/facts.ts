// Gathers what the checks need: small reads, the trials, and three programs that are asked.

import { spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import {
  CAPABILITIES,
  delegationCommand,
  type HostFacts,
  type Mount,
  mountAt,
  parseMountinfo,
  type UserMaps,
} from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { linkTarget, probeHost } from '../probe/host';
import { INITIAL_USER_NAMESPACE, program } from '../probe/rootless';
import { freeFrom, parseSubordinate, subordinateIds, subordinateSource } from '../probe/subids';
import { NAMESPACE_KINDS } from './checks/words';
import { containerMarks, containerOf, isChrooted } from './container';
import type { CallerFacts, DoctorFacts, HelperFacts, IdFacts } from './model';
import { type MapCommand, runTrials, tryMaps } from './trials';

/** Programs whose absence costs something. */
const PROGRAMS = ['fuse-overlayfs', 'pasta', 'slirp4netns', 'usermod', 'apt-get', 'dnf', 'pacman', 'apk', 'zypper'];

const SYSCTLS = [
  ...NAMESPACE_KINDS.map((kind) => `user/max_${kind}_namespaces`),
  'kernel/unprivileged_userns_clone',
  'kernel/apparmor_restrict_unprivileged_userns',
  'vm/memfd_noexec',
];

/** Milliseconds that a bus may take to answer. */
const PATIENCE = 5_000;

/** Everything about this caller on this host, and about a directory, whose path is absolute and has no links. */
export async function gatherFacts(directory: string): Promise<DoctorFacts> {
  const host = probeHost();
  const { rootless } = host;
  const trials = runTrials(directory, rootless === undefined);
  const map = trials.user === 'OK' ? await tryMapsOf(rootless?.maps) : undefined;
  return readFacts(directory, { trials, ...(map === undefined ? {} : { map }), userManager: userManager(host) });
}

/** What was tried, and not only read. */
export interface Tried extends Pick<DoctorFacts, 'trials' | 'map'> {
  /** why the caller's systemd does not answer; undefined: it does */
  readonly userManager: string | undefined;
}

/** What can be read, around what was tried. */
export function readFacts(directory: string, { userManager, ...tried }: Tried): DoctorFacts {
  const host = probeHost();
  const mounts = parseMountinfo(text('/proc/self/mountinfo') ?? '');
  const caller = callerFacts(mounts);
  const here = mountAt(mounts, directory);
  return {
    ...tried,
    caller,
    container: containerOf(containerMarks()),
    osRelease: { ...host.osRelease, idLike: idLike() },
    ids: idFacts(host, [caller.name, String(caller.uid)]),
    helpers: { newuidmap: helper('newuidmap', mounts), newgidmap: helper('newgidmap', mounts) },
    sysctl: Object.fromEntries(SYSCTLS.map((name) => [name, text(`/proc/sys/${name}`)?.trim()])),
    selinux: host.selinuxMount !== undefined && text(join(host.selinuxMount, 'enforce'))?.trim() === '1',
    mounts,
    cgroup: { ...cgroupFacts(host), delegation: delegationCommand(host) },
    systemd: { booted: host.systemd === true, userManager },
    programs: Object.fromEntries(PROGRAMS.map((name) => [name, program(name)])),
    tun: host.devices.tun !== undefined ? 'open' : existsSync('/dev/net/tun') ? 'denied' : 'missing',
    place: {
      path: directory,
      fs: here?.fs ?? 'an unknown file system',
      readOnly: here !== undefined && [...here.options, ...here.superOptions].includes('ro'),
    },
    executable: realpathSync(process.execPath),
  };
}

function text(path: string): string | undefined {
  return addon().readText(path);
}

function callerFacts(mounts: readonly Mount[]): CallerFacts {
  const status = text('/proc/self/status') ?? '';
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '0';
  const bits = BigInt(`0x${field('CapEff')}`);
  return {
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    name: nameOfCaller(),
    capabilities: CAPABILITIES.filter((_, bit) => (bits >> BigInt(bit)) & 1n),
    initialUserNamespace: linkTarget('/proc/self/ns/user') === INITIAL_USER_NAMESPACE,
    noNewPrivileges: field('NoNewPrivs') === '1',
    filtered: field('Seccomp') === '2',
    chrooted: isChrooted(mounts),
  };
}

function nameOfCaller(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined; // a uid that has no name
  }
}

function idLike(): string | undefined {
  return /^ID_LIKE="?([^"\n]*)/m.exec(text('/etc/os-release') ?? text('/usr/lib/os-release') ?? '')?.[1];
}

/** The ids that a launch would use, as the launch itself finds them. */
function idFacts({ rootless }: HostFacts, names: readonly (string | undefined)[]): IdFacts {
  const count = (kind: 'uid' | 'gid'): number =>
    subordinateIds(kind, names).reduce((sum, { size: one }) => sum + one, 0);
  const more = {
    subordinate: { uids: count('uid'), gids: count('gid'), source: subordinateSource() },
    free: freeFrom(['/etc/subuid', '/etc/subgid'].flatMap((file) => parseSubordinate(text(file) ?? ''))),
  };
  if (rootless === undefined) return { kind: 'root', size: 65536, ...more };
  const { maps, size, reason } = rootless;
  const kind =
    maps === undefined ? 'inherited' : maps.programs !== undefined ? 'mapped' : size === 1 ? 'single' : 'direct';
  return { kind, size, reason, ...more };
}

/** newuidmap(1) at work on all ids that a guest would have. */
async function tryMapsOf(maps: UserMaps | undefined): Promise<DoctorFacts['map']> {
  if (maps?.programs === undefined) return undefined;
  const command = (file: string, ranges: UserMaps['uids']): MapCommand => [
    file,
    ...ranges.flatMap(({ inside, outside, size }) => [inside, outside, size].map(String)),
  ];
  return tryMaps([command(maps.programs.uids, maps.uids), command(maps.programs.gids, maps.gids)]);
}

function helper(name: string, mounts: readonly Mount[]): HelperFacts | undefined {
  const found = program(name);
  if (found === undefined) return undefined;
  const path = realpathSync(found);
  const { mode, uid } = statSync(path);
  const setid = uid === 0 && (mode & 0o4000) !== 0;
  return {
    path: found,
    privileged: setid || hasCapabilities(path),
    nosuid: mountAt(mounts, path)?.options.includes('nosuid') === true,
  };
}

function hasCapabilities(path: string): boolean {
  try {
    const fd = openSync(path, 'r');
    try {
      return addon().extendedAttribute(fd, 'security.capability') !== undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // who may not read it cannot see them either
  }
}

/** The caller's own cgroup, in cgroup2 where that has the controllers, else in the hierarchy that systemd knows. */
function cgroupFacts({ cgroup }: HostFacts): DoctorFacts['cgroup'] {
  if (cgroup.unifiedMount !== undefined) {
    const path = join(cgroup.unifiedMount, cgroup.unifiedPath ?? '/');
    const controllers = text(join(path, 'cgroup.controllers'))?.trim().split(' ').filter(Boolean) ?? [];
    return { path, version: 2, refusal: refusalOf(path), anew: cgroup.unifiedAnew, controllers };
  }
  const named = cgroup.v1.find(({ name }) => name === 'name=systemd') ?? cgroup.v1[0];
  if (named === undefined) return { version: 2, refusal: 'no cgroup file system is mounted', controllers: [] };
  const path = join(named.mount, named.path);
  return { path, version: 1, refusal: refusalOf(path), controllers: cgroup.v1.map(({ name }) => name) };
}

/** Makes a cgroup and removes it. A process can be moved from one to another by who may write to the one above both. */
function refusalOf(path: string): string | undefined {
  try {
    const trial = join(path, `tsnspawn-doctor-${process.pid}`);
    mkdirSync(trial);
    rmdirSync(trial);
    accessSync(join(path, 'cgroup.procs'), constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^\w+: /, '').replace(/, .*/s, '');
  }
}

/** Why the caller's own systemd does not answer, or nothing when it does. */
function userManager(host: HostFacts): string | undefined {
  const busctl = program('busctl');
  if (busctl === undefined) return 'busctl is not installed';
  if (host.userManager === undefined) return 'it does not run';
  const address = `--address=unix:path=${join(host.userManager, 'bus')}`;
  const peer = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.DBus.Peer', 'Ping'];
  const { status, error, stderr } = spawnSync(busctl, [address, '--timeout=3', '--quiet', 'call', ...peer], {
    encoding: 'utf8',
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
  });
  if (status === 0) return undefined;
  return stderr?.trim().split('\n')[0] || error?.message || `busctl ended with status ${status}`;
}

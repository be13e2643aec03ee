// What this host lets this user do, found by looking and trying. On the launch path: a handful of small reads, no more.

import { existsSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { arch } from 'node:process';
import {
  CAPABILITIES,
  type DeviceNumber,
  type HostFacts,
  type OsRelease,
  RLIMITS,
  type Rlimit,
  type RlimitName,
  type RlimitValue,
  UnsupportedError,
} from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { probeCgroups } from './cgroup';
import { hostFiles } from './host-files';
import { parseMountinfo } from './mountinfo';
import { parseOsRelease } from './os-release';
import { probeRootless, userNamespace } from './rootless';

/** Facts about the host and the caller. */
export function probeHost(): HostFacts {
  const [permitted, bounding] = addon().capabilities();
  const mounts = parseMountinfo(read('/proc/self/mountinfo'), ['cgroup', 'cgroup2', 'selinuxfs']);
  const release = osRelease();
  const initLimits = limitsOf(1);
  const names = capabilityNames(permitted);
  const rootless = probeRootless(names);
  const cgroup = probeCgroups(read('/proc/self/cgroup'), mounts, rootless === undefined);
  const systemd = existsSync('/run/systemd/system'); // sd_booted(3)
  const selinux = mounts.find(({ fs }) => fs === 'selinuxfs')?.path;
  return {
    euid: process.geteuid?.() ?? 0,
    ...(rootless === undefined ? {} : { rootless }),
    capabilities: { permitted: names, bounding: capabilityNames(bounding) },
    hardLimits: hardLimits(limitsOf(0)),
    initLimits: { NPROC: initLimits.NPROC, SIGPENDING: initLimits.SIGPENDING },
    cgroup,
    ...(systemd ? { systemd } : {}),
    ...(systemd && process.geteuid?.() !== 0 ? userManager() : {}),
    stdinTty: addon().isTerminal(0),
    stdoutTty: addon().isTerminal(1),
    ...listenFds(),
    env: process.env,
    cwd: process.cwd(),
    osRelease: release.fields,
    ...(release.path === undefined ? {} : { osReleasePath: release.path }),
    architectures: architectures(),
    devices: { ...device('tun', '/dev/net/tun'), ...device('fuse', '/dev/fuse') },
    ...hostFiles(),
    // looked for when it is asked after: most launches do not
    get caller() {
      return caller();
    },
    get userNamespaces() {
      return userNamespaces();
    },
    get rebootsHost() {
      // tried where there may be a reason, and nowhere else: a kernel with this link is newer
      return userNamespace() === undefined && addon().rebootsHost();
    },
    runId: randomUuid().replaceAll('-', '').slice(0, 16),
    ...(selinux === undefined ? {} : { selinuxMount: selinux }),
  };
}

/** The caller's ids and name, which NSS may know from elsewhere than a file. */
function caller(): HostFacts['caller'] {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  try {
    const known = userInfo();
    return { uid, gid, name: known.uid === uid ? known.username : String(uid) };
  } catch {
    return { uid, gid, name: String(uid) };
  }
}

/** Where the caller's own systemd and its bus listen. A program of sudo(8) or su(1) is not told where that is. */
function userManager(): { userManager?: string } {
  const directory = process.env.XDG_RUNTIME_DIR || `/run/user/${process.geteuid?.() ?? 0}`;
  return existsSync(join(directory, 'systemd/private')) && existsSync(join(directory, 'bus'))
    ? { userManager: directory }
    : {};
}

/** What sd_listen_fds(3) would find: the variables must be meant for this very process. */
function listenFds(): { listenFds?: number } {
  const { LISTEN_PID, LISTEN_FDS = '' } = process.env;
  if (LISTEN_PID !== String(process.pid) || !/^[1-9]\d{0,8}$/.test(LISTEN_FDS)) return {};
  return { listenFds: Number(LISTEN_FDS) };
}

function read(path: string): string {
  const text = addon().readText(path);
  if (text === undefined) throw new UnsupportedError(`cannot read ${path}: is /proc mounted?`, { path });
  return text;
}

/** Whether user namespaces can be made: user_namespaces(7), and the limit that a host may have set to nothing. */
function userNamespaces(): boolean {
  return userNamespace() !== undefined && addon().readText('/proc/sys/user/max_user_namespaces')?.trim() !== '0';
}

/** A random (version 4) UUID from the kernel. node:crypto would do it too, and take 3 ms to load. */
export function randomUuid(): string {
  return read('/proc/sys/kernel/random/uuid').trim();
}

/** A capability set as names. */
function capabilityNames([low, high]: readonly [number, number]): string[] {
  return CAPABILITIES.filter((_, bit) => ((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) === 1);
}

/** Limits of a process; of another one than this nothing is known without privileges. */
function limitsOf(pid: number): { [name in RlimitName]?: Rlimit } {
  const values = addon().limits(pid);
  const limits: { [name in RlimitName]?: Rlimit } = {};
  RLIMITS.forEach((name, index) => {
    const soft = values[2 * index];
    const hard = values[2 * index + 1];
    if (soft !== undefined && hard !== undefined) limits[name] = { soft: limitValue(soft), hard: limitValue(hard) };
  });
  return limits;
}

function limitValue(value: number): RlimitValue {
  return value === Number.POSITIVE_INFINITY ? 'infinity' : value;
}

function hardLimits(limits: { readonly [name in RlimitName]?: Rlimit }): HostFacts['hardLimits'] {
  const hard: { [name in RlimitName]?: RlimitValue } = {};
  for (const [name, limit] of Object.entries(limits)) hard[name as RlimitName] = limit.hard;
  return hard;
}

function osRelease(): { fields: OsRelease; path?: string } {
  for (const candidate of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      const path = realpathSync.native(candidate);
      return { fields: parseOsRelease(read(path)), path };
    } catch {
      // the other place, or none
    }
  }
  return { fields: {} };
}

export function architectures(): string[] {
  switch (arch) {
    case 'x64':
      return ['x86_64', 'i686'];
    case 'arm64':
      return ['aarch64', 'armv8l'];
    default:
      return [arch];
  }
}

function device(name: 'tun' | 'fuse', path: string): { [name: string]: DeviceNumber } {
  if (!addon().canOpen(path)) return {};
  const { rdev } = statSync(path);
  return { [name]: { major: (rdev >> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >> 12) & 0xfff00) } };
}

/** The target of a link of the host, or undefined. */
export function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

// What limits can be of on this host, and where in cgroup2 they could be set. Only for launches that ask for some.

import { constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CgroupFacts,
  type HostFacts,
  pathsOf,
  type ResourceFacts,
  type UnifiedLevel,
  type UnitProperty,
} from '@tsnspawn/core';
import { explainsFailure } from '@tsnspawn/native';
import { may, mayDivide } from './cgroup';

/** The leaf of its own unit that the launcher moves into. */
const LEAF = '/supervisor';

export function probeResources(
  properties: readonly UnitProperty[],
  { cgroup, euid, rootless, userManager }: Pick<HostFacts, 'cgroup' | 'euid' | 'rootless' | 'userManager'>,
): ResourceFacts {
  const { disks, devices } = pathsOf(properties);
  const cpuset = cgroup.v1.find(({ name }) => name.split(',').includes('cpuset'));
  const own = cgroup.unifiedMount === undefined ? undefined : cgroup.unifiedMount + (cgroup.unifiedPath ?? '/');
  const set = (legacy: string, unified: string, fallback: string): number[] => {
    const text =
      (cpuset !== undefined && text1(join(cpuset.mount + cpuset.path, legacy))) ||
      (own !== undefined && text1(join(own, unified))) ||
      text1(fallback) ||
      '0';
    return numbers(text);
  };
  return {
    memory: Number(/^MemTotal:\s+(\d+) kB$/m.exec(text1('/proc/meminfo'))?.[1] ?? 0) * 1024,
    tasks: Math.min(
      ...['/proc/sys/kernel/pid_max', '/proc/sys/kernel/threads-max'].map((path) => Number(text1(path)) || 32_768),
    ),
    cpus: set('cpuset.cpus', 'cpuset.cpus.effective', '/sys/devices/system/cpu/online'),
    mems: set('cpuset.mems', 'cpuset.mems.effective', '/sys/devices/system/node/online'),
    levels: levelsOf(cgroup, rootless === undefined),
    ...(userManager === undefined ? {} : { manager: managerControllers(cgroup, euid) }),
    disks: Object.fromEntries(disks.map((path) => [path, diskOf(path)])),
    devices: Object.fromEntries(devices.map((name) => [name, devicesOf(name)])),
  };
}

/** A file without the newline at its end; empty when it cannot be read. */
function text1(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** `0-3,8` as numbers. */
function numbers(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** The launcher's own cgroup2 and all above it that can be seen; for who is not root of the host: that are delegated. */
function levelsOf({ unifiedMount, unifiedPath = '/', unifiedWritable }: CgroupFacts, root: boolean): UnifiedLevel[] {
  if (unifiedMount === undefined || unifiedWritable === false) return [];
  // a launch that failed at a step is planned again, for its words, and must come out the same
  const moved = explainsFailure() && unifiedPath.endsWith(LEAF);
  const levels: UnifiedLevel[] = [];
  for (let path = moved ? unifiedPath.slice(0, -LEAF.length) || '/' : unifiedPath; ; path = join(path, '..')) {
    if (!root && !mayDivide(join(unifiedMount, path))) return levels;
    const file = (name: string): string => text1(join(unifiedMount, path, name));
    const pids = file('cgroup.procs').split('\n').filter(Boolean);
    const own = (moved && levels.length === 0) || (pids.length > 0 && pids.every((pid) => pid === `${process.pid}`));
    const enabled = file('cgroup.subtree_control').split(' ').filter(Boolean);
    const mayEnable = root || may(join(unifiedMount, path, 'cgroup.subtree_control'), constants.W_OK);
    levels.push({
      path,
      controllers: mayEnable ? file('cgroup.controllers').split(' ').filter(Boolean) : enabled,
      enabled,
      processes: own ? 'own' : pids.length > 0 ? 'others' : 'none',
      // only the root of the whole hierarchy has no type
      root: path === '/' && file('cgroup.type') === '',
    });
    if (path === '/') return levels;
  }
}

/** What systemd lets the manager of a user have: it can give its units no more. */
function managerControllers({ unifiedMount = '' }: CgroupFacts, uid: number): string[] {
  const service = join(unifiedMount, `user.slice/user-${uid}.slice/user@${uid}.service`);
  return text1(join(service, 'cgroup.controllers')).split(' ').filter(Boolean);
}

/** Major and minor number of a dev_t. */
function split(device: number): readonly [major: number, minor: number] {
  return [(device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00)];
}

/** The disk that a block device is (part of), or that a file lies on. Limits are those of whole disks. */
function diskOf(path: string): string | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  const named = byNumbers(path);
  if (status === undefined && named === undefined) return undefined;
  const [major, minor] = named?.numbers ?? split((status?.isBlockDevice() ? status.rdev : status?.dev) ?? 0);
  // no disk of its own: a network, memory, or several disks
  const entry = major === 0 ? undefined : real(`/sys/dev/block/${major}:${minor}`);
  if (entry === undefined) return undefined;
  const whole = text1(join(entry, 'partition')) === '' ? entry : join(entry, '..');
  return text1(join(whole, 'dev')) || undefined;
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** The links that udev makes by number mean a device also where there is no udev: `/dev/char/10:229`. */
function byNumbers(
  path: string,
): { readonly type: 'char' | 'block'; readonly numbers: readonly [number, number] } | undefined {
  const match = /^\/dev\/(char|block)\/(\d{1,4}):(\d{1,7})$/.exec(path);
  return match === null
    ? undefined
    : { type: match[1] === 'char' ? 'char' : 'block', numbers: [Number(match[2]), Number(match[3])] };
}

/** A node, or every device of a group in /proc/devices, which may be a pattern: `char-tty*`. */
function devicesOf(name: string): ResourceFacts['devices'][string] {
  const named = byNumbers(name);
  if (named !== undefined) return [{ type: named.type, major: named.numbers[0], minor: named.numbers[1] }];
  if (name.startsWith('/')) {
    const status = statSync(name, { throwIfNoEntry: false });
    if (!status?.isCharacterDevice() && !status?.isBlockDevice()) return undefined;
    const [major, minor] = split(status.rdev);
    return [{ type: status.isBlockDevice() ? 'block' : 'char', major, minor }];
  }
  const type = name.startsWith('block-') ? 'block' : 'char';
  const group = name.slice(type.length + 1);
  if (group === '*') return [{ type }];
  if (/^\d{1,4}$/.test(group)) return [{ type, major: Number(group) }];
  const [chars = '', blocks = ''] = text1('/proc/devices').split('Block devices:');
  const pattern = new RegExp(
    `^${group
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  );
  return [...(type === 'block' ? blocks : chars).matchAll(/^\s*(\d+) (\S+)$/gm)]
    .filter(([, , driver = '']) => pattern.test(driver))
    .map(([, major]) => ({ type, major: Number(major) }));
}

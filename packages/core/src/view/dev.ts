// /dev: a tmpfs with the few nodes that every program may expect, and nothing of the host's devices.

import type { DeviceNumber, HostFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import type { Entry, UsersView } from './model';

/** The nodes of every Linux (admin-guide/devices.rst). */
const STANDARD: readonly (readonly [name: string, numbers: DeviceNumber])[] = [
  ['null', { major: 1, minor: 3 }],
  ['zero', { major: 1, minor: 5 }],
  ['full', { major: 1, minor: 7 }],
  ['random', { major: 1, minor: 8 }],
  ['urandom', { major: 1, minor: 9 }],
  ['tty', { major: 5, minor: 0 }],
];

/** Group tty, in every distribution. */
const TTY = 5;
/** What grantpt(3) would set. */
const PTS_DATA = 'newinstance,ptmxmode=0666,mode=0620';

/** The entries of /dev. /dev/console is the console's own business: it links to a terminal that only exists at run time. */
export function devEntries(host: HostFacts, users: UsersView | undefined): Entry[] {
  const group = users === undefined || users.size > TTY ? `,gid=${TTY}` : '';
  const { tun, fuse } = host.devices;
  return [
    {
      kind: 'filesystem',
      path: '/dev',
      type: 'tmpfs',
      flags: ['nosuid', 'strictatime'],
      data: 'mode=0755,size=4m,nr_inodes=64k',
      nofollow: true,
    },
    { kind: 'directory', path: '/dev/char', mode: 0o755 },
    ...STANDARD.flatMap(([name, numbers]) => device(name, numbers)),
    ...(fuse === undefined ? [] : device('fuse', fuse)),
    ...(tun === undefined
      ? []
      : [{ kind: 'directory', path: '/dev/net', mode: 0o755 } as const, ...device('net/tun', tun)]),
    link('fd', '/proc/self/fd'),
    link('stdin', '/proc/self/fd/0'),
    link('stdout', '/proc/self/fd/1'),
    link('stderr', '/proc/self/fd/2'),
    link('ptmx', 'pts/ptmx'),
    { kind: 'filesystem', path: '/dev/pts', type: 'devpts', flags: ['nosuid', 'noexec'], data: `${PTS_DATA}${group}` },
    {
      kind: 'filesystem',
      path: '/dev/shm',
      type: 'tmpfs',
      flags: ['nosuid', 'nodev', 'strictatime'],
      data: 'mode=1777,size=10%,nr_inodes=400k',
    },
    // absent from kernels without CONFIG_POSIX_MQUEUE
    {
      kind: 'filesystem',
      path: '/dev/mqueue',
      type: 'mqueue',
      flags: ['nosuid', 'nodev', 'noexec'],
      data: '',
      optional: true,
    },
  ];
}

/** Device nodes that were asked for by number. */
export function extraDevices(spec: ContainerSpec): Entry[] {
  return spec.devices.map((device) => ({ kind: 'node', ...device }));
}

/** A node open to everyone, and the link by its numbers that udev would make. */
function device(name: string, { major, minor }: DeviceNumber): Entry[] {
  return [
    { kind: 'node', path: `/dev/${name}`, type: 'char', mode: 0o666, major, minor },
    { kind: 'link', path: `/dev/char/${major}:${minor}`, target: `../${name}` },
  ];
}

function link(name: string, target: string): Entry {
  return { kind: 'link', path: `/dev/${name}`, target };
}

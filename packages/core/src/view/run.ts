// /run and /run/host, the place where the launcher leaves things for the guest (systemd's container interface). It is filled
// first and closed last: the masks of /proc take their files from here, and custom mounts may go below it.

import type { HostFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import { containerManager, NOTIFY_SOCKET } from './environment';
import type { Entry } from './model';

/** One node of each type that can neither be read nor entered, to cover things with. */
export const INACCESSIBLE = '/run/host/inaccessible';
/** What /proc/kmsg and boot_id are covered with. */
export const KMSG = '/run/host/proc-kmsg';
export const BOOT_ID = '/run/host/proc-sys-kernel-random-boot-id';

const HOST_FLAGS = ['nosuid', 'nodev', 'noexec'] as const;

/** /run with /run/host in it, still writable. */
export function runEntries(spec: ContainerSpec, host: HostFacts): Entry[] {
  return [
    {
      kind: 'filesystem',
      path: '/run',
      type: 'tmpfs',
      flags: ['nosuid', 'nodev', 'strictatime'],
      data: 'mode=0755,size=20%,nr_inodes=800k',
    },
    { kind: 'directory', path: '/run/host', mode: 0o755 },
    // on itself: a mount of its own, which can be made read-only without /run, and without the mounts that will lie in it
    { kind: 'guest', path: '/run/host', source: '/run/host', recursive: false, flags: HOST_FLAGS },
    { kind: 'file', path: '/run/host/container-manager', mode: 0o644, content: `${containerManager(spec)}\n` },
    { kind: 'file', path: '/run/host/container-uuid', mode: 0o644, content: { variable: 'uuid' } },
    { kind: 'directory', path: '/run/host/incoming', mode: 0o755 },
    { kind: 'directory', path: INACCESSIBLE, mode: 0o755 },
    { kind: 'node', path: `${INACCESSIBLE}/reg`, type: 'regular', mode: 0 },
    { kind: 'directory', path: `${INACCESSIBLE}/dir`, mode: 0 },
    { kind: 'node', path: `${INACCESSIBLE}/fifo`, type: 'fifo', mode: 0 },
    { kind: 'node', path: `${INACCESSIBLE}/sock`, type: 'socket', mode: 0 },
    // not everyone may make these two
    { kind: 'node', path: `${INACCESSIBLE}/chr`, type: 'char', mode: 0, major: 0, minor: 0, try: true },
    { kind: 'node', path: `${INACCESSIBLE}/blk`, type: 'block', mode: 0, major: 0, minor: 0, try: true },
    // for everyone, as a payload of another user says READY=1 too; the kernel vouches for who sent a message
    { kind: 'notify', path: NOTIFY_SOCKET, mode: 0o666 },
    { kind: 'held', path: KMSG, mode: 0o600 },
    { kind: 'file', path: BOOT_ID, mode: 0o444, content: { random: 'uuid' } },
    ...(host.osReleasePath === undefined
      ? []
      : [
          {
            kind: 'host',
            path: '/run/host/os-release',
            source: host.osReleasePath,
            recursive: false,
            flags: ['ro', ...HOST_FLAGS],
          } as const,
        ]),
  ];
}

/** The end of what the launcher writes into /run/host. */
export function closeRunHost(): Entry {
  return { kind: 'flags', path: '/run/host', flags: ['ro', ...HOST_FLAGS] };
}

/** /tmp as a tmpfs. On a read-only tree that has no /tmp there is none. */
export function tmpEntries(spec: ContainerSpec, readOnly: boolean): Entry[] {
  if (!spec.tmpfsTmp) return [];
  return [
    {
      kind: 'filesystem',
      path: '/tmp',
      type: 'tmpfs',
      flags: ['nosuid', 'nodev', 'strictatime'],
      data: 'mode=1777,size=10%,nr_inodes=400k',
      ...(readOnly ? { optional: true } : {}),
    },
  ];
}

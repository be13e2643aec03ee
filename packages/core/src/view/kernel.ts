// /proc and /sys: the guest's own processes, and as little as possible to change the host's kernel with. A wholly read-only
// /proc would be simpler, but systemd then does not boot; so what configures the kernel is covered piece by piece.

import { UsageError } from '../errors';
import type { HostFacts } from '../facts';
import type { MountFlag } from '../plan';
import type { ContainerSpec } from '../spec';
import type { Entry, PayloadView, UsersView } from './model';
import { BOOT_ID, INACCESSIBLE, KMSG } from './run';

const API: readonly MountFlag[] = ['nosuid', 'nodev', 'noexec'];
const API_RO: readonly MountFlag[] = ['ro', ...API];

/** Tells too much about the kernel's memory, or acts on the whole machine. */
const MASKED = ['kallsyms', 'kcore', 'keys', 'sysrq-trigger', 'timer_list'];
/** Configures devices and drivers; reading is fine. */
const READ_ONLY = ['acpi', 'apm', 'asound', 'bus', 'fs', 'irq', 'scsi'];
/** The parts of sysfs that a guest with its own network gets to see. */
const SYS_PARTS = ['block', 'bus', 'class', 'dev', 'devices', 'kernel'];

/** /proc itself, before anything covers parts of it. */
export function procEntry(): Entry {
  // a link at /proc would send proc, and all that is bound below it, elsewhere in the tree (CVE-2023-27561)
  return { kind: 'filesystem', path: '/proc', type: 'proc', flags: API, data: '', nofollow: true };
}

/** Whether the guest sees a network as its own: it does with SYSTEMD_NSPAWN_API_VFS_WRITABLE=network, also where it is the host's. */
export function ownsNetwork({ network, apiVfsWritable }: ContainerSpec): boolean {
  return network.private || apiVfsWritable === 'network';
}

/** All of /proc is read-only only where no init has to work with it. */
export function procReadOnly(spec: ContainerSpec, payload: PayloadView): boolean {
  if (spec.procReadOnly && payload.kind === 'boot') {
    throw new UsageError(
      '--proc=read-only is not for an init: it writes to /proc itself, and does not come up without',
      {
        option: '--proc',
        hint: 'without it everything in /proc that configures the kernel is read-only too',
      },
    );
  }
  return spec.procReadOnly;
}

/** What covers parts of /proc; needs the files of /run/host. */
export function procCovers(spec: ContainerSpec): Entry[] {
  const covers: Entry[] = [
    // absent from kernels without CONFIG_PRINTK
    { ...bind('/proc/kmsg', KMSG, ['nosuid', 'nodev']), optional: true },
    bind('/proc/sys/kernel/random/boot_id', BOOT_ID, API_RO),
  ];
  if (spec.apiVfsWritable === true) return covers;
  return [
    ...procSys(ownsNetwork(spec) && !spec.procReadOnly),
    ...MASKED.map((name) => ({ ...bind(`/proc/${name}`, `${INACCESSIBLE}/reg`, API_RO), optional: true })),
    ...READ_ONLY.map((name) => ({ ...bind(`/proc/${name}`, `/proc/${name}`, API_RO), optional: true })),
    ...covers,
  ];
}

/** /proc/sys read-only; its net part stays writable when it is the guest's own. */
function procSys(writableNetwork: boolean): Entry[] {
  if (!writableNetwork) return [bind('/proc/sys', '/proc/sys', API_RO)];
  // net is bound while /proc/sys can still be written: a mount made from a read-only one would be read-only as well
  return [
    bind('/proc/sys', '/proc/sys', API),
    bind('/proc/sys/net', '/proc/sys/net', API),
    { kind: 'flags', path: '/proc/sys', flags: API_RO },
  ];
}

/**
 * /sys read-only: that also tells udev in the guest to stay away. With a network of its own the guest would see a sysfs whose
 * class/net belongs to its network but whose drivers and modules are the host's; it gets a skeleton with the harmless parts.
 */
export function sysEntries(spec: ContainerSpec, host: HostFacts, users: UsersView | undefined): Entry[] {
  const selinux = host.selinuxMount;
  const bound: Entry[] =
    selinux === undefined
      ? []
      : [
          {
            kind: 'host',
            path: '/sys/fs/selinux',
            source: selinux,
            recursive: false,
            flags: ['ro', 'nosuid', 'noexec'],
          },
        ];
  const api = spec.apiVfsWritable === true ? API : API_RO;
  if (!ownsNetwork(spec) && users?.around !== undefined) {
    // a new sysfs shows a network, and can be had only by the owner of that; the host's comes with what is mounted in it, since
    // the kernel uncovers nothing for a user namespace
    return [{ kind: 'host', path: '/sys', source: '/sys', recursive: true, flags: api, nofollow: true }, ...bound];
  }
  if (!ownsNetwork(spec)) {
    return [{ kind: 'filesystem', path: '/sys', type: 'sysfs', flags: api, data: '', nofollow: true }, ...bound];
  }
  const directories = [
    '/sys/fs',
    '/sys/fs/cgroup',
    '/sys/fs/bpf',
    ...(selinux === undefined ? [] : ['/sys/fs/selinux']),
  ];
  return [
    {
      kind: 'filesystem',
      path: '/sys',
      type: 'tmpfs',
      flags: API,
      data: 'mode=0555,size=4m,nr_inodes=1k',
      nofollow: true,
    },
    ...SYS_PARTS.map((part): Entry => ({ kind: 'sysfs', path: `/sys/${part}`, part, flags: api })),
    ...directories.map((path): Entry => ({ kind: 'directory', path, mode: 0o755 })),
    { kind: 'flags', path: '/sys', flags: api },
    ...bound,
  ];
}

function bind(path: string, source: string, flags: readonly MountFlag[]): Extract<Entry, { kind: 'guest' }> {
  return { kind: 'guest', path, source, recursive: false, flags };
}

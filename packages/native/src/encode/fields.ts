// One step of the plan as the fields of its record: native/src/plan/wire.hh has the same numbers in the same order.

import {
  CAPABILITIES,
  type FakeRootFilter,
  type IdMap,
  latin1Of,
  type MountFlag,
  type Op,
  type PortForward,
  type Propagation,
  RLIMITS,
  type SeccompFilter,
  type Slot,
  type Stands,
  type Step,
  TREE_SLOT,
} from '@tsnspawn/core';
import { busCalls, LEADER } from '../bus';
import { deviceProgram } from '../devices';
import type { Heap } from './heap';

/** What --cpu-affinity takes (packages/core/src/values/privileges.ts). */
const MAX_CPUS = 8192;

/** Same order as wire::Op. */
export const OPS: readonly Op[] = [
  'cgroup',
  'openTree',
  'propagation',
  'pivotRoot',
  'mount',
  'bind',
  'mkdir',
  'mknod',
  'symlink',
  'writeFile',
  'remount',
  'umount',
  'notifySocket',
  'holdFifo',
  'unshareCgroup',
  'hostname',
  'requireNamespacedReboot',
  'session',
  'console',
  'rlimit',
  'oomScoreAdjust',
  'personality',
  'lookupUser',
  'identity',
  'chdir',
  'seccomp',
  'exec',
  'loopback',
  'mountDevice',
  'newMount',
  'userNamespace',
  'idMap',
  'becomeRoot',
  'actAs',
  'unshareMounts',
  'returnToHost',
  'await',
  'overlay',
  'tempDirectory',
  'shiftOwners',
  'cover',
  'cpuAffinity',
  'execLabel',
  'mapOwners',
  'resume',
  'delegateCgroup',
  'joinNetwork',
  'veth',
  'sharedInterface',
  'moveInterface',
  'forwardPorts',
  'cgroupWrite',
  'cgroupDevices',
  'register',
  'sysctl',
  'putFile',
  'removeFile',
  'userNetwork',
  'relayPorts',
  'fakeRoot',
  'trace',
  'rule',
  'keepIds',
];

/** wire::StepFlag. */
export enum Flag {
  Optional = 1 << 0,
  Recursive = 1 << 1,
  NoFollow = 1 << 2,
  Random = 1 << 3,
  Into = 1 << 4,
  NoNewPrivs = 1 << 5,
  UserShell = 1 << 6,
  Controlling = 1 << 7,
  Grow = 1 << 8,
  Try = 1 << 9,
  Replace = 1 << 10,
  CoverLink = 1 << 11,
  UserXattr = 1 << 12,
}

/** MS_* of linux/mount.h. */
const MOUNT_FLAGS: Readonly<Record<MountFlag, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  nosymfollow: 1 << 8,
  noatime: 1 << 10,
  nodiratime: 1 << 11,
  relatime: 1 << 21,
  strictatime: 1 << 24,
};

const PROPAGATIONS: Readonly<Record<Propagation, number>> = {
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
};

/** S_IF* of linux/stat.h. */
const NODE_TYPES = { fifo: 0o010000, char: 0o020000, block: 0o060000, regular: 0o100000, socket: 0o140000 } as const;

/** wire::Stands. */
const STANDS: readonly Stands[] = ['host', 'guest', 'fresh', 'hidden', 'flags'];

/** wire::TraceFlag. */
enum TraceFlag {
  FakeIds = 1 << 0,
  Boots = 1 << 1,
  BySeccomp = 1 << 2,
  MustSeccomp = 1 << 3,
  FakeLinks = 1 << 4,
  InProcess = 1 << 5,
  MustInProcess = 1 << 6,
  MustNotify = 1 << 7,
}

const PERSONALITIES = { 'x86-64': 0, x86: 8 } as const;

/** A number of the step record; what is beyond 32 bits is split without BigInt, which is slow before it is compiled. */
export type Wide = number | 'infinity' | { readonly low: number; readonly high: number };

/** One record, before it is laid out. */
export interface Fields {
  flags: number;
  from: number;
  as: number;
  mode: number;
  n: number;
  a: Wide;
  b: Wide;
  /** offsets in the heap */
  s: [number, number, number];
}

/**
 * The fields of one step; what each means stands at the step's function in native/src/steps.
 * @param heap takes the strings and gives the numbers of the slots
 * @param filters gives the seccomp program of a step
 */
export function fieldsOf(
  step: Step,
  heap: Heap,
  filters: (filter: SeccompFilter | FakeRootFilter) => Uint8Array,
): Fields {
  const r: Fields = { flags: 0, from: -1, as: -1, mode: 0, n: 0, a: 0, b: 0, s: [0, 0, 0] };
  switch (step.op) {
    case 'cgroup':
      r.s[0] = heap.text(step.mount);
      r.s[1] = heap.text(step.path);
      r.as = heap.slot(step.as);
      if (step.into) r.flags |= Flag.Into;
      return r;
    case 'joinNetwork':
      r.s[0] = heap.text(step.path);
      return r;
    case 'veth':
      r.s[0] = heap.text(step.host);
      r.s[1] = heap.text(step.guest);
      r.s[2] = heap.list([step.bridge ?? '', step.longName ?? '']);
      r.a = hardwareAddress(step.hostAddress);
      r.b = hardwareAddress(step.guestAddress);
      if (step.makesBridge) r.mode = 1;
      return r;
    case 'sharedInterface':
      r.s[0] = heap.text(step.host);
      r.s[1] = heap.text(step.guest);
      r.s[2] = heap.text(step.kind);
      r.a = hardwareAddress(step.address);
      return r;
    case 'moveInterface':
      r.s[0] = heap.text(step.host);
      r.s[1] = heap.text(step.guest);
      return r;
    case 'forwardPorts':
      r.s[0] = heap.text(step.nft);
      r.n = step.ports.length;
      r.s[1] = heap.append(portRecords(step.ports));
      r.s[2] = heap.list([step.table, step.chains, rulesOf(step.table, step.rules4), rulesOf(step.table, step.rules6)]);
      return r;
    case 'userNetwork':
      r.n = step.command.length;
      r.s[0] = heap.list(step.command);
      if (step.configure !== undefined) {
        const { address, gateway, prefix, mtu } = step.configure;
        r.mode = prefix | (mtu << 16);
        r.s[1] = heap.text(step.configure.interface);
        r.a = { low: ipv4Address(address), high: ipv4Address(gateway) };
        r.b = hardwareAddress(step.configure.hardwareAddress);
      }
      return r;
    case 'relayPorts':
      r.n = step.ports.length;
      r.s[1] = heap.append(portRecords(step.ports));
      return r;
    case 'cgroupWrite':
      if (typeof step.cgroup === 'string') r.from = heap.slot(step.cgroup);
      else r.s[1] = heap.text(step.cgroup.mount + step.cgroup.path);
      r.n = step.files.length;
      r.s[0] = heap.list(step.files.flatMap(({ name, value }) => [name, value]));
      return r;
    case 'cgroupDevices': {
      const program = deviceProgram(step.rules);
      r.from = heap.slot(step.cgroup);
      r.n = program.length / 8;
      r.s[0] = heap.append(program.toString('latin1'));
      return r;
    }
    case 'register': {
      const [call, end] = busCalls(step);
      r.n = call.length;
      r.s[0] = heap.list(call);
      r.a = end.length;
      r.s[1] = heap.list(end);
      r.b = call.indexOf(LEADER);
      if (step.optional) r.flags |= Flag.Optional;
      return r;
    }
    case 'openTree':
      if (typeof step.source === 'string') r.s[0] = heap.text(step.source);
      else {
        if ('from' in step.source) r.from = heap.slot(step.source.from);
        if (step.source.inside !== undefined) r.s[1] = heap.text(step.source.inside);
        if ('from' in step.source && step.source.from === TREE_SLOT) r.s[2] = heap.text(step.source.path);
      }
      r.as = heap.slot(step.as);
      r.a = mountFlags(step.flags);
      if (step.recursive) r.flags |= Flag.Recursive;
      return r;
    case 'mountDevice':
      r.s[0] = heap.text(step.fs);
      r.s[1] = heap.text(step.data);
      r.from = heap.slot(step.from);
      r.as = heap.slot(step.as);
      r.a = mountFlags(step.flags);
      if (step.grow) r.flags |= Flag.Grow;
      return r;
    case 'propagation':
      r.a = PROPAGATIONS[step.mode];
      return r;
    case 'pivotRoot':
      r.from = heap.slot(step.from);
      r.a = PROPAGATIONS[step.propagation];
      return r;
    case 'mount':
      r.s[0] = heap.text(step.fs);
      r.s[1] = heap.text(step.target);
      r.s[2] = heap.text(step.data);
      r.a = mountFlags(step.flags);
      if (step.optional) r.flags |= Flag.Optional;
      if (step.nofollow) r.flags |= Flag.NoFollow;
      return r;
    case 'bind':
      putSource(heap, r, step.source);
      r.s[1] = heap.text(step.target);
      r.a = mountFlags(step.flags);
      if (step.recursive) r.flags |= Flag.Recursive;
      if (step.optional) r.flags |= Flag.Optional;
      if (step.nofollow) r.flags |= Flag.NoFollow;
      if (step.coverLink) r.flags |= Flag.CoverLink;
      return r;
    case 'newMount':
      r.s[0] = heap.text(step.fs);
      r.s[1] = heap.text(step.data);
      r.a = mountFlags(step.flags);
      r.as = heap.slot(step.as);
      return r;
    case 'overlay':
      r.n = step.lower.length;
      r.s[0] = heap.list(step.lower.map((slot) => String(heap.slot(slot))));
      if (step.upper !== undefined) {
        r.from = heap.slot(step.upper.from);
        r.s[1] = heap.text(step.upper.directory);
        r.s[2] = heap.text(step.upper.work);
      }
      if (step.userXattr) r.flags |= Flag.UserXattr;
      if (step.program !== undefined) r.b = heap.text(step.program);
      r.a = mountFlags(step.flags);
      r.as = heap.slot(step.as);
      return r;
    case 'tempDirectory':
      r.s[0] = heap.text(step.path);
      if (step.inner !== undefined) {
        r.s[1] = heap.text(step.inner.name);
        r.mode = step.inner.mode;
        r.a = step.inner.owner;
      }
      r.as = heap.slot(step.as);
      return r;
    case 'delegateCgroup':
      r.from = heap.slot(step.from);
      r.a = step.owner;
      return r;
    case 'mapOwners':
      r.as = heap.slot(step.mount);
      r.from = heap.slot(step.by);
      return r;
    case 'shiftOwners':
      r.from = heap.slot(step.from);
      r.a = step.base;
      if (step.always) r.flags |= Flag.Recursive;
      return r;
    case 'userNamespace':
      putMaps(heap, r, step);
      r.as = heap.slot(step.as);
      return r;
    case 'idMap':
      putMaps(heap, r, step);
      return r;
    case 'actAs':
      r.a = step.uid;
      r.b = step.gid;
      return r;
    case 'cover':
      r.s[0] = heap.text(step.path);
      r.s[1] = heap.text(step.by);
      r.a = mountFlags(step.flags);
      if (step.optional) r.flags |= Flag.Optional;
      return r;
    case 'mkdir':
      r.s[0] = heap.text(step.path);
      r.mode = step.mode;
      return r;
    case 'mknod':
      r.s[0] = heap.text(step.path);
      r.mode = NODE_TYPES[step.type] | step.mode;
      r.a = step.major ?? 0;
      r.b = step.minor ?? 0;
      return r;
    case 'symlink':
      r.s[0] = heap.text(step.path);
      r.s[1] = heap.text(step.target);
      return r;
    case 'writeFile':
      r.s[0] = heap.text(step.path);
      r.mode = step.mode;
      if (typeof step.data === 'string') {
        r.s[1] = heap.text(step.data);
        r.n = latin1Of(step.data).length;
        r.n = Buffer.byteLength(step.data);
      } else if ('bytes' in step.data) {
        r.s[1] = heap.append(step.data.bytes);
        r.n = step.data.bytes.length;
      } else {
        r.flags |= Flag.Random;
      }
      return r;
    case 'putFile':
      r.s[0] = heap.text(step.path);
      r.mode = step.mode;
      r.s[1] = heap.append(step.data.bytes);
      r.n = step.data.bytes.length;
      return r;
    case 'removeFile':
      r.s[0] = heap.text(step.path);
      return r;
    case 'remount':
      r.s[0] = heap.text(step.target);
      r.a = mountFlags(step.flags);
      return r;
    case 'umount':
      r.s[0] = heap.text(step.target);
      return r;
    case 'notifySocket':
      r.s[0] = heap.text(step.path);
      r.mode = step.mode;
      return r;
    case 'holdFifo':
      r.s[0] = heap.text(step.path);
      return r;
    case 'unshareCgroup':
    case 'requireNamespacedReboot':
    case 'session':
    case 'loopback':
    case 'becomeRoot':
    case 'unshareMounts':
    case 'returnToHost':
    case 'await':
    case 'resume':
      return r;
    case 'console':
      if (step.controlling) r.flags |= Flag.Controlling;
      return r;
    case 'hostname':
      r.s[0] = heap.text(step.name);
      return r;
    case 'rlimit':
      if (!step.exact) r.flags |= Flag.Optional;
      r.mode = RLIMITS.indexOf(step.name);
      r.a = step.soft;
      r.b = step.hard;
      return r;
    case 'oomScoreAdjust':
      r.a = step.value;
      return r;
    case 'trace':
      r.s[0] = heap.list([
        step.tree,
        step.owners,
        step.scratch,
        step.hostname,
        step.release ?? '',
        (step.ports ?? []).map(({ guest, host }) => `${guest}:${host}`).join(','),
        step.emulator ?? '',
      ]);
      r.a =
        (step.fakeIds ? TraceFlag.FakeIds : 0) |
        (step.boots ? TraceFlag.Boots : 0) |
        (step.accelerator === 'notify' ? TraceFlag.MustSeccomp | TraceFlag.MustNotify : 0) |
        (step.accelerator === 'none' ? 0 : TraceFlag.BySeccomp) |
        (step.accelerator === 'trace' ? TraceFlag.MustSeccomp : 0) |
        (step.accelerator === undefined || step.accelerator === 'inprocess' ? TraceFlag.InProcess : 0) |
        (step.accelerator === 'inprocess' ? TraceFlag.MustInProcess : 0) |
        (step.fakeLinks ? TraceFlag.FakeLinks : 0);
      return r;
    case 'rule':
      r.s[0] = heap.text(step.source);
      r.s[1] = heap.text(step.target);
      r.mode = STANDS.indexOf(step.stands);
      r.a = mountFlags(step.flags);
      r.b = step.mode ?? 0;
      if (step.optional) r.flags |= Flag.Optional;
      if (step.nofollow) r.flags |= Flag.NoFollow;
      if (step.coverLink) r.flags |= Flag.CoverLink;
      return r;
    case 'personality':
      r.a = PERSONALITIES[step.persona];
      return r;
    case 'sysctl':
      // a dot in the name of an interface is written as a slash (sysctl(8))
      r.s[0] = heap.text(`/proc/sys/${step.key.replace(/[./]/g, (char) => (char === '.' ? '/' : '.'))}`);
      r.s[1] = heap.text(step.value);
      return r;
    case 'lookupUser':
      r.s[0] = heap.text(step.user);
      if (step.groups !== undefined) {
        r.n = step.groups.length;
        r.s[1] = heap.list(step.groups.map(String));
      }
      if (step.account !== undefined) {
        const { uid, gid, home, shell, groups } = step.account;
        r.a = uid;
        r.b = gid;
        r.s[2] = heap.list([home, shell, ...groups]);
        r.mode = groups.length;
      }
      return r;
    case 'identity':
      r.a = capabilityMask(step.bounding);
      r.b = capabilityMask(step.ambient);
      if (step.noNewPrivileges) r.flags |= Flag.NoNewPrivs;
      return r;
    case 'keepIds':
      r.a = step.uid;
      r.b = step.gid;
      if (step.noNewPrivileges) r.flags |= Flag.NoNewPrivs;
      return r;
    case 'fakeRoot': {
      const filter = filters({ filter: 'fakeroot' });
      r.s[0] = heap.append(Buffer.from(filter).toString('latin1'));
      r.n = filter.length;
      if (step.store !== undefined) r.s[1] = heap.text(step.store);
      if (step.kept) r.mode = 1;
      return r;
    }
    case 'chdir':
      if (step.path !== undefined) r.s[0] = heap.text(step.path);
      return r;
    case 'cpuAffinity':
      r.s[0] = heap.append(cpuMask(step.cpus));
      r.n = MAX_CPUS / 8;
      return r;
    case 'execLabel':
      r.s[0] = heap.text(step.label);
      return r;
    case 'seccomp': {
      const filter = filters(step);
      r.s[0] = heap.append(Buffer.from(filter).toString('latin1'));
      r.n = filter.length;
      return r;
    }
    case 'exec':
      r.n = step.candidates.length;
      r.s[0] = heap.list(step.candidates.flatMap(({ path, argv0 }) => [path, argv0 ?? '']));
      r.a = step.args.length;
      r.s[1] = heap.list(step.args);
      r.b = step.env.length;
      r.s[2] = heap.list(step.env);
      if (step.userShell) r.flags |= Flag.UserShell;
      return r;
    default:
      return unknown(step);
  }
}

function putSource(heap: Heap, record: Fields, source: string | { readonly from: Slot }): void {
  if (typeof source === 'string') record.s[0] = heap.text(source);
  else record.from = heap.slot(source.from);
}

/** uid_map and gid_map as the kernel reads them. */
/** Lines of a uid_map or gid_map. */
export function mapText(maps: readonly IdMap[]): string {
  return maps.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join('');
}

function putMaps(
  heap: Heap,
  record: Fields,
  step: { readonly uids: readonly IdMap[]; readonly gids: readonly IdMap[] },
): void {
  record.s[0] = heap.text(mapText(step.uids));
  record.s[1] = heap.text(mapText(step.gids));
}

/** cpu_set_t: a bit for each processor. */
function cpuMask(cpus: readonly number[]): string {
  const mask = Buffer.alloc(MAX_CPUS / 8);
  for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  return mask.toString('latin1');
}

function mountFlags(flags: readonly MountFlag[]): number {
  return flags.reduce((bits, flag) => bits | MOUNT_FLAGS[flag], 0);
}

/** Six bytes as a number, the first one lowest; 0: none. */
function hardwareAddress(text: string | undefined): number {
  return (text ?? '').split(':').reduceRight((value, byte) => value * 256 + Number.parseInt(byte || '0', 16), 0);
}

/** Four bytes as a number, the first one lowest. */
function ipv4Address(text: string): number {
  return text.split('.').reduceRight((value, byte) => value * 256 + Number(byte), 0);
}

/** wire::Port. */
function portRecords(ports: readonly PortForward[]): string {
  const numbers = ports.flatMap(({ protocol, host, guest }) => [host, guest, protocol === 'udp' ? 1 : 0]);
  return numbers.map((number) => String.fromCharCode(number & 255, number >> 8)).join('');
}

/** Rules as commands of nft(8). */
function rulesOf(table: string, rules: string): string {
  return rules
    .split('\n')
    .map((rule) => `add rule inet ${table} ${rule};`)
    .join('\n');
}

function capabilityMask(names: readonly string[]): Wide {
  let low = 0;
  let high = 0;
  for (const name of names) {
    const bit = (CAPABILITIES as readonly string[]).indexOf(name);
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return { low, high };
}

function unknown(step: never): never {
  throw new TypeError(`unknown step ${JSON.stringify(step)}`);
}

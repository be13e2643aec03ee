// Properties of a unit that limit it, read from their text: systemd.resource-control(5). What a host makes of them stands in
// files.ts (cgroup files) and in bus.ts (the unit of a host with systemd).

import type { UnitProperty } from '../spec';
import { cpuAffinity } from '../values/privileges';
import { boolean, oneOf, parseBoolean, Refusal, words } from '../values/text';
import { type Amount, amount, bytes, share, timespan, within } from './units';

/** The controllers of cgroups(7) that can be asked for; `devices` is a program on cgroup2. */
export type Controller = 'cpu' | 'cpuset' | 'memory' | 'io' | 'pids' | 'devices';

export type MemoryLimit = 'min' | 'low' | 'high' | 'max' | 'swapMax' | 'zswapMax';
export type IoLimit = 'rbps' | 'wbps' | 'riops' | 'wiops';

/** What one property asks for. */
export type Resource =
  | { readonly kind: 'memory'; readonly limit: MemoryLimit; readonly amount: Amount }
  | { readonly kind: 'oomGroup' }
  /** relative, 100 is ordinary; `shares`: in the legacy measure, where 1024 is */
  | { readonly kind: 'cpuWeight'; readonly weight: number | 'idle'; readonly shares?: true }
  /** processors: 0.5 is half of one */
  | { readonly kind: 'cpuQuota'; readonly quota: number | 'infinity' }
  /** microseconds */
  | { readonly kind: 'cpuPeriod'; readonly period: number }
  /** ascending numbers */
  | { readonly kind: 'cpus' | 'mems'; readonly numbers: readonly number[] }
  | { readonly kind: 'tasks'; readonly amount: Amount }
  /** `legacy`: in the measure of BlockIOWeight=, where 500 is ordinary */
  | { readonly kind: 'ioWeight'; readonly weight: number; readonly device?: string; readonly legacy?: true }
  | { readonly kind: 'io'; readonly limit: IoLimit; readonly device: string; readonly amount: number | 'infinity' }
  | { readonly kind: 'ioLatency'; readonly device: string; readonly microseconds: number }
  | { readonly kind: 'devicePolicy'; readonly policy: 'auto' | 'closed' | 'strict' }
  /** a path, or a group of /proc/devices: `char-pts`, `block-*` */
  | { readonly kind: 'device'; readonly device: string; readonly access: string }
  /** the guest may use these controllers in its own cgroups; true: all that can be had */
  | { readonly kind: 'delegate'; readonly controllers: boolean | readonly Controller[] }
  /** about the unit alone: where there is none it means nothing */
  | { readonly kind: 'unit'; readonly type: BusType };

/** How a property of a unit travels over D-Bus. */
export type BusType = 'boolean' | 'string' | 'strings' | 'timespan' | 'weight';

/** The controller that a resource needs; none for what only a unit has. */
export function controllerOf(resource: Resource): Controller | undefined {
  switch (resource.kind) {
    case 'memory':
    case 'oomGroup':
      return 'memory';
    case 'cpuWeight':
    case 'cpuQuota':
    case 'cpuPeriod':
      return 'cpu';
    case 'cpus':
    case 'mems':
      return 'cpuset';
    case 'tasks':
      return 'pids';
    case 'ioWeight':
    case 'io':
    case 'ioLatency':
      return 'io';
    case 'devicePolicy':
    case 'device':
      return 'devices';
    case 'delegate':
    case 'unit':
      return undefined;
  }
}

/**
 * Reads one property.
 *
 * @throws Refusal for a bad value, and for a property that is not known or cannot be given to a container
 */
export function parseProperty({ name, value: text }: UnitProperty): Resource {
  switch (name) {
    case 'MemoryMin':
      return memory('min', text, 0);
    case 'MemoryLow':
      return memory('low', text, 0);
    case 'MemoryHigh':
      return memory('high', text, 1);
    case 'MemoryMax':
    case 'MemoryLimit':
      return memory('max', text, 1);
    case 'MemorySwapMax':
      return memory('swapMax', text, 0);
    case 'MemoryZSwapMax':
      return memory('zswapMax', text, 0);
    case 'CPUWeight':
      return text === 'idle' ? { kind: 'cpuWeight', weight: text } : { kind: 'cpuWeight', weight: weight(text) };
    case 'CPUShares':
      return { kind: 'cpuWeight', weight: within(text, 2, 262_144), shares: true };
    case 'CPUQuota':
      return { kind: 'cpuQuota', quota: quota(text) };
    case 'CPUQuotaPeriodSec':
      return { kind: 'cpuPeriod', period: period(text) };
    case 'AllowedCPUs':
      return { kind: 'cpus', numbers: cpuAffinity(text) };
    case 'AllowedMemoryNodes':
      return { kind: 'mems', numbers: cpuAffinity(text) };
    case 'TasksMax':
      return { kind: 'tasks', amount: positive(amount(text, (n) => within(n, 1, Number.MAX_SAFE_INTEGER))) };
    case 'IOWeight':
      return { kind: 'ioWeight', weight: weight(text) };
    case 'BlockIOWeight':
      return { kind: 'ioWeight', weight: within(text, 10, 1000), legacy: true };
    case 'IODeviceWeight':
      return forDevice(text, (device, value) => ({ kind: 'ioWeight', weight: weight(value), device }));
    case 'BlockIODeviceWeight':
      return forDevice(text, (device, value) => ({
        kind: 'ioWeight',
        weight: within(value, 10, 1000),
        device,
        legacy: true,
      }));
    case 'IOReadBandwidthMax':
    case 'BlockIOReadBandwidth':
      return io('rbps', text);
    case 'IOWriteBandwidthMax':
    case 'BlockIOWriteBandwidth':
      return io('wbps', text);
    case 'IOReadIOPSMax':
      return io('riops', text);
    case 'IOWriteIOPSMax':
      return io('wiops', text);
    case 'IODeviceLatencyTargetSec':
      return forDevice(text, (device, value) => {
        const microseconds = timespan(value);
        if (microseconds === 'infinity') throw new Refusal('a latency is finite');
        return { kind: 'ioLatency', device, microseconds };
      });
    case 'DevicePolicy':
      return { kind: 'devicePolicy', policy: oneOf(text, ['auto', 'closed', 'strict']) };
    case 'DeviceAllow':
      return device(text);
    case 'Delegate':
      return { kind: 'delegate', controllers: delegated(text) };
    case 'OOMPolicy':
      // `stop` would have a manager stop the unit
      return oneOf(text, ['continue', 'kill']) === 'kill' ? { kind: 'oomGroup' } : { kind: 'unit', type: 'string' };
    default:
      return { kind: 'unit', type: unitOnly(name, text) };
  }
}

function memory(limit: MemoryLimit, text: string, least: number): Resource {
  const value = amount(text, bytes);
  if (value === 0 && least > 0) throw new Refusal('not more than 0');
  return { kind: 'memory', limit, amount: least > 0 ? positive(value) : value };
}

function positive(value: Amount): Amount {
  if (typeof value === 'object' && value.share === 0) throw new Refusal('not more than 0');
  return value;
}

const weight = (text: string): number => within(text, 1, 10_000);

function quota(text: string): number | 'infinity' {
  if (text === '' || text === 'infinity') return 'infinity';
  const value = share(text);
  if (value === undefined || value === 0) throw new Refusal('not a percentage above 0%', '100% is one processor');
  return value;
}

/** What the kernel takes (kernel/sched/core.c): 1 ms to 1 s. */
function period(text: string): number {
  const value = timespan(text);
  if (value === 'infinity' || value < 1e3 || value > 1e6) throw new Refusal('not from 1ms to 1s');
  return value;
}

/** `PATH VALUE`. */
function forDevice(text: string, make: (device: string, value: string) => Resource): Resource {
  const match = /^(\/\S+)\s+(\S.*)$/.exec(text.trim());
  if (match === null)
    throw new Refusal('not of the form PATH VALUE', 'the path of a block device, or of any file on it');
  return make(match[1] ?? '', match[2] ?? '');
}

function io(limit: IoLimit, text: string): Resource {
  return forDevice(text, (device, value) => {
    const most = value === 'infinity' ? value : bytes(value, 1000);
    if (most === 0) throw new Refusal('not more than 0');
    return { kind: 'io', limit, device, amount: most };
  });
}

function device(text: string): Resource {
  const [path = '', access = 'rwm', ...rest] = text.trim().split(/\s+/);
  if (!/^(?:\/dev\/.|char-.|block-.)/.test(path)) throw new Refusal('not a path below /dev, char-NAME or block-NAME');
  if (rest.length > 0 || !/^[rwm]{1,3}$/.test(access)) throw new Refusal('not of the form PATH [rwm]');
  return { kind: 'device', device: path, access };
}

const CONTROLLERS: readonly Controller[] = ['cpu', 'cpuset', 'memory', 'io', 'pids'];

function delegated(text: string): boolean | readonly Controller[] {
  const value = parseBoolean(text);
  if (value !== undefined) return value;
  return words(text.replaceAll(/\s+/g, ',')).map((word) => oneOf(word === 'blkio' ? 'io' : word, CONTROLLERS));
}

/**
 * What says nothing about resources, or is not needed to say it. Its value is checked as far as it can be.
 *
 * @throws Refusal for every other property
 */
function unitOnly(name: string, text: string): BusType {
  switch (name) {
    case 'CPUAccounting':
    case 'MemoryAccounting':
    case 'IOAccounting':
    case 'BlockIOAccounting':
    case 'TasksAccounting':
    case 'IPAccounting':
    case 'SendSIGHUP':
    case 'SendSIGKILL':
      boolean(text);
      return 'boolean';
    // for the time while the host itself starts and stops
    case 'StartupCPUWeight':
    case 'StartupIOWeight':
      weight(text);
      return 'weight';
    case 'TimeoutStopSec':
      timespan(text);
      return 'timespan';
    case 'CollectMode':
      oneOf(text, ['inactive', 'inactive-or-failed']);
      return 'string';
    case 'KillMode':
      oneOf(text, ['control-group', 'process', 'mixed', 'none']);
      return 'string';
    case 'ManagedOOMPreference':
      oneOf(text, ['none', 'avoid', 'omit']);
      return 'string';
    case 'Description':
      return 'string';
    case 'After':
    case 'Before':
    case 'Wants':
    case 'Requires':
    case 'BindsTo':
    case 'PartOf':
    case 'Conflicts':
    case 'Documentation':
      return 'strings';
    case 'Slice':
      throw new Refusal('the slice has an option of its own', 'use --slice=SLICE');
    default:
      throw new Refusal('no such property is known', 'names are those of systemd.resource-control(5), case counts');
  }
}

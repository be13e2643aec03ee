// Resources as the files of a cgroup: cgroup2 (admin-guide/cgroup-v2.rst) and the legacy hierarchies (admin-guide/cgroup-v1).
// What one of them does not have is refused by name.

import { Refusal } from '../values/text';
import type { IoLimit, MemoryLimit, Resource } from './properties';
import { type Amount, rangesOf } from './units';

/** What is written into a file of a cgroup. */
export interface CgroupFile {
  readonly name: string;
  readonly value: string;
}

/** What properties mean on this host. */
export interface Measures {
  /** bytes of memory, and the most tasks there can be: what a percentage is of */
  readonly memory: number;
  readonly tasks: number;
  /** `8:0` of the disk that a path lies on */
  readonly disk: (path: string) => string;
}

const LEGACY = 'cgroup2 has it, the legacy hierarchies of this host do not';
/** Of the legacy hierarchies: 1024 cpu.shares, 500 blkio.weight are an ordinary weight of 100. */
const ORDINARY = { weight: 100, shares: 1024, blkio: 500 } as const;

const clamp = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, Math.floor(value)));

function settle(amount: Amount, whole: number, none: string): string {
  if (amount === 'infinity') return none;
  return typeof amount === 'number' ? `${amount}` : `${Math.max(1, Math.floor(amount.share * whole))}`;
}

const MEMORY_FILES: { readonly [limit in MemoryLimit]: string } = {
  min: 'memory.min',
  low: 'memory.low',
  high: 'memory.high',
  max: 'memory.max',
  swapMax: 'memory.swap.max',
  zswapMax: 'memory.zswap.max',
};

/** The last period that was asked for, in microseconds. Default 100 ms, the kernel's own. */
function periodOf(all: readonly Resource[]): number {
  const found = all.findLast((resource) => resource.kind === 'cpuPeriod');
  return found?.kind === 'cpuPeriod' ? found.period : 100_000;
}

/** Period and quota in microseconds; a quota is at least a millisecond, which a longer period makes possible. */
function bandwidth(quota: number, period: number): { readonly quota: number; readonly period: number } {
  const longer = clamp(Math.max(period, 1000 / quota), 1000, 1_000_000);
  return { period: longer, quota: Math.max(1000, Math.round(quota * longer)) };
}

/**
 * The files of a cgroup2 for one resource. Of several, those that exist are written.
 *
 * @param all the resources together: a quota needs its period
 */
export function unifiedFiles(resource: Resource, all: readonly Resource[], host: Measures): CgroupFile[] {
  switch (resource.kind) {
    case 'memory':
      return [{ name: MEMORY_FILES[resource.limit], value: settle(resource.amount, host.memory, 'max') }];
    case 'oomGroup':
      return [{ name: 'memory.oom.group', value: '1' }];
    case 'cpuWeight': {
      if (resource.weight === 'idle') return [{ name: 'cpu.idle', value: '1' }];
      const weight = resource.shares
        ? clamp((resource.weight * ORDINARY.weight) / ORDINARY.shares, 1, 10_000)
        : resource.weight;
      return [{ name: 'cpu.weight', value: `${weight}` }];
    }
    case 'cpuQuota': {
      if (resource.quota === 'infinity') return [{ name: 'cpu.max', value: 'max' }];
      const { quota, period } = bandwidth(resource.quota, periodOf(all));
      return [{ name: 'cpu.max', value: `${quota} ${period}` }];
    }
    case 'cpus':
    case 'mems':
      return [{ name: `cpuset.${resource.kind}`, value: rangesOf(resource.numbers) }];
    case 'tasks':
      return [{ name: 'pids.max', value: settle(resource.amount, host.tasks, 'max') }];
    case 'ioWeight': {
      const weight = resource.legacy
        ? clamp((resource.weight * ORDINARY.weight) / ORDINARY.blkio, 1, 10_000)
        : resource.weight;
      const about = resource.device === undefined ? 'default' : host.disk(resource.device);
      // whichever scheduler the disk has reads its own
      return [
        { name: 'io.weight', value: `${about} ${weight}` },
        { name: 'io.bfq.weight', value: `${about} ${bfqWeight(weight)}` },
      ];
    }
    case 'io': {
      const most = resource.amount === 'infinity' ? 'max' : resource.amount;
      return [{ name: 'io.max', value: `${host.disk(resource.device)} ${resource.limit}=${most}` }];
    }
    case 'ioLatency':
      return [{ name: 'io.latency', value: `${host.disk(resource.device)} target=${resource.microseconds}` }];
    case 'cpuPeriod':
    case 'devicePolicy':
    case 'device':
    case 'delegate':
    case 'unit':
      return [];
  }
}

/** BFQ counts from 1 to 1000 (block/bfq-iosched.h); 100 is ordinary for both. */
function bfqWeight(weight: number): number {
  return weight <= 100 ? weight : 100 + Math.floor(((weight - 100) * 900) / 9900);
}

const THROTTLES: { readonly [limit in IoLimit]: string } = {
  rbps: 'blkio.throttle.read_bps_device',
  wbps: 'blkio.throttle.write_bps_device',
  riops: 'blkio.throttle.read_iops_device',
  wiops: 'blkio.throttle.write_iops_device',
};

/**
 * The same in the legacy hierarchy of the resource's controller.
 *
 * @throws Refusal for what only cgroup2 has
 */
export function legacyFiles(resource: Resource, all: readonly Resource[], host: Measures): CgroupFile[] {
  switch (resource.kind) {
    case 'memory':
      return legacyMemory(resource, all, host);
    case 'cpuWeight': {
      if (resource.weight === 'idle') return [{ name: 'cpu.idle', value: '1' }];
      const shares = resource.shares
        ? resource.weight
        : clamp((resource.weight * ORDINARY.shares) / ORDINARY.weight, 2, 262_144);
      return [{ name: 'cpu.shares', value: `${shares}` }];
    }
    case 'cpuQuota': {
      if (resource.quota === 'infinity') return [{ name: 'cpu.cfs_quota_us', value: '-1' }];
      const { quota, period } = bandwidth(resource.quota, periodOf(all));
      return [
        { name: 'cpu.cfs_period_us', value: `${period}` },
        { name: 'cpu.cfs_quota_us', value: `${quota}` },
      ];
    }
    case 'cpus':
    case 'mems':
      return [{ name: `cpuset.${resource.kind}`, value: rangesOf(resource.numbers) }];
    case 'tasks':
      return [{ name: 'pids.max', value: settle(resource.amount, host.tasks, 'max') }];
    case 'ioWeight': {
      const [ordinary, blkio] = resource.legacy
        ? [clamp((resource.weight * ORDINARY.weight) / ORDINARY.blkio, 1, 10_000), resource.weight]
        : [resource.weight, clamp((resource.weight * ORDINARY.blkio) / ORDINARY.weight, 10, 1000)];
      const { device } = resource;
      const about = device === undefined ? '' : `${host.disk(device)} `;
      const suffix = device === undefined ? '' : '_device';
      // CFQ's, until Linux 5.0, and BFQ's
      return [
        { name: `blkio.weight${suffix}`, value: `${about}${blkio}` },
        { name: `blkio.bfq.weight${suffix}`, value: `${about}${bfqWeight(ordinary)}` },
      ];
    }
    case 'io': {
      // 0 takes a limit away
      const most = resource.amount === 'infinity' ? 0 : resource.amount;
      return [{ name: THROTTLES[resource.limit], value: `${host.disk(resource.device)} ${most}` }];
    }
    case 'ioLatency':
    case 'oomGroup':
      throw new Refusal(LEGACY);
    case 'cpuPeriod':
    case 'devicePolicy':
    case 'device':
    case 'delegate':
    case 'unit':
      return [];
  }
}

function legacyMemory(
  { limit, amount }: Extract<Resource, { kind: 'memory' }>,
  all: readonly Resource[],
  host: Measures,
): CgroupFile[] {
  if (limit === 'max') return [{ name: 'memory.limit_in_bytes', value: settle(amount, host.memory, '-1') }];
  if (limit !== 'swapMax') throw new Refusal(LEGACY);
  // the legacy file counts memory and swap together
  const memory = all.findLast((other) => other.kind === 'memory' && other.limit === 'max');
  if (memory?.kind !== 'memory' || memory.amount === 'infinity')
    throw new Refusal('legacy cgroups limit swap together with the memory', 'give MemoryMax= too');
  const sum = Number(settle(memory.amount, host.memory, '0')) + Number(settle(amount, host.memory, 'Infinity'));
  return [{ name: 'memory.memsw.limit_in_bytes', value: Number.isFinite(sum) ? `${sum}` : '-1' }];
}

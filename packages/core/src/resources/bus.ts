// Resources as properties of a unit over D-Bus, in the words of busctl(1): name, signature, value. systemd's own tools translate
// these texts on the client's side too (bus-unit-util.c), so that is done here.

import { parseBoolean, words } from '../values/text';
import type { Measures } from './files';
import type { BusType, IoLimit, MemoryLimit, Resource } from './properties';
import { type Amount, timespan } from './units';

/** UINT64_MAX: no limit. */
const INFINITE = '18446744073709551615';

const MEMORY: { readonly [limit in MemoryLimit]: string } = {
  min: 'MemoryMin',
  low: 'MemoryLow',
  high: 'MemoryHigh',
  max: 'MemoryMax',
  swapMax: 'MemorySwapMax',
  zswapMax: 'MemoryZSwapMax',
};

const IO: { readonly [limit in IoLimit]: string } = {
  rbps: 'IOReadBandwidthMax',
  wbps: 'IOWriteBandwidthMax',
  riops: 'IOReadIOPSMax',
  wiops: 'IOWriteIOPSMax',
};

/**
 * The words for one property.
 *
 * @param name as the user wrote it
 * @param text its value
 */
export function busProperty(name: string, text: string, resource: Resource, host: Measures): string[] {
  switch (resource.kind) {
    case 'memory':
      return [MEMORY[resource.limit], 't', number(resource.amount, host.memory)];
    case 'tasks':
      return ['TasksMax', 't', number(resource.amount, host.tasks)];
    case 'oomGroup':
      return ['OOMPolicy', 's', 'kill'];
    case 'cpuWeight':
      return [
        resource.shares ? 'CPUShares' : 'CPUWeight',
        't',
        resource.weight === 'idle' ? '0' : `${resource.weight}`,
      ];
    case 'cpuQuota':
      return [
        'CPUQuotaPerSecUSec',
        't',
        resource.quota === 'infinity' ? INFINITE : `${Math.round(resource.quota * 1e6)}`,
      ];
    case 'cpuPeriod':
      return ['CPUQuotaPeriodUSec', 't', `${resource.period}`];
    case 'cpus':
    case 'mems': {
      const set = bitmap(resource.numbers);
      return [
        resource.kind === 'cpus' ? 'AllowedCPUs' : 'AllowedMemoryNodes',
        'ay',
        `${set.length}`,
        ...set.map(String),
      ];
    }
    case 'ioWeight': {
      const stem = resource.legacy ? 'BlockIO' : 'IO';
      if (resource.device === undefined) return [`${stem}Weight`, 't', `${resource.weight}`];
      return [`${stem}DeviceWeight`, 'a(st)', '1', resource.device, `${resource.weight}`];
    }
    case 'io': {
      const most = resource.amount === 'infinity' ? INFINITE : `${resource.amount}`;
      return [IO[resource.limit], 'a(st)', '1', resource.device, most];
    }
    case 'ioLatency':
      return ['IODeviceLatencyTargetUSec', 'a(st)', '1', resource.device, `${resource.microseconds}`];
    case 'devicePolicy':
      return ['DevicePolicy', 's', resource.policy];
    case 'device':
      return ['DeviceAllow', 'a(ss)', '1', resource.device, resource.access];
    // the unit is delegated in any case: the guest's cgroup lies in it
    case 'delegate':
      return [];
    case 'unit':
      return unitProperty(name, text, resource.type);
  }
}

function number(amount: Amount, whole: number): string {
  if (amount === 'infinity') return INFINITE;
  return typeof amount === 'number' ? `${amount}` : `${Math.max(1, Math.floor(amount.share * whole))}`;
}

function unitProperty(name: string, text: string, type: BusType): string[] {
  switch (type) {
    case 'boolean':
      return [name, 'b', parseBoolean(text) === true ? 'true' : 'false'];
    case 'string':
      return [name, 's', text];
    case 'strings': {
      const list = words(text.trim().replaceAll(/\s+/g, ','));
      return [name, 'as', `${list.length}`, ...list];
    }
    case 'weight':
      return [name, 't', text];
    case 'timespan': {
      const span = timespan(text);
      return [name.replace(/Sec$/, 'USec'), 't', span === 'infinity' ? INFINITE : `${span}`];
    }
  }
}

/** Bit n of the whole is set for number n. */
function bitmap(numbers: readonly number[]): number[] {
  const set = new Array<number>(Math.floor((numbers.at(-1) ?? 0) / 8) + 1).fill(0);
  for (const n of numbers) set[n >> 3] = (set[n >> 3] ?? 0) | (1 << (n & 7));
  return set;
}

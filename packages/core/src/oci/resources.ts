// Resources of a bundle, which are written in the terms of the old cgroups, as properties of a unit.

import type { UnitProperty } from '../spec';
import { PARSERS } from '../values';
import { required, unsupported, type Value } from './json';

export function readResources(resources: Value): UnitProperty[] {
  const fields = resources.fields(
    ...(['devices', 'memory', 'cpu', 'blockIO', 'pids', 'hugepageLimits', 'network', 'rdma', 'unified'] as const),
  );
  for (const field of [fields.hugepageLimits, fields.network, fields.rdma]) unsupported(field);
  unsupported(fields.unified, 'memory, cpu, blockIO and pids say most of it');
  return [
    ...(fields.devices === undefined ? [] : readDevices(fields.devices)),
    ...(fields.memory === undefined ? [] : readMemory(fields.memory)),
    ...(fields.cpu === undefined ? [] : readCpu(fields.cpu)),
    ...(fields.blockIO === undefined ? [] : readBlockIO(fields.blockIO)),
    ...(fields.pids === undefined ? [] : readPids(fields.pids)),
  ];
}

function property(name: string, value: string | number): UnitProperty {
  return { name, value: String(value) };
}

/** What may be used besides the usual: nothing may at the start, so what is denied is denied already. */
function readDevices(devices: Value): UnitProperty[] {
  const allowed = devices.list().map((device) => {
    const fields = device.fields('allow', 'type', 'major', 'minor', 'access');
    const access = fields.access?.text() ?? 'rwm';
    if (!/^[rwm]{1,3}$/.test(access)) fields.access?.fail(`'${access}' is not made of r, w and m`);
    const type = fields.type?.oneOf('a', 'c', 'b') ?? 'a';
    const number = (value: Value | undefined): number | undefined => {
      const given = value?.integer(-1, 2 ** 20 - 1);
      return given === -1 ? undefined : given;
    };
    const [major, minor] = [number(fields.major), number(fields.minor)];
    if (required(fields.allow, device, 'allow').boolean()) return { device, type, major, minor, access };
    if (type !== 'a' || major !== undefined || minor !== undefined || access !== 'rwm')
      device.fail('only all devices can be denied', 'what is not allowed is denied');
    return undefined;
  });
  const rules = allowed.filter((rule) => rule !== undefined);
  if (rules.some(({ type, access }) => type === 'a' && access === 'rwm')) return [];
  return rules.map(({ device, type, major, minor, access }) => {
    if (type === 'a') return device.fail('an access to devices of both types is not supported unless it is all');
    if (major === undefined && minor !== undefined) return device.fail('a minor without a major is not supported');
    const kind = type === 'c' ? 'char' : 'block';
    const which =
      major === undefined ? `${kind}-*` : minor === undefined ? `${kind}-${major}` : `/dev/${kind}/${major}:${minor}`;
    return property('DeviceAllow', `${which} ${access}`);
  });
}

/** Bytes, or undefined for "no limit", which is any negative number. */
function bytes(value: Value | undefined): number | 'infinity' | undefined {
  const given = value?.integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  return given !== undefined && given < 0 ? 'infinity' : given;
}

function readMemory(memory: Value): UnitProperty[] {
  const fields = memory.fields(
    ...([
      'limit',
      'reservation',
      'swap',
      'kernel',
      'kernelTCP',
      'swappiness',
      'disableOOMKiller',
      'useHierarchy',
    ] as const),
    'checkBeforeUpdate',
  );
  for (const field of [fields.kernel, fields.kernelTCP]) if (bytes(field) !== 'infinity') unsupported(field);
  unsupported(fields.swappiness);
  unsupported(fields.disableOOMKiller);
  // always so with cgroup2, and only for changes of a running container
  fields.useHierarchy?.boolean();
  fields.checkBeforeUpdate?.boolean();
  const [limit, reservation, both] = [bytes(fields.limit), bytes(fields.reservation), bytes(fields.swap)];
  const properties: UnitProperty[] = [];
  if (limit !== undefined) properties.push(property('MemoryMax', limit));
  if (reservation !== undefined && reservation !== 'infinity') properties.push(property('MemoryLow', reservation));
  if (both === 'infinity') properties.push(property('MemorySwapMax', 'infinity'));
  else if (both !== undefined) {
    // there it is memory and swap together, here swap alone
    if (typeof limit !== 'number' || both < limit)
      return memory.fail('swap is limited together with memory: it is not below limit');
    properties.push(property('MemorySwapMax', both - limit));
  }
  return properties;
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, Math.floor(value)));
}

function readCpu(cpu: Value): UnitProperty[] {
  const fields = cpu.fields(
    ...(['shares', 'quota', 'period', 'burst', 'realtimeRuntime', 'realtimePeriod', 'cpus', 'mems', 'idle'] as const),
  );
  for (const field of [fields.burst, fields.realtimeRuntime, fields.realtimePeriod, fields.idle]) unsupported(field);
  const properties: UnitProperty[] = [];
  const shares = fields.shares?.integer(0, 2 ** 18) ?? 0;
  // 1024 there is 100 here
  if (shares !== 0) properties.push(property('CPUWeight', clamp((shares * 100) / 1024, 1, 10000)));
  const quota = fields.quota?.integer(-1, Number.MAX_SAFE_INTEGER) ?? 0;
  const period = fields.period?.integer(0, 1_000_000) ?? 0;
  if (quota > 0) {
    const per = period === 0 ? 100_000 : period;
    const percent = Math.floor((quota / per) * 10_000) / 100;
    if (percent < 0.01) fields.quota?.fail('is less than a ten thousandth of a processor');
    properties.push(property('CPUQuota', `${percent}%`));
    if (period !== 0) properties.push(property('CPUQuotaPeriodSec', `${period}us`));
  }
  const processors = (value: Value | undefined, name: string): UnitProperty[] => {
    if (value === undefined || value.text() === '') return [];
    value.parsed(PARSERS.cpuAffinity);
    return [property(name, value.text())];
  };
  return [...properties, ...processors(fields.cpus, 'AllowedCPUs'), ...processors(fields.mems, 'AllowedMemoryNodes')];
}

const THROTTLES = {
  throttleReadBpsDevice: 'IOReadBandwidthMax',
  throttleWriteBpsDevice: 'IOWriteBandwidthMax',
  throttleReadIOPSDevice: 'IOReadIOPSMax',
  throttleWriteIOPSDevice: 'IOWriteIOPSMax',
} as const;

function readBlockIO(blockIO: Value): UnitProperty[] {
  const throttles = Object.keys(THROTTLES) as (keyof typeof THROTTLES)[];
  const fields = blockIO.fields('weight', 'leafWeight', 'weightDevice', ...throttles);
  unsupported(fields.leafWeight);
  // 500 there is 100 here
  const weight = (value: Value): number => clamp((value.integer(10, 1000) * 100) / 500, 1, 10000);
  const disk = (major: Value | undefined, minor: Value | undefined, parent: Value): string =>
    `/dev/block/${required(major, parent, 'major').integer(0, 4095)}:${required(minor, parent, 'minor').integer(0, 2 ** 20 - 1)}`;
  const properties: UnitProperty[] = [];
  if (fields.weight !== undefined && fields.weight.json !== 0)
    properties.push(property('IOWeight', weight(fields.weight)));
  for (const item of fields.weightDevice?.list() ?? []) {
    const one = item.fields('major', 'minor', 'weight', 'leafWeight');
    unsupported(one.leafWeight);
    const place = disk(one.major, one.minor, item);
    if (one.weight !== undefined) properties.push(property('IODeviceWeight', `${place} ${weight(one.weight)}`));
  }
  for (const name of throttles) {
    for (const item of fields[name]?.list() ?? []) {
      const one = item.fields('major', 'minor', 'rate');
      const rate = required(one.rate, item, 'rate').integer(0, Number.MAX_SAFE_INTEGER);
      properties.push(property(THROTTLES[name], `${disk(one.major, one.minor, item)} ${rate}`));
    }
  }
  return properties;
}

function readPids(pids: Value): UnitProperty[] {
  const limit = required(pids.fields('limit').limit, pids, 'limit').integer(
    Number.MIN_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
  );
  return [property('TasksMax', limit <= 0 ? 'infinity' : limit)];
}

// What limits the machine, and in which cgroups of this host the limits are set. A limit that was asked for by name and cannot
// be given is refused here, before anything is touched.

import { CgroupError, UsageError } from '../errors';
import type { CgroupHierarchy, HostFacts, ResourceFacts } from '../facts';
import { deviceRules, legacyDeviceRules } from '../resources/devices';
import { type CgroupFile, legacyFiles, type Measures, unifiedFiles } from '../resources/files';
import { type Controller, controllerOf, parseProperty, type Resource } from '../resources/properties';
import { rangesOf } from '../resources/units';
import type { ContainerSpec, UnitProperty } from '../spec';
import { Refusal } from '../values/text';
import { delegationHint } from './delegation';
import type { CgroupSetting, ResourceView, UnifiedPlace } from './model';

const OPTION = '--property';

/** A property and what it asks for. */
export interface Asked {
  readonly property: UnitProperty;
  readonly resource: Resource;
}

/** What is known when nothing was looked up. */
const UNKNOWN: ResourceFacts = { memory: 0, tasks: 0, cpus: [], mems: [], levels: [], disks: {}, devices: {} };

/**
 * The properties in their order, each read; of one that has a single value the last counts.
 *
 * @throws UsageError for a bad value
 */
export function askedOf(properties: readonly UnitProperty[]): Asked[] {
  const asked = properties.map((property) => ({
    property,
    resource: refusing(property, () => parseProperty(property)),
  }));
  return asked.filter(({ property: { name }, resource }, index) => {
    if (resource.kind === 'device' || 'device' in resource) return true;
    return !asked.some((later, at) => at > index && later.property.name === name);
  });
}

/** Host paths that the properties name: disks with limits, devices with permissions. */
export function pathsOf(properties: readonly UnitProperty[]): { readonly disks: string[]; readonly devices: string[] } {
  const disks: string[] = [];
  const devices: string[] = [];
  for (const { resource } of askedOf(properties)) {
    if (resource.kind === 'device') devices.push(resource.device);
    else if ('device' in resource && resource.device !== undefined) disks.push(resource.device);
  }
  return { disks, devices };
}

/** What percentages and paths mean on this host. */
export function measuresOf(host: HostFacts): Measures {
  const { memory, tasks, disks } = host.resources ?? UNKNOWN;
  return {
    memory,
    tasks,
    disk(path) {
      const numbers = disks[path];
      if (numbers === undefined) throw new Refusal(`${path} is not on a block device`);
      return numbers;
    },
  };
}

/** Adds option and property to a refusal. */
export function refusing<T>({ name, value }: UnitProperty, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new UsageError(`bad value '${name}=${value}' for ${OPTION}: ${error.reason}`, {
      option: OPTION,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

/**
 * The limits that are set directly. They lie on a cgroup above the one that the guest sees as the root, so that the guest's
 * root cannot change them. Undefined when there is nothing to set.
 *
 * @param ownUnit the launcher has a delegated unit of the host's systemd for itself, and may divide it
 * @throws UsageError, CgroupError naming the property
 */
export function resourcesOf(spec: ContainerSpec, host: HostFacts, ownUnit: boolean): ResourceView | undefined {
  const asked = askedOf(spec.properties);
  const facts = host.resources ?? UNKNOWN;
  const all = asked.map(({ resource }) => resource);
  const measures = measuresOf(host);
  const settings: CgroupSetting[] = [];
  const unified = new Set<Controller>();
  let rules: ResourceView['devices'];
  // swap after memory, whose limit it may not be below
  const rank = ({ resource }: Asked): number => Number(resource.kind === 'memory' && resource.limit === 'swapMax');
  for (const { property, resource } of [...asked].sort((a, b) => rank(a) - rank(b))) {
    requireProcessors(property, resource, facts);
    const controller = controllerOf(resource);
    if (controller === undefined) continue;
    if (host.rootless !== undefined) refuseDevices(property, controller);
    const name = `${property.name}=${property.value}`;
    const legacy = legacyOf(controller, host);
    if (controller === 'devices') {
      if (rules !== undefined || settings.some(({ hierarchy }) => hierarchy === legacy?.name)) continue;
      const list = refusing(property, () => deviceRules(all, facts, host));
      if (list === undefined) continue;
      if (legacy === undefined) rules = { property: name, rules: list };
      else settings.push({ hierarchy: legacy.name, property: name, files: legacyDevices(legacyDeviceRules(list)) });
      continue;
    }
    if (legacy === undefined) {
      requireController(name, controller, host);
      unified.add(controller);
    }
    const files = refusing(property, () =>
      (legacy === undefined ? unifiedFiles : legacyFiles)(resource, all, measures),
    );
    if (files.length > 0) settings.push({ hierarchy: legacy?.name ?? 'unified', property: name, files });
  }
  const bounded = settings.some(({ hierarchy }) => hierarchy === 'unified') || rules !== undefined;
  const handed = delegatedOf(all, host, ownUnit, asked);
  if (settings.length === 0 && rules === undefined && handed.length === 0 && !ownUnit) return undefined;
  const place = placeOf([...new Set([...unified, ...handed])], host, ownUnit, asked);
  return {
    settings,
    ...(rules === undefined ? {} : { devices: rules }),
    ...(place === undefined ? {} : { unified: { ...place, bounded, handed } }),
    cpuset: cpusetOf(all, facts),
  };
}

function legacyDevices(lines: readonly string[]): CgroupFile[] {
  return [{ name: 'devices.deny', value: 'a' }, ...lines.map((value) => ({ name: 'devices.allow', value }))];
}

/** A legacy cpuset has to be filled in before a process can enter it. */
function cpusetOf(all: readonly Resource[], { cpus, mems }: ResourceFacts): ResourceView['cpuset'] {
  const last = (kind: 'cpus' | 'mems', own: readonly number[]): string => {
    const found = all.findLast((resource) => resource.kind === kind);
    return rangesOf(found?.kind === kind ? found.numbers : own);
  };
  return { cpus: last('cpus', cpus), mems: last('mems', mems) };
}

/** The legacy hierarchy that has the controller; a controller is in one hierarchy at a time. */
function legacyOf(controller: Controller, { cgroup }: HostFacts): CgroupHierarchy | undefined {
  const name = controller === 'io' ? 'blkio' : controller;
  const found = cgroup.v1.find((hierarchy) => hierarchy.name.split(',').includes(name));
  return found?.writable === false ? undefined : found;
}

/**
 * Filters of devices are the affair of the host's root, in both kinds of hierarchies.
 * @throws CgroupError
 */
export function refuseDevices({ name, value }: UnitProperty, controller: Controller): void {
  if (controller !== 'devices') return;
  throw new CgroupError(`${OPTION}=${name}=${value} cannot be given: only root can filter devices`, {
    option: OPTION,
    hint: 'without root a guest makes no device nodes: it has those of its /dev and what is bound',
  });
}

function requireController(name: string, controller: Controller, host: HostFacts): void {
  const levels = host.resources?.levels ?? [];
  if (levels.some(({ controllers }) => controllers.includes(controller))) return;
  if (host.rootless !== undefined) {
    throw new CgroupError(
      `${OPTION}=${name} cannot be given: no cgroup with the ${controller} controller is delegated to this user`,
      { option: OPTION, hint: delegationHint(host, [controller]) },
    );
  }
  throw new CgroupError(`${OPTION}=${name} cannot be given: the host has no ${controller} controller`, {
    option: OPTION,
    hint: 'it must be in /sys/fs/cgroup/cgroup.controllers, or in a legacy hierarchy that is mounted writable',
  });
}

function requireProcessors(property: UnitProperty, resource: Resource, facts: ResourceFacts): void {
  if (resource.kind !== 'cpus' && resource.kind !== 'mems') return;
  const there = facts[resource.kind];
  const missing = resource.numbers.find((number) => !there.includes(number));
  if (missing === undefined) return;
  const what = resource.kind === 'cpus' ? 'processor' : 'memory node';
  throw new UsageError(`bad value '${property.name}=${property.value}' for ${OPTION}: there is no ${what} ${missing}`, {
    option: OPTION,
    hint: `this launcher may use ${rangesOf(there)}`,
  });
}

/** Of a unit of a user's own systemd, to which what is above belongs as well. */
const OF_USER_MANAGER = /\/user@\d+\.service\//;

const DELEGATED: readonly Controller[] = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

/** The controllers of cgroup2 that the guest may use itself. */
function delegatedOf(
  all: readonly Resource[],
  host: HostFacts,
  ownUnit: boolean,
  asked: readonly Asked[],
): readonly Controller[] {
  const levels = host.resources?.levels ?? [];
  const wanted = all.findLast((resource) => resource.kind === 'delegate')?.controllers ?? ownUnit;
  const there = DELEGATED.filter((name) => levels[0]?.controllers.includes(name));
  if (wanted === true) return there;
  if (wanted === false) return [];
  for (const controller of wanted) {
    const property = asked.findLast(({ resource }) => resource.kind === 'delegate')?.property;
    requireController(`Delegate=${property?.value ?? ''}`, controller, host);
  }
  return wanted;
}

/**
 * The lowest cgroup, from the launcher's own on upwards, that hands these controllers down or can be made to. In cgroup2 one
 * that has processes of its own cannot; the launcher's mostly has, and then the machine lies beside it. Processes that are not
 * ours are never moved, and what lies above the unit of the launcher is the affair of systemd, where that manages the host.
 */
function placeOf(
  needed: readonly Controller[],
  host: HostFacts,
  ownUnit: boolean,
  asked: readonly Asked[],
): Pick<UnifiedPlace, 'base' | 'enable' | 'leaf'> | undefined {
  const levels = host.resources?.levels ?? [];
  const [own] = levels;
  if (own === undefined) return undefined;
  if (ownUnit && needed.every((name) => own.controllers.includes(name))) {
    return { base: own.path, enable: needed, leaf: true };
  }
  if (needed.length === 0) return { base: own.path, enable: [], leaf: false };
  const managed = host.systemd === true && (host.rootless === undefined || OF_USER_MANAGER.test(own.path));
  const place = (managed ? [own] : levels).find(({ controllers, enabled, processes, root }) => {
    if (needed.every((name) => enabled.includes(name))) return true;
    return needed.every((name) => controllers.includes(name)) && (root || processes === 'none');
  });
  if (place !== undefined) return { base: place.path, enable: needed, leaf: false };
  const property = asked.find(
    ({ resource }) => controllerOf(resource) !== undefined || resource.kind === 'delegate',
  )?.property;
  const what = `${OPTION}=${property?.name}=${property?.value}`;
  if (managed) {
    throw new CgroupError(
      `${what} cannot be given with --keep-unit: the unit has other processes, or is not delegated`,
      {
        option: OPTION,
        hint: 'without --keep-unit the machine has a scope of its own, with its limits',
      },
    );
  }
  if (host.rootless !== undefined) {
    throw new CgroupError(
      `${what} cannot be given: no cgroup from ${own.path} upwards that is delegated to this user can hand down ${needed.join(', ')}`,
      { option: OPTION, hint: delegationHint(host, needed) },
    );
  }
  throw new CgroupError(
    `${what} cannot be given: no cgroup from ${own.path} upwards can hand down ${needed.join(', ')}`,
    {
      option: OPTION,
      hint: 'each of them has processes of its own: start tsnspawn from a cgroup below one that has none',
    },
  );
}

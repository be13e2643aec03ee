// DevicePolicy= and DeviceAllow=: which device nodes may be opened and made. A rule list for the legacy controller, or for a
// program that the encoder makes of it and the runner attaches to a cgroup2.

import type { DeviceRule, HostFacts, ResourceFacts } from '../facts';
import { Refusal } from '../values/text';
import type { Resource } from './properties';

/** Major number of the slaves of pseudo terminals: Documentation/admin-guide/devices.txt. */
const PTS = 136;

/** Character devices. */
function nodes(access: string, major: number, ...minors: readonly (number | undefined)[]): DeviceRule[] {
  return minors.map((minor) => ({ type: 'char', major, minor, access }));
}

/**
 * What every guest has in its /dev.
 *
 * @param access to all of it but the terminals, without which it could not be started on one
 */
function ownNodes(host: HostFacts, access: string): DeviceRule[] {
  return [
    ...nodes(access, 1, 3, 5, 7, 8, 9),
    ...nodes('rwm', 5, 0, 2),
    ...nodes('rwm', PTS, undefined),
    ...[host.devices.tun, host.devices.fuse].flatMap((device) =>
      device === undefined ? [] : nodes(access, device.major, device.minor),
    ),
    // /run/host/inaccessible/blk: a node without a device
    { type: 'block', major: 0, minor: 0, access: 'm' },
  ];
}

/**
 * The nodes that may be used, or undefined when all may. `strict` lets the guest's own /dev be made, and no more.
 *
 * @throws Refusal for a device that does not exist
 */
export function deviceRules(
  all: readonly Resource[],
  facts: ResourceFacts,
  host: HostFacts,
): readonly DeviceRule[] | undefined {
  const asked = all.filter((resource) => resource.kind === 'device');
  const policy = all.findLast((resource) => resource.kind === 'devicePolicy')?.policy ?? 'auto';
  if (policy === 'auto' && asked.length === 0) return undefined;
  return [
    ...ownNodes(host, policy === 'strict' ? 'm' : 'rwm'),
    ...asked.flatMap(({ device, access }) => {
      const found = facts.devices[device];
      if (found === undefined || found.length === 0) throw new Refusal(`${device} is no device of this host`);
      return found.map((rule) => ({ ...rule, access }));
    }),
  ];
}

/** The lines of devices.allow. */
export function legacyDeviceRules(rules: readonly DeviceRule[]): string[] {
  return rules.map(
    ({ type, major, minor, access }) => `${type === 'char' ? 'c' : 'b'} ${major ?? '*'}:${minor ?? '*'} ${access}`,
  );
}

// The machine as a unit of the host's systemd: a scope of its own below machine.slice, as systemd-nspawn makes it, and an entry
// at systemd-machined. On a host that systemd does not manage there is neither, and nothing is asked for.

import { UsageError } from '../errors';
import type { HostFacts } from '../facts';
import { busProperty } from '../resources/bus';
import type { ContainerSpec } from '../spec';
import type { UnitView } from './model';
import { askedOf, measuresOf, refusing } from './resources';

/**
 * SIGURG. systemd sends it to every process of a scope that it stops. Whoever does not expect it ignores it; the supervisor takes
 * it as it takes SIGTERM, and asks the guest's init alone. SIGTERM would reach that init too, and to systemd it means to execute
 * itself anew; and it would end the services, whose cgroups then go while the host's systemd is on its way through them.
 */
const STOP_SIGNAL = 23;

/** What machined gives a container. */
const TASKS_MAX = '16384';

/**
 * The scope and the registration, or undefined where no bus is needed.
 *
 * @throws UsageError for a registration that would take the caller's own session for the machine
 */
export function unitOf(spec: ContainerSpec, host: HostFacts, machine: string): UnitView | undefined {
  if (host.systemd !== true || host.rootless !== undefined) return undefined;
  const register = registerOf(spec, host);
  if (spec.keepUnit) return register === false ? undefined : { register };
  const measures = measuresOf(host);
  const asked = askedOf(spec.properties).map(({ property, resource }) =>
    refusing(property, () => busProperty(property.name, property.value, resource, measures)),
  );
  return {
    scope: {
      name: `machine-${escaped(machine)}.scope`,
      slice: spec.slice ?? 'machine.slice',
      properties: [
        ['Description', 's', `Container ${machine}`],
        ['Slice', 's', spec.slice ?? 'machine.slice'],
        ['Delegate', 'b', 'true'],
        ['CollectMode', 's', 'inactive-or-failed'],
        ['KillSignal', 'i', String(STOP_SIGNAL)],
        ['TasksMax', 't', TASKS_MAX],
        ['DevicePolicy', 's', 'closed'],
        ['DeviceAllow', 'a(ss)', ...devices(spec)],
        ...asked.filter((words) => words.length > 0),
      ],
      required: spec.slice !== undefined || spec.properties.length > 0,
    },
    register,
  };
}

function registerOf({ register, keepUnit }: ContainerSpec, { cgroup }: HostFacts): boolean | 'auto' {
  const own = cgroup.unifiedPath ?? cgroup.v1.find(({ name }) => name === 'name=systemd')?.path ?? '/';
  if (register === false || !keepUnit || !/\/user-\d+\.slice\//.test(own)) return register;
  if (register === 'auto') return false;
  throw new UsageError('--register=yes with --keep-unit would make the machine of your login session', {
    option: '--register',
    hint: 'leave out --keep-unit, or start it as a service: systemd-run tsnspawn ...',
  });
}

/** What the closed policy lets through beyond the nodes of every unit: the rest of the guest's /dev, the node of /run/host that
 *  stands for no device, and what is bound. */
function devices(spec: ContainerSpec): string[] {
  const bound = spec.mounts.flatMap((mount) =>
    mount.kind === 'bind' && mount.source !== 'temporary' && /^\/dev\/./.test(mount.source.path)
      ? [mount.source.path, 'rwm']
      : [],
  );
  // the launcher is in the scope too when it mounts an image
  const image =
    spec.image === undefined
      ? []
      : ['/dev/loop-control', 'rw', 'block-loop', 'rw', 'block-blkext', 'rw', 'block-device-mapper', 'rw'].concat(
          spec.image.startsWith('/dev/') ? [spec.image, 'rw'] : [],
        );
  const list = ['/dev/block/0:0', 'm', '/dev/net/tun', 'rwm', '/dev/fuse', 'rwm', 'char-pts', 'rw', ...image, ...bound];
  return [`${list.length / 2}`, ...list];
}

/** unit_name_escape() of systemd. Machine names have neither slashes nor a dot in front. */
function escaped(machine: string): string {
  return machine.replaceAll(/[^A-Za-z0-9:_.]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

// The machine as a unit of the host's systemd: a scope of its own below machine.slice, as systemd-nspawn makes it, and an entry
// at systemd-machined. On a host that systemd does not manage there is neither, and nothing is asked for. The scope of an ordinary
// user belongs to the user's own systemd, and machined is not told: it listens to root.

import { CgroupError, UsageError } from '../errors';
import type { HostFacts } from '../facts';
import { busProperty } from '../resources/bus';
import { controllerOf } from '../resources/properties';
import type { ContainerSpec } from '../spec';
import { delegationHint } from './delegation';
import type { UnitView } from './model';
import { type Asked, askedOf, measuresOf, refuseDevices, refusing } from './resources';

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
 * @throws CgroupError for a slice or a limit that the user's own systemd cannot give
 */
export function unitOf(spec: ContainerSpec, host: HostFacts, machine: string): UnitView | undefined {
  if (host.systemd !== true) return undefined;
  const register = registerOf(spec, host);
  if (spec.keepUnit) return register === false ? undefined : { register };
  const manager = isOrdinary(host) ? 'user' : 'system';
  if (manager === 'user' && host.userManager === undefined) {
    if (spec.slice !== undefined) throw withoutManager(spec.slice, host);
    return register === false ? undefined : { register };
  }
  const measures = measuresOf(host);
  const asked = askedOf(spec.properties);
  if (manager === 'user') for (const one of asked) requireDelegated(one, host);
  return {
    scope: {
      manager,
      name: `machine-${escaped(machine)}.scope`,
      slice: spec.slice ?? 'machine.slice',
      properties: [
        ['Description', 's', `Container ${machine}`],
        ['Slice', 's', spec.slice ?? 'machine.slice'],
        ['Delegate', 'b', 'true'],
        ['CollectMode', 's', 'inactive-or-failed'],
        ['KillSignal', 'i', String(STOP_SIGNAL)],
        ['TasksMax', 't', TASKS_MAX],
        // a user's guest has no device nodes but those of the host that the user can open anyway
        ...(manager === 'user'
          ? []
          : [
              ['DevicePolicy', 's', 'closed'],
              ['DeviceAllow', 'a(ss)', ...devices(spec)],
            ]),
        ...asked
          .map(({ property, resource }) =>
            refusing(property, () => busProperty(property.name, property.value, resource, measures)),
          )
          .filter((words) => words.length > 0),
      ],
      required: spec.slice !== undefined || spec.properties.length > 0,
    },
    register,
  };
}

/** Neither root of the host nor of a user namespace, in which the host may be a container with a systemd of its own. */
function isOrdinary({ rootless, euid }: HostFacts): boolean {
  return rootless !== undefined && euid !== 0;
}

function withoutManager(slice: string, host: HostFacts): CgroupError {
  return new CgroupError(`--slice=${slice} needs a systemd of this user, and there is none`, {
    option: '--slice',
    hint: delegationHint(host),
  });
}

function requireDelegated({ property, resource }: Asked, host: HostFacts): void {
  const controller = controllerOf(resource);
  if (controller === undefined) return;
  refuseDevices(property, controller);
  const { manager = [] } = host.resources ?? {};
  if (manager.includes(controller)) return;
  throw new CgroupError(
    `--property=${property.name}=${property.value} cannot be given: the systemd of this user has no ${controller} controller`,
    {
      option: '--property',
      hint:
        manager.length === 0
          ? 'it has none at all: the host has them in legacy hierarchies, or does not hand them down'
          : `it has ${manager.join(', ')}: Delegate= of user@${host.euid}.service says which`,
    },
  );
}

function registerOf({ register, keepUnit }: ContainerSpec, host: HostFacts): boolean | 'auto' {
  const { cgroup } = host;
  if (register === 'auto' && isOrdinary(host)) return false;
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

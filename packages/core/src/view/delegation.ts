// What an ordinary user can do to get a cgroup, for this host, as a line to type.

import type { CgroupFacts, HostFacts } from '../facts';
import type { Controller } from '../resources/properties';

/**
 * The line that gives the caller a cgroup of its own, in which the next launch will find it.
 *
 * @param controllers that are wanted there
 * @param kind `legacy`: an old systemd needs a place in the hierarchy name=systemd
 */
export function delegationHint(
  host: HostFacts,
  controllers: readonly Controller[] = [],
  kind: 'unified' | 'legacy' = 'unified',
): string {
  if (host.systemd === true) return unitHint(host);
  const command = delegationCommand(host, controllers, kind);
  return command === undefined ? mountHint(host.cgroup) : `in the shell that starts tsnspawn: ${command}`;
}

/** The command of such a line, for a host that no systemd manages; undefined where the hierarchy cannot be written at all. */
export function delegationCommand(
  host: HostFacts,
  controllers: readonly Controller[] = [],
  kind: 'unified' | 'legacy' = 'unified',
): string | undefined {
  const lines =
    kind === 'legacy'
      ? legacyLines(host, ['name=systemd'])
      : [...legacyLines(host, controllers.map(legacyName)), ...unifiedLines(host, controllers)];
  // the shell's own number: the caller's shell puts it in, and what it starts from then on is there too
  return lines.length === 0 ? undefined : `sudo sh -c "${lines.join(' && ')}"`;
}

/** A unit of the user's own systemd is delegated to the user as a whole. */
function unitHint({ euid, userManager }: HostFacts): string {
  return userManager === undefined
    ? `log in as this user, or let its systemd run without a login: sudo loginctl enable-linger ${euid} (needs libpam-systemd and dbus-user-session)`
    : 'leave out --keep-unit, or start it in a unit that is delegated: systemd-run --user --scope -p Delegate=yes tsnspawn ...';
}

/** The shell lies in a leaf: the cgroup above it has no processes, and hands its controllers down. */
function unifiedLines({ euid, cgroup }: HostFacts, controllers: readonly Controller[]): string[] {
  const { unifiedMount, unifiedObstacle } = cgroup;
  if (unifiedMount === undefined || unifiedObstacle === 'read-only' || unifiedObstacle === 'hidden') return [];
  const missing = controllers.filter((name) => inLegacy(cgroup, legacyName(name)) === undefined);
  if (controllers.length > 0 && missing.length === 0) return [];
  const own = `${unifiedMount}/tsnspawn-${euid}`;
  return [
    ...(missing.length === 0
      ? []
      : [`echo ${missing.map((name) => `+${name}`).join(' ')} > ${unifiedMount}/cgroup.subtree_control`]),
    `mkdir -p ${own}/shell`,
    `chown -R ${euid} ${own}`,
    `echo $$ > ${own}/shell/cgroup.procs`,
  ];
}

function legacyLines({ euid, cgroup }: HostFacts, names: readonly string[]): string[] {
  const mounts = new Set(names.flatMap((name) => inLegacy(cgroup, name)?.mount ?? []));
  return [...mounts].flatMap((mount) => {
    const own = `${mount}/tsnspawn-${euid}`;
    return [`mkdir -p ${own}`, `chown -R ${euid} ${own}`, `echo $$ > ${own}/cgroup.procs`];
  });
}

function legacyName(controller: Controller): string {
  return controller === 'io' ? 'blkio' : controller;
}

function inLegacy({ v1 }: CgroupFacts, name: string) {
  return v1.find((hierarchy) => hierarchy.name.split(',').includes(name));
}

/** Root can put right what is not there, or not to be written by anybody. */
function mountHint({ unifiedMount, unifiedObstacle }: CgroupFacts): string {
  if (unifiedMount === undefined) return 'as root, mount cgroup2: mount -t cgroup2 cgroup2 /sys/fs/cgroup';
  return unifiedObstacle === 'read-only'
    ? `${unifiedMount} is mounted read-only; as root: mount -o remount,rw ${unifiedMount}, or start the container around it with cgroups that it may write`
    : `something lies over ${unifiedMount}, or the cgroup of this process is outside of what is mounted there`;
}

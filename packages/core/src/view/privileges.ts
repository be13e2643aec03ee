// Capabilities, system call filters and SELinux labels.

import { CAPABILITIES, type Capability, DEFAULT_CAPABILITIES } from '../capabilities';
import { PermissionError, UnsupportedError, UsageError } from '../errors';
import type { HostFacts } from '../facts';
import type { SeccompFilter } from '../plan';
import type { ContainerSpec } from '../spec';
import type { ContainerView, UsersView } from './model';

/** Capabilities that open system calls: those of kOpenings in native/src/seccomp/groups.hh. */
const OPENING = [
  'ipc_lock',
  'sys_boot',
  'sys_module',
  'sys_pacct',
  'sys_ptrace',
  'sys_rawio',
  'sys_time',
  'sys_tty_config',
  'syslog',
] as const satisfies readonly Capability[];

const DEFAULT: ReadonlySet<string> = new Set(DEFAULT_CAPABILITIES);

/** True when the launcher may raise hard resource limits. In a user namespace the capability has no force. */
export function mayRaiseLimits(host: HostFacts): boolean {
  return host.rootless === undefined && host.capabilities.permitted.includes('sys_resource');
}

/**
 * Refuses a launch that the kernel would refuse at its first step. Not part of view(), so that --dry-run works for everyone.
 *
 * @throws PermissionError with the command to type
 */
export function requirePrivileges(host: HostFacts): void {
  if (host.rootless === undefined || host.userNamespaces !== false) return;
  throw new PermissionError('without root a container needs user namespaces, and this host gives none', {
    // what would have failed
    code: 'ENOSPC',
    syscall: 'clone',
    hint: 'tsnspawn doctor says why; root needs none: sudo tsnspawn ...',
  });
}

/**
 * What the payload may do: the default capabilities, plus NET_ADMIN over a network of its own, plus --capability, minus
 * --drop-capability, as far as the host can give them. In a user namespace all of them can be had: they end at its border.
 *
 * @throws PermissionError for a capability that was asked for by name and that the caller cannot give
 * @throws UsageError for an ambient capability that is not retained
 * @throws UnsupportedError for SELinux labels on a host without SELinux
 */
export function privilegesOf(spec: ContainerSpec, host: HostFacts, users?: UsersView): ContainerView['privileges'] {
  requireSelinux(spec, host);
  const available = new Set(users === undefined ? host.capabilities.permitted : CAPABILITIES);
  const wanted = new Set(DEFAULT);
  if (spec.network.private) wanted.add('net_admin');
  // over a network of the host's it has no force, but services take it for the permission to use low ports
  else if (users !== undefined && (users.base !== 0 || users.around !== undefined)) wanted.delete('net_bind_service');
  for (const name of spec.addCapabilities) for (const one of name === 'all' ? CAPABILITIES : [name]) wanted.add(one);
  for (const name of spec.dropCapabilities) {
    for (const one of name === 'all' ? CAPABILITIES : [name]) wanted.delete(one);
  }
  for (const name of [...spec.addCapabilities, ...spec.ambientCapabilities]) {
    if (!wanted.has(name) || available.has(name)) continue;
    throw new PermissionError(`capability ${name} cannot be given: the caller does not have it`, {
      option: spec.addCapabilities.includes(name) ? '--capability' : '--ambient-capability',
    });
  }
  return {
    bounding: CAPABILITIES.filter((name) => wanted.has(name) && available.has(name)),
    ambient: ambientOf(spec, wanted),
    noNewPrivileges: spec.noNewPrivileges,
    filters: filtersOf(spec, wanted),
    ...(spec.selinuxContext === undefined ? {} : { label: spec.selinuxContext }),
  };
}

/** What a payload of another user than root keeps; root has all that is retained anyway. */
function ambientOf(spec: ContainerSpec, retained: ReadonlySet<string>): string[] {
  const option = '--ambient-capability';
  for (const name of spec.ambientCapabilities) {
    if (retained.has(name)) continue;
    throw new UsageError(`${option}=${name}: the capability is not among the retained ones`, {
      option,
      hint: spec.dropCapabilities.some((dropped) => dropped === name || dropped === 'all')
        ? '--drop-capability takes it away'
        : `--capability=${name} retains it`,
    });
  }
  return CAPABILITIES.filter((name) => spec.ambientCapabilities.includes(name));
}

/**
 * The filters in the order in which they are loaded: what closes calls comes last, as it could close the loading of another one.
 * A capability counts as it was asked for: whether the caller has it the kernel sees for itself.
 */
function filtersOf(spec: ContainerSpec, wanted: ReadonlySet<string>): SeccompFilter[] {
  if (!spec.seccomp) return [];
  if (spec.seccompProfile !== undefined) {
    return [
      ...(spec.suppressSync ? [{ filter: 'suppress-sync' } as const] : []),
      { filter: 'arguments' },
      { filter: 'profile', profile: spec.seccompProfile },
    ];
  }
  const named = (deny: boolean): string[] =>
    spec.systemCallFilter.filter((rule) => rule.deny === deny).flatMap(({ names }) => names);
  const kept = OPENING.filter((name) => wanted.has(name));
  const lacking = OPENING.filter((name) => !wanted.has(name));
  const asBuilt = OPENING.every((name) => wanted.has(name) === DEFAULT.has(name));
  const names = named(false);
  // compiling all that is open takes milliseconds: it is done for names only, and capabilities are closed one by one
  const open: SeccompFilter =
    names.length > 0 ? { filter: 'opened', capabilities: kept, names } : { filter: asBuilt ? 'default' : 'privileged' };
  const closed = {
    filter: 'closed',
    capabilities: open.filter === 'privileged' ? lacking : [],
    names: named(true),
  } as const;
  return [
    ...(spec.suppressSync ? [{ filter: 'suppress-sync' } as const] : []),
    { filter: 'arguments' },
    open,
    ...(closed.capabilities.length + closed.names.length > 0 ? [closed] : []),
  ];
}

function requireSelinux(spec: ContainerSpec, host: HostFacts): void {
  const option =
    spec.selinuxContext !== undefined
      ? '--selinux-context'
      : spec.selinuxApiContext !== undefined
        ? '--selinux-apifs-context'
        : undefined;
  if (option === undefined || host.selinuxMount !== undefined) return;
  throw new UnsupportedError(`${option}: SELinux is not enabled on this host`, {
    option,
    hint: 'selinuxfs is not mounted; without the option nothing is labelled',
  });
}

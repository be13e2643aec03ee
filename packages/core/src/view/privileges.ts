// Capabilities and system call filters.

import { CAPABILITIES, type Capability, DEFAULT_CAPABILITIES } from '../capabilities';
import { PermissionError, UnsupportedError } from '../errors';
import type { HostFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import type { ContainerView } from './model';

/**
 * Capabilities whose system calls stay closed: there is one filter, made when this is built, and it is that of the default set.
 * They are the groups of native/src/tools/syscall-groups.hh that have a capability which is not a default one.
 */
export const CLOSED_CAPABILITIES: readonly string[] = [
  'ipc_lock',
  'sys_module',
  'sys_rawio',
  'sys_pacct',
  'sys_time',
  'syslog',
] satisfies readonly Capability[];

/** True when the caller may make mount namespaces in the host's user namespace. */
function isPrivileged(host: HostFacts): boolean {
  return host.capabilities.permitted.includes('sys_admin');
}

/**
 * What the caller can hand on. The plan that --dry-run shows to an ordinary user is the one that root would get on this
 * host: root's capabilities are then bounded by the caller's bounding set.
 */
function grantable(host: HostFacts): readonly string[] {
  return isPrivileged(host) ? host.capabilities.permitted : host.capabilities.bounding;
}

/** True when the launcher may raise hard resource limits. */
export function mayRaiseLimits(host: HostFacts): boolean {
  return grantable(host).includes('sys_resource');
}

/**
 * Refuses a launch that the kernel would refuse at its first step. Not part of view(), so that --dry-run works for everyone.
 *
 * @throws PermissionError with the command to type
 */
export function requirePrivileges(host: HostFacts): void {
  if (isPrivileged(host)) return;
  if (host.euid === 0) {
    throw new PermissionError('root lacks CAP_SYS_ADMIN here: namespaces cannot be made', {
      hint: 'inside another container? it must grant CAP_SYS_ADMIN',
    });
  }
  throw new PermissionError('only root may make the namespaces of a container', {
    hint: 'run it as root: sudo tsnspawn ...',
  });
}

/**
 * What the payload may do: the default capabilities, plus NET_ADMIN over a network of its own, plus --capability, minus
 * --drop-capability, as far as the host can give them.
 *
 * @throws UnsupportedError for a capability that was asked for by name and would be of no use behind the filter
 * @throws PermissionError for a capability that was asked for by name and that the caller cannot give
 */
export function privilegesOf(spec: ContainerSpec, host: HostFacts): ContainerView['privileges'] {
  const available = new Set(grantable(host));
  const wanted = new Set<string>(DEFAULT_CAPABILITIES);
  if (spec.network.private) wanted.add('net_admin');
  const dropped = new Set(spec.dropCapabilities);
  for (const name of spec.addCapabilities) {
    if (name === 'all') {
      for (const capability of CAPABILITIES) wanted.add(capability);
      continue;
    }
    wanted.add(name);
    if (dropped.has(name) || dropped.has('all')) continue;
    if (CLOSED_CAPABILITIES.includes(name)) {
      throw new UnsupportedError(
        `--capability=${name} does not work yet: the system call filter keeps its calls closed`,
        {
          option: '--capability',
          hint: '--capability=all keeps it, but the calls stay closed',
        },
      );
    }
    if (!available.has(name)) {
      throw new PermissionError(`capability ${name} cannot be given: the caller does not have it`, {
        option: '--capability',
      });
    }
  }
  const kept = CAPABILITIES.filter((name) => wanted.has(name) && available.has(name) && !dropped.has(name));
  return {
    bounding: dropped.has('all') ? [] : kept,
    ambient: [],
    noNewPrivileges: spec.noNewPrivileges,
    // the narrower filter first: once the default one is in force, it decides whether another may still be loaded
    filters: [...(spec.suppressSync ? (['suppress-sync'] as const) : []), 'arguments', 'default'],
  };
}

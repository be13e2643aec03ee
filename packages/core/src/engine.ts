// Which engine makes a container.

import { UsageError } from './errors';
import type { HostFacts } from './facts';
import { keepsOwnIds } from './share';
import type { ContainerSpec } from './spec';

/** The engine, and what there is to say about it when it was not asked for. */
export interface EngineChoice {
  readonly engine: 'namespaces' | 'ptrace';
  readonly remark?: string;
}

/** What is lost with the engine that needs nothing. */
export const LOST = 'going on with the engine ptrace, which is slower, keeps no limits, and is no security boundary';

/**
 * The engine for a launch: the one that was asked for, else namespaces where the caller can have them.
 * @throws UsageError for options of the other engine
 */
export function chooseEngine(spec: ContainerSpec, host: HostFacts): EngineChoice {
  const { engine, fakeId, kernelRelease } = spec;
  const option = fakeId !== undefined ? '--fake-id' : kernelRelease !== undefined ? '--kernel-release' : undefined;
  if (engine === 'namespaces' && option !== undefined) {
    throw new UsageError(`${option} needs the engine ptrace, and --engine=namespaces was asked for`, { option });
  }
  if (engine !== 'auto') return { engine };
  if (option !== undefined && spec.shareHost.length === 0) return { engine: 'ptrace' };
  // for a user of the host who is to stay that one
  if (keepsOwnIds(spec) && host.euid !== 0) return { engine: 'ptrace' };
  if (host.rootless !== undefined && host.userNamespaces === false)
    return { engine: 'ptrace', remark: `this host gives no user namespaces; ${LOST}` };
  if (host.rootless === undefined && host.rebootsHost === true)
    return { engine: 'ptrace', remark: `a reboot of a guest would be one of this host; ${LOST}` };
  return { engine: 'namespaces' };
}

/** The host as this engine has it: without cgroups of the container's own, and unknown to a service manager. */
export function withoutNamespaces(host: HostFacts): HostFacts {
  return { ...host, cgroup: { kind: 'none', v1: [] }, resources: undefined, systemd: false, userManager: undefined };
}

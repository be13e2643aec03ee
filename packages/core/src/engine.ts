// Which engine makes a container.

import { UsageError } from './errors';
import type { HostFacts } from './facts';
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
  const { engine } = spec;
  const option = optionOfPtrace(spec);
  if (engine === 'namespaces' && option !== undefined) {
    throw new UsageError(`${option} needs the engine ptrace, and --engine=namespaces was asked for`, { option });
  }
  if (engine !== 'auto') return { engine };
  if (option !== undefined) return { engine: 'ptrace' };
  if (host.rootless !== undefined && host.userNamespaces === false)
    return { engine: 'ptrace', remark: `this host gives no user namespaces; ${LOST}` };
  if (host.rootless === undefined && host.rebootsHost === true)
    return { engine: 'ptrace', remark: `a reboot of a guest would be one of this host; ${LOST}` };
  return { engine: 'namespaces' };
}

/** An option that was given and that only this engine has. */
function optionOfPtrace({ kernelRelease, emulator, portMap, fakeLinks }: ContainerSpec): string | undefined {
  const given: readonly (readonly [boolean, string])[] = [
    [kernelRelease !== undefined, '--kernel-release'],
    [emulator !== undefined, '--qemu'],
    [portMap.length > 0, '--port-map'],
    [fakeLinks, '--link2symlink'],
  ];
  return given.find(([is]) => is)?.[1];
}

/** The host as this engine has it: without cgroups of the container's own, and unknown to a service manager. */
export function withoutNamespaces(host: HostFacts): HostFacts {
  return { ...host, cgroup: { kind: 'none', v1: [] }, resources: undefined, systemd: false, userManager: undefined };
}

// The engine of a launch: which plan it makes, and what it falls back to.

import {
  type Accelerator,
  type ContainerSpec,
  type ContainerView,
  type HostFacts,
  type LaunchPlan,
  lower,
  lowerPtrace,
  type RunVariables,
  StepError,
  UsageError,
} from '@tsnspawn/core';

/** The plan of an engine. */
export function planWith(
  engine: LaunchPlan['engine'],
  container: ContainerView,
  spec: ContainerSpec,
  host: HostFacts,
  run: RunVariables,
): LaunchPlan {
  if (engine === 'namespaces') return lower(container, host, run);
  const accelerator = acceleratorFrom(host.env);
  return lowerPtrace(container, spec, run, {
    root: hasUsers(host),
    temporary: host.env.TMPDIR?.startsWith('/') === true ? host.env.TMPDIR : '/tmp',
    ...(accelerator === undefined ? {} : { accelerator }),
  });
}

/** Whether the kernel lets the caller be every user: else they are faked. */
function hasUsers({ euid, capabilities, rootless }: HostFacts): boolean {
  const needed = ['chown', 'dac_override', 'fowner', 'setgid', 'setuid'];
  const ids = rootless === undefined || rootless.size > 1;
  return euid === 0 && ids && needed.every((name) => capabilities.permitted.includes(name));
}

function acceleratorFrom({ TSNSPAWN_PTRACE_ACCEL: name }: HostFacts['env']): Accelerator | undefined {
  if (name === undefined || name === '' || name === 'none' || name === 'trace') return name || undefined;
  throw new UsageError(`bad value '${name}' for the variable TSNSPAWN_PTRACE_ACCEL: neither none nor trace`);
}

/** The monitor could not be made because the kernel, or a filter around this process, gives no namespaces. */
export function isRefusedNamespace(error: unknown): error is StepError {
  return error instanceof StepError && error.step.op === 'clone';
}

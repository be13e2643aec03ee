// The engine of a launch: which plan it makes, and what it falls back to.

import {
  type Accelerator,
  type ContainerSpec,
  type ContainerView,
  type HostFacts,
  type LaunchPlan,
  LOST,
  lower,
  lowerPtrace,
  needsOwnProc,
  type RunVariables,
  StepError,
  UsageError,
  withOneId,
  withoutNamespaces,
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
  if (name === undefined || name === '') return undefined;
  if (name === 'none' || name === 'trace' || name === 'inprocess' || name === 'notify') return name;
  throw new UsageError(
    `bad value '${name}' for the variable TSNSPAWN_PTRACE_ACCEL: not none, trace, inprocess or notify`,
  );
}

/** How a launch goes on that has failed before anything was started. */
export interface Fallback {
  readonly engine: LaunchPlan['engine'];
  readonly host: HostFacts;
  readonly remark: string;
}

/** Where parts of its own /proc are covered, as in the containers of others, the kernel lets no user namespace mount another. */
function lacksProc({ step, code, path }: StepError): boolean {
  return code === 'EPERM' && (needsOwnProc(step, path) || (step.op === 'mount' && step.fs === 'proc'));
}

/**
 * What is left where the monitor could not be made: with the caller's own id alone where the programs do not map the others, without
 * namespaces where the kernel, or a filter around this process, gives none, or no /proc for one. Undefined: nothing.
 */
export function fallbackOf(
  error: unknown,
  asked: ContainerSpec['engine'],
  { engine, host }: Pick<Fallback, 'engine' | 'host'>,
): Fallback | undefined {
  const { rootless } = host;
  if (!(error instanceof StepError) || rootless === undefined || engine === 'ptrace') return undefined;
  const { step, message } = error;
  if (step.op === 'map' && step.programs !== undefined) {
    const remark = `${message}; going on with one id, see tsnspawn doctor`;
    return { engine, host: { ...host, rootless: withOneId(rootless, message) }, remark };
  }
  if (asked !== 'auto' || (step.op !== 'map' && step.op !== 'clone' && !lacksProc(error))) return undefined;
  return { engine: 'ptrace', host: withoutNamespaces(host), remark: `${message}; ${LOST}` };
}

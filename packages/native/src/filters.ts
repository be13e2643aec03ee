// System call filters as bytes: the built-in ones from the addon, others compiled by libseccomp, which is in an addon of its own
// and loaded for these alone.

import { type LaunchPlan, nearest, type SeccompFilter, UsageError } from '@tsnspawn/core';
import { addon, builtFile } from './addon';

/** What native/src/seccomp/binding.cc exports. */
interface Compiler {
  compile(opens: boolean, capabilities: readonly string[], names: readonly string[]): Buffer;
  /** the calls that a name or @group stands for, or undefined where there is none of that name */
  members(name: string): string[] | undefined;
  names(): string[];
}

const OPTION = '--system-call-filter';

/** What still has to pass when the filter is in force: the payload is executed, or ends because it could not be. */
const FOR_START = ['execve', 'exit_group'];
/** What the stub init of --as-pid2 lives by. */
const FOR_STUB = [
  'capget',
  'capset',
  'clock_gettime',
  'clone',
  'close',
  'exit_group',
  'ioctl',
  'kill',
  'prctl',
  'rt_sigaction',
  'rt_sigprocmask',
  'rt_sigtimedwait',
  'setsid',
  'wait4',
];

let loaded: Compiler | undefined;

function compiler(): Compiler {
  if (loaded === undefined) {
    const module = { exports: {} };
    process.dlopen(module, builtFile('seccomp.node'));
    loaded = module.exports as Compiler;
  }
  return loaded;
}

/**
 * Checks the filters of a plan, without loading them.
 * @throws UsageError for a name that is no system call and no group, and for a filter that would not let the payload start
 */
export function requireFilters(plan: LaunchPlan): void {
  for (const step of plan.inner) {
    if (step.op !== 'seccomp' || !('names' in step)) continue;
    for (const name of step.names) requireName(name, step.filter === 'closed', plan.stub);
  }
}

function requireName(name: string, deny: boolean, stub: boolean): void {
  const calls = compiler().members(name);
  if (calls === undefined) {
    const near = nearest(name, compiler().names());
    const what = name.startsWith('@') ? 'group of system calls' : 'system call';
    throw new UsageError(`bad value '${name}' for ${OPTION}: no ${what} has that name`, {
      option: OPTION,
      hint:
        near === undefined
          ? 'names are those of syscalls(2), groups those of systemd.exec(5)'
          : `did you mean ${near}?`,
    });
  }
  if (!deny) return;
  const needed = [...FOR_START, ...(stub ? FOR_STUB : [])].find((call) => calls.includes(call));
  if (needed === undefined) return;
  const inIt = needed === name ? '' : ` (${needed})`;
  throw FOR_START.includes(needed)
    ? new UsageError(`bad value '~${name}' for ${OPTION}: the payload could not be started without it${inIt}`, {
        option: OPTION,
      })
    : new UsageError(`bad value '~${name}' for ${OPTION}: the init of --as-pid2 could not live without it${inIt}`, {
        option: OPTION,
        hint: 'without --as-pid2 the command is PID 1 itself',
      });
}

/** The instructions of a filter, as seccomp(2) takes them. */
export function seccompProgram(filter: SeccompFilter): Uint8Array {
  if (!('names' in filter)) return addon().seccompFilter(filter.filter);
  return compiler().compile(filter.filter === 'opened', filter.capabilities, filter.names);
}

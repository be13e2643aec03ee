// System call filters as bytes: the built-in ones from the addon, others compiled by libseccomp, which is in an addon of its own
// and loaded for these alone.

import {
  type FakeRootFilter,
  type LaunchPlan,
  nearest,
  type SeccompAction,
  type SeccompFilter,
  type SeccompProfile,
  UsageError,
} from '@tsnspawn/core';
import { addon, builtFile } from './addon';

/** What native/src/seccomp/binding.cc exports. */
interface Compiler {
  compile(opens: boolean, capabilities: readonly string[], names: readonly string[]): Buffer;
  compileProfile(action: number, architectures: readonly string[], rules: readonly CompilerRule[]): Buffer;
  /** the calls that a name or @group stands for, or undefined where there is none of that name */
  members(name: string): string[] | undefined;
  names(): string[];
}

/** A rule in the numbers of libseccomp. */
interface CompilerRule {
  readonly names: readonly string[];
  readonly action: number;
  readonly args: readonly {
    readonly index: number;
    readonly op: number;
    readonly value: number;
    readonly valueTwo: number;
  }[];
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
    if (step.op === 'seccomp' && step.filter === 'profile') requireProfile(step.profile);
    if (step.op !== 'seccomp' || !('names' in step)) continue;
    for (const name of step.names) requireName(name, step.filter === 'closed', plan.stub);
  }
}

function requireProfile(profile: SeccompProfile): void {
  try {
    compileProfile(profile);
  } catch (error) {
    throw new UsageError(`the system call filter of the bundle cannot be compiled: ${(error as Error).message}`);
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
export function seccompProgram(filter: SeccompFilter | FakeRootFilter): Uint8Array {
  if (filter.filter === 'profile') return compileProfile(filter.profile);
  if (!('names' in filter)) return addon().seccompFilter(filter.filter);
  return compiler().compile(filter.filter === 'opened', filter.capabilities, filter.names);
}

/** SCMP_ACT_* of seccomp.h. */
function actionNumber(action: SeccompAction): number {
  switch (action.kind) {
    case 'allow':
      return 0x7fff0000;
    case 'log':
      return 0x7ffc0000;
    case 'errno':
      return 0x00050000 | action.errno;
    case 'trap':
      return 0x00030000;
    case 'kill-thread':
      return 0;
    case 'kill-process':
      return 0x80000000;
  }
}

/** enum scmp_compare, from 1 on. */
const COMPARISONS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'];

function compileProfile({ action, architectures, rules }: SeccompProfile): Buffer {
  const all = rules.flatMap(({ names, action: result, args }): CompilerRule[] => {
    const numbered = args.map((one) => ({ ...one, op: COMPARISONS.indexOf(one.op) + 1 }));
    const common = { names, action: actionNumber(result) };
    // libseccomp takes one comparison of an argument in a rule; several of them mean that one has to hold
    const repeats = new Set(args.map(({ index }) => index)).size < args.length;
    return repeats ? numbered.map((one) => ({ ...common, args: [one] })) : [{ ...common, args: numbered }];
  });
  return compiler().compileProfile(actionNumber(action), architectures, all);
}

// What the kernel refused a launch, looked into after the fact: the doctor's answer to the one question, without any further trial.

import { type FailedStep, isTsnspawnError, needsOwnProc, type StepError, type TsnspawnError } from '@tsnspawn/core';
import { probeHost } from '../probe/host';
import { HOST } from './checks/host';
import { MOUNTS } from './checks/mounts';
import { NAMESPACES } from './checks/namespaces';
import { exhausted, type NamespaceKind } from './checks/words';
import { readFacts } from './facts';
import type { DoctorFacts, Finding } from './model';
import { TRIALS, type TrialName, type Trials } from './trials';

/** Errors of who may not, of what is not there or is taken; all others are the launch's own. */
const REFUSALS = ['EPERM', 'EACCES', 'ENOSPC', 'EUSERS', 'EINVAL', 'ENOSYS', 'EBUSY'];

/** The trial that a step is, and the check that knows about it. */
interface Question {
  readonly check: string;
  readonly trial: TrialName;
}

/**
 * A better hint for an error of a launch, or undefined where the error has the best one itself.
 *
 * @param error anything that was thrown
 */
export function refusalHint(error: unknown): string | undefined {
  if (!isTsnspawnError(error) || !REFUSALS.includes(error.code)) return undefined;
  const finding = findingOf(error);
  if (finding === undefined) return undefined;
  const { detail, mend: [command] = [] } = finding;
  return `${detail}${command === undefined ? '' : `: ${command}`}; tsnspawn doctor tells more`;
}

function findingOf(error: TsnspawnError): Pick<Finding, 'detail' | 'mend'> | undefined {
  const facts = (trials: Trials): DoctorFacts => readFacts(process.cwd(), { trials, userManager: 'not asked' });
  const step = 'step' in error ? (error as StepError).step : undefined;
  if (error.code === 'ENOSPC') {
    const kinds = step === undefined ? undefined : kindsOf(step);
    if (kinds !== undefined) return exhausted(facts(ALL_WELL), ...kinds);
  }
  const asked = questionOf(error);
  const check = [...NAMESPACES, ...MOUNTS, ...HOST].find(({ key }) => key === asked?.check);
  if (asked === undefined || check === undefined) return undefined;
  const finding = check.look(facts({ ...ALL_WELL, [asked.trial]: error.code }));
  return finding?.answer === 'yes' ? undefined : finding;
}

/** The namespaces that a step makes. */
function kindsOf(step: FailedStep): readonly NamespaceKind[] | undefined {
  switch (step.op) {
    case 'clone':
      return step.namespaces;
    case 'userNamespace':
      return ['user'];
    case 'unshareMounts':
      return ['mnt'];
    case 'unshareCgroup':
      return ['cgroup'];
    default:
      return undefined;
  }
}

/** All that came before the failed step has worked. */
const ALL_WELL: Trials = Object.fromEntries(TRIALS.map((name) => [name, 'OK']));

function questionOf(error: TsnspawnError): Question | undefined {
  if (!('step' in error)) return error.syscall === 'clone' ? { check: 'user-namespaces', trial: 'user' } : undefined;
  const { step, path, code } = error as StepError;
  return needsOwnProc(step, path) ? mountQuestion('proc') : questionOfStep(step, code);
}

function questionOfStep(step: FailedStep, errno: string): Question | undefined {
  switch (step.op) {
    case 'clone':
      // one of several namespaces; the others are not refused to whoever is root of the first
      return step.namespaces.includes('user') ? { check: 'user-namespaces', trial: 'user' } : undefined;
    case 'userNamespace':
      return { check: 'user-namespaces', trial: 'user' };
    case 'map':
      // else it is the programs that have refused, in words of their own
      return step.programs === undefined ? { check: 'user-namespaces', trial: 'map' } : undefined;
    case 'fakeRoot':
      return { check: 'notification', trial: 'notification' };
    case 'unshareMounts':
      return { check: 'mounts', trial: 'mounts' };
    case 'openTree':
      // a path that is not ours to read is none of the kernel's rules about mounts
      return errno === 'EPERM' && isRootless() ? { check: 'mounts', trial: 'mounts' } : undefined;
    case 'newMount':
    case 'mount':
      return isTheirs(errno) ? mountQuestion(step.fs) : undefined;
    case 'overlay':
      // EINVAL is about one of the file systems
      return isTheirs(errno) && isRootless() ? { check: 'overlay', trial: 'overlay' } : undefined;
    default:
      return undefined;
  }
}

function mountQuestion(fs: string): Question | undefined {
  switch (fs) {
    case 'proc':
      return { check: 'proc', trial: 'proc' };
    case 'sysfs':
      return { check: 'sysfs', trial: 'sysfs' };
    case 'cgroup2':
      return { check: 'cgroup', trial: 'cgroup2' };
    case 'devpts':
      return { check: 'devices', trial: 'devpts' };
    case 'tmpfs':
      return isRootless() ? { check: 'mounts', trial: 'tmpfs' } : undefined;
    default:
      return undefined;
  }
}

function isTheirs(errno: string): boolean {
  return errno === 'EPERM' || errno === 'EACCES';
}

function isRootless(): boolean {
  return probeHost().rootless !== undefined;
}

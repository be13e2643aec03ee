// Phrases that several checks need.

import { errnoText } from '@tsnspawn/core';
import type { DoctorFacts, Finding } from '../model';
import type { TrialName } from '../trials';

/** Those of the trials that did not go well; one that was not reached counts as one that failed. */
export function failed({ trials }: DoctorFacts, ...names: readonly TrialName[]): TrialName[] {
  return names.filter((name) => trials[name] !== 'OK');
}

/** Why a trial failed, in the system's words. */
export function reason({ trials }: DoctorFacts, name: TrialName): string {
  const errno = trials[name];
  return errno === undefined ? 'it could not be tried' : errnoText(errno);
}

/** What a refusal may come from besides the kernel's own rules. */
export function suspects({ container, caller, selinux }: DoctorFacts): string {
  const named = [
    ...(container === undefined || container === 'wsl' ? [] : [`what ${container} allows`]),
    ...(caller.filtered ? ['a seccomp filter'] : []),
    ...(selinux ? ['the SELinux policy'] : []),
  ];
  return named.length === 0 ? 'a security module of the kernel, or a chroot' : named.join(', or ');
}

/** `a, b and c` */
export function list(words: readonly string[]): string {
  const [last = '', ...before] = [...words].reverse();
  return before.length === 0 ? last : `${before.reverse().join(', ')} and ${last}`;
}

/** How the detail of a check begins that an earlier one stands in the way of. */
export const UNTRIED = 'could not be tried';

/** Such a check. */
export function untried(behind: string): Finding {
  return { answer: 'no', detail: `${UNTRIED}: see ${behind}`, cost: NO_LAUNCH };
}

export const NO_LAUNCH = 'no launch by this caller';

// Phrases that several checks need.

import { errnoText } from '@tsnspawn/core';
import { sysctl } from '../mend';
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

/** A check that an earlier one stands in the way of. */
export function untried(behind: string): Finding {
  return { answer: 'no', detail: `could not be tried: see ${behind}`, untried: true };
}

export const NO_LAUNCH = 'no launch by this caller';

/** As in the names of their limits, /proc/sys/user/max_*_namespaces: namespaces(7). */
export const NAMESPACE_KINDS = ['user', 'mnt', 'pid', 'uts', 'ipc', 'net', 'cgroup'] as const;

/** A number that no host needs more of. */
const MANY = 15_000;

export type NamespaceKind = (typeof NAMESPACE_KINDS)[number];

/**
 * About ENOSPC from a call that makes namespaces: which limit it is. Where none is 0 it is the lowest, or one of a user namespace
 * around, which cannot be seen from here.
 */
export function exhausted(facts: DoctorFacts, ...kinds: readonly NamespaceKind[]): Pick<Finding, 'detail' | 'mend'> {
  const limits = kinds
    .map((kind) => ({
      name: `user.max_${kind}_namespaces`,
      most: Number(facts.sysctl[`user/max_${kind}_namespaces`] ?? Infinity),
    }))
    .sort((a, b) => a.most - b.most);
  const none = limits.filter(({ most }) => most === 0);
  const meant = none.length > 0 ? none : limits.slice(0, 1);
  const mend = meant.map(({ name }) => sysctl(facts, name, MANY));
  if (none.length > 0) {
    return { detail: `${list(none.map(({ name }) => name))} ${none.length === 1 ? 'is' : 'are'} 0`, mend };
  }
  const values = meant.map(({ name, most }) => `${name}=${most}`);
  return {
    detail: `the limit on namespaces is reached (${values.join(', ')}), here or in a user namespace around`,
    mend,
  };
}

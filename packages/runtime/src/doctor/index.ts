// What this host lets this caller do, found by trying, with what it costs and what would mend it.

import { accessSync, constants, realpathSync } from 'node:fs';
import { TsnspawnError } from '@tsnspawn/core';
import { HOST } from './checks/host';
import { MOUNTS } from './checks/mounts';
import { NAMESPACES } from './checks/namespaces';
import { USERS } from './checks/users';
import { gatherFacts } from './facts';
import type { Check, CheckResult, Diagnosis, DoctorFacts } from './model';
import { judgeTree, lookAtTree } from './tree';
import { verdictOf } from './verdict';

export type { Answer, CheckResult, Diagnosis, TreeReport } from './model';

/** All checks, in the order in which they are shown. */
const CHECKS: readonly Check[] = [...USERS, ...NAMESPACES, ...MOUNTS, ...HOST];

/** The answers to what was found; pure. */
export function diagnosisOf(facts: DoctorFacts): Diagnosis {
  const checks = CHECKS.flatMap(({ key, question, needed = false, look }): CheckResult[] => {
    const finding = look(facts);
    return finding === undefined ? [] : [{ key, question, needed, ...finding }];
  });
  return { caller: { ...facts.caller, container: facts.container ?? null }, checks, ...verdictOf(facts, checks) };
}

/**
 * Tries everything.
 *
 * @param directory a tree that is to be looked at as well; without one the working directory says what its file system can
 * @throws TreeError when it cannot be opened
 */
export async function diagnose(directory: string | undefined): Promise<Diagnosis> {
  const tree = directory === undefined ? undefined : lookAtTree(directory);
  const facts = await gatherFacts(tree?.path ?? workingDirectory());
  const diagnosis = diagnosisOf(facts);
  return tree === undefined ? diagnosis : { ...diagnosis, tree: judgeTree(tree, facts) };
}

/** Where the caller is, or the root where that is no place for the caller. */
function workingDirectory(): string {
  try {
    const directory = realpathSync(process.cwd());
    accessSync(directory, constants.R_OK | constants.X_OK);
    return directory;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return '/';
    throw new TsnspawnError('the working directory has been removed', { hint: 'cd to one that is there' });
  }
}

// Verbs that work on the files of a tree, as its owner sees them: an ordinary user's trees belong to the user and to the ids that
// are subordinate to the user, over which only root of a user namespace has power.

import { lstatSync } from 'node:fs';
import { isMapped, requirePrivileges, withOneId } from '@tsnspawn/core';
import { probeHost, refusesIds, runAgainAsRoot } from '@tsnspawn/runtime';

/**
 * Runs the verb again as root of a user namespace, where that is what the tree's owners are seen from.
 *
 * @returns the exit status; undefined where the caller sees them as they are
 */
export function runAsOwnerOf(tree: string): number | undefined {
  const host = probeHost();
  const { rootless } = host;
  const owner = lstatSync(tree, { throwIfNoEntry: false });
  if (rootless?.maps === undefined || owner === undefined || !isMapped(owner, rootless.maps)) return undefined;
  // The files are the caller's: whoever gets no namespace does what can be done without.
  if (rootless.size === 1 && host.userNamespaces === false) return undefined;
  requirePrivileges(host);
  try {
    return runAgainAsRoot();
  } catch (error) {
    if (!refusesIds(error)) throw error;
    return runAgainAsRoot(withOneId(rootless, error.message).maps);
  }
}

// This very command once more, as root of a user namespace: an ordinary user may change there what belongs to the subordinate ids.

import { PermissionError, requirePrivileges, StepError, type UserMaps, withOneId } from '@tsnspawn/core';
import { nodeCommand, runInNamespace } from '@tsnspawn/native';
import { probeHost } from '../probe/host';
import { program } from '../probe/rootless';

/** In the environment of the second run. */
const MARK = 'TSNSPAWN_USERNS';

/**
 * Runs the command again as root of a user namespace in which all the caller's ids are, or those of other maps.
 *
 * @returns its exit status; undefined where nothing was run, since the caller is root of the host or of a namespace already
 * @throws PermissionError where the host gives no user namespaces, or one in which root may do nothing
 * @throws StepError of the step `map` where the ids are refused
 */
export function runAgainAsRoot(wanted?: UserMaps): number | undefined {
  const host = probeHost();
  const maps = wanted ?? host.rootless?.maps;
  const isSecond = process.env[MARK] !== undefined;
  delete process.env[MARK];
  if (maps === undefined) return undefined;
  if (isSecond) {
    throw new PermissionError('root of a user namespace may do nothing on this host: its security policy says so', {
      hint: 'with AppArmor, see kernel.apparmor_restrict_unprivileged_userns; tsnspawn doctor says more',
    });
  }
  requirePrivileges(host);
  const argv = [...nodeCommand(), ...process.argv.slice(1)];
  return runInNamespace(argv, { ...process.env, [MARK]: '1' }, maps);
}

/**
 * Why the kernel gives an ordinary user no user namespace with the caller's own id in it, found by making one; undefined where it does, and
 * for root.
 */
export function namespaceRefusal(): string | undefined {
  const host = probeHost();
  const nothing = program('true');
  if (host.rootless?.maps === undefined || nothing === undefined) return undefined;
  try {
    requirePrivileges(host);
    runInNamespace([nothing], {}, withOneId(host.rootless, '').maps ?? host.rootless.maps);
    return undefined;
  } catch (error) {
    if (error instanceof StepError || error instanceof PermissionError) return error.message;
    throw error;
  }
}

/** Whether this is the second run: what it was started for is all that it does. */
export function runsAgain(): boolean {
  return process.env[MARK] !== undefined;
}

/** Whether the ids of the caller were refused: the programs that map them are not set-id, or know other ones. */
export function refusesIds(error: unknown): error is StepError {
  return error instanceof StepError && error.step.op === 'map';
}

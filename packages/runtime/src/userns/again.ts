// This very command once more, as root of a user namespace: an ordinary user may change there what belongs to the subordinate ids.

import { PermissionError, requirePrivileges } from '@tsnspawn/core';
import { runInNamespace } from '@tsnspawn/native';
import { probeHost } from '../probe/host';

/** In the environment of the second run. */
const MARK = 'TSNSPAWN_USERNS';

/**
 * Runs the command again as root of a user namespace in which all the caller's ids are.
 *
 * @returns its exit status; undefined where nothing was run, since the caller is root of the host or of a namespace already
 * @throws PermissionError where the host gives no user namespaces, or one in which root may do nothing
 */
export function runAgainAsRoot(): number | undefined {
  const host = probeHost();
  const maps = host.rootless?.maps;
  const isSecond = process.env[MARK] !== undefined;
  delete process.env[MARK];
  if (maps === undefined) return undefined;
  if (isSecond) {
    throw new PermissionError('root of a user namespace may do nothing on this host: its security policy says so', {
      hint: 'with AppArmor, see kernel.apparmor_restrict_unprivileged_userns; tsnspawn doctor says more',
    });
  }
  requirePrivileges(host);
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return runInNamespace(argv, { ...process.env, [MARK]: '1' }, maps);
}

/** Whether a caller has several ids to give to files. */
export function hasSubordinateIds(): boolean {
  return (probeHost().rootless?.size ?? Number.POSITIVE_INFINITY) > 1;
}

// Which processors a guest may be told to run on.

import { UnsupportedError } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

/**
 * Refuses processors that the machine does not have, or that the caller's cpuset keeps it from. The kernel would run on what is
 * left of the list, and say nothing.
 *
 * @throws UnsupportedError that names them
 */
export function requireProcessors(cpus: readonly number[]): void {
  const refused = addon().refusedProcessors(cpus);
  if (refused.length === 0) return;
  const [what, are] = refused.length === 1 ? ['processor', 'is'] : ['processors', 'are'];
  throw new UnsupportedError(`--cpu-affinity: ${what} ${refused.join(',')} ${are} not there, or not for the caller`, {
    option: '--cpu-affinity',
    hint: 'nproc --all counts them; a cpuset may hold some back (Cpus_allowed_list in /proc/self/status)',
  });
}

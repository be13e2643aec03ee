// From the answers to one line: how a launch would run now.

import type { CheckResult, Diagnosis, DoctorFacts } from './model';

/** Keys of the checks that a guest with one id needs in addition. */
const FOR_ONE_ID = ['notification', 'attributes'];

/** What takes no namespace. */
const LEFT =
  'trees can be made (tsnspawn bootstrap --variant=busybox or host) and plans shown (--dry-run); nothing can be started';

const TRACED = '--engine=ptrace starts it without namespaces: slower, without limits, and no security boundary';

/** The mode of a launch, and what stands against one. */
export function verdictOf(
  { ids, map }: DoctorFacts,
  checks: readonly CheckResult[],
): Pick<Diagnosis, 'mode' | 'ids' | 'summary' | 'missing' | 'left'> {
  const isRoot = ids.kind === 'root';
  const stands = checks.filter(
    ({ key, needed, answer }) => needed && answer === 'no' && !(isRoot && key === 'user-namespaces'),
  );
  if (stands.length > 0) {
    const missing = stands.map(({ key }) => key);
    // what follows from another is no news
    const words = stands
      .filter(({ untried }) => untried !== true)
      .map(({ key, detail }) => `${key.replaceAll('-', ' ')}: ${detail}`);
    const why = words.join('; ');
    if (!checks.some(({ key, answer }) => key === 'tracing' && answer === 'yes')) {
      return { mode: 'none', ids: 0, missing, summary: `not possible (${why})`, left: LEFT };
    }
    // with what else may be refused the launch fails in its midst: the engine has to be asked for
    const byItself = missing.includes('user-namespaces') || missing.every((key) => key === 'proc');
    if (byItself) return { mode: 'ptrace', ids: 1, missing, summary: `with the engine ptrace (${why})` };
    return { mode: 'none', ids: 0, missing, summary: `not possible (${why})`, left: TRACED };
  }
  if (isRoot) return { mode: 'root', ids: ids.size, missing: [], summary: 'as root' };
  // where the programs map nothing a launch goes on without them
  const size = ids.kind === 'mapped' && map?.works !== true ? 1 : ids.size;
  if (size > 1) return { mode: 'user', ids: size, missing: [], summary: `as a user with ${size} ids` };
  const lacking = checks.filter(({ key, answer }) => FOR_ONE_ID.includes(key) && answer === 'no');
  const owners =
    lacking.length === 0
      ? 'owners are remembered'
      : `owners cannot be remembered (${lacking.map(({ detail }) => detail).join('; ')})`;
  return { mode: 'user-one-id', ids: 1, missing: [], summary: `as a user with one id, ${owners}` };
}

// The ways to run the cases: in a real chroot, which says what is right, and by what is to do the same without privileges.

import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OldHost } from '../support/portable';
import { giveTree, OrdinaryUser } from '../support/users';
import { Place, type Width } from './place';

export type Results = ReadonlyMap<string, readonly string[]>;

/** Starts the program of the cases with these arguments. */
type Start = (args: readonly string[]) => Pick<SpawnSyncReturns<string>, 'stdout' | 'stderr' | 'status'>;

export interface Way {
  readonly place: Place;
  readonly start: Start;
  close(): void;
}

const LIMIT = 150_000;
/** Nobody has it. */
const NOBODY = 64872;
/** A run that ends early goes on behind the case that it ended in, so often. */
const RUNS = 8;

/** Runs the cases: the lines of each, by its name. */
export function runAll({ start }: Way, only = ''): Results {
  const results = new Map<string, string[]>();
  let last: string | undefined;
  for (let run = 0; run < RUNS; run++) {
    const more = last === undefined ? [] : [`--after=${last}`];
    const { stdout, stderr, status } = start(['--run', `--only=${only}`, ...more]);
    const before = last;
    for (const line of stdout.split('\n')) {
      if (line === 'all done') return results;
      if (/^\w+: /.test(line)) {
        last = line;
        results.set(line, []);
      } else if (last !== undefined) results.get(last)?.push(line);
    }
    if (last === before) throw new Error(`the cases do not run: status ${status}: ${stderr}`);
    results.get(last ?? '')?.push(`the run ended here: status ${status}: ${stderr}`);
  }
  return results;
}

/** The lines that are to be compared: not the ends of lines, and not what is known to differ. */
export function comparable(lines: readonly string[] | undefined, differs: readonly RegExp[]): string[] {
  const ends = (lines ?? ['not reached']).map((line) => line.trimEnd());
  return ends.filter((line) => !differs.some((one) => one.test(line)));
}

const REFERENCE = `set -e
mount --make-rprivate /
mount --bind "$TREE" "$TREE"
mount -t proc proc "$TREE/proc"
mount --rbind /dev "$TREE/dev"
cd "$TREE"
eval "$BINDS"
mkdir old
pivot_root . old
exec $SIM /conformance/cases --leave "$@"`;

/** Root, in namespaces and with the tree as its root. `old`: on a kernel that answers as 2.6.32 does. */
export function reference(home: string, old = false, width: Width = 'native'): Way {
  const place = new Place(home, width);
  if (old) execFileSync('gcc', ['-O1', '-static', '-o', join(place.tree, 'k26sim'), 'test/support/k26sim.c']);
  const binds = place.binds.flatMap(([target, source, readOnly]) => [
    `mount --bind '${source}' '.${target}'`,
    ...(readOnly ? [`mount -o remount,bind,ro '.${target}'`] : []),
  ]);
  const env = {
    ...process.env,
    ...place.environment,
    TREE: place.tree,
    BINDS: binds.join('\n'),
    SIM: old ? '/k26sim' : '',
  };
  return {
    place,
    start: (args) => spawn('unshare', ['-mpf', '--kill-child', 'sh', '-c', REFERENCE, 'sh', ...args], { env }),
    close: () => {},
  };
}

export type Accelerator = 'none' | 'trace' | 'inprocess' | 'notify';
export const ACCELERATORS: readonly Accelerator[] = ['none', 'trace', 'inprocess', 'notify'];

/** Options of the command for this place. */
function wordsOf(place: Place): string[] {
  const binds = place.binds.map(([target, source, readOnly]) => `--bind${readOnly ? '-ro' : ''}=${source}:${target}`);
  const variables = Object.entries(place.environment).map(([name, value]) => `--setenv=${name}=${value}`);
  return ['-q', '--engine=ptrace', '--pipe', '-D', place.tree, ...binds, ...variables];
}

/** What is needed to run other things there than the cases, too. */
export interface EngineWay extends Way {
  readonly uid: number;
  readonly env: Readonly<Record<string, string>>;
  /** The whole command line that executes the program of the cases with these arguments. */
  words(args: readonly string[]): string[];
}

/** An ordinary user without subordinate ids, and the ptrace engine. */
export function engine(accelerator: Accelerator, width: Width = 'native'): EngineWay {
  const { user, place } = placeOfUser(width);
  const env = { TSNSPAWN_PTRACE_ACCEL: accelerator };
  const command = [...user.command, ...wordsOf(place), '/conformance/cases'];
  return {
    place,
    uid: user.uid,
    env: { HOME: user.home, ...env },
    words: (args) => ['setpriv', ...become(user), ...command, ...args],
    start: (args) => spawnAs(user, [...command, ...args], env),
    close: () => user.remove(),
  };
}

/** Nobody with an account, the portable archive, and a kernel that answers as 2.6.32 does, so that `none` is the one way. */
export function onOldKernel(): Way {
  const host = new OldHost(NOBODY);
  const home = join(host.home, 'place');
  const place = new Place(home);
  giveTree(home, { uid: NOBODY, gid: NOBODY, first: undefined });
  const words = [...wordsOf(place), '/conformance/cases'];
  return {
    place,
    start: (args) => host.run([...words, ...args], { timeout: LIMIT / 1000 }),
    close: () => {},
  };
}

/** The same user, and PRoot. */
export function proot(program: string): Way {
  const { user, place } = placeOfUser();
  const binds = place.binds.map(([target, source]) => ['-b', `${source}:${target}`]);
  const words = [program, '-0', '-r', place.tree, '-b', '/dev', '-b', '/proc', ...binds.flat(), '-w', '/'];
  return {
    place,
    start: (args) => spawnAs(user, [...words, '/conformance/cases', ...args], place.environment),
    close: () => user.remove(),
  };
}

function placeOfUser(width: Width = 'native'): { user: OrdinaryUser; place: Place } {
  const user = new OrdinaryUser({ subordinate: false });
  const home = join(user.home, 'place');
  const place = new Place(home, width);
  giveTree(home, user);
  if (!existsSync(place.secret)) throw new Error(`there is no ${place.secret}`);
  return { user, place };
}

const become = (user: OrdinaryUser): string[] => [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--'];

function spawnAs(user: OrdinaryUser, words: readonly string[], env: Record<string, string>) {
  return spawn('setpriv', [...become(user), ...words], {
    env: { ...process.env, HOME: user.home, ...env },
    cwd: user.home,
  });
}

function spawn(command: string, args: readonly string[], options: { env: NodeJS.ProcessEnv; cwd?: string }) {
  return spawnSync(command, args, {
    encoding: 'utf8',
    input: '',
    timeout: LIMIT,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
}

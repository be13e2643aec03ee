// Ordinary users to test with: made by root for one test file, gone with its process. They run a copy of the command that they can
// read wherever the checkout lies, and get copies of the shared trees whose owners are in their own range of ids.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lchownSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, quoted, Running, type RunOptions, type StartOptions } from './launcher';
import { type Kind, sharedTree } from './trees';

const PREFIX = 'tsnspawn-';
/** Where the kernel has cgroup2: tests that need it say so. */
const UNIFIED = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'];

export interface UserOptions {
  /** lines in /etc/subuid and /etc/subgid. Default true */
  readonly subordinate?: boolean;
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Who a tree is for. */
export interface TreeOwner extends Ids {
  readonly first: Ids | undefined;
}

/** Gives a tree of root's away: id 0 is the user, and the subordinate ids follow. Without these all is the user's. */
export function giveTree(path: string, owner: TreeOwner): void {
  const status = lstatSync(path);
  const shifted = (id: number, kind: 'uid' | 'gid'): number =>
    id === 0 || owner.first === undefined ? owner[kind] : owner.first[kind] + id - 1;
  lchownSync(path, shifted(status.uid, 'uid'), shifted(status.gid, 'gid'));
  // chown(2) takes set-id bits away
  if (!status.isSymbolicLink()) chmodSync(path, status.mode & 0o7777);
  if (status.isDirectory()) for (const name of readdirSync(path)) giveTree(join(path, name), owner);
}

let made = 0;

export class OrdinaryUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** the first subordinate ids, of which there are 65536 */
  readonly first: Ids | undefined;
  readonly #cgroups: string[] = [];

  constructor({ subordinate = true }: UserOptions = {}) {
    removeStale();
    this.name = `${PREFIX}${process.pid}-${made++}`;
    const count = subordinate ? 65536 : 0;
    execFileSync('useradd', [
      '-m',
      '-s',
      '/bin/sh',
      '-K',
      `SUB_UID_COUNT=${count}`,
      '-K',
      `SUB_GID_COUNT=${count}`,
      this.name,
    ]);
    process.on('exit', () => this.remove());
    const [, , uid, gid, , home = ''] = lineOf('/etc/passwd', this.name);
    [this.uid, this.gid, this.home] = [Number(uid), Number(gid), home];
    const first = (file: string): number => Number(lineOf(file, this.name)[1]);
    this.first = subordinate ? { uid: first('/etc/subuid'), gid: first('/etc/subgid') } : undefined;
    for (const part of ['cli/bin', 'cli/dist', 'native/build'])
      cpSync(join('packages', part), join(this.home, 'command', part), { recursive: true });
    // whatever umask the checkout was made with
    execFileSync('chmod', ['-R', 'a+rX', join(this.home, 'command')]);
  }

  /** Words that run the installed command. */
  get command(): readonly string[] {
    return [process.execPath, join(this.home, 'command/cli/bin/tsnspawn.cjs')];
  }

  /** Runs the command as the user, in the user's home. */
  tsnspawn(args: readonly string[], options: RunOptions & Place = {}): Outcome {
    return this.run([...this.command, ...args], options);
  }

  /** Runs any program as the user. */
  run(words: readonly string[], options: RunOptions & Place = {}): Outcome {
    const { command, args, env } = this.#prepared(words, options);
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      input: options.input ?? '',
      timeout: (options.timeout ?? 60) * 1000,
      killSignal: 'SIGKILL',
      env,
      cwd: options.cwd ?? this.home,
      encoding: 'utf8',
      maxBuffer: 512 * 1024 * 1024,
    });
    if (error !== undefined) throw error;
    return { status, stdout, stderr };
  }

  /** Starts the command as the user. */
  start(args: readonly string[], options: StartOptions & Place = {}): Running {
    const prepared = this.#prepared([...this.command, ...args], options);
    return new Running(prepared.command, prepared.args, { ...options, env: prepared.env });
  }

  /** The same on a terminal of its own. */
  startOnTerminal(args: readonly string[], options: StartOptions & Place = {}): Running {
    const script = `stty rows 24 cols 80; exec ${[...this.command, ...args].map(quoted).join(' ')}`;
    const prepared = this.#prepared(['script', '-qefc', script, '/dev/null'], options);
    return new Running(prepared.command, prepared.args, { ...options, env: prepared.env });
  }

  /** A copy of the tree of this kind below the user's home, whose files belong to the user and to the subordinate ids. */
  tree(kind: Kind, name: string = kind): string {
    const path = join(this.home, name);
    execFileSync('cp', ['-a', '--reflink=auto', sharedTree(kind), path]);
    // access control lists name ids of root's tree
    execFileSync('setfacl', ['-Rb', path]);
    giveTree(path, this);
    return path;
  }

  /** A cgroup of cgroup2 that is the user's own: cgroups(7), "Cgroup delegation". */
  cgroup(): string {
    const mount = UNIFIED.find(
      (path) => spawnSync('stat', ['-fc', '%T', path], { encoding: 'utf8' }).stdout.trim() === 'cgroup2fs',
    );
    if (mount === undefined) throw new Error('there is no cgroup2: the test needs to say that it needs it');
    const path = join(mount, `${this.name}-${this.#cgroups.length}`);
    mkdirSync(path);
    this.#cgroups.push(path);
    for (const file of ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'])
      lchownSync(join(path, file), this.uid, this.gid);
    return path;
  }

  remove(): void {
    for (const cgroup of this.#cgroups.splice(0)) removeCgroup(cgroup);
    removeUser(this.name);
  }

  #prepared(words: readonly string[], { cgroup, host = [], env }: Place & { readonly env?: RunOptions['env'] }) {
    const as = [...host, 'setpriv', `--reuid=${this.uid}`, `--regid=${this.gid}`, '--init-groups', '--', ...words];
    const [command = '', ...args] =
      cgroup === undefined ? as : ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup, ...as];
    const own = { HOME: this.home, USER: this.name, LOGNAME: this.name, XDG_RUNTIME_DIR: '', SHELL: '/bin/sh' };
    return { command, args, env: { ...process.env, ...own, ...env } as Record<string, string> };
  }
}

interface Place {
  /** the cgroup to start in: of cgroup() */
  readonly cgroup?: string;
  /** what root runs the command by: of refusing.ts */
  readonly host?: readonly string[];
}

function lineOf(file: string, name: string): string[] {
  return (
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find(([first]) => first === name) ?? []
  );
}

/** Users of test processes that were killed. */
function removeStale(): void {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name = ''] = line.split(':');
    const pid = new RegExp(`^${PREFIX}(\\d+)-\\d+$`).exec(name)?.[1];
    if (pid !== undefined && spawnSync('kill', ['-0', pid]).status !== 0) removeUser(name);
  }
}

/** With all that runs as the user: a machine that a test has left. */
function removeUser(name: string): void {
  const [, , uid = '', , , home = ''] = lineOf('/etc/passwd', name);
  if (uid === '' || !home.endsWith(`/${name}`)) return;
  spawnSync('pkill', ['-KILL', '-U', uid]); // all of them were started for the tests
  spawnSync('userdel', ['-f', name]);
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}

function removeCgroup(path: string): void {
  spawnSync('sh', [
    '-c',
    'echo 1 >"$0/cgroup.kill"; for i in 1 2 3 4 5 6 7 8 9; do find "$0" -depth -type d -exec rmdir {} + && exit; sleep 0.1; done',
    path,
  ]);
}

// The portable archive, unpacked, and a kernel that answers as Linux 2.6.32 does (k26sim.c).

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Outcome, Running, type RunOptions, type StartOptions } from './launcher';

const HOME = join(process.cwd(), 'build/portable');

/** The archive, made at the first call. */
export function archive(): string {
  // flock(1): test files run side by side
  mkdirSync(HOME, { recursive: true });
  const made = execFileSync('flock', [`${HOME}/lock`, 'scripts/portable'], {
    encoding: 'utf8',
    timeout: 300_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return made.trim();
}

/** A user's directory with the unpacked archive, on a host whose kernel is as old as it can be. */
export class OldHost {
  readonly home = mkdtempSync(join(tmpdir(), 'tsnspawn-portable-'));
  readonly tsnspawn = join(this.home, 'any where', 'tsnspawn-portable', 'tsnspawn');
  readonly #sim = join(this.home, 'k26sim');
  readonly #uid: number;

  /** @param uid whoever runs what is run; nobody has an account there */
  constructor(uid: number) {
    this.#uid = uid;
    process.on('exit', () => rmSync(this.home, { recursive: true, force: true }));
    const top = join(this.tsnspawn, '../..');
    mkdirSync(top);
    execFileSync('tar', ['-xJf', archive(), '-C', top]);
    execFileSync('gcc', ['-O1', '-static', '-o', this.#sim, 'test/support/k26sim.c']);
    execFileSync('chmod', ['755', this.home]);
  }

  /** The words that run a program of the host on the old kernel. The host's C library is often one that does not start there. */
  words(program: string, ...args: readonly string[]): string[] {
    const lib = join(this.tsnspawn, '../lib');
    const user = ['setpriv', `--reuid=${this.#uid}`, `--regid=${this.#uid}`, '--clear-groups'];
    return [...user, this.#sim, join(lib, 'ld-linux-x86-64.so.2'), '--library-path', lib, program, ...args];
  }

  /** Runs the command by its start script. */
  run(args: readonly string[], options: RunOptions = {}): Outcome {
    const [command = '', ...words] = this.words('/bin/sh', this.tsnspawn, ...args);
    const { status, stdout, stderr, error } = spawnSync(command, words, {
      input: options.input ?? '',
      timeout: (options.timeout ?? 60) * 1000,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...options.env },
      cwd: options.cwd ?? this.home,
      encoding: 'utf8',
    });
    if (error !== undefined) throw error;
    return { status, stdout, stderr };
  }

  start(args: readonly string[], options: StartOptions = {}): Running {
    const [command = '', ...words] = this.words('/bin/sh', this.tsnspawn, ...args);
    return new Running(command, words, options);
  }

  /** A copy of a tree that belongs to the user. */
  tree(shared: string, name: string): string {
    const path = join(this.home, name);
    if (!existsSync(path)) execFileSync('cp', ['-a', '--reflink=auto', shared, path]);
    execFileSync('chown', ['-Rh', `${this.#uid}:${this.#uid}`, this.home]);
    return path;
  }

  /** The user's processes, by their names. */
  processes(): { readonly pid: number; readonly name: string }[] {
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .flatMap((pid) => {
        const status = statusOf(pid);
        const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
        const lives = field('Uid') === String(this.#uid) && field('State') !== 'Z';
        return lives ? [{ pid: Number(pid), name: field('Name') }] : [];
      });
  }
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

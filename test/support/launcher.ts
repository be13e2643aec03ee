// Running the command as its users do: through the installed bin, in a process of its own, always with a time limit.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The installed command. Tests run in the root of the checkout. */
export const TSNSPAWN = join(process.cwd(), 'node_modules/.bin/tsnspawn');

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  /** seconds; default 60 */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly uid?: number;
}

/** Runs the command to its end. */
export function tsnspawn(args: readonly string[], options: RunOptions = {}): Outcome {
  const { stdout, stderr, status } = tsnspawnBytes(args, options);
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** The same with output as bytes. */
export function tsnspawnBytes(args: readonly string[], options: RunOptions = {}) {
  const { status, stdout, stderr, error } = spawnSync(TSNSPAWN, args, {
    input: options.input ?? '',
    timeout: (options.timeout ?? 60) * 1000,
    env: { ...process.env, ...options.env },
    maxBuffer: 512 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

export interface StartOptions {
  /** seconds; default 60 */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** false: standard output, a socket, is left to fill up, until dropOutput() */
  readonly readsOutput?: boolean;
}

/** A command that is running. */
export class Running {
  readonly child: ChildProcess;
  readonly readsOutput: boolean;
  #output = '';
  #heard: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly exited: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;

  constructor(command: string, args: readonly string[], options: StartOptions = {}) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    const hear = (data: Buffer): void => {
      this.#output += data.toString();
      this.#wake();
    };
    this.readsOutput = options.readsOutput !== false;
    if (this.readsOutput) this.child.stdout?.on('data', hear);
    // A listener that does not read: without one Node would empty the socket as soon as the command has ended.
    else this.child.stdout?.on('readable', () => {});
    this.child.stderr?.on('data', hear);
    // A test that waits for something that never comes ends here, with what there was instead.
    this.#timer = setTimeout(() => this.child.kill('SIGKILL'), (options.timeout ?? 60) * 1000);
    this.exited = new Promise((resolve) => {
      this.child.on('close', (status, signal) => {
        clearTimeout(this.#timer);
        resolve({ status, signal });
        this.#wake();
      });
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Closes a standard output that is not read. */
  dropOutput(): void {
    this.child.stdout?.destroy();
  }

  get output(): string {
    return this.#output;
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Waits until the output, standard error included, matches; fails when the command ends first. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        await this.exited;
        if (pattern.test(this.#output)) return;
        throw new Error(`ended without ${pattern}; its output was:\n${this.#output}`);
      }
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#heard.splice(0)) resolve();
  }
}

/** Starts the command. */
export function startTsnspawn(args: readonly string[], options: StartOptions = {}) {
  return new Running(TSNSPAWN, args, options);
}

/** A word as a shell reads it back. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Starts a shell script on a terminal of its own: script(1) makes it. Keys go in by write(). */
export function startScript(script: string, options: { timeout?: number } = {}) {
  return new Running('script', ['-qefc', script, '/dev/null'], { ...options, env: { SHELL: '/bin/sh' } });
}

/** Starts the command on a terminal of its own, of `columns` by `rows`. */
export function startOnTerminal(
  args: readonly string[],
  size: { rows: number; columns: number } = { rows: 24, columns: 80 },
) {
  const command = [TSNSPAWN, ...args].map(quoted).join(' ');
  return startScript(`stty rows ${size.rows} cols ${size.columns}; ${command}`);
}

/** Process ids of the children of a process. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** All descendants of a process. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Whether a process is there, zombies left out: they only wait for their parent. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until the condition holds; there is no event for another process's end that we are not the parent of. */
export async function eventually(condition: () => boolean, what: string, seconds = 10): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not after ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

// How a program is run inside a tree that is being made. One narrow function type, so that tests and other front ends can put
// their own in; the default starts this project's launcher as a child process.
import { spawn } from 'node:child_process';
import { diagnose, nodeCommand } from '@tsnspawn/runtime';
import createDebug from 'debug';
import { BootstrapError, reasonOf } from './errors';

const debug = createDebug('tsnspawn:bootstrap:guest');
/** Output kept for messages; maintainer scripts can be talkative. */
const OUTPUT_LIMIT = 1 << 20;

export interface GuestOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Make fsync and its like do nothing: the tree is either finished or thrown away. */
  readonly suppressSync?: boolean;
  /** Directories of the host that the program sees, read-only: path on the host → path in the tree. */
  readonly binds?: Readonly<Record<string, string>>;
  /** Whether the program may reach the network; off unless asked for. */
  readonly network?: boolean;
  readonly signal?: AbortSignal;
  /** Hears each piece of output as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface GuestResult {
  readonly status: number;
  /** Standard output and error together, in the order in which they came. */
  readonly output: string;
}

/** Runs a program inside a tree and waits for its end. */
export type GuestRunner = (tree: string, argv: readonly string[], options?: GuestOptions) => Promise<GuestResult>;

/** A runner that starts the launcher whose script is given, with the same Node as this process. */
export function launcherRunner(launcher: string): GuestRunner {
  let traced: Promise<boolean> | undefined;
  return async (tree, argv, options = {}) => {
    const [program, ...words] = nodeCommand();
    traced ??= diagnose(undefined).then(({ mode }) => mode === 'ptrace');
    return runChild(program, [...words, launcher, ...launcherArguments(tree, argv, options, await traced)], options);
  };
}

/** The options that make the launcher a plain executor: no console of its own, nothing of the host's settings copied in. */
function launcherArguments(tree: string, argv: readonly string[], options: GuestOptions, traced: boolean): string[] {
  return [
    '-q',
    '-D',
    tree,
    '--pipe',
    '--as-pid2',
    '--register=no',
    '--settings=no',
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    // without namespaces there is no network but the host's
    ...(traced ? ['--engine=ptrace'] : options.network === true ? [] : ['--private-network']),
    ...(options.suppressSync === true ? ['--suppress-sync=yes'] : []),
    ...Object.entries(options.binds ?? {}).map(([from, to]) => `--bind-ro=${from}:${to}`),
    ...Object.entries(options.env ?? {}).flatMap(([name, value]) => ['-E', `${name}=${value}`]),
    '--',
    ...argv,
  ];
}

/** Run a program and collect its output; ends it when the signal fires, first gently. */
function runChild(program: string, args: readonly string[], options: GuestOptions): Promise<GuestResult> {
  debug('%s %o', program, args);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    let output = '';
    const hear = (text: string): void => {
      options.onOutput?.(text);
      if (output.length < OUTPUT_LIMIT) output += text;
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    // A program that does not read its input to the end is no error.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
    let last: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.kill('SIGTERM');
      last = setTimeout(() => child.kill('SIGKILL'), 2000);
    };
    if (options.signal?.aborted) stop();
    else options.signal?.addEventListener('abort', stop, { once: true });
    const settle = (): void => {
      clearTimeout(last);
      options.signal?.removeEventListener('abort', stop);
    };
    child.once('error', (error) => {
      settle();
      reject(
        new BootstrapError('SCRIPT_FAILED', `cannot start ${program}: ${reasonOf(error)}`, {
          path: program,
          cause: error,
        }),
      );
    });
    child.once('close', (status, signal) => {
      settle();
      debug('%s: %s\n%s', program, signal ?? status, output);
      if (options.signal?.aborted) reject(options.signal.reason);
      else resolve({ status: status ?? 128 + (signal === 'SIGKILL' ? 9 : 15), output });
    });
  });
}

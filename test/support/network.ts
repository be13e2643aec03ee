// Networks to try things in: namespaces of their own that play the host, or another machine, so that no test touches the network
// of the machine it runs on. A process holds each of them; what is mounted shows in them alone.

import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Running, type StartOptions, TSNSPAWN } from './launcher';
import { withRunning } from './machines';

export class Network {
  readonly #holder;
  readonly #mounts: boolean;

  /** @param setUp a script that prepares it; it may mount, which shows to what runs in the network alone */
  constructor(setUp?: string) {
    this.#mounts = setUp !== undefined;
    const script = `ip link set lo up && ${setUp === undefined ? '' : `(set -e; ${setUp}) && `} echo up && exec cat`;
    const namespaces = this.#mounts ? ['-nm', '--propagation', 'slave'] : ['-n'];
    this.#holder = spawn('unshare', [...namespaces, 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** Its namespace, as a path. */
  get path(): string {
    return `/proc/${this.#holder.pid}/ns/net`;
  }

  async ready(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#holder.stdout.once('data', () => resolve());
      this.#holder.once('exit', (status) => reject(new Error(`unshare -n ended with ${status}`)));
    });
    return this;
  }

  /** Runs a shell script in it and gives back its output. */
  run(script: string): string {
    return execFileSync('nsenter', [...this.#enter, 'sh', '-ec', script], { encoding: 'utf8', timeout: 20_000 });
  }

  /** Runs a program in it that may fail. */
  try(...argv: readonly string[]): SpawnSyncReturns<string> {
    return spawnSync('nsenter', [...this.#enter, ...argv], { encoding: 'utf8', timeout: 20_000 });
  }

  /** Starts a program in it. */
  start(argv: readonly string[], options: StartOptions = {}): Running {
    return new Running('nsenter', [...this.#enter, ...argv], options);
  }

  /** Runs the launcher in it to its end. */
  tsnspawn(...args: readonly string[]): SpawnSyncReturns<string> {
    return this.try(TSNSPAWN, '-q', ...args);
  }

  /** Starts a machine in it, for the time of the test, and then ends it as a user does. */
  withMachine(args: readonly string[], body: (running: Running) => Promise<void>): Promise<void> {
    return withRunning(this.start([TSNSPAWN, '-q', ...args]), async (running) => {
      await body(running);
      running.child.kill('SIGTERM');
      await running.exited;
    });
  }

  /** Words before those of a command that is to run in it. */
  get words(): readonly string[] {
    return ['nsenter', ...this.#enter];
  }

  /** Names of its interfaces, sorted, without lo. */
  links(): string[] {
    return this.run('cat /proc/net/dev')
      .split('\n')
      .flatMap((line) => /^ *([^\s:]+):/.exec(line)?.[1] ?? [])
      .filter((name) => name !== 'lo')
      .sort();
  }

  /** What `ip` shows of one of them. */
  link(name: string): string {
    return this.run(`ip link show dev ${name} 2>/dev/null`);
  }

  /** Its nftables tables. */
  tables(): string {
    return this.run('nft list tables');
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#holder.once('close', resolve));
    this.#holder.kill('SIGKILL');
    await gone;
  }

  get #enter(): readonly string[] {
    return ['-t', String(this.#holder.pid), '-n', ...(this.#mounts ? ['-m'] : []), '--'];
  }
}

/** Runs the test with this many networks. */
export async function withNetworks<T>(count: number, body: (...networks: Network[]) => Promise<T>): Promise<T> {
  const networks = Array.from({ length: count }, () => new Network());
  try {
    await Promise.all(networks.map((network) => network.ready()));
    return await body(...networks);
  } finally {
    await Promise.all(networks.map((network) => network.close()));
  }
}

/** Lays a cable between two networks. */
export function cable(from: Network, fromName: string, to: Network, toName: string): void {
  const target = to.path.split('/')[2];
  from.run(`ip link add ${fromName} type veth peer name ${toName} netns ${target}; ip link set ${fromName} up`);
  to.run(`ip link set ${toName} up`);
}

/** Builds test/support/wire.c into a directory that goes with the process, and gives back that directory. */
export function wireDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-wire-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  execFileSync('gcc', ['-static', '-O1', '-w', '-o', join(directory, 'wire'), 'test/support/wire.c'], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  return directory;
}

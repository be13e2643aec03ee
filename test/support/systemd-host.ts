// A host that systemd manages: it is a guest itself, in which the command runs as on any such host.

import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { footprintOf } from './footprint';
import { Running, startTsnspawn } from './launcher';
import { ownTree } from './trees';

/** Where the checkout is in the host. */
export const COMMAND = ['/usr/local/bin/node', '/opt/tsnspawn/packages/cli/bin/tsnspawn.cjs'];

const PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';

export class SystemdHost {
  readonly #machine: Running;
  readonly #init: number;

  private constructor(machine: Running) {
    this.#machine = machine;
    this.#init = footprintOf(machine).init;
  }

  /** @param options of the launch that is the host: what it finds below /srv */
  static async boot(options: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<SystemdHost> {
    const node = `--bind-ro=${realpathSync(process.execPath)}:${COMMAND[0]}`;
    const words = ['-D', ownTree('machined'), '-M', 'host', '-b', `--bind-ro=${process.cwd()}:/opt/tsnspawn`, node];
    const machine = startTsnspawn([...words, ...options], { timeout: 240, env });
    await machine.until(/login: /);
    return new SystemdHost(machine);
  }

  /** Runs a program of the host as its root. */
  run(...command: string[]) {
    const { status, stdout, stderr } = spawnSync('nsenter', this.#inside(command), {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, stdout: stdout.trim(), stderr: stderr.trim() };
  }

  /** Starts a program of the host. */
  start(...command: string[]): Running {
    return new Running('nsenter', this.#inside(command), { timeout: 60 });
  }

  async stop(): Promise<void> {
    this.#machine.child.kill('SIGTERM');
    await this.#machine.exited;
  }

  #inside(command: readonly string[]): string[] {
    return ['-t', String(this.#init), '-a', '--', 'env', '-i', `PATH=${PATH}`, ...command];
  }
}

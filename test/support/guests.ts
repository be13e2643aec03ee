// Looking into a booted guest from outside.

import { execFile } from 'node:child_process';
import { footprintOf } from './footprint';
import type { Running } from './launcher';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Runs a program of the guest in it. */
export function inside(running: Running, ...command: string[]): Promise<Answer> {
  const { init } = footprintOf(running);
  return new Promise((resolve) => {
    const options = { timeout: 60_000, env: { PATH: '/usr/bin:/usr/sbin:/bin:/sbin' } };
    execFile('nsenter', ['-t', String(init), '-a', '--', ...command], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? -1);
      resolve({ status: code, text: `${stdout}${stderr}`.trim() });
    });
  });
}

// tsnspawn-trials (native/src/tools/trials): what the kernel lets this user do, found by doing it.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describeErrno, TsnspawnError } from '@tsnspawn/core';
import { builtFile } from '@tsnspawn/native';

/** What is tried; the names are those that the program prints. */
export const TRIALS = [
  ...['openat2', 'clone3', 'pidfd', 'memoryFile', 'notification', 'peek', 'tracing', 'write', 'attributes'],
  ...['user', 'map', 'mounts', 'tmpfs', 'openTree', 'newMount', 'mountAttributes', 'moveMount', 'bindDevice'],
  ...[
    'devpts',
    'fuseDevice',
    'fuse',
    'memoryAttributes',
    'overlay',
    'overlayOnDisk',
    'nested',
    'nestedMap',
    'mappedOwners',
  ],
  ...['mappedOwnersInMemory', 'hostname', 'ipc', 'mqueue', 'cgroups', 'cgroup2', 'network', 'sysfs', 'processes'],
  ...['proc', 'reboot'],
] as const;

export type TrialName = (typeof TRIALS)[number];

/** The symbolic errno of each trial, `OK` for one that went well; one that is missing was not reached. */
export type Trials = { readonly [name in TrialName]?: string };

/** Milliseconds; all trials together take about 20. */
const PATIENCE = 20_000;

/** Parses the lines "NAME ERRNO" of the program. */
export function parseTrials(text: string): Trials {
  const trials: { [name: string]: string } = {};
  for (const [, name = '', errno] of text.matchAll(/^(\w+) (\d+)$/gm)) {
    trials[name] = Number(errno) === 0 ? 'OK' : describeErrno(Number(errno)).name;
  }
  return trials;
}

/**
 * Tries everything, in and about a directory. What is left in it for a moment is removed again.
 *
 * @param asRoot as a launch of the host's root would: without a user namespace around
 * @throws TsnspawnError when the program cannot be run
 */
export function runTrials(directory: string, asRoot: boolean): Trials {
  // by its descriptor from here on: whoever may rename it must not lead what is made in it elsewhere
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const layers = isOwn(fd) ? layersIn(`/proc/self/fd/${fd}`) : undefined;
    try {
      const args = [...(asRoot ? ['--root'] : []), ...(layers === undefined ? [] : [basename(layers)])];
      return parseTrials(run(args, `/proc/self/fd/${fd}`).stdout);
    } finally {
      if (layers !== undefined) rmSync(layers, { recursive: true, force: true });
    }
  } finally {
    closeSync(fd);
  }
}

function run(args: readonly string[], cwd: string): SpawnSyncReturns<string> {
  const file = builtFile('tsnspawn-trials');
  const result = spawnSync(file, args, { cwd, encoding: 'utf8', timeout: PATIENCE, killSignal: 'SIGKILL' });
  if (result.error !== undefined) {
    throw new TsnspawnError(`cannot run ${file}: ${result.error.message}`, { path: file });
  }
  return result;
}

/** Whether nobody else can put anything into the directory, or take it away there. */
function isOwn(fd: number): boolean {
  const { uid, mode } = fstatSync(fd);
  return uid === process.geteuid?.() && (mode & 0o022) === 0;
}

/** The layers of an overlay, in the directory itself: whether they can lie there depends on its file system. */
function layersIn(directory: string): string | undefined {
  try {
    const layers = mkdtempSync(join(directory, '.tsnspawn-doctor-'));
    for (const name of ['l', 'u', 'w']) mkdirSync(join(layers, name));
    return layers;
  } catch {
    return undefined; // a file system that is read-only or full: the trial is left out
  }
}

/** A command line that writes a map, without the process id that goes first. */
export type MapCommand = readonly [program: string, ...map: string[]];

/** Makes a user namespace and lets the programs write its maps. */
export async function tryMaps(commands: readonly MapCommand[]): Promise<{ works: boolean; said: string }> {
  const holder = spawn(builtFile('tsnspawn-trials'), ['--hold'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => holder.once('close', () => resolve()));
  const timer = setTimeout(() => holder.kill('SIGKILL'), PATIENCE);
  try {
    // one line, however it goes
    const line = await new Promise<string>((resolve) => {
      holder.stdout.once('data', (data: Buffer) => resolve(data.toString()));
      holder.once('error', ({ message }) => resolve(message));
      holder.once('close', () => resolve(''));
    });
    if (parseTrials(line).user !== 'OK') return { works: false, said: 'no user namespace to map them in' };
    for (const [program, ...map] of commands) {
      const { status, stderr, error } = spawnSync(program, [String(holder.pid), ...map], {
        encoding: 'utf8',
        timeout: PATIENCE,
      });
      if (status !== 0) {
        const said = stderr?.trim().split('\n').at(-1) ?? '';
        return { works: false, said: said || error?.message || `${program} ended with status ${status}` };
      }
    }
    return { works: true, said: '' };
  } finally {
    clearTimeout(timer);
    holder.stdin.destroy();
    await ended;
  }
}

// --cleanup: removes what a machine has left whose launcher, monitor and supervisor were all killed at once. Processes and mounts
// are not among it: those the kernel takes along.

import { existsSync, openSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { requirePrivileges, type Settings, TreeError, UsageError } from '@tsnspawn/core';
import {
  parseMountinfo,
  probeHost,
  refusesIds,
  releaseLock,
  removeStale,
  runAgainAsRoot,
  type TreeLock,
  takeLock,
} from '@tsnspawn/runtime';
import { identityOf, withPlace } from './place';

/** Where the temporary directories of mounts lie. */
const TEMPORARY = '/var/tmp';

/**
 * Cleans up after the machine that is named or whose tree or image is given.
 *
 * @param say hears of each thing that was removed
 * @returns the exit status
 * @throws UsageError when no machine is named, TreeError when it is running
 */
export function cleanUp(said: Settings, say: (line: string) => void): number {
  if (said.ephemeral === true) {
    throw new UsageError('--ephemeral and --cleanup exclude each other', { option: '--cleanup' });
  }
  if (said.machine === undefined && said.directory === undefined && said.image === undefined) {
    throw new UsageError('--cleanup needs --machine, --directory or --image', {
      option: '--cleanup',
      hint: 'they say whose remains are meant',
    });
  }
  requirePrivileges(probeHost());
  const status = asRootOfIds();
  if (status !== undefined) return status;
  const { name, place } = remainsOf(said);
  const lock = place === undefined ? undefined : lockOf(place);
  try {
    for (const directory of place === undefined ? [TEMPORARY] : [dirname(place), TEMPORARY]) {
      if (existsSync(directory)) for (const path of removeStale(directory)) say(`Removed ${path}.`);
    }
    for (const path of removeCgroups(name)) say(`Removed ${path}.`);
    for (const table of removeTables(name)) say(`Removed the nftables table ${table}.`);
  } finally {
    // and with it the lock files
    if (lock !== undefined) releaseLock(lock);
  }
  return 0;
}

/** What the other users of an ordinary user's guest have left belongs to ids that only count in a user namespace. */
function asRootOfIds(): number | undefined {
  try {
    return runAgainAsRoot();
  } catch (error) {
    if (!refusesIds(error)) throw error;
    return undefined;
  }
}

/** A machine can be named whose tree is not there any more. */
function remainsOf(said: Settings): { readonly name: string; readonly place?: string } {
  try {
    const { name, place } = identityOf(withPlace(said));
    return existsSync(place) ? { name, place } : { name };
  } catch (error) {
    if (!(error instanceof TreeError) || said.machine === undefined) throw error;
    return { name: said.machine };
  }
}

/** The lock of a machine that would write: nobody else may use the tree meanwhile. */
function lockOf(place: string): TreeLock {
  const status = statSync(place, { bigint: true });
  const tree = { path: place, identity: `${status.dev}:${status.ino}` };
  const held = status.isDirectory() ? undefined : { lockFd: openSync(place, 'r'), shared: false, devices: [] };
  return takeLock({ tree, readOnly: false, held });
}

/** Names that end in the process id of a launcher: `tsnspawn-NAME-123`, and of an ephemeral machine `tsnspawn-NAME-0123456789abcdef-123`. */
function isRemains(entry: string, machine: string): boolean {
  if (!entry.startsWith(`tsnspawn-${machine}-`)) return false;
  const pid = /^(?:[0-9a-f]{16}-)?(\d+)$/.exec(entry.slice(`tsnspawn-${machine}-`.length))?.[1];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}

function removeCgroups(machine: string): string[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'), ['cgroup', 'cgroup2'])
    .flatMap(({ path }) => below(path))
    .filter(({ name, path }) => isRemains(name, machine) && removeCgroup(path))
    .map(({ path }) => path);
}

function below(directory: string): { readonly name: string; readonly path: string }[] {
  return directories(directory).flatMap((name) => {
    const path = join(directory, name);
    return [{ name, path }, ...below(path)];
  });
}

function directories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // removed meanwhile
  }
}

/** False where there are still processes in it: then it is none of a crashed run's. */
function removeCgroup(path: string): boolean {
  for (const name of directories(path)) removeCgroup(join(path, name));
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function removeTables(machine: string): string[] {
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const nft = (...args: string[]) => spawnSync('nft', args, { encoding: 'utf8' });
  const list = nft('list', 'tables');
  if (list.status !== 0) return [];
  return [...list.stdout.matchAll(/^table (\w+) (\S+)$/gm)].flatMap(([, family = '', name = '']) =>
    isRemains(name, machine) && nft('delete', 'table', family, name).status === 0 ? [`${family} ${name}`] : [],
  );
}

// Directories that go with a machine, and what takes them away when that was killed together with its monitor.

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TEMPORARY_PREFIX } from '@tsnspawn/core';
import { addon, runInNamespace } from '@tsnspawn/native';
import { debug } from '../debug';
import { probeHost } from '../probe/host';
import { program } from '../probe/rootless';

/** Removes temporary directories whose machine was killed together with its monitor: nobody has them locked. */
export function removeStale(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith(TEMPORARY_PREFIX))
    .map((name) => join(directory, name))
    .filter((path) => {
      const status = lstatSync(path, { throwIfNoEntry: false, bigint: true });
      // in /var/tmp everyone can make one of such a name: it is not ours to remove
      if (!status?.isDirectory() || Number(status.uid) !== process.geteuid?.()) return false;
      const lock = addon().lockTree(path, true, `${status.dev}:${status.ino}`);
      if (lock < 0) return false;
      removeTemporary(lock, path);
      addon().closeFd(lock);
      return lstatSync(path, { throwIfNoEntry: false }) === undefined;
    });
}

/**
 * Removes the directory at `path`, of which `fd` is a descriptor, with all that is in it. What a guest of an ordinary user has left
 * there may belong to subordinate ids: only root of a user namespace can remove that.
 */
export function removeTemporary(fd: number, path: string): void {
  const maps = probeHost().rootless?.maps;
  const rm = maps === undefined ? undefined : program('rm');
  if (maps === undefined || rm === undefined) {
    addon().removeDirectory(fd, path);
    return;
  }
  try {
    runInNamespace([rm, '-rf', '--', path], process.env, maps);
  } catch (error) {
    debug('place', 'cannot remove %s: %o', path, error);
  }
}

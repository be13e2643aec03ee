// The cgroup hierarchies of the host, and the launcher's own place in each: cgroups(7), /proc/self/cgroup.

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { CgroupFacts, CgroupHierarchy } from '@tsnspawn/core';
import { linkTarget } from './host';
import type { Mount } from './mountinfo';

/**
 * @param membership text of /proc/self/cgroup
 * @param mounts the mounts of this mount namespace
 * @param root the caller is root of the host: permission bits do not count
 */
export function probeCgroups(membership: string, mounts: readonly Mount[], root = true): CgroupFacts {
  // The last one: it covers what was mounted at the same place before.
  const unified = mounts.findLast(({ fs }) => fs === 'cgroup2');
  const v1: CgroupHierarchy[] = [];
  let unifiedPath: string | undefined;
  for (const line of membership.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, name = '', path = ''] = match;
    if (name === '') {
      if (unified !== undefined) unifiedPath = below(unified, path);
      continue;
    }
    const wanted = name.split(',');
    const mount = mounts.findLast(
      ({ fs, superOptions }) => fs === 'cgroup' && wanted.every((c) => superOptions.includes(c)),
    );
    if (mount === undefined) continue;
    const own = below(mount, path);
    v1.push({ name, mount: mount.path, path: own, writable: writable(mount) && (root || isOwn(mount.path + own)) });
  }
  const kind = unified === undefined ? (v1.length > 0 ? 'v1' : 'none') : v1.length > 0 ? 'hybrid' : 'v2';
  return {
    kind,
    v1,
    namespace: linkTarget('/proc/self/ns/cgroup') !== undefined,
    ...(unified === undefined
      ? {}
      : {
          unifiedMount: unified.path,
          unifiedPath: unifiedPath ?? '/',
          unifiedWritable: writable(unified) && (root || isOwn(unified.path + (unifiedPath ?? '/'))),
        }),
  };
}

/** A cgroup's path below its mount: a bind mount of a part of the hierarchy starts further down. */
function below(mount: Mount, path: string): string {
  if (mount.root === '/' || !`${path}/`.startsWith(`${mount.root}/`)) return path;
  return path.slice(mount.root.length) || '/';
}

/** Whether the caller may make cgroups in it, and move its processes there: cgroups(7), "Cgroup delegation". */
function isOwn(cgroup: string): boolean {
  try {
    accessSync(cgroup, constants.W_OK);
    accessSync(join(cgroup, 'cgroup.procs'), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function writable(mount: Mount): boolean {
  return !mount.options.includes('ro') && !mount.superOptions.includes('ro');
}

// The cgroup hierarchies of the host, and the launcher's own place in each: cgroups(7), /proc/self/cgroup.

import type { CgroupFacts, CgroupHierarchy } from '@tsnspawn/core';
import { linkTarget } from './host';
import type { Mount } from './mountinfo';

/**
 * @param membership text of /proc/self/cgroup
 * @param mounts the mounts of this mount namespace
 */
export function probeCgroups(membership: string, mounts: readonly Mount[]): CgroupFacts {
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
    v1.push({ name, mount: mount.path, path: below(mount, path), writable: writable(mount) });
  }
  const kind = unified === undefined ? (v1.length > 0 ? 'v1' : 'none') : v1.length > 0 ? 'hybrid' : 'v2';
  return {
    kind,
    v1,
    namespace: linkTarget('/proc/self/ns/cgroup') !== undefined,
    ...(unified === undefined
      ? {}
      : { unifiedMount: unified.path, unifiedPath: unifiedPath ?? '/', unifiedWritable: writable(unified) }),
  };
}

/** A cgroup's path below its mount: a bind mount of a part of the hierarchy starts further down. */
function below(mount: Mount, path: string): string {
  if (mount.root === '/' || !`${path}/`.startsWith(`${mount.root}/`)) return path;
  return path.slice(mount.root.length) || '/';
}

function writable(mount: Mount): boolean {
  return !mount.options.includes('ro') && !mount.superOptions.includes('ro');
}

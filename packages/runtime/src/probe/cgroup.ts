// The cgroup hierarchies of the host, and the launcher's own place in each: cgroups(7), /proc/self/cgroup. Who is not root of the
// host has none of its own unless one is delegated to it; it may lie above the one that the launcher is in.

import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupFacts, CgroupHierarchy, CgroupObstacle } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { linkTarget } from './host';
import type { Mount } from './mountinfo';

/** Where the launcher may make a cgroup, or why it may not. */
interface Place {
  readonly path: string;
  readonly obstacle?: CgroupObstacle;
}

/**
 * @param membership text of /proc/self/cgroup
 * @param mounts the mounts of this mount namespace
 * @param root the caller is root of the host: permission bits do not count
 */
export function probeCgroups(membership: string, mounts: readonly Mount[], root = true): CgroupFacts {
  // The last one: it covers what was mounted at the same place before.
  const unified = mounts.findLast(({ fs }) => fs === 'cgroup2');
  const v1: CgroupHierarchy[] = [];
  let place: Place = { path: '/' };
  for (const line of membership.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, name = '', path = ''] = match;
    if (name === '') {
      if (unified !== undefined) place = placeIn(unified, path, root ? undefined : delegatedAbove);
      continue;
    }
    const wanted = name.split(',');
    const mount = mounts.findLast(
      ({ fs, superOptions }) => fs === 'cgroup' && wanted.every((c) => superOptions.includes(c)),
    );
    if (mount === undefined) continue;
    const find = name === 'name=systemd' ? delegatedNear : writableAbove;
    const { path: own, obstacle } = placeIn(mount, path, root ? undefined : find);
    v1.push({ name, mount: mount.path, path: own, writable: obstacle === undefined });
  }
  const kind = unified === undefined ? (v1.length > 0 ? 'v1' : 'none') : v1.length > 0 ? 'hybrid' : 'v2';
  return {
    kind,
    v1,
    namespace: hasNamespaces(),
    ...(unified === undefined ? {} : unifiedFacts(unified, place)),
    get unifiedAnew() {
      const inTheWay = place.obstacle === 'read-only' || place.obstacle === 'hidden';
      return !root && inTheWay && isDirectory(unified?.path ?? '') && addon().ownsCgroup();
    },
  };
}

/** Whether cgroup namespaces can be made: namespaces(7), and the limit that a host may have set to nothing. */
function hasNamespaces(): boolean {
  return (
    linkTarget('/proc/self/ns/cgroup') !== undefined &&
    addon().readText('/proc/sys/user/max_cgroup_namespaces')?.trim() !== '0'
  );
}

function unifiedFacts(mount: Mount, { path, obstacle }: Place): Partial<CgroupFacts> {
  return {
    unifiedMount: mount.path,
    unifiedPath: path,
    unifiedWritable: obstacle === undefined,
    ...(obstacle === undefined ? {} : { unifiedObstacle: obstacle }),
  };
}

/** @param find the place, from the directory of the mount and the launcher's own cgroup; without it that is the place */
function placeIn(mount: Mount, membership: string, find?: (mount: string, own: string) => string | undefined): Place {
  const own = below(mount, membership);
  if (mount.options.includes('ro') || mount.superOptions.includes('ro')) return { path: own, obstacle: 'read-only' };
  if (find === undefined) return { path: own };
  // what lies over the mount is in mountinfo too, but so may be what lies over that; a cgroup outside of the namespace is /..
  if (!may(join(mount.path, own, 'cgroup.procs'), constants.F_OK)) return { path: own, obstacle: 'hidden' };
  const path = find(mount.path, own);
  return path === undefined ? { path: own, obstacle: 'foreign' } : { path };
}

/** A cgroup's path below its mount: a bind mount of a part of the hierarchy starts further down. */
function below(mount: Mount, path: string): string {
  if (mount.root === '/' || !`${path}/`.startsWith(`${mount.root}/`)) return path;
  return path.slice(mount.root.length) || '/';
}

/** A cgroup and all above it. */
function upwards(path: string): string[] {
  return path === '/' ? [path] : [path, ...upwards(join(path, '..'))];
}

/**
 * Whether processes of the caller that are below this cgroup can be moved to a new one there. In cgroup2 that takes the right to
 * write cgroup.procs of the lowest one that has both below it: cgroups(7), "Cgroup delegation".
 */
export function mayDivide(cgroup: string): boolean {
  return may(cgroup, constants.W_OK) && may(join(cgroup, 'cgroup.procs'), constants.W_OK);
}

function delegatedAbove(mount: string, own: string): string | undefined {
  return upwards(own).find((path) => mayDivide(mount + path));
}

/** In a legacy hierarchy the right to write to the new cgroup is enough. */
function writableAbove(mount: string, own: string): string | undefined {
  return upwards(own).find((path) => may(mount + path, constants.W_OK));
}

/** So the place may also be one that the launcher is not in: an init needs no more than that there is one. */
function delegatedNear(mount: string, own: string): string | undefined {
  for (const path of upwards(own)) {
    if (may(mount + path, constants.W_OK)) return path;
    const child = childrenOf(mount + path).find((name) => may(join(mount, path, name), constants.W_OK));
    if (child !== undefined) return join(path, child);
  }
  return undefined;
}

function childrenOf(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

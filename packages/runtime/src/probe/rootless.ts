// What a caller has for guests who is not root of the host: /etc/subuid and /etc/subgid (subuid(5)), the programs that map what stands
// there, or root of a user namespace around it (of another container, of unshare(1)).

import { accessSync, constants } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import type { IdMap, IdRange, RootlessFacts } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { linkTarget } from './host';
import { subordinateIds } from './subids';

/** The user namespace that the kernel starts with: PROC_USER_INIT_INO of linux/proc_ns.h. */
export const INITIAL_USER_NAMESPACE = 'user:[4026531837]';

/** Every distribution gives ids up to 65533 to users, and has 65534 for nobody: with less, packages cannot be installed. */
const FEWEST = 65536;

/** Where these programs are when the caller's PATH is of no use. */
const USUAL_PATH = '/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin';

let namespaceLink: { readonly target: string | undefined } | undefined;

/** The user namespace that this process is in; undefined where the kernel has none (before 3.8, or made without them). */
export function userNamespace(): string | undefined {
  namespaceLink ??= { target: linkTarget('/proc/self/ns/user') };
  return namespaceLink.target;
}

/**
 * The ids that this caller can give to a guest, or undefined for root of the host, who has all of them.
 *
 * @param permitted the caller's capabilities
 */
export function probeRootless(permitted: readonly string[]): RootlessFacts | undefined {
  const admin = permitted.includes('sys_admin');
  const namespace = userNamespace();
  // a kernel that has none has no other one either
  if (admin && (namespace === undefined || namespace === INITIAL_USER_NAMESPACE)) return undefined;
  const own = { uids: ownRanges('/proc/self/uid_map'), gids: ownRanges('/proc/self/gid_map') };
  const size = Math.min(total(own.uids), total(own.gids));
  if (admin) return { ...own, size, ...(size < FEWEST ? { reason: 'the user namespace around has no more' } : {}) };
  if (permitted.includes('setuid') && permitted.includes('setgid') && size >= FEWEST) {
    const [uids, gids] = [upTo(own.uids, FEWEST), upTo(own.gids, FEWEST)];
    return { uids, gids, size: FEWEST, maps: { uids: uids.map(same), gids: gids.map(same) } };
  }
  return ordinaryUser(process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
}

/** The caller's own id is root of the guest, and the subordinate ones follow. */
function ordinaryUser(uid: number, gid: number): RootlessFacts {
  const self = (outside: number): IdMap => ({ inside: 0, outside, size: 1 });
  const first = [{ first: 0, size: 1 }];
  const single = (reason: string): RootlessFacts => ({
    size: 1,
    uids: first,
    gids: first,
    maps: { uids: [self(uid)], gids: [self(gid)], denySetgroups: true },
    reason,
  });
  const names = [userName(uid), String(uid)];
  const moreUids = subordinateIds('uid', names);
  const moreGids = subordinateIds('gid', names);
  const size = 1 + Math.min(total(moreUids), total(moreGids));
  if (size === 1) return single('no subordinate ids in /etc/subuid and /etc/subgid');
  if (size < FEWEST) return single(`only ${size - 1} subordinate ids in /etc/subuid and /etc/subgid`);
  const [newuidmap, newgidmap] = [program('newuidmap'), program('newgidmap')];
  if (newuidmap === undefined || newgidmap === undefined) return single('newuidmap and newgidmap are not installed');
  const uids = [self(uid), ...behind(upTo(moreUids, size - 1))];
  const gids = [self(gid), ...behind(upTo(moreGids, size - 1))];
  const inside = (maps: readonly IdMap[]): IdRange[] => maps.map((map) => ({ first: map.inside, size: map.size }));
  return {
    size,
    uids: inside(uids),
    gids: inside(gids),
    maps: { uids, gids, programs: { uids: newuidmap, gids: newgidmap } },
  };
}

/** The ranges of a uid_map or gid_map, as far as they have all ids from 0 on. */
function ownRanges(path: string): IdRange[] {
  const ranges = (addon().readText(path) ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [first = 0, , size = 0] = line.trim().split(/\s+/).map(Number);
      return { first, size };
    })
    .sort((a, b) => a.first - b.first);
  const gap = ranges.findIndex(({ first }, at) => first !== total(ranges.slice(0, at)));
  return gap < 0 ? ranges : ranges.slice(0, gap);
}

function total(ranges: readonly IdRange[]): number {
  return ranges.reduce((sum, { size }) => sum + size, 0);
}

/** As many ids of the ranges. */
function upTo(ranges: readonly IdRange[], most: number): IdRange[] {
  let left = most;
  return ranges.flatMap(({ first, size }): IdRange[] => {
    const taken = Math.min(size, left);
    left -= taken;
    return taken === 0 ? [] : [{ first, size: taken }];
  });
}

function same({ first, size }: IdRange): IdMap {
  return { inside: first, outside: first, size };
}

/** The ranges one behind the other, from 1 on. */
function behind(ranges: readonly IdRange[]): IdMap[] {
  let inside = 1;
  return ranges.map(({ first, size }) => {
    inside += size;
    return { inside: inside - size, outside: first, size };
  });
}

function userName(uid: number): string | undefined {
  const line = (addon().readText('/etc/passwd') ?? '').split('\n').find((one) => one.split(':')[2] === String(uid));
  return line?.split(':')[0] ?? nameElsewhere();
}

/** Of a caller whom a directory service knows. */
function nameElsewhere(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined; // nobody does
  }
}

/** The first executable file of this name in the caller's PATH. */
export function program(name: string): string | undefined {
  return [process.env.PATH, USUAL_PATH]
    .flatMap((path) => (path ?? '').split(delimiter))
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

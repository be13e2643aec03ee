// Subordinate ids: subuid(5), or the service that a host has in place of the files.

import type { IdRange } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

export interface Subordinate {
  /** name or number of the user */
  readonly owner: string;
  readonly first: number;
  readonly size: number;
}

/** Lines `NAME:FIRST:COUNT`; what is none is left out, as the system does. */
export function parseSubordinate(text: string): Subordinate[] {
  return [...text.matchAll(/^([^:\n#]+):(\d+):(\d+)[^\S\n]*$/gm)].map(([, owner = '', first, size]) => ({
    owner,
    first: Number(first),
    size: Number(size),
  }));
}

/** Who hands the ids out where files do not: `sss` in the line `subid: sss` of nsswitch.conf(5). */
export function subordinateSource(): string | undefined {
  const [, source] = /^subid:[^\S\n]*(\w+)/m.exec(addon().readText('/etc/nsswitch.conf') ?? '') ?? [];
  return source === 'files' ? undefined : source;
}

/** The ids of a user, who goes by these names. */
export function subordinateIds(kind: 'uid' | 'gid', names: readonly (string | undefined)[]): IdRange[] {
  const ranges =
    subordinateSource() === undefined
      ? parseSubordinate(addon().readText(`/etc/sub${kind}`) ?? '')
      : askedFor(kind, names.find((name) => name !== undefined) ?? '');
  return ranges.flatMap(({ owner, first, size }) => (names.includes(owner) && size > 0 ? [{ first, size }] : []));
}

/** What getsubids(1) says: `0: NAME FIRST COUNT`. */
function askedFor(kind: 'uid' | 'gid', name: string): Subordinate[] {
  // loading it takes milliseconds, which only such a host is to pay for
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const { stdout } = spawnSync('getsubids', [...(kind === 'gid' ? ['-g'] : []), name], {
    encoding: 'utf8',
    timeout: 10_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return parseSubordinate((stdout ?? '').replace(/^\d+: (\S+) (\d+) (\d+)$/gm, '$1:$2:$3'));
}

/** Where useradd(8) begins. */
const FIRST = 100_000;
/** Ranges are this large, and begin at a multiple behind FIRST. */
const STEP = 65_536;

/** The first range that lies behind all that are given away. */
export function freeFrom(ranges: readonly Subordinate[]): number {
  const end = Math.max(FIRST, ...ranges.map(({ first, size }) => first + size));
  return FIRST + Math.ceil((end - FIRST) / STEP) * STEP;
}

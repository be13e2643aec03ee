// A range of user and group ids that nobody has, and that nobody may map: what --private-users=pick looks for. It is locked for as
// long as the machine runs, in the place where systemd-nspawn locks its own, so that two never pick the same.

import { type Owner, RANGE } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { subordinateRanges } from './subordinate';

/** The ids that container managers pick from: UIDS.md of systemd, "container UID range". */
const FIRST = 524288;
const LAST = 1878982656;
const RANGES = Math.floor((LAST - FIRST) / RANGE) + 1;
const ATTEMPTS = 128;

/**
 * A free range, with the descriptor of its lock: the tree's own where its owner is the first of one, else one that follows from
 * the name, so that a machine keeps it, else another. Ids that subuid(5) or subgid(5) give to a user are not free: in namespaces of
 * that user they are the user's. Undefined when every attempt failed.
 *
 * An ordinary user, who can only look, gets a range without a lock.
 */
export function pickRange(machine: string, owner: Owner | undefined): { base: number; lock?: number } | undefined {
  const candidates = function* (): Generator<number> {
    if (owner !== undefined && owner.uid >= FIRST && owner.uid <= LAST && owner.uid % RANGE === 0) yield owner.uid;
    let seed = hash(machine);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      yield FIRST + (seed % RANGES) * RANGE;
      // another name for each further attempt
      seed = hash(`${machine} ${attempt}`);
    }
  };
  const subordinate = ['/etc/subuid', '/etc/subgid'].flatMap((path) => subordinateRanges(addon().readText(path) ?? ''));
  for (const base of candidates()) {
    if (subordinate.some(({ first, size }) => first < base + RANGE && base < first + size)) continue;
    const lock = addon().lockIds(base, RANGE);
    if (lock >= 0) return { base, lock };
    if (process.geteuid?.() !== 0) return { base };
  }
  return undefined;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

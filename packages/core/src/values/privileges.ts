// Users, capabilities, filters, limits.

import { type Capability, capabilityName } from '../capabilities';
import type { Rlimit } from '../facts';
import type { RlimitName } from '../plan';
import { parseRlimit, rlimitName } from '../rlimits';
import { signalNumber } from '../signals';
import type { FilterRule, PrivateUsers } from '../spec';
import { parseInteger, parseSigned } from './quantities';
import { parseBoolean, parseDecimal, Refusal, words } from './text';

export interface NamedRlimit {
  readonly name: RlimitName;
  readonly limit: Rlimit;
}

/** Ids 0 to 65535: what every distribution hands out. */
const DEFAULT_RANGE = 65536;

export function privateUsers(text: string): PrivateUsers {
  switch (text) {
    case 'pick':
      return { mode: 'pick', wherePossible: false };
    case 'identity':
    case 'managed':
      return { mode: text };
  }
  const [first = '', second, ...rest] = text.split(':');
  const base = parseDecimal(first);
  // 0 and 1 are numbers here, as they are to systemd-nspawn: `0` is the range from 0
  if (base === undefined || rest.length > 0) {
    const value = parseBoolean(text);
    if (value !== undefined) return { mode: value ? 'owner' : 'no' };
    throw new Refusal('not yes, no, pick, identity, managed or BASE[:SIZE]');
  }
  const size = second === undefined ? DEFAULT_RANGE : parseInteger(second);
  if (size === undefined) throw new Refusal(`${second || '(empty)'} is not a number of ids`);
  // (uid_t) -1 is no id
  if (!(base + size <= 2 ** 32 - 1)) throw new Refusal('the range ends beyond the last id, 4294967294');
  if (size < 1) throw new Refusal('a range of no ids');
  return { mode: 'range', base, size };
}

export function capabilities(text: string): (Capability | 'all')[] {
  return words(text).map((word) => {
    if (word.toLowerCase() === 'all') return 'all';
    const name = capabilityName(word);
    if (name === undefined) throw new Refusal(`no capability is named ${word}`, '--capability=help lists them');
    return name;
  });
}

export function ambientCapabilities(text: string): Capability[] {
  return capabilities(text).map((name) => {
    if (name === 'all') throw new Refusal('all cannot be ambient: name them');
    return name;
  });
}

/** Whether the names exist is known where the filter is made. */
export function systemCallFilter(text: string): FilterRule {
  const deny = text.startsWith('~');
  const names = text
    .slice(deny ? 1 : 0)
    .split(/\s+/)
    .filter((word) => word !== '');
  if (names.length === 0) throw new Refusal('names no system call');
  for (const name of names) {
    if (!/^@?[a-z0-9_-]+$/i.test(name)) throw new Refusal(`${name} is not a name of a system call or a @group`);
  }
  return { deny, names };
}

export function rlimit(text: string): NamedRlimit {
  const equals = text.indexOf('=');
  if (equals < 0) throw new Refusal('not of the form NAME=SOFT[:HARD]');
  const name = rlimitName(text.slice(0, equals));
  if (name === undefined)
    throw new Refusal(`no limit is named ${text.slice(0, equals)}`, 'names are those of getrlimit(2) in upper case');
  const limit = parseRlimit(name, text.slice(equals + 1));
  if (limit === undefined)
    throw new Refusal(`${text.slice(equals + 1) || '(empty)'} is not SOFT[:HARD] with SOFT at most HARD`);
  return { name, limit };
}

export function oomScore(text: string): number {
  const value = parseSigned(text);
  if (value === undefined || value < -1000 || value > 1000) throw new Refusal('not a number from -1000 to 1000');
  return value;
}

/** More processors than any kernel is built for (CONFIG_NR_CPUS). */
const MOST_CPUS = 8192;

/** Processors and ranges of them, parted by blanks or commas: `0-3 8,10`. */
export function cpuAffinity(text: string): number[] {
  const cpus = new Set<number>();
  for (const item of text.split(/[\s,]+/).filter((word) => word !== '')) {
    const [from = '', to = from, ...rest] = item.split('-');
    const first = parseInteger(from) ?? Number.NaN;
    const last = parseInteger(to) ?? Number.NaN;
    if (!(first <= last && last < MOST_CPUS) || rest.length > 0)
      throw new Refusal(`${item} is not a processor or a range of them`);
    for (let cpu = first; cpu <= last; cpu += 1) cpus.add(cpu);
  }
  if (cpus.size === 0) throw new Refusal('names no processor');
  return [...cpus].sort((a, b) => a - b);
}

export function signal(text: string): number {
  const number = signalNumber(text);
  if (number === undefined) throw new Refusal('no such signal', '--kill-signal=help lists them');
  return number;
}

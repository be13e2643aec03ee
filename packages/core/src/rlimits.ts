// Resource limits: names, units and the text forms of --rlimit (getrlimit(2), systemd.exec(5) Limit*=).

import type { Rlimit } from './facts';
import type { RlimitName, RlimitValue } from './plan';
import { parseInteger, parseSize, parseTimespan } from './values/quantities';

/** What a limit counts: bytes take the suffixes K M G T P E (1024), times those of systemd.time(7), `nice` also the form of
 *  nice(1), `+5` or `-5`. */
type Unit = 'bytes' | 'count' | 'nice' | 'seconds' | 'microseconds';

/** RLIMIT_* in the order of their numbers (asm-generic/resource.h). */
export const RLIMITS = [
  'CPU',
  'FSIZE',
  'DATA',
  'STACK',
  'CORE',
  'RSS',
  'NPROC',
  'NOFILE',
  'MEMLOCK',
  'AS',
  'LOCKS',
  'SIGPENDING',
  'MSGQUEUE',
  'NICE',
  'RTPRIO',
  'RTTIME',
] as const;

const RLIMIT_UNITS = {
  AS: 'bytes',
  CORE: 'bytes',
  CPU: 'seconds',
  DATA: 'bytes',
  FSIZE: 'bytes',
  LOCKS: 'count',
  MEMLOCK: 'bytes',
  MSGQUEUE: 'bytes',
  NICE: 'nice',
  NOFILE: 'count',
  NPROC: 'count',
  RSS: 'bytes',
  RTPRIO: 'count',
  RTTIME: 'microseconds',
  SIGPENDING: 'count',
  STACK: 'bytes',
} as const satisfies { readonly [name in RlimitName]: Unit };

/** `NOFILE`, `RLIMIT_NOFILE` → `NOFILE`; names are upper case. Undefined when there is no such limit. */
export function rlimitName(text: string): RlimitName | undefined {
  const name = text.replace(/^RLIMIT_/, '');
  return Object.hasOwn(RLIMIT_UNITS, name) ? (name as RlimitName) : undefined;
}

/** One value in the unit of its limit (bytes, seconds, microseconds for RTTIME, or a count); undefined when it is none. */
function parseValue(text: string, unit: Unit): RlimitValue | undefined {
  if (text === 'infinity') return 'infinity';
  switch (unit) {
    case 'bytes':
      return parseSize(text);
    case 'seconds': {
      const span = parseTimespan(text, MICROSECONDS);
      return span && Math.ceil(span / MICROSECONDS);
    }
    case 'microseconds':
      return parseTimespan(text, 1);
    case 'count':
      return parseInteger(text);
    case 'nice': {
      // the kernel stores 20 - nice, so that 0 can mean "may not raise its priority at all"
      const nice = /^[+-]\d{1,2}$/.test(text) ? Number(text) : undefined;
      const value = nice === undefined ? parseInteger(text) : 20 - nice;
      return value !== undefined && value >= (nice === undefined ? 0 : 1) && value <= 40 ? value : undefined;
    }
  }
}

const MICROSECONDS = 1_000_000;

/** `SOFT[:HARD]` of one limit; the hard value defaults to the soft one. Undefined when it is malformed or soft > hard. */
export function parseRlimit(name: RlimitName, text: string): Rlimit | undefined {
  const [softText = '', hardText = softText, ...rest] = text.split(':');
  const soft = parseValue(softText, RLIMIT_UNITS[name]);
  const hard = parseValue(hardText, RLIMIT_UNITS[name]);
  if (rest.length > 0 || soft === undefined || hard === undefined) return undefined;
  return exceeds(soft, hard) ? undefined : { soft, hard };
}

/** True when `value` is larger than `bound`. */
export function exceeds(value: RlimitValue, bound: RlimitValue): boolean {
  if (bound === 'infinity') return false;
  return value === 'infinity' || value > bound;
}

/** The smaller of two values. */
export function smaller(value: RlimitValue, bound: RlimitValue): RlimitValue {
  return exceeds(value, bound) ? bound : value;
}

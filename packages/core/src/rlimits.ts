// Resource limits: names, units and the text forms of --rlimit (getrlimit(2), systemd.exec(5) Limit*=).

import type { Rlimit } from './facts';
import type { RlimitName, RlimitValue } from './plan';

/** What a limit counts: bytes take the suffixes K M G T P E (1024), `nice` also the form of nice(1), `+5` or `-5`. */
type Unit = 'bytes' | 'count' | 'nice';

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
  CPU: 'count',
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
  RTTIME: 'count',
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
  if (unit === 'nice' && /^[+-]\d{1,2}$/.test(text)) {
    const nice = Number(text);
    // the kernel stores 20 - nice, so that 0 can mean "may not raise its priority at all"
    return nice >= -20 && nice <= 19 ? 20 - nice : undefined;
  }
  const match = /^(\d+)([KMGTPE]?)$/.exec(text);
  if (match === null) return undefined;
  const [, digits, suffix] = match;
  if (suffix !== '' && unit !== 'bytes') return undefined;
  const value = Number(digits) * 1024 ** ('KMGTPE'.indexOf(suffix || '-') + 1);
  return Number.isSafeInteger(value) ? value : undefined;
}

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

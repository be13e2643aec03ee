// Numbers, sizes and times as systemd-nspawn takes them. A text that another tool would read differently is read as there:
// `010` is eight.

/**
 * A whole number from 0 on: decimal, or by its prefix hexadecimal (0x), octal (0o, or 0 alone) or binary (0b), after blanks
 * and one +. Undefined for anything else, also beyond 2^53. Source: safe_atou() of systemd.
 */
export function parseInteger(text: string): number | undefined {
  const match = /^\s*\+?(?:0x([0-9a-f]+)|0b([01]+)|0o?([0-7]+)|(0|[1-9]\d*))$/i.exec(text);
  if (match === null) return undefined;
  const [, hex, binary, octal, decimal] = match;
  const value =
    hex !== undefined
      ? Number.parseInt(hex, 16)
      : binary !== undefined
        ? Number.parseInt(binary, 2)
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : Number(decimal);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A whole number with an optional sign, otherwise as parseInteger(). */
export function parseSigned(text: string): number | undefined {
  const match = /^\s*-(?=[0-9])/.exec(text);
  const value = parseInteger(match === null ? text : text.slice(match[0].length));
  return value !== undefined && match !== null && value !== 0 ? -value : value;
}

/** The sum of numbers, each with its unit behind it; undefined where one of them has none of `units`. */
function sumOf(text: string, units: { readonly [name: string]: number }, falling: boolean): number | undefined {
  let rest = text.trim();
  let sum = 0;
  let last = Number.POSITIVE_INFINITY;
  if (rest === '') return undefined;
  while (rest !== '') {
    const match = /^(\d+(?:\.\d*)?)\s*([A-Za-zµμ]*)\s*/.exec(rest);
    if (match === null) return undefined;
    const [whole, digits, name = ''] = match;
    const unit = Object.hasOwn(units, name) ? units[name] : undefined;
    if (unit === undefined || (falling && unit >= last)) return undefined;
    last = unit;
    sum += Number(digits) * unit;
    rest = rest.slice(whole.length);
  }
  return sum;
}

/** Powers of `base`. */
function sizes(base: number): { readonly [name: string]: number } {
  return Object.fromEntries(['B', 'K', 'M', 'G', 'T', 'P', 'E', ''].map((name, power) => [name, base ** (power % 7)]));
}

/**
 * Bytes: `512`, `1.5G`, `1G 500M`; the units fall. Undefined for anything else, and from 2^64 on, and for digits that a number
 * cannot hold exactly. Source: parse_size() of systemd.
 *
 * @param base what K stands for: 1024, and 1000 for rates
 */
export function parseSize(text: string, base: 1000 | 1024 = 1024): number | undefined {
  const value = Math.floor(sumOf(text, sizes(base), true) ?? Number.NaN);
  if (!(value < 2 ** 64)) return undefined;
  return Number.isSafeInteger(value) || /[A-Z]\s*$/.test(text) ? value : undefined;
}

/** In microseconds. A month is 30.4375 days, a year 365.25. */
const TIMES = {
  us: 1,
  usec: 1,
  µs: 1,
  μs: 1,
  ms: 1e3,
  msec: 1e3,
  s: 1e6,
  sec: 1e6,
  second: 1e6,
  seconds: 1e6,
  m: 60e6,
  min: 60e6,
  minute: 60e6,
  minutes: 60e6,
  h: 3600e6,
  hr: 3600e6,
  hour: 3600e6,
  hours: 3600e6,
  d: 86400e6,
  day: 86400e6,
  days: 86400e6,
  w: 604800e6,
  week: 604800e6,
  weeks: 604800e6,
  M: 2629800e6,
  month: 2629800e6,
  months: 2629800e6,
  y: 31557600e6,
  year: 31557600e6,
  years: 31557600e6,
} as const;

/**
 * Microseconds: `5min 20s`; a number alone is in `unit` (in microseconds). Undefined for anything else.
 * Source: systemd.time(7), PARSING TIME SPANS.
 */
export function parseTimespan(text: string, unit: number): number | undefined {
  const value = Math.round(sumOf(text, { ...TIMES, '': unit }, false) ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

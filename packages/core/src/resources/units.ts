// The values of resource control properties as systemd.resource-control(5) writes them: sizes, shares of a whole, spans of time.

import { parseInteger, parseSize, parseTimespan } from '../values/quantities';
import { Refusal } from '../values/text';

/** A number, no limit, or a share of what the host has (0 to 1). */
export type Amount = number | 'infinity' | { readonly share: number };

/**
 * Bytes: `1G`, `1.5G`, `1G 512M`.
 *
 * @param base of K, M, G …: 1024 for memory, 1000 for rates
 */
export function bytes(text: string, base: 1000 | 1024 = 1024): number {
  const value = parseSize(text, base);
  if (value === undefined) throw new Refusal(`${text || '(empty)'} is not a size`, 'sizes take K M G T, or infinity');
  if (!Number.isSafeInteger(value)) throw new Refusal(`${text} is too large`);
  return value;
}

/** A share of the whole: `12%`, `12.5%`; undefined for what is not written so. */
export function share(text: string): number | undefined {
  const match = /^(\d+(?:\.\d{1,2})?)([%‰‱])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) / (match[2] === '%' ? 100 : match[2] === '‰' ? 1000 : 10000);
}

/** A size, a share of at most the whole, or infinity. An empty text is infinity: the property as if it had never been set. */
export function amount(text: string, number: (text: string) => number): Amount {
  if (text === '' || text === 'infinity') return 'infinity';
  const part = share(text);
  if (part === undefined) return number(text);
  if (part > 1) throw new Refusal(`${text} is more than the whole`);
  return { share: part };
}

/** A span of time in microseconds: `100ms`, `1min 30s`, `0.5`; a number alone is seconds. */
export function timespan(text: string): number | 'infinity' {
  if (text === 'infinity') return text;
  const value = parseTimespan(text, 1e6);
  if (value === undefined)
    throw new Refusal(`${text || '(empty)'} is not a span of time`, 'spans look like 100ms, 5s, 1min 30s');
  return value;
}

/** A whole number between two bounds. */
export function within(text: string, least: number, most: number): number {
  const value = parseInteger(text) ?? Number.NaN;
  if (!(value >= least && value <= most))
    throw new Refusal(
      most === Number.MAX_SAFE_INTEGER ? `not a number from ${least} on` : `not a number from ${least} to ${most}`,
    );
  return value;
}

/** Numbers in ascending order as the kernel writes them: `0-3,8`. */
export function rangesOf(numbers: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < numbers.length; i += 1) {
    const first = numbers[i] ?? 0;
    let last = first;
    while (numbers[i + 1] === last + 1) {
      i += 1;
      last += 1;
    }
    ranges.push(first === last ? `${first}` : `${first}-${last}`);
  }
  return ranges.join(',');
}

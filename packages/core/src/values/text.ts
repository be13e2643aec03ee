// What parsers of values share: how a refusal is told, and the small grammars of words, lists and colons.

import { latin1Of } from '../bytes';

/** Why a value was refused, without the option and the value themselves. */
export class Refusal {
  constructor(
    readonly reason: string,
    readonly hint?: string,
  ) {}
}

/** 1 yes y true t on, 0 no n false f off, in any case; undefined for anything else. Source: parse_boolean() of systemd. */
export function parseBoolean(text: string): boolean | undefined {
  switch (text.toLowerCase()) {
    case '1':
    case 'yes':
    case 'y':
    case 'true':
    case 't':
    case 'on':
      return true;
    case '0':
    case 'no':
    case 'n':
    case 'false':
    case 'f':
    case 'off':
      return false;
    default:
      return undefined;
  }
}

export function boolean(text: string): boolean {
  const value = parseBoolean(text);
  if (value === undefined) throw new Refusal('neither yes nor no');
  return value;
}

export function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === text);
  if (found === undefined) throw new Refusal(`not one of ${allowed.join(', ')}`);
  return found;
}

export function booleanOr<T extends string>(text: string, others: readonly T[]): boolean | T {
  const found = others.find((word) => word === text);
  if (found !== undefined) return found;
  const value = parseBoolean(text);
  if (value === undefined) throw new Refusal(`not one of yes, no, ${others.join(', ')}`);
  return value;
}

/** A whole number in plain decimal digits, without sign, blanks or leading zeros, as ids are written; undefined for anything
 *  else, also beyond 2^53. */
export function parseDecimal(text: string): number | undefined {
  const value = /^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Words between commas; empty ones do not count. */
export function words(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

/**
 * Splits at colons. A backslash takes away the meaning of the character behind it, as in systemd-nspawn: `\:` is a colon within
 * a field, `\\` a backslash.
 */
export function splitColons(text: string): string[] {
  const fields: string[] = [];
  let field = '';
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    if (char === ':') {
      fields.push(field);
      field = '';
      continue;
    }
    if (char === '\\') {
      i += 1;
      if (i === text.length) throw new Refusal('a backslash at the end', 'write a backslash as \\\\');
    }
    field += text.charAt(i);
  }
  fields.push(field);
  return fields;
}

const C_ESCAPES: { readonly [letter: string]: string } = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  s: ' ',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/**
 * Resolves the backslash escapes of C (and `\s`, a blank), as systemd's cunescape() does.
 * @returns bytes, one character each; undefined for an escape that does not exist
 */
export function unescapeC(text: string): string | undefined {
  let bytes = '';
  let rest = latin1Of(text);
  while (rest !== '') {
    const match =
      /^(?:[^\\]+|\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\([0-3][0-7]{2})|\\([^xuU0-7]))/s.exec(
        rest,
      );
    if (match === null) return undefined;
    const [whole, hex, short, long, octal, letter] = match;
    rest = rest.slice(whole.length);
    const unicode = short ?? long;
    if (hex !== undefined) bytes += String.fromCharCode(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes += String.fromCharCode(Number.parseInt(octal, 8));
    else if (unicode !== undefined) {
      const code = Number.parseInt(unicode, 16);
      // a surrogate is no character, and has no form in UTF-8
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
      bytes += latin1Of(String.fromCodePoint(code));
    } else if (letter !== undefined) {
      const byte = Object.hasOwn(C_ESCAPES, letter) ? C_ESCAPES[letter] : undefined;
      if (byte === undefined) return undefined;
      bytes += byte;
    } else bytes += whole;
  }
  return bytes;
}

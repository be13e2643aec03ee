// What parsers of values share: how a refusal is told, and the small grammars of words, lists and colons.

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

/** A whole decimal number; undefined for anything else, also beyond 2^53. */
export function parseNumber(text: string): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Words between commas; empty ones do not count. */
export function words(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

/** Splits at colons; `\:` is a colon and `\\` a backslash within a field, any other backslash stands for itself. */
export function splitColons(text: string): string[] {
  const fields: string[] = [];
  let field = '';
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    const next = text.charAt(i + 1);
    if (char === ':') {
      fields.push(field);
      field = '';
    } else if (char === '\\' && (next === ':' || next === '\\')) {
      field += next;
      i += 1;
    } else {
      field += char;
    }
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
  let rest = Buffer.from(text).toString('latin1');
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
      if (code > 0x10ffff) return undefined;
      bytes += Buffer.from(String.fromCodePoint(code)).toString('latin1');
    } else if (letter !== undefined) {
      const byte = Object.hasOwn(C_ESCAPES, letter) ? C_ESCAPES[letter] : undefined;
      if (byte === undefined) return undefined;
      bytes += byte;
    } else bytes += whole;
  }
  return bytes;
}

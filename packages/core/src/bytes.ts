// Text that is not UTF-8. Paths and arguments are bytes to the kernel, and Node makes U+FFFD of those that are no UTF-8. Where
// that has happened the text is read anew with each such byte as a lone surrogate, U+DC80 for 0x80 to U+DCFF for 0xff, which no
// valid text holds, and becomes that byte again on its way out: the "surrogateescape" of Python (PEP 383).

/** A lone surrogate: with the flag u a pair counts as one character, which is none of these. */
const ESCAPED = /[\udc80-\udcff]/u;

/** The bytes of a text, one character each. */
export function latin1Of(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is "everything but ASCII"
  if (!/[^\x00-\x7f]/.test(text)) return text;
  if (!ESCAPED.test(text)) return Buffer.from(text).toString('latin1');
  return Array.from(text, (char) =>
    ESCAPED.test(char) ? String.fromCharCode(char.charCodeAt(0) - 0xdc00) : Buffer.from(char).toString('latin1'),
  ).join('');
}

/** A path as the functions of node:fs take it: they would not find one with a byte that is no UTF-8. */
export function pathOf(text: string): string | Buffer {
  return ESCAPED.test(text) ? Buffer.from(latin1Of(text), 'latin1') : text;
}

// os-release(5): shell-like assignments.

import type { OsRelease } from '@tsnspawn/core';

/** Parses the fields that travel; everything else is left alone. */
export function parseOsRelease(text: string): OsRelease {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0 && line[0] !== '#') fields[line.slice(0, equals).trim()] = unquoted(line.slice(equals + 1).trim());
  }
  return {
    id: fields.ID,
    versionId: fields.VERSION_ID,
    buildId: fields.BUILD_ID,
    variantId: fields.VARIANT_ID,
    prettyName: fields.PRETTY_NAME,
  };
}

function unquoted(value: string): string {
  const quote = value[0];
  if (value.length < 2 || (quote !== '"' && quote !== "'") || value.at(-1) !== quote) return value;
  const inner = value.slice(1, -1);
  return quote === '"' ? inner.replace(/\\([\\"$`])/g, '$1') : inner;
}

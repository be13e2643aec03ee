// The keys of a settings file, from the option table.

import { OPTIONS, type OptionRow } from '../options';
import { PARAMETERS } from '../options/payload';

/** A key: the row it belongs to, and what stands before the value in the text of the option. */
export interface FileKey {
  readonly row: OptionRow & { readonly file: NonNullable<OptionRow['file']> };
  /** `NOFILE=` for LimitNOFILE */
  readonly prefix: string;
}

let known: ReadonlyMap<string, FileKey> | undefined;

/** The keys by `Section.Key`; made at the first call, since most launches have no settings file. */
export function fileKeys(): ReadonlyMap<string, FileKey> {
  known ??= new Map([...OPTIONS, PARAMETERS].flatMap(keysOf));
  return known;
}

function keysOf(row: OptionRow): (readonly [string, FileKey])[] {
  const { file } = row;
  if (file === undefined) return [];
  const name = `${file.section}.${file.key}`;
  const withFile = { ...row, file } as FileKey['row'];
  return (
    file.each?.map((each) => [`${name}${each}`, { row: withFile, prefix: `${each}=` }]) ?? [
      [name, { row: withFile, prefix: '' }],
    ]
  );
}

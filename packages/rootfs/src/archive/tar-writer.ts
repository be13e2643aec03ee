// Writing tar archives: ustar headers, and a pax header (POSIX.1-2001) before each for what does not fit into one. Names are
// bytes, since paths are, and GNU tar takes them as such. tar-stream's writer takes neither bytes nor large owners.
import { BootstrapError } from '../errors';
import type { EntryKind } from './tar';

export const BLOCK = 512;

/** A member to be written. */
export interface Member {
  readonly name: Buffer;
  readonly kind: EntryKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** bytes of content; 0 for all but regular files */
  readonly size: number;
  /** seconds since 1970 */
  readonly mtime: number;
  /** of a link */
  readonly target?: Buffer;
  /** of a device */
  readonly major?: number;
  readonly minor?: number;
  /** keys of the pax header, in the order in which they are to stand there */
  readonly records?: ReadonlyArray<readonly [key: string, value: Buffer]>;
}

const TYPES: Readonly<Record<EntryKind, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** What eight and twelve bytes of octal digits hold, one of them for the end. */
const MOST_IN_8 = 0o7777777;
const MOST_IN_12 = 0o77777777777;

/** The blocks before a member's content. */
export function encodeHeader(member: Member): Buffer {
  const records: Array<readonly [string, Buffer]> = [];
  const number = (key: string, value: number, most: number): number => {
    if (value >= 0 && value <= most) return value;
    records.push([key, Buffer.from(String(value))]);
    return 0;
  };
  const short = splitName(member.name);
  if (short === undefined) records.push(['path', member.name]);
  const link = member.target !== undefined && !(member.target.length <= 100 && isAscii(member.target));
  if (link) records.push(['linkpath', member.target as Buffer]);
  const numbers = {
    uid: number('uid', member.uid, MOST_IN_8),
    gid: number('gid', member.gid, MOST_IN_8),
    size: number('size', member.size, MOST_IN_12),
    mtime: number('mtime', member.mtime, MOST_IN_12),
  };
  const [prefix, name] = short ?? [Buffer.alloc(0), member.name];
  const header = block({
    ...numbers,
    name,
    prefix,
    mode: member.mode & 0o7777,
    type: TYPES[member.kind],
    target: member.target ?? Buffer.alloc(0),
    major: member.major ?? 0,
    minor: member.minor ?? 0,
  });
  const all = [...records, ...(member.records ?? [])];
  return all.length === 0 ? header : Buffer.concat([paxHeader(all, member), header]);
}

/** What follows content of that size, up to the next member. */
export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The end of an archive. */
export function endOfArchive(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function paxHeader(records: ReadonlyArray<readonly [string, Buffer]>, { name, mtime }: Member): Buffer {
  const content = Buffer.concat(records.map(([key, value]) => record(key, value)));
  const base = name.subarray(name.lastIndexOf(0x2f, name.length - 2) + 1);
  const header = block({
    name: Buffer.concat([Buffer.from('./PaxHeaders/'), base]),
    prefix: Buffer.alloc(0),
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: content.length,
    mtime: mtime >= 0 && mtime <= MOST_IN_12 ? mtime : 0,
    type: 'x',
    target: Buffer.alloc(0),
    major: 0,
    minor: 0,
  });
  return Buffer.concat([header, content, padding(content.length)]);
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

interface Fields {
  readonly name: Buffer;
  readonly prefix: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly target: Buffer;
  readonly major: number;
  readonly minor: number;
}

function block(fields: Fields): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    const digits = value.toString(8).padStart(width - 1, '0');
    if (digits.length >= width)
      throw new BootstrapError('WRITE_FAILED', `a tar header cannot hold the number ${value}`);
    header.write(digits, at, 'latin1');
  };
  // What is longer has its whole value in the pax header.
  fields.name.copy(header, 0, 0, Math.min(100, fields.name.length));
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.mtime, 136, 12);
  header.write(fields.type, 156, 'latin1');
  fields.target.copy(header, 157, 0, Math.min(100, fields.target.length));
  header.write('ustar\x0000', 257, 'latin1');
  octal(fields.major, 329, 8);
  octal(fields.minor, 337, 8);
  fields.prefix.copy(header, 345);
  // The sum counts its own field as blanks.
  header.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** A name as prefix and rest, where it fits and everybody reads it alike. */
function splitName(name: Buffer): readonly [prefix: Buffer, name: Buffer] | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return [Buffer.alloc(0), name];
  // The slash between them is in neither; the one at the end of a directory does not part it.
  const at = name.lastIndexOf(0x2f, Math.min(155, name.length - 2));
  const rest = name.length - at - 1;
  return at > 0 && rest <= 100 ? [name.subarray(0, at), name.subarray(at + 1)] : undefined;
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80);
}

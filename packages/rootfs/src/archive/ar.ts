// The ar(5) container of a .deb file: debian-binary, control.tar.*, data.tar.*. Sizes come from an untrusted header and
// are checked against the file before anything is read by them.
import * as fs from 'node:fs';
import { BootstrapError, reasonOf } from '../errors';
import type { Compression } from './compression';

export interface Member {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** Where the parts of a .deb file lie. */
export interface DebFile {
  readonly path: string;
  readonly control: Member & { readonly compression: Compression };
  readonly data: Member & { readonly compression: Compression };
}

const MAGIC = '!<arch>\n';
const HEADER = 60;

/** List the members of an ar file; throws a SyntaxError with the reason when it is not a proper one. */
function readMembers(descriptor: number, fileSize: number): Member[] {
  const head = Buffer.alloc(HEADER);
  if (fs.readSync(descriptor, head, 0, 8, 0) !== 8 || head.toString('latin1', 0, 8) !== MAGIC)
    throw new SyntaxError('it is not an ar archive');
  const members: Member[] = [];
  let offset = 8;
  while (offset < fileSize) {
    if (fs.readSync(descriptor, head, 0, HEADER, offset) !== HEADER)
      throw new SyntaxError('it ends in the middle of a member header');
    if (head.toString('latin1', 58, 60) !== '`\n') throw new SyntaxError('it has a damaged member header');
    const sizeText = head.toString('latin1', 48, 58).trimEnd();
    if (!/^\d{1,10}$/.test(sizeText)) throw new SyntaxError('a member has a damaged size');
    const size = Number(sizeText);
    offset += HEADER;
    if (offset + size > fileSize) throw new SyntaxError('a member is larger than the file');
    members.push({ name: head.toString('latin1', 0, 16).trimEnd().replace(/\/$/, ''), offset, size });
    if (members.length > 16) throw new SyntaxError('it has too many members');
    offset += size + (size & 1);
  }
  return members;
}

const SUFFIXES: Readonly<Record<string, Compression>> = { '': 'none', '.gz': 'gz', '.xz': 'xz', '.zst': 'zst' };

/** Find the parts of a .deb file. */
export function openDeb(path: string, what: string): DebFile {
  const descriptor = fs.openSync(path, 'r');
  try {
    const members = readMembers(descriptor, fs.fstatSync(descriptor).size);
    const [version, ...rest] = members;
    if (version?.name !== 'debian-binary') throw new SyntaxError('its first member is not debian-binary');
    const format = Buffer.alloc(Math.min(version.size, 16));
    fs.readSync(descriptor, format, 0, format.length, version.offset);
    if (!/^2\.\d+\n/.test(format.toString('latin1'))) throw new SyntaxError('its format version is not 2');
    // Members beginning with an underscore may be added by anybody and are to be ignored.
    const known = rest.filter((member) => !member.name.startsWith('_'));
    return { path, control: part(known[0], 'control.tar'), data: part(known[1], 'data.tar') };
  } catch (error) {
    throw new BootstrapError('ARCHIVE_INVALID', `cannot read ${what}: ${reasonOf(error)}`, { path, cause: error });
  } finally {
    fs.closeSync(descriptor);
  }
}

function part(member: Member | undefined, stem: string): Member & { readonly compression: Compression } {
  const suffix = member?.name.startsWith(stem) ? member.name.slice(stem.length) : undefined;
  const compression = suffix === undefined ? undefined : SUFFIXES[suffix];
  if (member === undefined || suffix === undefined) throw new SyntaxError(`it has no ${stem}`);
  if (compression === undefined)
    throw new SyntaxError(`its ${stem} is packed as ${suffix.slice(1)}, which is not supported`);
  return { ...member, compression };
}

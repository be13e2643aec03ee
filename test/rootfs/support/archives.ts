// Tar, ar and .deb files made by hand, honest ones and others: a test says what is in them, byte by byte if it must.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

export interface Member {
  readonly name: string;
  readonly content?: string | Buffer;
  /** tar's type flag: 0 file, 1 hard link, 2 symlink, 3 and 4 devices, 5 directory, 6 FIFO */
  readonly type?: string;
  readonly target?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A tar archive of these members, names unchecked. */
export function tar(members: readonly Member[]): Buffer {
  const blocks: Buffer[] = [];
  for (const member of members) {
    const content = Buffer.from(member.content ?? '');
    const header = Buffer.alloc(512);
    const put = (text: string, at: number): void => void header.write(text, at, 'latin1');
    const octal = (value: number, width: number, at: number): void =>
      put(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
    const type = member.type ?? '0';
    put(member.name, 0);
    octal(member.mode ?? (type === '5' ? 0o755 : 0o644), 8, 100);
    octal(member.uid ?? 0, 8, 108);
    octal(member.gid ?? 0, 8, 116);
    octal(content.length, 12, 124);
    octal(1_000_000_000, 12, 136);
    put('        ', 148);
    put(type, 156);
    put(member.target ?? '', 157);
    put('ustar\x0000', 257);
    octal(1, 8, 329);
    octal(3, 8, 337);
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
      148,
    );
    blocks.push(header, content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  blocks.push(Buffer.alloc(1024));
  return Buffer.concat(blocks);
}

/** An ar archive. */
export function ar(members: ReadonlyArray<readonly [name: string, content: Buffer]>): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, content] of members) {
    parts.push(
      Buffer.from(
        `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`,
      ),
      content,
    );
    if (content.length % 2 === 1) parts.push(Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}

export interface DebSpec {
  readonly name: string;
  readonly version?: string;
  /** further lines for its control file and its entry in the index */
  readonly fields?: Readonly<Record<string, string>>;
  readonly files?: readonly Member[];
  /** scripts and other control files */
  readonly control?: Readonly<Record<string, string>>;
}

/** The fields of a package, in the order of its control file. */
export function controlFields(spec: DebSpec): Record<string, string> {
  return {
    Package: spec.name,
    Version: spec.version ?? '1.0',
    Architecture: 'amd64',
    Maintainer: 'Nobody <nobody@example.org>',
    ...spec.fields,
    Description: `the package ${spec.name}`,
  };
}

export function fieldLines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

/** A .deb file. */
export function deb(spec: DebSpec): Buffer {
  const control = tar([
    { name: './', type: '5' },
    { name: './control', content: fieldLines(controlFields(spec)) },
    ...Object.entries(spec.control ?? {}).map(([name, content]) => ({ name: `./${name}`, content, mode: 0o755 })),
  ]);
  return ar([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(control)],
    ['data.tar.gz', gzipSync(tar([{ name: './', type: '5' }, ...(spec.files ?? [])]))],
  ]);
}

export function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

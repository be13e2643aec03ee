// Reading tar archives. tar-stream parses; what it lets through that is not understood here is refused rather than
// skipped, and its entry streams are turned into plain synchronous callbacks, which is what makes extraction fast.
import type { Readable } from 'node:stream';
import type { Header } from 'tar-stream';
import { BootstrapError, reasonOf } from '../errors';
import { type Attributes, type FileSink, hostile, type TreeWriter } from './tree-writer';

export type EntryKind = 'file' | 'link' | 'symlink' | 'directory' | 'character-device' | 'block-device' | 'fifo';

export interface Entry {
  readonly name: string;
  readonly kind: EntryKind;
  readonly size: number;
  /** Target of a link. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  readonly attributes: Attributes;
}

/** Receives the bytes of a regular file. */
export interface EntrySink {
  write(chunk: Uint8Array): void;
  end(): void;
  abort(): void;
}

/** Walk an archive. `visit` may return a sink for a regular file's bytes. */
export async function readTar(source: Readable, visit: (entry: Entry) => EntrySink | undefined): Promise<void> {
  const { extract } = await import('tar-stream');
  const parser = extract();
  let sink: EntrySink | undefined;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => {
      sink?.abort();
      sink = undefined;
      parser.destroy();
      source.destroy();
      reject(
        error instanceof Error && errorIsOurs(error)
          ? error
          : new BootstrapError('ARCHIVE_INVALID', `cannot read the archive: ${reasonOf(error)}`, { cause: error }),
      );
    };
    parser.on('entry', (headers, stream, next) => {
      try {
        const entry = toEntry(headers);
        sink = visit(entry);
      } catch (error) {
        fail(error);
        return;
      }
      stream.on('data', (chunk: unknown) => {
        try {
          sink?.write(chunk as Buffer);
        } catch (error) {
          fail(error);
        }
      });
      stream.on('end', () => {
        try {
          const done = sink;
          sink = undefined;
          done?.end();
          next();
        } catch (error) {
          fail(error);
        }
      });
    });
    parser.on('finish', resolve);
    parser.on('error', fail);
    source.on('error', fail);
    source.pipe(parser);
  });
}

/** Failures of the file system and our own verdicts pass unchanged; only the parser's are put into words. */
function errorIsOurs(error: Error): boolean {
  return error instanceof BootstrapError || 'syscall' in error;
}

const KINDS: Readonly<Record<string, EntryKind>> = {
  file: 'file',
  'contiguous-file': 'file',
  link: 'link',
  symlink: 'symlink',
  directory: 'directory',
  'character-device': 'character-device',
  'block-device': 'block-device',
  fifo: 'fifo',
};

function toEntry(headers: Header): Entry {
  const kind = KINDS[headers.type ?? ''];
  if (kind === undefined)
    throw hostile(headers.name, `its type ${headers.type ?? 'is unknown'}${headers.type ? ' is not supported' : ''}`);
  if (kind !== 'file' && (headers.size ?? 0) !== 0) throw hostile(headers.name, 'only a regular file can have content');
  return {
    name: headers.name,
    kind,
    size: headers.size ?? 0,
    target: headers.linkname ?? '',
    major: headers.devmajor ?? 0,
    minor: headers.devminor ?? 0,
    attributes: {
      mode: headers.mode ?? 0o644,
      uid: headers.uid ?? 0,
      gid: headers.gid ?? 0,
      mtime: Math.floor((headers.mtime?.getTime() ?? 0) / 1000),
    },
  };
}

/** Put one entry into a tree; returns the sink for a regular file. Attributes of directories are left to the caller. */
export function writeEntry(writer: TreeWriter, entry: Entry): FileSink | undefined {
  const { name, attributes } = entry;
  switch (entry.kind) {
    case 'file':
      return writer.file(name, attributes);
    case 'directory':
      writer.directory(name);
      return undefined;
    case 'symlink':
      writer.symlink(name, entry.target, attributes);
      return undefined;
    case 'link':
      writer.hardlink(name, entry.target);
      return undefined;
    case 'character-device':
      writer.node(name, 'c', entry.major, entry.minor, attributes);
      return undefined;
    case 'block-device':
      writer.node(name, 'b', entry.major, entry.minor, attributes);
      return undefined;
    case 'fifo':
      writer.node(name, 'p', 0, 0, attributes);
      return undefined;
  }
}

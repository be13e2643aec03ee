// The two archives inside a .deb file. The control archives of all packages are small, so they are decompressed by one xz
// process together: starting one per package would cost more than the work itself.
import * as fs from 'node:fs';
import { Readable } from 'node:stream';
import { BootstrapError, reasonOf } from '../errors';
import type { DebFile } from './ar';
import { type Compression, decompressBuffer, decompressor, feed } from './compression';
import { type Entry, type EntrySink, readTar } from './tar';

/** Control files are text of a few hundred KB at most; symbols files of large libraries are the biggest. */
const CONTROL_LIMIT = 64 << 20;

/** A file of a package's control archive: control, postinst, md5sums … */
export interface ControlFile {
  readonly content: Buffer;
  readonly executable: boolean;
}

export type ControlFiles = ReadonlyMap<string, ControlFile>;

/** Walk the files of a package. */
export async function readData(
  deb: DebFile,
  what: string,
  visit: (entry: Entry) => EntrySink | undefined,
): Promise<void> {
  const { offset, size, compression } = deb.data;
  const packed = fs.createReadStream(deb.path, { start: offset, end: offset + size - 1, highWaterMark: 1 << 18 });
  const plain = decompressor(compression);
  // The parser's complaint about a cut-off archive is a consequence; why the decompressor stopped is the cause.
  const outcome = await Promise.allSettled([
    plain.done,
    feed(packed, plain),
    readTar(plain.output, visit).catch((error: unknown) => stop(plain.input, error)),
  ]);
  const failure = outcome.find((one) => one.status === 'rejected' && !isAbort(one.reason)) as
    | PromiseRejectedResult
    | undefined;
  const visitor = outcome[2];
  if (visitor.status === 'rejected' && (visitor.reason as { syscall?: unknown }).syscall !== undefined)
    throw visitor.reason;
  if (visitor.status === 'rejected' && (visitor.reason as Error).message.startsWith('refusing'))
    throw named(visitor.reason, what);
  if (failure !== undefined) throw named(failure.reason, what);
}

/** Walk the files of a package whose data archive was decompressed elsewhere. */
export async function readPlainData(
  plain: Readable,
  what: string,
  visit: (entry: Entry) => EntrySink | undefined,
): Promise<void> {
  await readTar(plain, visit).catch((error: unknown) => {
    if ((error as { syscall?: unknown }).syscall !== undefined) throw error;
    throw named(error, what);
  });
}

function stop(input: NodeJS.WritableStream & { destroy(): void }, error: unknown): never {
  input.destroy();
  throw error;
}

function isAbort(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function named(error: unknown, what: string): BootstrapError {
  if (error instanceof BootstrapError && error.code !== 'ARCHIVE_INVALID') return error;
  return new BootstrapError('ARCHIVE_INVALID', `cannot unpack ${what}: ${reasonOf(error)}`, { cause: error });
}

/** The control files of many packages, in the order given. */
export async function readControls(
  debs: ReadonlyArray<{ readonly deb: DebFile; readonly what: string }>,
): Promise<ControlFiles[]> {
  const results = new Array<ControlFiles>(debs.length);
  const together = debs.map((one, index) => ({ ...one, index })).filter(({ deb }) => deb.control.compression === 'xz');
  await Promise.all([
    readTogether(together, results),
    ...debs.map(async ({ deb, what }, index) => {
      if (deb.control.compression === 'xz') return;
      results[index] = await parseControl(await unpack([deb], deb.control.compression), what);
    }),
  ]);
  return results;
}

async function readTogether(
  debs: ReadonlyArray<{ deb: DebFile; what: string; index: number }>,
  results: ControlFiles[],
): Promise<void> {
  if (debs.length === 0) return;
  let archives: Buffer[] | undefined;
  try {
    archives = splitArchives(
      await unpack(
        debs.map(({ deb }) => deb),
        'xz',
      ),
    );
  } catch {
    // One of them is damaged: go through them one by one, to say which.
  }
  if (archives?.length !== debs.length) {
    for (const { deb, what, index } of debs) {
      results[index] = await unpack([deb], 'xz').then(
        (tar) => parseControl(tar, what),
        (error: unknown) => Promise.reject(named(error, what)),
      );
    }
    return;
  }
  for (const [position, { what, index }] of debs.entries())
    results[index] = await parseControl(archives[position] as Buffer, what);
}

function unpack(debs: readonly DebFile[], compression: Compression): Promise<Buffer> {
  const packed = debs.map(({ path, control }) => {
    const descriptor = fs.openSync(path, 'r');
    try {
      const part = Buffer.allocUnsafe(control.size);
      fs.readSync(descriptor, part, 0, part.length, control.offset);
      return part;
    } finally {
      fs.closeSync(descriptor);
    }
  });
  return decompressBuffer(Buffer.concat(packed), compression, CONTROL_LIMIT);
}

/** Cut concatenated tar archives apart: each ends with blocks of zeros, and what follows them begins the next one. */
function splitArchives(tars: Buffer): Buffer[] {
  const archives: Buffer[] = [];
  let begin = 0;
  let at = 0;
  while (at + 512 <= tars.length) {
    if (tars[at] !== 0) {
      const size = Number.parseInt(tars.toString('latin1', at + 124, at + 136), 8);
      if (!Number.isSafeInteger(size) || size < 0) throw new SyntaxError('damaged size');
      at += 512 + Math.ceil(size / 512) * 512;
      continue;
    }
    while (at < tars.length && tars[at] === 0) at += 512;
    archives.push(tars.subarray(begin, at));
    begin = at;
  }
  if (begin < tars.length) throw new SyntaxError('the last archive has no end');
  return archives;
}

async function parseControl(tar: Buffer, what: string): Promise<ControlFiles> {
  const files = new Map<string, ControlFile>();
  await readTar(Readable.from([tar]), (entry) => {
    const name = entry.name.replace(/^\.\/+/, '').replace(/\/+$/, '');
    if (entry.kind === 'directory') return undefined;
    // These names become file names in the package database.
    if (entry.kind !== 'file' || !/^[a-z0-9][a-z0-9.-]*$/.test(name))
      throw new BootstrapError('ARCHIVE_INVALID', `it has the control file ${JSON.stringify(entry.name)}`);
    const chunks: Buffer[] = [];
    return {
      write: (chunk) => void chunks.push(Buffer.from(chunk)),
      end: () =>
        void files.set(name, { content: Buffer.concat(chunks), executable: (entry.attributes.mode & 0o111) !== 0 }),
      abort: () => undefined,
    };
  }).catch((error: unknown) => {
    throw named(error, what);
  });
  if (!files.has('control')) throw named(new Error('it has no control file'), what);
  return files;
}

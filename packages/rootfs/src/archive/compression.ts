// Decompressors. gzip is in Node; xz is not, so the xz program is run, as dpkg does on small systems; zstd is in Node from
// 22.15 on and run as a program before that.
import { type ChildProcess, spawn } from 'node:child_process';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { BootstrapError, errorCode } from '../errors';

export type Compression = 'none' | 'gz' | 'xz' | 'zst';

const PACKAGE_OF: Readonly<Record<string, string>> = { xz: 'xz-utils', zstd: 'zstd' };

/** Two streams, one to write packed bytes to and one to read plain bytes from; `done` ends when both have. */
export interface Decompressor {
  readonly input: Writable;
  readonly output: Readable;
  readonly done: Promise<void>;
}

/** Start a decompressor. Damaged input rejects `done`. */
export function decompressor(kind: Compression): Decompressor {
  switch (kind) {
    case 'none':
      return ofTransform(new PassThrough());
    case 'gz':
      return ofTransform(zlib.createGunzip());
    case 'xz':
      return ofProgram('xz');
    case 'zst': {
      const native = (zlib as { createZstdDecompress?: () => PassThrough }).createZstdDecompress;
      return native === undefined ? ofProgram('zstd') : ofTransform(native());
    }
  }
}

function ofTransform(stream: PassThrough | zlib.Gunzip): Decompressor {
  const done = new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', (error) =>
      reject(
        new BootstrapError('ARCHIVE_INVALID', `cannot decompress: ${error.message.toLowerCase()}`, { cause: error }),
      ),
    );
    stream.once('close', resolve);
  });
  return { input: stream, output: stream, done };
}

function ofProgram(program: 'xz' | 'zstd'): Decompressor {
  const child: ChildProcess = spawn(program, ['-d', '-c', '-q'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const input = child.stdin as Writable;
  const output = child.stdout as Readable;
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < 1000) complaint += text;
  });
  // The reason is in the exit status; without this an early exit would surface as EPIPE from somewhere else.
  input.on('error', () => undefined);
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => {
      output.destroy();
      reject(missingProgram(program, error));
    });
    child.once('close', (status, signal) => {
      if (status === 0) return resolve();
      const reason = complaint
        .trim()
        .split('\n')[0]
        ?.replace(/^(xz|zstd): (\(stdin\)|\/\*stdin\*\\)\s*: /, '')
        .toLowerCase();
      reject(
        new BootstrapError(
          'ARCHIVE_INVALID',
          `cannot decompress: ${reason || `${program} ended with ${signal ?? status}`}`,
        ),
      );
    });
  });
  return { input, output, done };
}

/** What to say when a decompressor cannot be started. */
export function missingProgram(program: string, error: unknown): BootstrapError {
  if (errorCode(error) !== 'ENOENT')
    return new BootstrapError('TOOL_MISSING', `cannot run ${program}: ${(error as Error).message}`, { cause: error });
  return new BootstrapError('TOOL_MISSING', `cannot decompress: the program ${program} is not installed`, {
    hint: `install it: apt install ${PACKAGE_OF[program]}`,
    cause: error,
  });
}

/** Decompress a whole buffer; more than `limit` bytes of output are refused. */
export async function decompressBuffer(packed: Buffer, kind: Compression, limit: number): Promise<Buffer> {
  if (kind === 'none') return packed;
  const { input, output, done } = decompressor(kind);
  const chunks: Buffer[] = [];
  let size = 0;
  const collect = async (): Promise<void> => {
    for await (const chunk of output as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit)
        throw new BootstrapError('ARCHIVE_INVALID', `cannot decompress: more than the ${limit} bytes announced`);
      chunks.push(chunk);
    }
  };
  input.end(packed);
  const outcome = await Promise.allSettled([collect(), done]);
  input.destroy();
  for (const one of [outcome[1], outcome[0]]) if (one.status === 'rejected') throw one.reason;
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
}

/** Feed a stream through a decompressor. */
export async function feed(source: Readable, target: Decompressor): Promise<void> {
  await pipeline(source, target.input).catch((error: unknown) => {
    // The decompressor's own verdict, in `done`, is the better one.
    if (errorCode(error) !== 'EPIPE' && errorCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

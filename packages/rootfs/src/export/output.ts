// Where an archive goes: to standard output, into a device or FIFO, or to a file, which is written beside its place and renamed.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { BootstrapError, errorCode, reasonOf, writeFailure } from '../errors';

export const COMPRESSIONS = ['none', 'gzip', 'xz', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** The Debian package of a program that compresses, and its options: from input to output, on all processors. */
const PROGRAMS = {
  xz: { args: ['-c', '-q', '-T0'], package: 'xz-utils' },
  zstd: { args: ['-c', '-q', '-T0'], package: 'zstd' },
} as const;

/** How a file of that name is compressed. */
export function compressionOf(file: string): Compression {
  if (/\.(tar\.gz|tgz)$/.test(file)) return 'gzip';
  if (/\.(tar\.xz|txz)$/.test(file)) return 'xz';
  if (/\.(tar\.zst|tzst)$/.test(file)) return 'zstd';
  return 'none';
}

export class Output {
  /** in words */
  readonly name: string;
  readonly #descriptor: number;
  readonly #temporary: string | undefined;
  readonly #file: string | undefined;

  private constructor(name: string, descriptor: number, file?: string, temporary?: string) {
    this.name = name;
    this.#descriptor = descriptor;
    this.#file = file;
    this.#temporary = temporary;
  }

  /** Standard output. */
  static standard(): Output {
    return new Output('standard output', 1);
  }

  /** A file; one that is there is replaced when the new one is complete. */
  static file(wanted: string): Output {
    const existing = fs.statSync(wanted, { throwIfNoEntry: false });
    if (existing?.isDirectory())
      throw new BootstrapError('TARGET_INVALID', `cannot write ${wanted}: it is a directory`, { path: wanted });
    try {
      if (existing !== undefined && !existing.isFile()) return new Output(wanted, fs.openSync(wanted, 'w'));
      // Where a link leads to is replaced, not the link.
      const file = existing === undefined ? path.resolve(wanted) : fs.realpathSync(wanted);
      const temporary = path.join(
        path.dirname(file),
        `.${path.basename(file)}.${crypto.randomBytes(6).toString('hex')}`,
      );
      return new Output(wanted, fs.openSync(temporary, 'wx'), file, temporary);
    } catch (error) {
      throw writeFailure(error, wanted);
    }
  }

  /** The directory in which it is written, if it is a file. */
  get directory(): string | undefined {
    return this.#file === undefined ? undefined : path.dirname(this.#file);
  }

  /** Write the archive. After a failure there is no file. */
  async write(pieces: Iterable<Buffer>, compression: Compression, signal: AbortSignal | undefined): Promise<void> {
    const source = Readable.from(pieces, { objectMode: false });
    const options = signal === undefined ? {} : { signal };
    try {
      if (compression === 'none') await pipeline(source, this.#writable(), options);
      else if (compression === 'gzip') await pipeline(source, createGzip(), this.#writable(), options);
      else await this.#throughProgram(source, compression, options);
      if (this.#temporary !== undefined) fs.renameSync(this.#temporary, this.#file as string);
    } catch (error) {
      if (this.#temporary !== undefined) fs.rmSync(this.#temporary, { force: true });
      if (signal?.aborted) throw signal.reason;
      throw error instanceof BootstrapError ? error : writeFailure(error, this.name);
    } finally {
      if (this.#descriptor !== 1) fs.closeSync(this.#descriptor);
    }
  }

  /** Give up before anything is written. */
  abandon(): void {
    if (this.#temporary !== undefined) fs.rmSync(this.#temporary, { force: true });
    if (this.#descriptor !== 1) fs.closeSync(this.#descriptor);
  }

  /** Plain write(2), since a stream of Node for standard output may change what it shares with others. */
  #writable(): Writable {
    const put = (chunk: Buffer, done: (error?: Error | null) => void): void =>
      fs.write(this.#descriptor, chunk, (error, written) => {
        // Somebody else has made it non-blocking: wait a moment for room.
        if (errorCode(error) === 'EAGAIN') setTimeout(() => put(chunk, done), 5);
        else if (error !== null || written === chunk.length) done(error);
        else put(chunk.subarray(written), done);
      });
    return new Writable({ write: (chunk: Buffer, _encoding, done) => put(chunk, done) });
  }

  async #throughProgram(
    source: Readable,
    program: keyof typeof PROGRAMS,
    options: { readonly signal?: AbortSignal },
  ): Promise<void> {
    const { args, package: home } = PROGRAMS[program];
    const stdio = ['pipe', this.#descriptor, 'pipe'] as const;
    const child = spawn(program, args, { stdio: [...stdio] }) as ChildProcessByStdio<Writable, null, Readable>;
    let complaint = '';
    child.stderr.on('data', (data: Buffer) => {
      if (complaint.length < 4096) complaint += data.toString();
    });
    const ended = new Promise<BootstrapError | undefined>((resolve) => {
      child.on('error', (error) => {
        const missing = errorCode(error) === 'ENOENT';
        const reason = missing ? `there is no ${program} here` : reasonOf(error);
        const hint = missing ? `apt install ${home}, or choose another one with --compress=gzip` : undefined;
        resolve(new BootstrapError('TOOL_MISSING', `cannot compress with ${program}: ${reason}`, { hint }));
      });
      child.on('close', (status, ending) => {
        const reason = complaint.trim().split('\n')[0] || `it ended with ${ending ?? `status ${status}`}`;
        const failure = new BootstrapError('WRITE_FAILED', `cannot compress with ${program}: ${reason}`);
        resolve(status === 0 ? undefined : failure);
      });
    });
    try {
      await pipeline(source, child.stdin, options);
    } catch (error) {
      child.kill();
      // What the program says tells more than that it reads no longer; a failure of the tree, or a signal, comes first.
      if (error instanceof BootstrapError || options.signal?.aborted) throw error;
      throw (await ended) ?? error;
    }
    const failure = await ended;
    if (failure !== undefined) throw failure;
  }
}

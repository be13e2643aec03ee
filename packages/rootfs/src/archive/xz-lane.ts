// One xz process for many archives. Starting a process costs a Node that holds a package index several milliseconds each, a
// hundred packages half a second and more. So the archives are fed to xz one behind the other, and its output is cut apart
// by the sizes that each .xz file states in its own index (xz itself checks that they are true).
//
// xz holds back a few KB until more input comes, so an archive may only be complete once the next one was begun or the input
// has ended: nothing here waits for one archive before it feeds the next.
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { BootstrapError } from '../errors';
import { missingProgram } from './compression';

/** An .xz file inside another file. */
export interface XzPart {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
}

export interface XzJob extends XzPart {
  readonly plainSize: number;
  /** Reads the plain bytes to their end. */
  readonly consume: (plain: Readable) => Promise<void>;
}

const HEADER = 12;
const FOOTER = 12;
const INDEX_LIMIT = 1 << 20;

/** How many bytes an .xz file holds, from its index; undefined when it is not one plain stream, which is legal but rare. */
export function xzPlainSize(part: XzPart): number | undefined {
  const descriptor = fs.openSync(part.path, 'r');
  try {
    const read = (length: number, at: number): Buffer => {
      const buffer = Buffer.alloc(length);
      fs.readSync(descriptor, buffer, 0, length, part.offset + at);
      return buffer;
    };
    if (part.size < HEADER + FOOTER) return undefined;
    if (read(6, 0).toString('latin1') !== '\xfd7zXZ\0') return undefined;
    const footer = read(FOOTER, part.size - FOOTER);
    if (footer.toString('latin1', 10) !== 'YZ') return undefined;
    const indexSize = (footer.readUInt32LE(4) + 1) * 4;
    if (indexSize > INDEX_LIMIT || indexSize > part.size - HEADER - FOOTER) return undefined;
    return sumIndex(read(indexSize, part.size - FOOTER - indexSize), part.size - HEADER - FOOTER - indexSize);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The uncompressed sizes of all blocks, provided that the blocks fill the file. */
function sumIndex(index: Buffer, blocksSize: number): number | undefined {
  let at = 1;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = index[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  let packed = 0;
  let plain = 0;
  for (let records = number(); records > 0 && at < index.length; records--) {
    packed += Math.ceil(number() / 4) * 4;
    plain += number();
  }
  return index[0] === 0 && packed === blocksSize && Number.isSafeInteger(plain) ? plain : undefined;
}

interface Pending {
  left: number;
  readonly plain: PassThrough;
  readonly job: XzJob;
}

/** Decompress jobs as long as `next` has any. The first failure ends the lane and is thrown. */
export async function runXzLane(next: () => Promise<XzJob | undefined>): Promise<void> {
  const first = await next();
  if (first === undefined) return;
  const child = spawn('xz', ['-d', '-c', '-q'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const lane = new Lane(child);
  try {
    for (let job: XzJob | undefined = first; job !== undefined && !lane.failed; job = await next())
      await lane.feed(job);
    await lane.end();
  } finally {
    child.kill();
  }
}

class Lane {
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #output: Readable;
  readonly #pending: Pending[] = [];
  readonly #consumers: Promise<void>[] = [];
  readonly #exit: Promise<void>;
  #failure: { readonly error: unknown } | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#input = child.stdin as Writable;
    this.#output = child.stdout as Readable;
    // Its exit status says why; without this an early end would surface as EPIPE from elsewhere.
    this.#input.on('error', () => undefined);
    this.#output.on('data', (chunk: Buffer) => this.#deal(chunk));
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, 1000);
    });
    this.#exit = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#fail(missingProgram('xz', error));
        resolve();
      });
      child.once('close', (status) => {
        if (status !== 0 || this.#pending.length > 0) {
          const reason = /: ([^:\n]+)\n/.exec(complaint)?.[1]?.toLowerCase() ?? 'it ends too early';
          this.#fail(new BootstrapError('ARCHIVE_INVALID', `cannot decompress: ${reason}`));
        }
        resolve();
      });
    });
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  async feed(job: XzJob): Promise<void> {
    const plain = new PassThrough({ highWaterMark: 1 << 18 });
    // A reader that gave up does not listen any more when the lane is torn down.
    plain.on('error', () => undefined);
    const entry: Pending = { left: job.plainSize, plain, job };
    this.#pending.push(entry);
    this.#consumers.push(
      job.consume(plain).catch((error: unknown) => {
        this.#fail(error);
      }),
    );
    if (entry.left === 0) this.#shift(entry);
    const source = fs.createReadStream(job.path, {
      start: job.offset,
      end: job.offset + job.size - 1,
      highWaterMark: 1 << 18,
    });
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (this.failed) return;
      if (!this.#input.write(chunk)) {
        await Promise.race([new Promise((resolve) => this.#input.once('drain', resolve)), this.#exit]);
      }
    }
  }

  async end(): Promise<void> {
    this.#input.end();
    await this.#exit;
    await Promise.all(this.#consumers);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #deal(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const entry = this.#pending[0];
      if (entry === undefined || this.failed) return;
      const piece = chunk.subarray(at, at + entry.left);
      at += piece.length;
      entry.left -= piece.length;
      if (!entry.plain.write(piece)) {
        this.#output.pause();
        entry.plain.once('drain', () => this.#output.resume());
      }
      if (entry.left === 0) this.#shift(entry);
    }
  }

  #shift(entry: Pending): void {
    this.#pending.splice(this.#pending.indexOf(entry), 1);
    entry.plain.end();
  }

  /** The first reason counts; what follows from it is silenced. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    for (const { plain } of this.#pending) plain.destroy(error as Error);
    this.#pending.length = 0;
    this.#output.resume();
    this.#child.kill();
  }
}

// Verified downloads: size and SHA256 are checked while the bytes arrive, and a file gets its name only when both are
// right. A server that sends more than was announced is cut off at the first byte too many.
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { BootstrapError, writeFailure } from '../errors';
import type { Cache, CacheShelf } from './cache';
import { displayUrl, type Transport } from './transport';

/** What a signed file says about another one. */
export interface Expected {
  readonly url: string;
  readonly size: number;
  readonly sha256: string;
  /** What it is to the user: `the package bash 5.2`, `the index of main`. */
  readonly what: string;
}

function mismatch(expected: Expected, reason: string): BootstrapError {
  return new BootstrapError(
    'HASH_MISMATCH',
    `cannot trust ${expected.what} from ${displayUrl(expected.url)}: ${reason}`,
    {
      path: displayUrl(expected.url),
      hint: 'the mirror may be in the middle of an update, or tampered with: try again, or name another one',
    },
  );
}

/** Fetch a file into the cache, unless it is there; returns its path. `progress` hears of each piece. */
export async function downloadFile(
  transport: Transport,
  cache: Cache,
  shelf: CacheShelf,
  expected: Expected,
  progress?: (bytes: number) => void,
): Promise<string> {
  const kept = await cache.find(shelf, expected.sha256, expected.size);
  if (kept !== undefined) {
    progress?.(expected.size);
    return kept;
  }
  return transport.get(expected.url, async ({ body }) => {
    const temporary = cache.temporary(shelf);
    let told = 0;
    try {
      const descriptor = fs.openSync(temporary, 'wx', 0o644);
      try {
        const hash = crypto.createHash('sha256');
        let size = 0;
        for await (const chunk of body as AsyncIterable<Buffer>) {
          size += chunk.length;
          if (size > expected.size) throw mismatch(expected, `it is larger than the ${expected.size} bytes announced`);
          hash.update(chunk);
          writeAll(descriptor, chunk, cache);
          told += chunk.length;
          progress?.(chunk.length);
        }
        if (size !== expected.size) throw mismatch(expected, `it has ${size} bytes instead of ${expected.size}`);
        if (hash.digest('hex') !== expected.sha256) throw mismatch(expected, 'its SHA256 is wrong');
      } finally {
        fs.closeSync(descriptor);
      }
      return cache.keep(temporary, shelf, expected.sha256);
    } catch (error) {
      progress?.(-told);
      fs.rmSync(temporary, { force: true });
      throw error;
    } finally {
      body.destroy();
    }
  });
}

function writeAll(descriptor: number, chunk: Buffer, cache: Cache): void {
  try {
    for (let at = 0; at < chunk.length; ) at += fs.writeSync(descriptor, chunk, at);
  } catch (error) {
    throw writeFailure(error, cache.directory);
  }
}

/** Fetch a small file of unknown size into memory, up to `limit` bytes. */
export async function downloadText(transport: Transport, url: string, limit: number): Promise<Buffer> {
  return transport.get(url, async ({ body }) => {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > limit)
          throw new BootstrapError(
            'FETCH_FAILED',
            `cannot fetch ${displayUrl(url)}: it is larger than ${limit >> 20} MB`,
            { path: displayUrl(url) },
          );
        chunks.push(chunk);
      }
    } finally {
      body.destroy();
    }
    return Buffer.concat(chunks);
  });
}

/** Run a task for each item, at most `limit` at a time; the first failure stops the rest and is thrown once all have ended. */
export async function forEachParallel<T>(
  items: readonly T[],
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const item = items[next++] as T;
      try {
        await task(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failure !== undefined) throw failure.error;
}

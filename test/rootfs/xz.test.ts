// Many .xz files through one process: cut apart where each says that it ends, and no failure taken for an end.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { runXzLane, type XzJob, xzPlainSize } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { temporaryDirectory } from './support/repository';

const it = only(test, needs('command:xz'));

function packed(plain: Buffer, ...options: string[]): { path: string; offset: number; size: number } {
  const path = join(temporaryDirectory(), 'a.xz');
  writeFileSync(path, execFileSync('xz', ['-0', '-c', ...options], { input: plain, maxBuffer: 1 << 28 }));
  return { path, offset: 0, size: lstatSync(path).size };
}

async function collect(plain: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of plain as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const jobs = (list: readonly XzJob[]) => {
  const rest = [...list];
  return () => Promise.resolve(rest.shift());
};

it('the size of the plain data is known beforehand, for one block and for many', () => {
  const plain = randomBytes(3 << 20);
  assert.is(xzPlainSize(packed(plain)), plain.length);
  assert.is(xzPlainSize(packed(plain, '--block-size=100000')), plain.length);
  assert.is(xzPlainSize(packed(Buffer.alloc(0))), 0);
});

it('a file of two streams, or none at all, is left to a process of its own', () => {
  const one = packed(Buffer.from('one'));
  const two = join(temporaryDirectory(), 'two.xz');
  writeFileSync(two, execFileSync('cat', [one.path, one.path]));
  assert.is(xzPlainSize({ path: two, offset: 0, size: lstatSync(two).size }), undefined);
  const none = join(temporaryDirectory(), 'none');
  writeFileSync(none, 'x'.repeat(100));
  assert.is(xzPlainSize({ path: none, offset: 0, size: 100 }), undefined);
});

it('each of many files arrives byte for byte, large, small and empty ones in turn', async () => {
  const plains = [1 << 20, 0, 1, 8192, 100, 3 << 20, 0, 511].map((size) => randomBytes(size));
  const arrived: Buffer[] = [];
  await runXzLane(
    jobs(
      plains.map((plain, index) => ({
        ...packed(plain),
        plainSize: plain.length,
        consume: async (stream) => {
          arrived[index] = await collect(stream);
        },
      })),
    ),
  );
  for (const [index, plain] of plains.entries()) assert.ok(arrived[index]?.equals(plain), `file ${index}`);
});

it('a damaged file, a size that is not true, and a reader that fails end the lane with their reason', async () => {
  const good = packed(randomBytes(1 << 20));
  const bad = packed(randomBytes(1 << 20));
  const content = readFileSync(bad.path);
  content[content.length >> 1] = (content[content.length >> 1] as number) ^ 0xff;
  writeFileSync(bad.path, content);
  const consume = async (stream: Readable): Promise<void> => void (await collect(stream));
  const fails = async (list: readonly XzJob[], reason: RegExp): Promise<void> => {
    const error = await runXzLane(jobs(list)).then(
      () => undefined,
      (failure: Error) => failure,
    );
    assert.match(error?.message ?? 'no failure', reason);
  };
  await fails(
    [
      { ...good, plainSize: 1 << 20, consume },
      { ...bad, plainSize: 1 << 20, consume },
    ],
    /cannot decompress: /,
  );
  await fails([{ ...good, plainSize: (1 << 20) + 1, consume }], /it ends too early/);
  const failing = { ...good, plainSize: 1 << 20, consume: () => Promise.reject(new Error('the reader gave up')) };
  await fails([failing, { ...good, plainSize: 1 << 20, consume }], /the reader gave up/);
});

test.run();

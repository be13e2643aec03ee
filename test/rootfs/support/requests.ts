// What most bootstrap tests begin with, and how a failure is looked at.

import { lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BootstrapError, type BootstrapOptions, bootstrap } from '@tsnspawn/rootfs';
import * as assert from 'uvu/assert';
import { type TestRepository, temporaryDirectory } from './repository';

/** A request for a busybox tree from that archive, with a cache of its own. */
export function request(from: TestRepository, options: Partial<BootstrapOptions> = {}): BootstrapOptions {
  return {
    suite: 'test',
    variant: 'busybox',
    directory: join(temporaryDirectory(), 'tree'),
    mirror: from.root,
    keyring: from.keyring,
    cache: temporaryDirectory(),
    architecture: 'amd64',
    ...options,
  };
}

/** Fails as said, and leaves nothing beside the target. */
export async function fails(options: BootstrapOptions, code: string, message: RegExp): Promise<BootstrapError> {
  const before = lstatSync(dirname(options.directory), { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(dirname(options.directory))
    : undefined;
  const error = await bootstrap(options).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  assert.instance(error, BootstrapError, `expected ${message}`);
  const failure = error as BootstrapError;
  assert.is(failure.code, code, failure.message);
  assert.match(failure.message, message);
  assert.is(failure.message.includes('\n'), false, 'one line');
  if (before !== undefined) assert.equal(readdirSync(dirname(options.directory)), before, 'nothing is left behind');
  return failure;
}

// Configurations of OCI bundles for tests: the smallest that is whole, and what is read from it.

import { readBundle, type Settings, UsageError } from '@tsnspawn/core';
import * as assert from 'uvu/assert';

export type Json = { [name: string]: unknown };

export const NAMESPACES = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type }));

/** The smallest configuration, with parts of it replaced. */
export function config(changes: Json = {}, linux: Json = {}): Json {
  return {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    linux: { namespaces: NAMESPACES, ...linux },
    ...changes,
  };
}

export function read(json: unknown) {
  return readBundle(JSON.stringify(json), '/bundle');
}

export const settingsOf = (changes: Json = {}, linux: Json = {}): Settings => read(config(changes, linux)).settings;

export function refused(json: unknown, message: RegExp): void {
  try {
    read(json);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    assert.match(error.message, /^\/bundle\/config\.json: /);
    assert.match(error.message, message);
    return;
  }
  assert.unreachable(`accepted: ${JSON.stringify(json)}`);
}

// A bundle of its own, which only --oci-bundle loads: config.json from the disk to settings.

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, readBundle, TreeError } from '@tsnspawn/core';

const MOST_BYTES = 16 * 1024 * 1024;

/**
 * The settings of the bundle in a directory.
 * @throws TreeError when there is none
 * @throws UsageError naming the place in config.json
 */
export function openBundle(directory: string): Bundle {
  const refuse = (reason: string): TreeError =>
    new TreeError(`cannot use the bundle ${directory}: ${reason}`, { path: directory, option: '--oci-bundle' });
  const file = join(directory, 'config.json');
  const status = statSync(file, { throwIfNoEntry: false });
  if (status === undefined) throw refuse('there is no config.json in it');
  if (!status.isFile()) throw refuse('its config.json is no regular file');
  if (status.size > MOST_BYTES) throw refuse('its config.json is larger than 16 MiB');
  return readBundle(readFileSync(file, 'utf8'), realpathSync(directory));
}

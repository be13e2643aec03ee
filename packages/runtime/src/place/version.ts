// NAME.v/: a directory of versions of a tree, of which the newest is meant (systemd.v(7)).

import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { newestVersion, TreeError } from '@tsnspawn/core';
import { architectures } from '../probe/host';

/**
 * The path itself, or where it ends in `NAME.v`, `NAME.SUFFIX.v` or `ANY.v/NAME___SUFFIX` the newest entry of that directory.
 *
 * @throws TreeError when there is such a directory and nothing in it that runs here
 */
export function pickVersion(path: string): string {
  const { directory, name, suffix } = patternOf(path) ?? {};
  if (directory === undefined || name === undefined || suffix === undefined) return path;
  let entries: readonly string[];
  try {
    entries = readdirSync(directory);
  } catch {
    return path; // there is none: an ordinary path, which may be missing
  }
  const newest = newestVersion(entries, name, suffix, architectures());
  if (newest !== undefined) return join(directory, newest);
  throw new TreeError(`there is no version of ${name}${suffix} for this machine in ${directory}`, {
    path: directory,
    hint: `versions are called ${name}_VERSION${suffix} or ${name}_VERSION_ARCHITECTURE${suffix}`,
  });
}

function patternOf(path: string): { directory: string; name: string; suffix: string } | undefined {
  const last = basename(path);
  const above = dirname(path);
  const wanted = /^(.+)___(\.raw)?$/.exec(last);
  if (wanted !== null && above.endsWith('.v')) {
    return { directory: above, name: wanted[1] ?? '', suffix: wanted[2] ?? '' };
  }
  const versions = /^(.+?)(\.raw)?\.v$/.exec(last);
  return versions === null ? undefined : { directory: path, name: versions[1] ?? '', suffix: versions[2] ?? '' };
}

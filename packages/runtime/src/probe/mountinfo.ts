// What is mounted where, as this process sees it.

import { unescapedPath } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

export { type Mount, parseMountinfo } from '@tsnspawn/core';

/** Whether something is mounted at this path, which has no links. */
export function isMountPoint(path: string): boolean {
  const lines = (addon().readText('/proc/self/mountinfo') ?? '').split('\n');
  return lines.some((line) => unescapedPath(line.split(' ', 5)[4] ?? '') === path);
}

// What is mounted where, as this process sees it.

import { unescapedPath } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

export { type Mount, parseMountinfo } from '@tsnspawn/core';

/** Whether something is mounted at this path, which has no links. */
export function isMountPoint(path: string): boolean {
  return mountPoints().includes(path);
}

/** Where something is mounted in a directory, itself included; the path has no links. */
export function mountsIn(directory: string): string[] {
  return [...new Set(mountPoints().filter((path) => path === directory || path.startsWith(`${directory}/`)))];
}

function mountPoints(): string[] {
  const lines = (addon().readText('/proc/self/mountinfo') ?? '').split('\n');
  return lines.map((line) => unescapedPath(line.split(' ', 5)[4] ?? ''));
}

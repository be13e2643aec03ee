// /proc/PID/mountinfo, proc_pid_mountinfo(5).

import { addon } from '@tsnspawn/native';

export interface Mount {
  /** root of the mount within its file system */
  readonly root: string;
  readonly path: string;
  readonly options: readonly string[];
  readonly fs: string;
  readonly superOptions: readonly string[];
}

/** Parses the mounts of some types out of the file: a host has dozens that nobody asks about. */
export function parseMountinfo(text: string, types: readonly string[]): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    if (!types.some((type) => line.includes(` - ${type} `))) continue;
    const fields = line.split(' ');
    // Optional fields stand before a lone dash.
    const dash = fields.indexOf('-', 6);
    const [, , , root, path, options] = fields;
    const fs = fields[dash + 1];
    if (dash < 0 || root === undefined || path === undefined || options === undefined || fs === undefined) continue;
    mounts.push({
      root: unescaped(root),
      path: unescaped(path),
      options: options.split(','),
      fs,
      superOptions: (fields[dash + 3] ?? '').split(','),
    });
  }
  return mounts;
}

/** Whether something is mounted at this path, which has no links. */
export function isMountPoint(path: string): boolean {
  const lines = (addon().readText('/proc/self/mountinfo') ?? '').split('\n');
  return lines.some((line) => unescaped(line.split(' ', 5)[4] ?? '') === path);
}

/** Space, tab, newline and backslash are written as octal: bytes, which together may be a character. */
function unescaped(field: string): string {
  if (!field.includes('\\')) return field;
  return field.replace(/(?:\\[0-7]{3})+/g, (escapes) => {
    const bytes = escapes.slice(1).split('\\');
    return Buffer.from(bytes.map((digits) => Number.parseInt(digits, 8))).toString();
  });
}

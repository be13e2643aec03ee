// Hosts that refuse something, made of this one for a single command: each in namespaces of its own, so that nobody else notices. A
// host is a command line of root's, behind which the command of the user goes.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Host = readonly string[];

/** With root's script done in a mount namespace of its own. */
export function withMounts(script: string): Host {
  return ['unshare', '-m', 'sh', '-c', `set -e; ${script}; exec "$@"`, 'sh'];
}

/**
 * With root's script done in a user namespace in which everybody has the id that they have. What it writes to /proc/sys/user counts
 * there only. Somebody outside has to write the maps, and before a program is executed that is to have capabilities.
 */
export function withUsers(script: string): Host {
  const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-refusing-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const gate = join(directory, 'gate');
  execFileSync('mkfifo', [gate]);
  const inside = `read go <${gate}; exec sh -c '${script} && exec "$@"' sh "$@"`;
  const outside = [
    'unshare -U sh -c "$0" sh "$@" & pid=$!',
    `exec 3>${gate}`,
    'echo 0 0 4294967295 >/proc/$pid/uid_map',
    'echo 0 0 4294967295 >/proc/$pid/gid_map',
    'echo go >&3',
    'wait $pid',
  ];
  return ['sh', '-c', outside.join('; '), inside];
}

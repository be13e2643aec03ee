// Ordinary users for scripts/bench.mjs: made by root, with copies of the command and of the tree, and gone with this process.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lchownSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const made = [];
process.on('exit', () => {
  for (const { name, home } of made) {
    spawnSync('userdel', ['-f', name], { stdio: 'ignore' });
    rmSync(home, { recursive: true, force: true });
  }
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** The fields of the line that begins with the name. */
const lineOf = (file, name) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name) ?? [];

/** Gives a tree of root's away: root's files to `own`, those of id N to `first` + N - 1, or all to `own` without a `first`. */
function give(path, own, first) {
  const status = lstatSync(path);
  const shifted = (id, key) => (id === 0 || first === undefined ? own[key] : first[key] + id - 1);
  lchownSync(path, shifted(status.uid, 'uid'), shifted(status.gid, 'gid'));
  if (!status.isSymbolicLink()) chmodSync(path, status.mode & 0o7777); // chown(2) takes set-id bits away
  if (status.isDirectory()) for (const name of readdirSync(path)) give(join(path, name), own, first);
}

/** Makes a user, with 65536 subordinate ids or with none; `command` and `tree` are for that user to run and to own. */
export function ordinaryUser(tree, subordinate) {
  const name = `tsnspawn-bench-${process.pid}-${made.length}`;
  const count = subordinate ? 65536 : 0;
  execFileSync('useradd', ['-m', '-K', `SUB_UID_COUNT=${count}`, '-K', `SUB_GID_COUNT=${count}`, name]);
  const [, , uid, gid, , home] = lineOf('/etc/passwd', name);
  made.push({ name, home });
  const own = { uid: Number(uid), gid: Number(gid) };
  for (const part of ['cli/bin', 'cli/dist', 'native/build'])
    cpSync(join('packages', part), join(home, 'command', part), { recursive: true });
  execFileSync('chmod', ['-R', 'a+rX', join(home, 'command')]);
  const copy = join(home, 'tree');
  execFileSync('cp', ['-a', '--reflink=auto', tree, copy]);
  const first = (file) => Number(lineOf(file, name)[1]);
  give(copy, own, subordinate ? { uid: first('/etc/subuid'), gid: first('/etc/subgid') } : undefined);
  return { ...own, home, tree: copy, command: [process.execPath, join(home, 'command/cli/bin/tsnspawn.cjs')] };
}

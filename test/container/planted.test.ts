// What somebody has planted in a tree, below it or in /var/tmp: the launcher, who is root, reads, changes and removes nothing else
// because of it. And what a guest leaves in its temporary directories goes, however it resists.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from '@tsnspawn/native';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const itWith = (command: string) => only(test, needs('root', 'namespaces', `command:${command}`));
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-planted-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const BASE = 1879048192; // above what is picked from
const TEMPORARY = '/var/tmp';

const temporaries = (machine: string): string[] =>
  readdirSync(TEMPORARY)
    .filter((name) => name.startsWith(`.#tsnspawn.${machine}-`))
    .map((name) => join(TEMPORARY, name));

it('links in the place of an overlay’s writable layer lead to nothing of the host', () => {
  mkdirSync(join(scratch, 'victim'));
  mkdirSync(join(scratch, 'work'));
  mkdirSync(join(tree, 'lower'));
  symlinkSync(join(scratch, 'victim'), join(tree, 'upper'));
  symlinkSync(join(scratch, 'work'), join(tree, '.#upper.work'));
  const { status, stderr } = tsnspawn([
    '-q',
    '-D',
    tree,
    '--overlay=+/lower:+/upper:/mnt',
    'sh',
    '-c',
    'echo x > /mnt/x',
  ]);
  assert.is(status, 1);
  assert.match(stderr, /cannot lay .* over each other: Not a directory/);
  assert.equal([...readdirSync(join(scratch, 'victim')), ...readdirSync(join(scratch, 'work'))], []);
});

it('a device node that a tree brought along opens nothing for a guest with a user namespace', () => {
  execFileSync('mknod', ['-m', '666', join(tree, 'planted'), 'c', '1', '5']); // as /dev/zero
  const read = (...options: string[]): string =>
    tsnspawn(['-q', '-D', tree, '--pipe', ...options, 'sh', '-c', 'head -c 4 /planted 2>/dev/null | wc -c']).stdout;
  assert.is(read(), '4\n');
  for (const options of [['-U'], ['-U', '-x'], ['-U', '--volatile=overlay']])
    assert.is(read(...options), '0\n', options.join(' '));
  mkdirSync(join(tree, 'layer'));
  const script = 'head -c 4 /mnt/planted 2>/dev/null | wc -c; test -c /mnt/planted && echo there';
  const overlay = tsnspawn(['-q', '-D', tree, '--pipe', '-U', '--overlay=+/:+/layer:/mnt', 'sh', '-c', script]);
  assert.is(overlay.stdout, '0\nthere\n');
  rmSync(join(tree, 'planted'));
});

it('the owners of what is mounted below a tree stay as they are', () => {
  const shifted = mkdtempSync(join(scratch, 'tree-'));
  const host = join(scratch, 'host');
  execFileSync('cp', ['-a', `${tree}/.`, shifted]);
  mkdirSync(host);
  writeFileSync(join(host, 'file'), '');
  mkdirSync(join(shifted, 'opt/host'), { recursive: true });
  // on the same file system: its device number tells nothing
  execFileSync('mount', ['--bind', host, join(shifted, 'opt/host')]);
  try {
    const { status, stderr } = tsnspawn([
      '-q',
      '-D',
      shifted,
      `--private-users=${BASE}`,
      '--private-users-ownership=chown',
      'true',
    ]);
    assert.is(status, 0, stderr);
  } finally {
    execFileSync('umount', [join(shifted, 'opt/host')]);
  }
  assert.is(statSync(join(host, 'file')).uid, 0);
  assert.is(statSync(join(shifted, 'opt/host')).uid, BASE);
  assert.is(statSync(join(shifted, 'etc')).uid, BASE);
});

it('nobody else on the host gets at what a guest writes into a temporary directory', () =>
  withMachine(
    [
      '-q',
      '-M',
      'private',
      '-D',
      tree,
      '--bind=:/data',
      '--overlay=/etc::/mnt',
      'sh',
      '-c',
      'stat -c "%a %u" /data; exec sleep 100',
    ],
    async (running) => {
      await running.until(/755 0/);
      const made = temporaries('private');
      assert.is(made.length, 2);
      for (const path of made) {
        const { mode, uid } = statSync(path);
        assert.equal([mode & 0o7777, uid], [0o700, 0]);
      }
    },
  ));

it('a start removes what killed machines have left in /var/tmp, and nothing that others have planted there', () => {
  const left = join(TEMPORARY, '.#tsnspawn.killed-0.1');
  const planted = join(TEMPORARY, '.#tsnspawn.planted');
  const link = join(TEMPORARY, '.#tsnspawn.link');
  mkdirSync(join(left, 'files/deep/down'), { recursive: true });
  mkdirSync(planted);
  chownSync(planted, 65534, 65534);
  symlinkSync(scratch, link);
  try {
    assert.is(tsnspawn(['-q', '-D', tree, '--bind=:/data', 'true']).status, 0);
    assert.is(existsSync(left), false);
    assert.is(existsSync(planted), true);
    assert.is(lstatSync(link).isSymbolicLink(), true);
  } finally {
    rmSync(link);
    rmdirSync(planted);
  }
});

it('a directory that is moved away while it is removed takes nothing along', async () => {
  const top = join(scratch, 'top');
  const victim = join(scratch, 'other');
  mkdirSync(join(top, 'a/b/moved'), { recursive: true });
  mkdirSync(victim);
  writeFileSync(join(victim, 'keep'), '');
  for (let i = 0; i < 20_000; i += 1) writeFileSync(join(top, 'a/b/moved', String(i)), '');
  const script = `const fs = require('node:fs');
    const [from, to] = process.argv.slice(1);
    console.log('ready');
    while (fs.readdirSync(from).length === 20000);
    fs.renameSync(from, to);`;
  const attacker = spawn(process.execPath, ['-e', script, join(top, 'a/b/moved'), join(victim, 'moved')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(attacker, 'exit');
  await once(attacker.stdout, 'data');
  const opened = addon().openTree(top);
  if (typeof opened === 'number') throw new Error(String(opened));
  addon().removeDirectory(opened.fd, top);
  addon().closeFd(opened.fd);
  assert.equal(await ended, [0, null]);
  assert.equal(readdirSync(victim).sort(), ['keep', 'moved']);
});

itWith('chattr')('what a guest made immutable goes with its temporary directory', () =>
  withMachine(
    ['-q', '-M', 'fixed', '-D', tree, '--bind=:/data', 'sh', '-c', 'echo made; exec sleep 100'],
    async (running) => {
      await running.until(/made/);
      const [path = ''] = temporaries('fixed');
      const files = join(path, 'files');
      mkdirSync(join(files, 'directory'));
      writeFileSync(join(files, 'directory/file'), '');
      writeFileSync(join(files, 'append'), '');
      for (const [flag, ...names] of [
        ['+a', 'append'],
        ['+i', 'directory/file', 'directory', ''],
      ] as const) {
        const { stderr } = spawnSync('chattr', [flag, ...names.map((name) => join(files, name))], { encoding: 'utf8' });
        assert.is(stderr, '');
      }
      process.kill(running.pid, 'SIGTERM');
      await running.exited;
      assert.equal(temporaries('fixed'), []);
    },
  ),
);

test.run();

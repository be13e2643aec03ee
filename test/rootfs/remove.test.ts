// Removal of trees: what goes, and all that is left alone as it is.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from '@tsnspawn/native';
import { removeTree, storeBeside } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { temporaryDirectory } from './support/repository';

const asRoot = only(test, needs('root'));

/** A directory with a tree in it, and something beside the tree. */
function home(): string {
  const path = temporaryDirectory();
  mkdirSync(join(path, 'tree/usr/bin'), { recursive: true });
  writeFileSync(join(path, 'tree/usr/bin/program'), '');
  mkdirSync(join(path, 'beside'));
  writeFileSync(join(path, 'beside/kept'), 'kept');
  symlinkSync('../../beside', join(path, 'tree/usr/link'));
  return path;
}

function refuses(args: readonly string[], reason: RegExp, cwd?: string): void {
  const { status, stdout, stderr } = tsnspawn(['remove', ...args], cwd === undefined ? {} : { cwd });
  assert.equal([status, stdout], [1, '']);
  assert.match(stderr, reason);
}

test('a tree goes with what lies beside it, and nothing else does', () => {
  const path = home();
  writeFileSync(storeBeside(join(path, 'tree')), '');
  writeFileSync(join(path, '.#tree.other.owners'), '');
  assert.equal(tsnspawn(['remove', join(path, 'tree')]), { status: 0, stdout: '', stderr: '' });
  assert.equal(readdirSync(path).sort(), ['.#tree.other.owners', 'beside']);
  assert.is(readFileSync(join(path, 'beside/kept'), 'utf8'), 'kept');
});

test('what is not there, no directory, a link or the root is refused', () => {
  const path = home();
  symlinkSync('tree', join(path, 'link'));
  refuses([join(path, 'nothing')], /^tsnspawn: cannot remove .*: no such file or directory\n$/);
  refuses([join(path, 'beside/kept')], /^tsnspawn: cannot remove .*: it is no directory\n$/);
  refuses([join(path, 'link')], /^tsnspawn: cannot remove .*: it is a link\nhint: remove what it leads to, tree, /);
  refuses(['/'], /^tsnspawn: cannot remove \/: it is the root directory\n$/);
  refuses(['/usr/..', '--force'], /^tsnspawn: cannot remove .*: it is the root directory\n$/);
  refuses(['.'], /^tsnspawn: cannot remove .: it is the current directory, or around it\n$/, join(path, 'tree'));
  refuses(['..'], /: it is the current directory, or around it\n$/, join(path, 'tree/usr'));
  assert.ok(existsSync(join(path, 'tree/usr/bin/program')));
});

test('what is no tree is removed by force only', () => {
  const path = home();
  refuses([join(path, 'beside')], /^tsnspawn: cannot remove .*: it is no tree\nhint: .*--force/);
  assert.ok(existsSync(join(path, 'beside/kept')));
  assert.is(tsnspawn(['remove', '--force', join(path, 'beside')]).status, 0);
  assert.equal(readdirSync(path), ['tree']);
});

test('a tree that is in use is left alone, by a machine that only reads it too', () => {
  const tree = join(home(), 'tree');
  const { dev, ino } = statSync(tree, { bigint: true });
  const lock = addon().lockTree(tree, false, `${dev}:${ino}`);
  refuses([tree], /^tsnspawn: cannot use the tree .*: it is busy\n/);
  addon().closeFd(lock);
  assert.ok(existsSync(join(tree, 'usr/bin/program')));
});

only(test, needs('root', 'namespaces'))(
  'a tree in which something is mounted is left alone, and the places are named',
  () => {
    const path = home();
    mkdirSync(join(path, 'tree/a blank'));
    const script = `mount -t tmpfs none '${path}/tree/a blank' && mount --bind '${path}/beside' '${path}/tree/usr/bin' &&
    exec node_modules/.bin/tsnspawn remove '${path}/tree'`;
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8' });
    assert.is(status, 1);
    assert.is(
      stderr,
      `tsnspawn: cannot remove ${path}/tree: something is mounted on ${path}/tree/a blank, ${path}/tree/usr/bin\n` +
        `hint: umount '${path}/tree/a blank' '${path}/tree/usr/bin'\n`,
    );
    assert.ok(existsSync(join(path, 'beside/kept')));
    assert.ok(existsSync(join(path, 'tree/usr/bin/program')));
  },
);

asRoot('files that are immutable go all the same', () => {
  const path = home();
  const immutable = join(path, 'tree/usr/bin/program');
  if (spawnSync('chattr', ['+i', immutable]).status !== 0) return;
  assert.is(tsnspawn(['remove', join(path, 'tree')]).status, 0);
  assert.equal(readdirSync(path), ['beside']);
});

asRoot('who is not root removes what has no permissions, and hears what stays', () => {
  const path = home();
  mkdirSync(join(path, 'tree/usr/closed/inner'), { recursive: true });
  chmodSync(join(path, 'tree/usr/closed'), 0);
  execFileSync('chown', ['-hR', '65534:65534', path]);
  mkdirSync(join(path, 'tree/usr/foreign'));
  writeFileSync(join(path, 'tree/usr/foreign/file'), '');
  const script = `require('@tsnspawn/rootfs').removeTree({directory: '${path}/tree'})`;
  const asNobody = () =>
    spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', script], {
      encoding: 'utf8',
    });
  const first = asNobody();
  assert.is(first.status, 1);
  assert.match(first.stderr, /cannot remove .*\/usr\/foreign.*: (permission denied|operation not permitted)/);
  rmSync(join(path, 'tree/usr/foreign'), { recursive: true });
  assert.is(asNobody().status, 0);
  assert.equal(readdirSync(path), ['beside']);
});

only(test, needs('command:python3'))(
  'a directory that is exchanged for a link all the time leads nowhere',
  async () => {
    for (let round = 0; round < 20; round++) {
      const path = mkdtempSync(join(tmpdir(), 'tsnspawn-remove-'));
      mkdirSync(join(path, 'outside'));
      writeFileSync(join(path, 'outside/kept'), '');
      mkdirSync(join(path, 'tree/usr/inner'), { recursive: true });
      for (let n = 0; n < 200; n++) writeFileSync(join(path, `tree/usr/inner/${n}`), '');
      symlinkSync('../../outside', join(path, 'tree/usr/other'));
      const swap = `import ctypes,sys
libc=ctypes.CDLL(None)
print(libc.renameat2(-100,b'inner',-100,b'other',2),flush=True)
while True: libc.renameat2(-100,b'inner',-100,b'other',2)`;
      const hostile = spawn('python3', ['-c', swap], { cwd: join(path, 'tree/usr') });
      await new Promise((resolve) => hostile.stdout.once('data', resolve));
      try {
        removeTree({ directory: join(path, 'tree') });
      } catch {
        // an entry may have changed its kind just then; the next try would do
      } finally {
        hostile.kill('SIGKILL');
      }
      assert.ok(existsSync(join(path, 'outside/kept')));
      rmSync(path, { recursive: true, force: true });
    }
  },
);

test.run();

// How a machine is called and what its launcher says: names, places, and messages.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TSNSPAWN, tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox', 'place') : '';

const named = (args: readonly string[], cwd?: string): string =>
  tsnspawn(['-q', '--pipe', ...args, 'hostname'], cwd === undefined ? {} : { cwd }).stdout.trim();

it('the name is the last part of the path as it was given, a link by its own name', () => {
  const home = mkdtempSync(join(tmpdir(), 'tsnspawn-name-'));
  try {
    symlinkSync(tree, join(home, 'link'));
    symlinkSync(tree, join(home, 'we ird..x'));
    assert.is(named(['-D', join(home, 'link')]), 'link');
    assert.is(named(['-D', `${join(home, 'link')}//./`]), 'link');
    assert.is(named(['-D', 'link'], home), 'link');
    assert.is(named(['-D', join(home, 'we ird..x')]), 'weird.x');
    assert.is(named(['-M', 'mine', '-D', join(home, 'link')]), 'mine');
  } finally {
    rmSync(home, { recursive: true });
  }
});

it('the current directory is the tree where none is named', () => {
  assert.is(named([], tree), 'place');
  assert.is(named(['-D', '.'], tree), 'place');
  assert.is(named(['-D', '..'], join(tree, 'usr')), 'place');
  assert.is(named(['-D', join(tree, 'usr/..')]), 'place');
  assert.is(named(['-D', 'place'], dirname(tree)), 'place');
});

it('the root of the host is refused, unless its changes are forgotten: then it has the name of the host', () => {
  const refused = tsnspawn(['-q', '-D', '/', 'true']);
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /the root of the host cannot be the tree/);
  const { status, stdout, stderr } = tsnspawn(['-q', '-x', '-D', '/', '-P', '/bin/sh', '-c', 'uname -n']);
  assert.is(status, 0, stderr);
  assert.match(stdout, new RegExp(`^${hostname().split('.')[0]}[a-zA-Z0-9.-]*-[0-9a-f]{16}$`, 'm'));
});

it('with --pipe standard error is the payload alone: no messages', () => {
  const { stderr } = tsnspawn(['-D', tree, '--pipe', 'sh', '-c', 'echo mine >&2; exit 3']);
  assert.is(stderr, 'mine\n');
  const { stderr: other } = tsnspawn(['-D', tree, 'sh', '-c', 'exit 3']);
  assert.match(other, /^Spawning container place on .*\nContainer place failed with error code 3\.\n$/);
});

it('SYSTEMD_NSPAWN_CONTAINER_SERVICE is what the guest sees of its manager', () => {
  const { stdout } = tsnspawn(
    ['-q', '-D', tree, '-P', '-a', 'sh', '-c', 'echo $container; cat /run/host/container-manager'],
    {
      env: { SYSTEMD_NSPAWN_CONTAINER_SERVICE: 'docker' },
    },
  );
  assert.is(stdout, 'docker\ndocker\n');
});

it('a small limit of open files is told before anything is tried', () => {
  const { status, stderr } = spawnSync('sh', ['-c', `ulimit -n 64; exec "$0" -q -D "$1" true`, TSNSPAWN, tree], {
    encoding: 'utf8',
  });
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: the limit of 64 open files is too small for a launch: 128 are needed\nhint: /);
});

it('a directory that does not exist is an error, and not made', () => {
  const missing = join(dirname(tree), 'none');
  const { status, stderr } = tsnspawn(['-q', '-D', missing, 'true']);
  assert.is(status, 1);
  assert.match(stderr, /no such directory/);
});

test.run();

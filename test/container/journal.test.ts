// --link-journal: one journal for host and guest, in the file system of the one or of the other. The host of these tests has a
// /var/log of its own, in a mount namespace.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, quoted, TSNSPAWN } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'command:unshare');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox', 'journal') : '';
const logs = mkdtempSync(join(tmpdir(), 'tsnspawn-logs-'));
process.on('exit', () => rmSync(logs, { recursive: true, force: true }));

const ID = '0123456789abcdef0123456789abcdef';
const HOST_ID = 'fedcba9876543210fedcba9876543210';
const INSIDE = `/var/log/journal/${ID}`;
const shared = join(logs, 'journal', ID);
const kept = join(tree, INSIDE);

if (missing === undefined) {
  rmSync(join(tree, 'etc/machine-id'), { force: true });
  writeFileSync(join(tree, 'etc/machine-id'), `${ID}\n`);
  writeFileSync(join(logs, 'machine-id'), `${HOST_ID}\n`);
}

/** A host that keeps journals on the disk, unless `persistent` is false. */
function fresh(persistent = true): void {
  rmSync(join(logs, 'journal'), { recursive: true, force: true });
  rmSync(join(tree, 'var/log'), { recursive: true, force: true });
  if (persistent) mkdirSync(join(logs, 'journal'));
}

function run(options: readonly string[], script = `ls ${INSIDE} 2>/dev/null || echo none`): Outcome {
  const command = [TSNSPAWN, '-D', tree, '--pipe', '--timezone=off', ...options, '--', 'sh', '-c', script];
  const lines = [
    `mount --bind ${logs} /var/log`,
    `mount --bind ${logs}/machine-id /etc/machine-id`,
    `exec ${command.map(quoted).join(' ')}`,
  ].join('\n');
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-ec', lines], {
    encoding: 'utf8',
    timeout: 30_000,
    input: '',
  });
  return { status, stdout, stderr: stderr.replace(/^(Spawning|Container) .*\n/gm, '') };
}

function started(options: readonly string[], script?: string): string {
  const { status, stdout, stderr } = run(options, script);
  assert.is(status, 0, stderr);
  assert.is(stderr, '');
  return stdout;
}

it('by default the directory that the host has for the guest is bound, and none is made', () => {
  fresh();
  assert.is(started([]), 'none\n');
  assert.not.ok(existsSync(shared) || existsSync(kept));
  mkdirSync(shared);
  assert.is(started([], `touch ${INSIDE}/of-guest; ls ${INSIDE}`), 'of-guest\n');
  assert.ok(existsSync(join(shared, 'of-guest')));
  assert.is(started(['--link-journal=no']), '');
  assert.is(started(['--ephemeral'], 'grep -c /var/log/journal /proc/self/mountinfo; :'), '0\n');
});

it('host: the directory is made on the host and bound', () => {
  fresh();
  for (const option of ['--link-journal=host', '--link-journal=try-host']) {
    assert.is(started([option], `touch ${INSIDE}/a; ls ${INSIDE}`), 'a\n');
    assert.ok(existsSync(join(shared, 'a')));
  }
  rmSync(shared, { recursive: true });
  symlinkSync('/nowhere', shared);
  assert.is(started(['--link-journal=host'], `touch ${INSIDE}/b; ls ${INSIDE}`), 'b\n');
  assert.ok(existsSync(join(shared, 'b')));
});

it('host: with a user namespace the files belong to root on both sides', () => {
  fresh();
  assert.is(
    started(['--link-journal=host', '--private-users=pick'], `touch ${INSIDE}/a; stat -c %u ${INSIDE} ${INSIDE}/a`),
    '0\n0\n',
  );
  assert.ok(existsSync(join(shared, 'a')));
});

it('guest: the directory is made in the tree, and the host links there', () => {
  fresh();
  for (const option of ['--link-journal=guest', '--link-journal=try-guest', '-j']) {
    assert.is(started([option], `touch ${INSIDE}/a; ls ${INSIDE}`), 'a\n');
    assert.is(readlinkSync(shared), kept);
    assert.ok(existsSync(join(kept, 'a')));
  }
  rmSync(shared);
  mkdirSync(shared);
  assert.is(started(['--link-journal=guest'], ':'), '');
  assert.is(readlinkSync(shared), kept);
});

it('guest: links of the tree are followed in the tree', () => {
  fresh();
  mkdirSync(join(tree, 'srv/logs'), { recursive: true });
  mkdirSync(join(tree, 'var'), { recursive: true });
  symlinkSync('/srv/logs', join(tree, 'var/log'));
  assert.is(started(['--link-journal=guest'], `touch ${INSIDE}/a`), '');
  assert.is(readlinkSync(shared), join(tree, 'srv/logs/journal', ID));
  assert.ok(existsSync(join(tree, 'srv/logs/journal', ID, 'a')));
  rmSync(join(tree, 'srv/logs'), { recursive: true });
});

it('a host without journals on its disk is an error, and for try none', () => {
  fresh(false);
  for (const mode of ['host', 'guest']) {
    const { status, stderr } = run([`--link-journal=${mode}`]);
    assert.is(status, 1);
    assert.match(stderr, new RegExp(`^tsnspawn: --link-journal=${mode}: the host keeps no journal on the disk`));
    assert.is(started([`--link-journal=try-${mode}`]), 'none\n');
  }
  assert.not.ok(existsSync(join(logs, 'journal')));
});

it('a host with the same machine id is an error, and for try a warning', () => {
  fresh();
  writeFileSync(join(logs, 'machine-id'), `${ID}\n`);
  assert.match(run(['--link-journal=host']).stderr, /^tsnspawn: --link-journal=host: host and container have the same/);
  const { status, stderr } = run(['--link-journal=try-guest']);
  assert.is(status, 0, stderr);
  assert.match(stderr, /^tsnspawn: warning: --link-journal=try-guest: host and container have the same/);
  mkdirSync(shared);
  assert.is(started([], 'grep -c /var/log/journal /proc/self/mountinfo; :'), '0\n');
  writeFileSync(join(logs, 'machine-id'), `${HOST_ID}\n`);
});

it('guest: what the host has there already is not thrown away', () => {
  fresh();
  mkdirSync(shared);
  writeFileSync(join(shared, 'kept'), '');
  const { status, stderr } = run(['--link-journal=guest']);
  assert.is(status, 1);
  assert.match(stderr, /is a directory that is not empty/);
  assert.match(run(['-j']).stderr, /warning: .*not empty/);
  assert.ok(existsSync(join(shared, 'kept')));
});

it('guest: a read-only tree is an error', () => {
  fresh();
  const { status, stderr } = run(['--link-journal=guest', '--read-only']);
  assert.is(status, 1);
  assert.match(stderr, /the tree is read-only/);
  assert.not.ok(existsSync(shared));
});

it('host and guest are refused for a machine that leaves no traces', () => {
  assert.match(run(['--ephemeral', '--link-journal=host']).stderr, /--ephemeral and --link-journal=host exclude/);
});

test.run();

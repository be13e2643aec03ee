// Trees that an ordinary user makes, takes along and removes. The tests are root, to make such users and to look at what they did.

import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually, type Running, tsnspawn } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { sharedTree } from '../support/trees';
import { OrdinaryUser } from '../support/users';

const it = only(test, needs('root', 'namespaces', 'mirror', 'command:newuidmap', 'command:setpriv'));

let known: OrdinaryUser | undefined;
/** A user with subordinate ids. */
function mapped(): OrdinaryUser {
  known ??= new OrdinaryUser();
  return known;
}

const SECONDS = { timeout: 200 };

/** A directory of the user's for one test. */
function place(user: OrdinaryUser): string {
  const path = mkdtempSync(join(user.home, 'place-'));
  execFileSync('chown', [`${user.uid}:${user.gid}`, path]);
  return path;
}

/** Modes, owners, numbers of devices, names and targets of links in an archive. Sizes and times differ between any two trees. */
function listing(archive: string): string[] {
  const text = execFileSync('tar', ['-tvf', archive, '--numeric-owner'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return text.split('\n').map((line) => {
    const [, mode = '', owner, size, name] = /^(\S+) (\S+) +(\S+) \S+ \S+ (.*)$/.exec(line) ?? [];
    return `${mode} ${owner} ${/^[bc]/.test(mode) ? size : ''} ${name}`;
  });
}

/** The same of a shared tree, as root exports it. */
function rootsListing(kind: 'bookworm' | 'trixie'): string[] {
  const home = mkdtempSync(join(tmpdir(), 'tsnspawn-export-'));
  try {
    const { status, stderr } = tsnspawn(['export', sharedTree(kind), join(home, 'tree.tar')], SECONDS);
    assert.equal([status, stderr], [0, '']);
    return listing(join(home, 'tree.tar'));
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** Makes a tree as the user, and holds it against the one that root has made. */
function isAsRoots(user: OrdinaryUser, suite: 'bookworm' | 'trixie'): string {
  const cwd = place(user);
  const run = (...args: string[]) => user.tsnspawn(args, { cwd, ...SECONDS });
  const made = run('bootstrap', '-q', suite, 'tree', '--autologin');
  assert.equal([made.status, made.stdout, made.stderr], [0, '', '']);
  const { stdout, stderr } = run('-qPD', 'tree', 'sh', '-c', 'dpkg --audit; dpkg -V');
  assert.equal([stdout, stderr], ['', '']);
  const exported = run('export', 'tree', 'tree.tar');
  assert.equal([exported.status, exported.stderr], [0, '']);
  assert.equal(listing(join(cwd, 'tree.tar')), rootsListing(suite));
  return cwd;
}

function isGone(user: OrdinaryUser, cwd: string): void {
  const { status, stderr } = user.tsnspawn(['remove', 'tree'], { cwd });
  assert.equal([status, stderr], [0, '']);
  assert.equal(readdirSync(cwd), ['tree.tar']);
}

for (const suite of ['bookworm', 'trixie'] as const) {
  it(`${suite} of a user with subordinate ids is that of root, and goes without a trace`, () => {
    const user = mapped();
    const cwd = isAsRoots(user, suite);
    assert.is(statSync(join(cwd, 'tree/etc/shadow')).uid, user.uid);
    assert.is(statSync(join(cwd, 'tree/etc/shadow')).gid, (user.first?.gid ?? 0) + 41);
    isGone(user, cwd);
  });
}

it('what root has exported and unpacked is exported again byte by byte', () => {
  const home = mkdtempSync(join(tmpdir(), 'tsnspawn-export-'));
  try {
    const [first, second, copy] = [join(home, 'first.tar'), join(home, 'second.tar'), join(home, 'copy')];
    assert.is(tsnspawn(['export', sharedTree('bookworm'), first], SECONDS).status, 0);
    mkdirSync(copy);
    execFileSync('tar', ['-xpf', first, '--numeric-owner', '--xattrs', '--xattrs-include=*', '--acls', '-C', copy]);
    assert.is(tsnspawn(['export', copy, second], SECONDS).status, 0);
    execFileSync('cmp', [first, second]);
  } finally {
    rmSync(home, { recursive: true });
  }
});

it('a bootstrap that fails leaves nothing, whatever it has made by then', () => {
  const user = mapped();
  const cwd = place(user);
  for (const [args, reason] of [
    [['nosuch', 'tree'], /^tsnspawn: cannot find the suite nosuch on /],
    [['bookworm', 'tree', '--include=nosuchpackage'], /^tsnspawn: cannot include nosuchpackage: /],
  ] as const) {
    const { status, stdout, stderr } = user.tsnspawn(['bootstrap', ...args], { cwd, ...SECONDS });
    assert.equal([status, stdout], [1, '']);
    assert.match(stderr, reason);
    assert.equal(readdirSync(cwd), []);
  }
});

/** A bootstrap that has begun to give files to subordinate ids. */
async function whileMaking(user: OrdinaryUser, cwd: string, body: (running: Running) => Promise<void>): Promise<void> {
  const running = user.start(['bootstrap', 'bookworm', join(cwd, 'tree')], SECONDS);
  await withRunning(running, async () => {
    const shadow = (): boolean =>
      readdirSync(cwd).some(
        (name) => lstatSync(join(cwd, name, 'tree/etc/shadow'), { throwIfNoEntry: false })?.gid !== undefined,
      );
    await eventually(shadow, 'the packages are being configured', 100);
    await body(running);
  });
}

it('interrupted while its packages are configured, it says so and leaves nothing', async () => {
  const user = mapped();
  const cwd = place(user);
  await whileMaking(user, cwd, async (running) => {
    running.child.kill('SIGTERM');
    assert.equal(await running.exited, { status: 143, signal: null });
    assert.match(running.output, /^tsnspawn: cannot make .*: interrupted by SIGTERM\n$/);
    assert.equal(readdirSync(cwd), []);
  });
});

it('killed, it leaves nothing either', async () => {
  const user = mapped();
  const cwd = place(user);
  await whileMaking(user, cwd, async (running) => {
    running.child.kill('SIGKILL');
    await eventually(() => readdirSync(cwd).length === 0, 'the tree has gone', 30);
  });
});

it('a tree in use is neither removed nor exported', async () => {
  const user = mapped();
  const tree = user.tree('busybox', 'busy');
  await withRunning(user.start(['-qPD', tree, 'sh', '-c', 'echo up; cat']), async (running) => {
    await running.until(/up/);
    for (const args of [
      ['remove', tree],
      ['export', tree, `${tree}.tar`],
    ]) {
      const { status, stderr } = user.tsnspawn(args);
      assert.is(status, 1);
      assert.match(stderr, /^tsnspawn: cannot use the tree .*: it is busy\n/);
    }
    assert.ok(existsSync(join(tree, 'usr/bin/cat')));
    running.child.stdin?.end();
    assert.is((await running.exited).status, 0);
  });
  assert.is(user.tsnspawn(['remove', tree]).status, 0);
  assert.equal(
    readdirSync(user.home).filter((name) => name.includes('busy')),
    [],
  );
});

it('a tree of somebody else is left to them', () => {
  const user = mapped();
  const tree = join(user.home, 'foreign');
  mkdirSync(join(tree, 'usr'), { recursive: true });
  const { status, stderr } = user.tsnspawn(['remove', tree]);
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: cannot remove .*foreign.*: permission denied\n/i);
  assert.ok(existsSync(join(tree, 'usr')));
});

test.run();

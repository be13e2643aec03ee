// Trees that an ordinary user makes, takes along and removes. The tests are root, to make such users and to look at what they did.

import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deb } from '../rootfs/support/archives';
import { eventually, type Running, tsnspawn } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { withUsers } from '../support/refusing';
import { ownTree, sharedTree } from '../support/trees';
import { OrdinaryUser, type UserOptions } from '../support/users';

const it = only(test, needs('root', 'namespaces', 'mirror', 'command:newuidmap', 'command:setpriv'));

const made = new Map<string, OrdinaryUser>();
function user(kind: string, options: UserOptions): OrdinaryUser {
  const known = made.get(kind) ?? new OrdinaryUser(options);
  made.set(kind, known);
  return known;
}
const mapped = (): OrdinaryUser => user('mapped', {});
const single = (): OrdinaryUser => user('single', { subordinate: false });

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

/** A package whose scripts make a user, and give away files of every kind. */
const PACKAGE = deb({
  name: 'thing',
  fields: { Architecture: 'all' },
  files: [
    { name: './srv/', type: '5' },
    { name: './srv/games', content: 'g', uid: 5, gid: 60, mode: 0o2755 },
  ],
  control: {
    postinst: `#!/bin/sh
set -e
useradd -r -d /srv/thing thing
install -d -o thing -g mail -m 3770 /srv/thing
cd /srv/thing
touch file own && chown thing:thing file && chmod 4711 file && ln file hard
ln -s file link && chown -h thing:games link
mkfifo fifo && chown daemon:thing fifo
chown thing own && runuser -u thing -- ln -s own made && su thing -s /bin/sh -c "touch also"
cp -a /srv/thing /srv/copy
`,
  },
});

const INSTALL = 'DEBIAN_FRONTEND=noninteractive apt-get install -qy /thing.deb >/dev/null && dpkg --audit && dpkg -V';

/** What root exports of its own tree of the suite, and with the package. */
function rootsListings(suite: Suite, archive: string): readonly string[][] {
  const tree = ownTree(suite);
  const exported = (): string[] => {
    const { status, stderr } = tsnspawn(['export', tree, archive], SECONDS);
    assert.equal([status, stderr], [0, '']);
    return listing(archive);
  };
  const before = exported();
  const { status, stdout, stderr } = tsnspawn(['-qPD', tree, BIND, 'sh', '-ec', INSTALL], SECONDS);
  assert.equal([status, stdout], [0, ''], stderr);
  return [before, exported()];
}

type Suite = 'bookworm' | 'trixie';
const home = mkdtempSync(join(tmpdir(), 'tsnspawn-export-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
execFileSync('chmod', ['755', home]);
writeFileSync(join(home, 'thing.deb'), PACKAGE);
const BIND = `--bind-ro=${join(home, 'thing.deb')}:/thing.deb`;

for (const suite of ['bookworm', 'trixie'] as const) {
  let expected: readonly string[][] | undefined;
  for (const [who, maker, complaint] of [
    ['with subordinate ids', mapped, /^$/],
    ['with one id', single, /^tsnspawn: owners of files will be remembered only: no subordinate ids in .*\n$/],
  ] as const) {
    it(`${suite} of a user ${who} is that of root, whatever a package gives away, and goes without a trace`, () => {
      expected ??= rootsListings(suite, join(home, 'root.tar'));
      const one = maker();
      const cwd = place(one);
      const run = (...args: string[]) => one.tsnspawn(args, { cwd, ...SECONDS });
      const isAsRoots = (lines: readonly string[] | undefined): void => {
        const { status, stderr } = run('export', 'tree', 'tree.tar');
        assert.equal([status, stderr], [0, '']);
        assert.equal(listing(join(cwd, 'tree.tar')), lines);
      };
      const bootstrapped = run('bootstrap', suite, 'tree', '--autologin');
      assert.equal([bootstrapped.status, bootstrapped.stdout], [0, '']);
      assert.match(bootstrapped.stderr, complaint);
      isAsRoots(expected[0]);
      const { status, stdout, stderr } = run('-qPD', 'tree', BIND, 'sh', '-ec', `dpkg --audit; dpkg -V; ${INSTALL}`);
      assert.equal([status, stdout], [0, ''], stderr);
      isAsRoots(expected[1]);
      const removed = run('remove', 'tree');
      assert.equal([removed.status, removed.stderr], [0, '']);
      assert.equal(readdirSync(cwd), ['tree.tar']);
    });
  }
}

it('what root has exported and unpacked is exported again byte by byte', () => {
  const [first, second, copy] = [join(home, 'first.tar'), join(home, 'second.tar'), join(home, 'copy')];
  assert.is(tsnspawn(['export', sharedTree('bookworm'), first], SECONDS).status, 0);
  mkdirSync(copy);
  execFileSync('tar', ['-xpf', first, '--numeric-owner', '--xattrs', '--xattrs-include=*', '--acls', '-C', copy]);
  assert.is(tsnspawn(['export', copy, second], SECONDS).status, 0);
  execFileSync('cmp', [first, second]);
});

it('a bootstrap that fails leaves nothing, whatever it has made by then', () => {
  for (const user of [mapped(), single()])
    for (const [args, reason] of [
      [['nosuch', 'tree'], /^tsnspawn: cannot find the suite nosuch on /],
      [['bookworm', 'tree', '--include=nosuchpackage'], /^tsnspawn: cannot include nosuchpackage: /],
    ] as const) {
      const cwd = place(user);
      const { status, stdout, stderr } = user.tsnspawn(['bootstrap', '-q', ...args], { cwd, ...SECONDS });
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

it('where there are no user namespaces a bootstrap says so, and own files are exported and removed without', () => {
  const host = withUsers('echo 0 >/proc/sys/user/max_user_namespaces');
  for (const maker of [mapped(), single()]) {
    const cwd = place(maker);
    const { status, stderr } = maker.tsnspawn(['bootstrap', '-q', 'bookworm', 'tree'], { cwd, host });
    assert.is(status, 1);
    assert.match(stderr, /^tsnspawn: .*user namespaces.*\nhint: .*max_user_namespaces/);
    assert.equal(readdirSync(cwd), []);
  }
  const cwd = place(single());
  const run = (...args: string[]) => single().tsnspawn(args, { cwd, host, ...SECONDS });
  assert.equal(run('bootstrap', '-q', '--variant=host', 'host', 'tree').stderr, '');
  assert.is(run('export', 'tree', 'tree.tar').status, 0);
  assert.equal(run('remove', 'tree'), { status: 0, stdout: '', stderr: '' });
  assert.equal(readdirSync(cwd), ['tree.tar']);
});

it('root hears whose the owners are in a tree of a user', () => {
  const tree = mapped().tree('busybox', 'told');
  const { status, stderr } = tsnspawn(['export', tree, '/dev/null']);
  assert.is(status, 0);
  assert.match(
    stderr,
    new RegExp(`^tsnspawn: the tree is of the user ${mapped().uid}, and its owners are numbers of this host: `),
  );
  assert.equal(mapped().tsnspawn(['export', tree, '/dev/null']).stderr, '');
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

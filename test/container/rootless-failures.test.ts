// What an ordinary user cannot make, export or remove, and what is left then. The tests are root, to make such users and to look.

import { existsSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually, type Running, tsnspawn } from '../support/launcher';
import { withRunning } from '../support/machines';
import { mapped, place, REASON, SECONDS, single } from '../support/makers';
import { only } from '../support/needs';
import { withUsers } from '../support/refusing';
import type { OrdinaryUser } from '../support/users';

const it = only(test, REASON);

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

/** A bootstrap that is at the scripts of its packages. */
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

for (const [who, owner] of [
  ['with subordinate ids', mapped],
  ['with one id', single],
] as const) {
  it(`a user ${who} who interrupts it while packages are configured hears so, and nothing is left`, async () => {
    const cwd = place(owner());
    await whileMaking(owner(), cwd, async (running) => {
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 143, signal: null });
      assert.match(running.output, /^tsnspawn: cannot make .*: interrupted by SIGTERM\n$/m);
      assert.equal(readdirSync(cwd), []);
    });
  });
}

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

it('where there are no user namespaces own files are exported and removed without', () => {
  const host = withUsers('echo 0 >/proc/sys/user/max_user_namespaces');
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

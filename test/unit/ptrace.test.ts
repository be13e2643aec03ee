// The plan of the ptrace engine: rules in place of mounts, and what it refuses.

import {
  chooseEngine,
  type LaunchPlan,
  lower,
  lowerPtrace,
  requireTraceable,
  type Step,
  withShare,
} from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, loneUser, network, RUN, spec, stepsOf, tree, user, viewOf } from './fixtures';

const OPTIONS = { root: false, temporary: '/tmp' };

function planOf(argv: readonly string[], options: Parameters<typeof lowerPtrace>[3] = OPTIONS): LaunchPlan {
  return lowerPtrace(viewOf(argv, loneUser(), tree({ init: 'sysvinit' })), spec(...argv), RUN, options);
}
const planOfUser = (...argv: readonly string[]): LaunchPlan =>
  lower(viewOf(argv, user(), tree({ init: 'sysvinit' })), user(), RUN);
const ruleAt = (steps: readonly Step[], target: string) =>
  stepsOf(steps, 'rule').filter((step) => step.target === target);

test('nothing is mounted and no namespace is made', () => {
  const { engine, clone, inner } = planOf(['true']);
  assert.is(engine, 'ptrace');
  assert.equal(clone, { monitor: [], guest: [] });
  const mounting = ['mount', 'bind', 'pivotRoot', 'openTree', 'remount', 'hostname', 'seccomp'];
  assert.equal(
    inner.filter(({ op }) => mounting.includes(op)),
    [],
  );
});

test('as root no other process carries calls out, which may be those of another user', () => {
  const options = { ...OPTIONS, accelerator: 'notify' as const };
  assert.is(stepsOf(planOf(['true'], options).host, 'trace')[0]?.accelerator, 'notify');
  assert.throws(
    () => planOf(['true'], { ...options, root: true }),
    /TSNSPAWN_PTRACE_ACCEL=notify: .* may be other users/,
  );
});

test('/proc, /sys and terminals are the host’s, and what is in memory elsewhere is an empty directory', () => {
  const { inner } = planOf(['true']);
  assert.is(ruleAt(inner, '/proc')[0]?.source, '/proc');
  assert.is(ruleAt(inner, '/dev/pts')[0]?.source, '/dev/pts');
  assert.is(ruleAt(inner, '/dev/null')[0]?.source, '/dev/null');
  assert.equal(
    [ruleAt(inner, '/tmp')[0]?.stands, ruleAt(inner, '/tmp')[0]?.mode, ruleAt(inner, '/run')[0]?.mode],
    ['fresh', 0o1777, 0o755],
  );
});

test('binds, tmpfs and hidden places are rules', () => {
  const { inner } = planOf(['--bind=/data:/srv', '--bind-ro=/etc:/mnt', '--tmpfs=/x', '--inaccessible=/root', 'true']);
  const srv = ruleAt(inner, '/srv')[0];
  assert.equal([srv?.stands, srv?.source, srv?.flags], ['host', '/data', []]);
  assert.equal(ruleAt(inner, '/mnt')[0]?.flags.includes('ro'), true);
  assert.is(ruleAt(inner, '/x')[0]?.stands, 'fresh');
  assert.is(ruleAt(inner, '/root')[0]?.stands, 'hidden');
});

test('a read-only tree is one rule, behind all that is made in it', () => {
  const { inner } = planOf(['--read-only', 'true']);
  const root = ruleAt(inner, '/').at(-1);
  assert.equal([root?.stands, root?.flags], ['flags', ['ro']]);
  assert.is(stepsOf(inner, 'rule').at(-1), root);
});

test('owners are remembered beside the tree, as for every user with one id', () => {
  const trace = stepsOf(planOf(['true']).host, 'trace')[0];
  assert.equal(
    [trace?.tree, trace?.owners, trace?.fakeIds, trace?.boots],
    ['/srv/debian-tree', '/srv/.#debian-tree.owners', true, false],
  );
  assert.is(stepsOf(planOf(['true'], { ...OPTIONS, root: true }).host, 'trace')[0]?.fakeIds, false);
});

test('the directory for what is not in the tree is not that of an earlier run with the same number', () => {
  const scratch = (run: typeof RUN) =>
    stepsOf(lowerPtrace(viewOf(['true'], loneUser(), tree()), spec('true'), run, OPTIONS).host, 'trace')[0]?.scratch;
  assert.is.not(scratch(RUN), scratch({ ...RUN, uuid: '8c2e9bd0-33f1-4b0c-9d52-0a7e6d1f4c3b' }));
});

test('an init believes that it is PID 1', () => {
  assert.is(stepsOf(planOf(['--boot']).host, 'trace')[0]?.boots, true);
});

test('the payload is whom --fake-id says', () => {
  const account = stepsOf(planOf(['--fake-id=8:12', 'true']).inner, 'lookupUser')[0]?.account;
  assert.equal([account?.uid, account?.gid], [8, 12]);
});

test('what takes a kernel to keep is refused by name', () => {
  for (const asked of [
    '--private-network',
    '--ephemeral',
    '--volatile=state',
    '--overlay=/a:/b:/c',
    '--drop-capability=all',
    '--system-call-filter=~chown',
  ]) {
    const name = asked.replace(/=.*/, '');
    assert.throws(
      () => planOf([asked, 'true']),
      (error: Error) => error.message.startsWith(`${name}: the engine ptrace cannot`),
      asked,
    );
  }
});

test('namespaces are taken where there are some, and ptrace where there are none or it was asked for', () => {
  assert.is(chooseEngine(spec(), host()).engine, 'namespaces');
  assert.is(chooseEngine(spec(), user()).engine, 'namespaces');
  assert.is(chooseEngine(spec(), user({ userNamespaces: false })).engine, 'ptrace');
  assert.is(chooseEngine(spec('--engine=ptrace'), host()).engine, 'ptrace');
  assert.is(chooseEngine(spec('--kernel-release=3.2'), user()).engine, 'ptrace');
  assert.is(chooseEngine(spec('--engine=namespaces'), user({ userNamespaces: false })).engine, 'namespaces');
});

test('ptrace is taken for root, too, where a guest could reboot the host', () => {
  const { engine, remark } = chooseEngine(spec(), host({ rebootsHost: true }));
  assert.is(engine, 'ptrace');
  assert.match(remark ?? '', 'a reboot of a guest would be one of this host');
  assert.is(chooseEngine(spec('--engine=namespaces'), host({ rebootsHost: true })).engine, 'namespaces');
});

test('--share-host shows what the host has of the caller’s', () => {
  const facts = user({ cwd: '/home/me/work' });
  const shared = withShare(spec('--share-host', '--bind=/other:/tmp', 'true'), facts, (path) => path !== '/etc/hosts');
  const places = shared.mounts.map((mount) => mount.destination);
  assert.ok(['/home/me', '/home/me/work', '/etc/passwd', '/etc/resolv.conf'].every((path) => places.includes(path)));
  assert.not.ok(places.includes('/etc/hosts'));
  assert.is(places.filter((path) => path === '/tmp').length, 1);
  assert.equal([shared.chdir, shared.resolvConf, shared.timezone], ['/home/me/work', 'off', 'off']);
  assert.is(chooseEngine(shared, facts).engine, 'namespaces');
  assert.is(withShare(spec('--share-host=tmp'), facts, () => true).mounts.length, 1);
});

test('with what is shared the payload stays who the caller is: in a user namespace of its own, or without another identity', () => {
  const plan = planOfUser('--share-host', 'true');
  assert.equal(stepsOf(plan.inner, 'keepIds')[0], { op: 'keepIds', uid: 1000, gid: 1000, noNewPrivileges: false });
  assert.is(stepsOf(plan.inner, 'lookupUser')[0]?.user, 'me');
  assert.is(stepsOf(plan.inner, 'identity').length, 0);
  const traced = planOf(['--share-host', 'true']);
  assert.equal(
    traced.inner.filter(({ op }) => op === 'identity' || op === 'keepIds'),
    [],
  );
  assert.is(stepsOf(traced.host, 'trace')[0]?.fakeIds, false);
  for (const options of [['--fake-root'], ['--user=nobody'], ['--boot']])
    assert.is(stepsOf(planOfUser('--share-host', ...options).inner, 'keepIds').length, 0, options.join(' '));
  assert.is(stepsOf(lower(viewOf(['--share-host'], host(), tree()), host(), RUN).inner, 'keepIds').length, 0);
  for (const option of ['--proc=read-only', '--ambient-capability=net_raw'])
    assert.throws(() => planOfUser('--share-host', option, 'true'), /cannot go with --share-host/, option);
});

test('options of one engine are refused with the other', () => {
  assert.throws(() => chooseEngine(spec('--engine=namespaces', '--qemu=/q'), user()), /needs the engine ptrace/);
});

test('what takes a network of its own is refused by the option that asked for it', () => {
  for (const option of ['--network-veth', '--private-network']) {
    const view = viewOf([option], host({ network: network() }), tree());
    assert.throws(
      () => lowerPtrace(view, spec(option), RUN, OPTIONS),
      (error: Error) => error.message.startsWith(`${option}: the engine ptrace cannot`),
    );
  }
});

test('a file system in memory has no size where a directory stands for it', () => {
  assert.throws(() => requireTraceable(spec('--tmpfs=/x:mode=0700,size=1M')), /--tmpfs: the engine ptrace cannot/);
  assert.throws(() => requireTraceable(spec('--tmpfs=/x:noexec')), /--tmpfs: the engine ptrace cannot/);
  requireTraceable(spec('--tmpfs=/x:mode=0700,ro'));
});

test('binds are shown with their owners and all that is mounted below them', () => {
  for (const option of ['norbind', 'idmap'])
    assert.throws(() => requireTraceable(spec(`--bind=/a:/b:${option}`)), /--bind: the engine ptrace cannot/, option);
});

test('nothing is put into the root of the host', () => {
  const plan = (...words: string[]) =>
    lowerPtrace(viewOf(words, loneUser(), tree({ path: '/' })), spec(...words), RUN, OPTIONS);
  for (const asked of ['--set-credential=a:b', '--resolv-conf=copy-host', '--timezone=delete'])
    assert.throws(
      () => plan('--engine=ptrace', '-Mhost', asked, 'true'),
      /the engine ptrace cannot put it into/,
      asked,
    );
  plan('--engine=ptrace', '-Mhost', '--resolv-conf=off', 'true');
});

test.run();

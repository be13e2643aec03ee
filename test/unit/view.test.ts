import { CAPABILITIES, PermissionError, requirePrivileges, TreeError, UnsupportedError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { environmentOf, host, planOf, tree, user, viewOf } from './fixtures';

test('nothing of the caller gets into the environment but its terminal and what was asked for', () => {
  assert.equal(environmentOf(planOf(['true'])), {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    container: 'tsnspawn',
    TERM: 'xterm',
    container_uuid: '11111111-2222-4333-8444-555555555555',
    NOTIFY_SOCKET: '/run/host/notify',
    LANG: 'C.UTF-8',
    container_host_id: 'debian',
    container_host_version_id: '12',
  });
});

test('--setenv wins, and copies the value of the caller, or nothing, for a bare name', () => {
  const env = environmentOf(
    planOf(['-E', 'TERM=dumb', '-E', 'SECRET', '-E', 'UNSET', '-E', 'A=1', '-E', 'A=2', 'true']),
  );
  assert.equal([env.TERM, env.SECRET, env.UNSET, env.A], ['dumb', 'hidden', '', '2']);
});

test('an init gets no LANG, named by --boot or as the command', () => {
  assert.is(environmentOf(planOf(['-b'])).LANG, undefined);
  assert.is(environmentOf(planOf(['/sbin/init'])).LANG, undefined);
});

test('without a command there is a login shell in the home of the user', () => {
  const { payload } = viewOf(['-u', 'joe']);
  assert.equal([payload.kind, payload.userShell, payload.user, payload.directory], ['shell', true, 'joe', undefined]);
  assert.equal(payload.candidates, [
    { path: '/bin/bash', argv0: '-bash' },
    { path: '/bin/sh', argv0: '-sh' },
  ]);
  assert.is(viewOf(['--chdir=/srv']).payload.directory, '/srv');
});

test('a command starts in / and keeps its arguments', () => {
  const { payload } = viewOf(['sh', '-c', 'exit 7']);
  assert.equal([payload.kind, payload.directory, ...payload.args], ['command', '/', '-c', 'exit 7']);
});

test('a boot tries the places of systemd and then /sbin/init', () => {
  const { payload } = viewOf(['-b', 'single']);
  assert.equal(
    payload.candidates.map(({ path }) => path),
    ['/usr/lib/systemd/systemd', '/lib/systemd/systemd', '/sbin/init'],
  );
  assert.equal([payload.kind, ...payload.args], ['boot', 'single']);
});

test('the machine is named after its tree, without what a name may not have', () => {
  const name = (path: string) => viewOf([], host(), tree({ path })).machine;
  assert.is(name('/srv/debian-tree'), 'debian-tree');
  assert.is(name('/srv/My Tree (2)'), 'MyTree2');
  assert.is(name('/srv/.hidden..x-'), 'hidden.x');
  assert.is(name(`/srv/${'x'.repeat(80)}`), 'x'.repeat(64));
  assert.throws(() => name('/srv/+++'), /no machine name/);
  const { machine, hostname } = viewOf(['-M', 'web', '--hostname=www']);
  assert.equal([machine, hostname], ['web', 'www']);
});

test('--uuid counts only where the tree has no machine id', () => {
  const own = 'a'.repeat(32);
  const asked = `--uuid=${'b'.repeat(32)}`;
  assert.is(viewOf([asked], host(), tree({ machineId: own })).uuid, own);
  assert.is(viewOf([asked]).uuid, 'b'.repeat(32));
  assert.is(viewOf([]).uuid, undefined);
  assert.is(environmentOf(planOf([asked])).container_uuid, 'bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb');
});

test('the console is the terminal on both sides, else output only; autopipe hands on the descriptors', () => {
  const pipe = host({ stdoutTty: false });
  assert.is(viewOf([]).console, 'interactive');
  assert.is(viewOf([], pipe).console, 'read-only');
  assert.is(viewOf(['--console=autopipe']).console, 'interactive');
  assert.is(viewOf(['--console=autopipe'], pipe).console, 'pipe');
  assert.is(viewOf(['-P']).console, 'pipe');
});

test('a directory without usr is no system for a command, and one without os-release none to boot', () => {
  assert.throws(() => viewOf(['true'], host(), tree({ hasUsr: false })), /has no usr/);
  assert.throws(() => viewOf(['-b'], host(), tree({ osRelease: undefined })), /no os-release/);
  assert.throws(() => viewOf(['/sbin/init'], host(), tree({ osRelease: undefined })), /no os-release/);
  assert.throws(() => viewOf(['-b'], host(), tree({ init: 'none' })), /has no init/);
  assert.throws(
    () => viewOf([], host(), tree({ isDirectory: false })),
    (error: unknown) => error instanceof TreeError,
  );
});

test('the root of the host is never the tree', () => {
  assert.throws(() => viewOf(['-M', 'x', 'true'], host(), tree({ path: '/' })), /root of the host/);
});

test('the default capabilities are those of mask 0xfdecafff, over a private network with NET_ADMIN', () => {
  const mask = (names: readonly string[]) =>
    names.reduce((bits, name) => bits | (1n << BigInt((CAPABILITIES as readonly string[]).indexOf(name))), 0n);
  assert.is(mask(viewOf([]).privileges.bounding), 0xfdecafffn);
  assert.is(mask(viewOf(['--private-network']).privileges.bounding), 0xfdecbfffn);
});

test('capabilities are added, then dropped, and never more than the host has', () => {
  const bounding = (argv: readonly string[], facts = host()) => viewOf(argv, facts).privileges.bounding;
  assert.ok(bounding(['--capability=wake_alarm']).includes('wake_alarm'));
  assert.not.ok(bounding(['--capability=wake_alarm', '--drop-capability=CAP_WAKE_ALARM']).includes('wake_alarm'));
  assert.equal(bounding(['--drop-capability=all']), []);
  assert.equal(bounding(['--capability=all']), [...CAPABILITIES]);
  const few = host({ capabilities: { permitted: ['sys_admin', 'chown'], bounding: CAPABILITIES } });
  assert.equal(bounding([], few), ['chown', 'sys_admin']);
  assert.equal(bounding(['--capability=all'], few), ['chown', 'sys_admin']);
  assert.throws(() => bounding(['--capability=wake_alarm'], few), /wake_alarm cannot be given/);
});

test('an ordinary user needs user namespaces, and root does not', () => {
  requirePrivileges(user());
  requirePrivileges(host({ userNamespaces: false }));
  assert.throws(
    () => requirePrivileges(user({ userNamespaces: false })),
    (error: unknown) => {
      return error instanceof PermissionError && /sudo tsnspawn/.test(error.hint ?? '');
    },
  );
});

test("limits are those of the host's init, not the caller's", () => {
  const limits = Object.fromEntries(viewOf([]).limits.map(({ name, ...limit }) => [name, limit]));
  assert.equal(limits.NOFILE, { soft: 1024, hard: 524288 });
  assert.equal(limits.STACK, { soft: 8388608, hard: 'infinity' });
  assert.equal(limits.CORE, { soft: 0, hard: 'infinity' });
  assert.equal(limits.NPROC, { soft: 5000, hard: 5000 });
  assert.is(Object.keys(limits).length, 16);
});

test('a caller who may not raise limits hands on what it has, and is refused what it asks beyond', () => {
  const permitted = CAPABILITIES.filter((name) => name !== 'sys_resource');
  const bound = host({
    capabilities: { permitted, bounding: CAPABILITIES },
    hardLimits: { NOFILE: 512, CORE: 'infinity' },
  });
  const limit = (argv: readonly string[]) => viewOf(argv, bound).limits.find(({ name }) => name === 'NOFILE');
  assert.equal(limit([]), { name: 'NOFILE', soft: 512, hard: 512 });
  assert.equal(limit(['--rlimit=NOFILE=100']), { name: 'NOFILE', soft: 100, hard: 100, exact: true });
  assert.throws(
    () => limit(['--rlimit=NOFILE=1000']),
    /--rlimit=NOFILE=1000:1000 cannot be given: the hard limit is 512/,
  );
});

test('a personality of another architecture is refused', () => {
  const arm = host({ architectures: ['aarch64'] });
  assert.is(viewOf(['--personality=x86']).personality, 'x86');
  assert.throws(
    () => viewOf(['--personality=x86'], arm),
    (error: unknown) => error instanceof UnsupportedError,
  );
});

test('a background is for an interactive console on a terminal that knows colours, of someone who wants them', () => {
  const background = (env: { readonly [name: string]: string }, ...argv: string[]): string | undefined =>
    viewOf(['--background=44', ...argv], host({ env })).background;
  assert.is(background({ TERM: 'xterm' }), '44');
  assert.is(background({ TERM: 'xterm', NO_COLOR: '' }), '44');
  assert.is(background({ TERM: 'xterm', NO_COLOR: '1' }), undefined);
  assert.is(background({ TERM: 'dumb' }), undefined);
  assert.is(background({}), undefined);
  for (const mode of ['read-only', 'passive', 'pipe'])
    assert.is(background({ TERM: 'xterm' }, `--console=${mode}`), undefined);
  assert.is(background({ TERM: 'xterm' }, '--background='), undefined);
});

test.run();

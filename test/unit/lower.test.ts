import type { Step } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, stepsOf, tree } from './fixtures';

const ops = (steps: readonly Step[]) => steps.map(({ op }) => op);
/** Where a step of the inner side stands. */
const place = (steps: readonly Step[], wanted: (step: Step) => boolean) => {
  const index = steps.findIndex(wanted);
  assert.ok(index >= 0, 'the step is there');
  return index;
};
const mountOf = (steps: readonly Step[], target: string) =>
  stepsOf(steps, 'mount').find((step) => step.target === target);
const bindOf = (steps: readonly Step[], target: string) =>
  stepsOf(steps, 'bind').find((step) => step.target === target);

test('the guest dies with its monitor: the monitor has a pid namespace of its own', () => {
  const { clone } = planOf([]);
  assert.equal(clone, { monitor: ['pid'], guest: ['mnt', 'pid', 'uts', 'ipc'] });
  assert.ok(planOf(['--private-network']).clone.guest.includes('net'));
});

test('the tree is opened detached on the host, with its submounts, read-only when asked', () => {
  assert.equal(stepsOf(planOf([]).outer, 'openTree')[0], {
    op: 'openTree',
    // the locked directory itself: the path may lead elsewhere by the time the guest reboots
    source: { from: 'tree', path: '/srv/debian-tree' },
    recursive: true,
    flags: [],
    as: 'root',
  });
  assert.equal(stepsOf(planOf(['--read-only']).outer, 'openTree')[0]?.flags, ['ro']);
  assert.equal(stepsOf(planOf([], host(), tree({ writable: false })).outer, 'openTree')[0]?.flags, ['ro']);
});

test('the namespace is cut off from the host before anything is mounted', () => {
  const { inner } = planOf([]);
  assert.equal(ops(inner).slice(0, 3), ['unshareCgroup', 'propagation', 'pivotRoot']);
  assert.equal(inner[1], { op: 'propagation', mode: 'private' });
});

test('mounts are shared within the guest only after the last one is in place', () => {
  const { inner } = planOf(['--bind=/data', '--tmpfs=/x']);
  const shared = place(inner, (step) => step.op === 'propagation' && step.mode === 'shared');
  assert.ok(shared > inner.findLastIndex((step) => step.op === 'mount' || step.op === 'bind' || step.op === 'remount'));
});

test('the tail is session, console, limits, user, identity, directory, filter, exec', () => {
  const { inner } = planOf(['--oom-score-adjust=5', '--personality=x86', '-u', 'joe', '--chdir=/srv', 'true']);
  const tail = ops(inner.slice(place(inner, ({ op }) => op === 'hostname'))).filter((op) => op !== 'rlimit');
  assert.equal(tail, [
    'hostname',
    'requireNamespacedReboot',
    'session',
    'console',
    'oomScoreAdjust',
    'personality',
    'lookupUser',
    'identity',
    'chdir',
    'seccomp',
    'seccomp',
    'exec',
  ]);
  assert.ok(place(inner, ({ op }) => op === 'rlimit') < place(inner, ({ op }) => op === 'identity'));
});

test('/proc and /sys are never mounted through a link of the tree', () => {
  const { inner } = planOf([]);
  for (const target of ['/proc', '/sys', '/dev']) assert.is(mountOf(inner, target)?.nofollow, true, target);
});

test('what configures the kernel is read-only or covered', () => {
  const { inner } = planOf([]);
  assert.ok(mountOf(inner, '/sys')?.flags.includes('ro'));
  assert.not.ok(mountOf(inner, '/proc')?.flags.includes('ro'));
  for (const name of ['sys', 'bus', 'fs', 'irq']) {
    const step = bindOf(inner, `/proc/${name}`);
    assert.ok(step?.source === `/proc/${name}` && step.flags.includes('ro'), name);
  }
  for (const name of ['kallsyms', 'kcore', 'keys', 'sysrq-trigger', 'timer_list']) {
    const step = bindOf(inner, `/proc/${name}`);
    assert.ok(step?.source === '/run/host/inaccessible/reg' && step.optional === true, name);
  }
});

test('what covers /proc was made before', () => {
  const { inner } = planOf([]);
  const made = place(inner, (step) => step.op === 'mknod' && step.path === '/run/host/inaccessible/reg');
  assert.ok(made < place(inner, (step) => step.op === 'bind' && step.target === '/proc/kallsyms'));
  const fifo = place(inner, (step) => step.op === 'holdFifo');
  assert.ok(fifo < place(inner, (step) => step.op === 'bind' && step.target === '/proc/kmsg'));
});

test('boot_id is a new random uuid at each start', () => {
  const file = stepsOf(planOf([]).inner, 'writeFile').find(({ path }) => path.endsWith('boot-id'));
  assert.equal(file?.data, { random: 'uuid' });
  assert.is(bindOf(planOf([]).inner, '/proc/sys/kernel/random/boot_id')?.source, file?.path);
});

test('/dev holds the standard nodes, and fuse and tun where the host has them', () => {
  const nodes = (facts = host()) =>
    stepsOf(planOf([], facts).inner, 'mknod')
      .filter(({ path }) => path.startsWith('/dev/'))
      .map(({ path, major, minor }) => `${path} ${major}:${minor}`);
  const standard = ['null 1:3', 'zero 1:5', 'full 1:7', 'random 1:8', 'urandom 1:9', 'tty 5:0'].map(
    (node) => `/dev/${node}`,
  );
  assert.equal(nodes(), standard);
  const devices = { fuse: { major: 10, minor: 229 }, tun: { major: 10, minor: 200 } };
  assert.equal(nodes(host({ devices })), [...standard, '/dev/fuse 10:229', '/dev/net/tun 10:200']);
});

test('in pipe mode there is no console', () => {
  assert.is(stepsOf(planOf(['--pipe', 'cat']).inner, 'console').length, 0);
  assert.is(planOf(['--pipe', 'cat']).monitor.console, 'pipe');
  assert.is(stepsOf(planOf(['cat']).inner, 'console').length, 1);
});

test('with a network of its own the guest may set it up, and sees a skeleton of /sys', () => {
  const { inner } = planOf(['--private-network']);
  assert.is(mountOf(inner, '/sys')?.fs, 'tmpfs');
  assert.equal(bindOf(inner, '/proc/sys/net')?.flags.includes('ro'), false);
  const net = place(inner, (step) => step.op === 'bind' && step.target === '/proc/sys/net');
  assert.ok(net < place(inner, (step) => step.op === 'remount' && step.target === '/proc/sys'));
  const scratch = place(inner, (step) => step.op === 'mount' && step.fs === 'sysfs');
  const gone = place(inner, (step) => step.op === 'umount');
  const parts = inner.filter(
    (step, i) => step.op === 'bind' && step.target.startsWith('/sys/') && i > scratch && i < gone,
  );
  assert.is(parts.length, 6);
  assert.ok(ops(inner).includes('loopback'));
  assert.not.ok(ops(planOf([]).inner).includes('loopback'));
});

test('custom mounts come after the api ones, by destination', () => {
  const { inner, outer } = planOf([
    '--bind=/data/b:/srv/x/y',
    '--tmpfs=/srv',
    '--bind-ro=rel:/srv/x',
    '--bind=+/usr:/a',
  ]);
  const custom = inner.filter(
    (step) => (step.op === 'bind' || step.op === 'mount') && /^\/(srv|a)\b/.test(step.target),
  );
  assert.equal(
    custom.map((step) => 'target' in step && step.target),
    ['/a', '/srv', '/srv/x', '/srv/x/y'],
  );
  assert.ok(
    place(inner, (step) => step === custom[0]) > place(inner, (step) => step.op === 'mount' && step.target === '/tmp'),
  );
  assert.is(bindOf(inner, '/a')?.source, '/usr');
  assert.equal(
    stepsOf(outer, 'openTree').map(({ source, flags }) => [
      typeof source === 'string' ? source : 'path' in source ? source.path : '',
      flags.includes('ro'),
    ]),
    [
      ['/srv/debian-tree', false],
      ['/usr/lib/os-release', true],
      ['/home/me/rel', true],
      ['/data/b', false],
    ],
  );
});

test('a source that is bound twice is opened twice', () => {
  const slots = stepsOf(planOf(['--bind=/data:/a', '--bind=/data:/b']).outer, 'openTree').map(({ as }) => as);
  assert.is(new Set(slots).size, slots.length);
});

test('a bind without a destination goes where its source is', () => {
  assert.ok(bindOf(planOf(['--bind=sub//dir/']).inner, '/home/me/sub/dir'));
  assert.throws(() => planOf(['--bind=../x']), /needs a destination/);
});

test('options of a tmpfs are parted into flags and data', () => {
  const mount = (option: string) => {
    const step = mountOf(planOf([`--tmpfs=/x${option}`]).inner, '/x');
    return [step?.flags, step?.data];
  };
  assert.equal(mount(''), [['nodev', 'strictatime'], 'mode=0755']);
  assert.equal(mount(':size=5m,noexec,ro,dev'), [['nodev', 'strictatime', 'noexec', 'ro'], 'size=5m']);
  assert.equal(mount(':noatime,rw'), [['nodev', 'noatime'], '']);
});

test('a mount that would hide /run/host is refused', () => {
  for (const option of ['--bind=/run', '--tmpfs=/run/', '--overlay=/a::/run', '--inaccessible=/run'])
    assert.throws(() => planOf([option]), /a mount at \/run would hide \/run\/host/, option);
});

test('/run/host is filled, then closed; mounts that were put below it stay as they are', () => {
  const { inner } = planOf(['--bind=/data:/run/host/x']);
  const closed = place(inner, (step) => step.op === 'remount' && step.target === '/run/host');
  const last = inner.findLastIndex((step) => 'path' in step && (step.path ?? '').startsWith('/run/host/'));
  assert.ok(closed > last);
  assert.equal(bindOf(inner, '/run/host/x')?.flags, []);
});

test('a host without os-release, and one with selinux', () => {
  assert.is(bindOf(planOf([], host({ osReleasePath: undefined })).inner, '/run/host/os-release'), undefined);
  const selinux = planOf([], host({ selinuxMount: '/sys/fs/selinux' }));
  assert.ok(bindOf(selinux.inner, '/sys/fs/selinux'));
});

test('/tmp may be missing only from a tree that cannot be written', () => {
  assert.is(mountOf(planOf([]).inner, '/tmp')?.optional, undefined);
  assert.is(mountOf(planOf(['--read-only']).inner, '/tmp')?.optional, true);
});

test('a reboot starts the guest again, unless a service manager does that', () => {
  assert.is(planOf([]).monitor.restart, true);
  assert.is(planOf(['--keep-unit']).monitor.restart, false);
});

test('the payload is PID 2 below a stub with --as-pid2', () => {
  assert.is(planOf([]).stub, false);
  assert.is(planOf(['-a', 'true']).stub, true);
});

test('a plan is plain data', () => {
  const plan = planOf(['-b', '--private-network', '--bind=/x']);
  assert.equal(JSON.parse(JSON.stringify(plan)), plan);
});

test.run();

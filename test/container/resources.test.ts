// Limits hold: seen from inside, where they must not be raised, and from outside.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cgroupsOf, footprintOf, nothingLeft } from '../support/footprint';
import { eventually, TSNSPAWN, tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'cgroup');
const it = only(test, missing);
const TREE = missing === undefined ? ownTree('busybox') : '';

const mounts = readFileSync('/proc/self/mounts', 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2');

/** Where this host has a controller: in a legacy hierarchy or in cgroup2. */
function controller(name: string): 'legacy' | 'unified' | undefined {
  if (mounts.some(([, , type, options = '']) => type === 'cgroup' && options.split(',').includes(name)))
    return 'legacy';
  const unified = mounts.find(([, , type]) => type === 'cgroup2')?.[1];
  const controllers = unified && readFileSync(join(unified, 'cgroup.controllers'), 'utf8');
  return controllers?.split(/\s+/).includes(name === 'blkio' ? 'io' : name) ? 'unified' : undefined;
}

const withController = (name: string) =>
  only(test, missing ?? (controller(name) === undefined ? `needs the ${name} controller of cgroups` : undefined));

const options = (...properties: string[]): string[] => [
  '-q',
  '-D',
  TREE,
  ...properties.map((property) => `--property=${property}`),
];

/** Runs a script under these limits, in pipe mode. */
const run = (properties: readonly string[], script: string) =>
  tsnspawn([...options(...properties), '--pipe', 'sh', '-c', script]);

/** Fills memory: all of it is one block. */
const HOG = 'dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null';

/** The files of the cgroups that carry a running machine's limits, by hierarchy. */
function limitsOf(launcher: number, file: string): string[] {
  return cgroupsOf(launcher)
    .map((path) => join(path, file))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8').trim());
}

withController('memory')('a memory hog is killed at MemoryMax=, and its container goes on', () => {
  const { status, stdout } = run(['MemoryMax=48M'], `(${HOG}); echo hog $?; echo alive`);
  assert.is(status, 0);
  assert.match(stdout, /^hog (?!0$)\d+\nalive\n$/m);
  // the same without the limit: it is not something else that ends it
  assert.is(run([], `(${HOG}); echo hog $?`).stdout, 'hog 0\n');
});

withController('memory')('a container whose PID 1 outgrows MemoryMax= is killed as a whole, and says so', () => {
  const { status } = tsnspawn([...options('MemoryMax=32M'), '--pipe', 'awk', 'BEGIN { s = "x"; while (1) s = s s }']);
  assert.is(status, 1);
});

withController('cpu')('a busy loop gets what CPUQuota= leaves it', () => {
  const script =
    'timeout 2 sh -c "while :; do :; done" & timeout 2 sh -c "while :; do :; done" & wait; cat /proc/self/task/*/children >/dev/null; times';
  const started = process.hrtime.bigint();
  const { stdout } = run(['CPUQuota=30%', 'CPUQuotaPeriodSec=20ms'], script);
  const elapsed = Number(process.hrtime.bigint() - started) / 1e9;
  // times: user and system time of the shell, then of its children
  const used = [...stdout.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0);
  assert.ok(used > 0.2, `used ${used} s of ${elapsed}`);
  assert.ok(used < elapsed * 0.5, `used ${used} s of ${elapsed}`);
});

withController('pids')('a fork bomb stops at TasksMax=, and the host has room for others', () => {
  const bomb = 'i=0; while [ $i -lt 100 ]; do sleep 20 & i=$((i + 1)); done';
  return withMachine(
    [...options('TasksMax=20'), 'sh', '-c', `(${bomb}) 2>&1; echo over; sleep 20`],
    async (running) => {
      await running.until(/over/);
      assert.match(running.output, /can't fork/);
      const current = limitsOf(running.pid, 'pids.current').map(Number);
      assert.ok(current.length > 0 && current.every((n) => n > 5 && n <= 20), `${current}`);
      assert.ok(limitsOf(running.pid, 'pids.max').includes('20'));
    },
  );
});

withController('cpuset')('AllowedCPUs= is what the guest sees as its processors', () => {
  assert.is(run(['AllowedCPUs=0'], 'nproc').stdout, '1\n');
  const { status, stderr } = run(['AllowedCPUs=4095'], 'nproc');
  assert.is(status, 1);
  assert.match(stderr, /bad value 'AllowedCPUs=4095' for --property: there is no processor 4095/);
});

withController('memory')("the guest's root cannot raise a limit, not even in a hierarchy that it mounts itself", () => {
  const raise = `
    mkdir /tmp/c
    mount -t cgroup2 cgroup2 /tmp/c && for f in $(find /tmp/c -name memory.max); do echo max > $f; done
    umount /tmp/c
    mount -t cgroup -o memory cgroup /tmp/c && for f in $(find /tmp/c -name memory.limit_in_bytes); do echo -1 > $f; done
    for f in /proc/1/root/sys/fs/cgroup/../memory.max /sys/fs/cgroup/memory.max; do echo max > $f; done
    (${HOG}); echo hog $?
  `;
  assert.match(run(['MemoryMax=48M'], raise).stdout, /^hog (?!0$)\d+$/m);
});

withController('memory')('the guest sees no other cgroup than its own, with limits as without', () => {
  const look =
    'cut -d: -f3 /proc/self/cgroup | sort -u; ls /sys/fs/cgroup | grep -c tsnspawn; grep -c cgroup /proc/self/mountinfo';
  assert.is(run(['MemoryMax=64M', 'TasksMax=100'], look).stdout, run([], look).stdout);
});

it('a limit covers the guest from its first instruction on, and not the launcher', () =>
  withMachine([...options('TasksMax=50'), 'sh', '-c', 'echo ready; exec sleep 1000'], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    const name = `tsnspawn-busybox-${running.pid}`;
    assert.match(readFileSync(`/proc/${footprint.init}/cgroup`, 'utf8'), new RegExp(`${name}/payload$`, 'm'));
    for (const pid of [footprint.launcher, footprint.monitor])
      assert.not.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), /tsnspawn-busybox/);
  }));

for (const victim of ['launcher', 'monitor'] as const) {
  it(`the cgroups of all limits are gone when the ${victim} is killed`, () => {
    const limits = ['MemoryMax=64M', 'CPUQuota=50%', 'TasksMax=50', 'AllowedCPUs=0', 'DevicePolicy=closed'];
    const known = limits.filter((_, at) => controller(['memory', 'cpu', 'pids', 'cpuset', 'devices'][at] ?? ''));
    return withMachine([...options(...known), 'sh', '-c', 'echo ready; exec sleep 1000'], async (running) => {
      await running.until(/ready/);
      const footprint = footprintOf(running);
      assert.ok(cgroupsOf(footprint.launcher).length > 0);
      process.kill(footprint[victim], 'SIGKILL');
      await running.exited;
      await nothingLeft(footprint);
    });
  });
}

it('limits are there again after a reboot of the guest', () => {
  const script = 'if [ -e /again ]; then rm /again; echo second; exec sleep 1000; fi; touch /again; exec reboot -f';
  return withMachine([...options('TasksMax=50'), 'sh', '-c', script], async (running) => {
    await running.until(/second/);
    await eventually(() => limitsOf(running.pid, 'pids.max').includes('50'), 'the limit');
  });
});

const DEVICE = ['/dev/kvm', '/dev/loop-control', '/dev/autofs', '/dev/kmsg'].find((path) => existsSync(path));
const itWithDevice = only(test, missing ?? (DEVICE === undefined ? 'needs a device to bind' : undefined));

/** What the guest can do with devices under a policy. `launch` starts the command. */
function knock(launch: (args: readonly string[]) => string, ...properties: string[]): string {
  const script = `mknod /dev/x b 7 0 2>/dev/null && echo made; true < ${DEVICE} && echo opened; head -c 3 /dev/zero | wc -c`;
  return launch([...options(...properties), `--bind=${DEVICE}`, '--pipe', 'sh', '-c', script]);
}

function requirePolicies(launch: (args: readonly string[]) => string): void {
  assert.is(knock(launch, 'DevicePolicy=auto'), 'made\nopened\n3\n');
  assert.is(knock(launch, 'DevicePolicy=closed'), '3\n');
  assert.is(knock(launch, `DeviceAllow=${DEVICE} r`), 'opened\n3\n');
  assert.is(knock(launch, 'DevicePolicy=strict', `DeviceAllow=${DEVICE} r`), 'opened\n0\n');
}

itWithDevice('DevicePolicy= and DeviceAllow= say which nodes can be made and opened', () =>
  requirePolicies((args) => tsnspawn(args).stdout),
);

const itWithCgroup2 = only(test, missing ?? needs('cgroup2', 'command:unshare'));
itWithCgroup2('the same by a program on cgroup2, where there is no legacy controller of devices', () => {
  const legacy = mounts.find(([, , type, list = '']) => type === 'cgroup' && list.split(',').includes('devices'))?.[1];
  // in a mount namespace of its own the launcher does not find the hierarchy
  const script = `mount --make-rprivate / && ${legacy === undefined ? 'true' : `umount ${legacy}`} && exec "$@"`;
  const hidden = ['-m', 'sh', '-c', script, 'sh', TSNSPAWN];
  requirePolicies((args) => spawnSync('unshare', [...hidden, ...args], { encoding: 'utf8', timeout: 60_000 }).stdout);
});

it('what cannot be given is an error before anything is there', () => {
  for (const [property, words] of [
    ['MemoryMax=much', /bad value 'MemoryMax=much' for --property: much is not a size/],
    ['MemoryMacks=1G', /no such property is known/],
    ['IOReadBandwidthMax=/proc 1M', /\/proc is not on a block device/],
    ['DeviceAllow=/dev/there-is-none', /\/dev\/there-is-none is no device of this host/],
  ] as const) {
    const { status, stdout, stderr } = run([property], 'echo started');
    assert.equal([status, stdout], [1, '']);
    assert.match(stderr, words);
  }
});

it('without systemd on the host --slice, --register and unit properties do no harm', () => {
  if (existsSync('/run/systemd/system')) return;
  const words = ['--slice=work', '--register=yes', '--property=Description=a machine', '--keep-unit'];
  const { status, stdout, stderr } = tsnspawn(['-D', TREE, ...words, '--pipe', 'echo', 'hello']);
  assert.equal([status, stdout], [0, 'hello\n']);
  assert.match(stderr, /warning: not registered: systemd does not manage this host/);
  assert.is(tsnspawn(['-qD', TREE, ...words, '--pipe', 'true']).stderr, '');
});

const itBoots = withController('memory');
itBoots('a Debian boots within its limits, and its services cannot leave them', () => {
  const tree = ownTree('bookworm');
  const argv = ['-D', tree, '--property=MemoryMax=300M', '--property=TasksMax=200', '-b'];
  return withMachine(argv, async (running) => {
    await running.until(/login: |root@/);
    const max = [...limitsOf(running.pid, 'memory.limit_in_bytes'), ...limitsOf(running.pid, 'memory.max')];
    assert.ok(max.includes(String(300 * 2 ** 20)), `${max}`);
    const { init } = footprintOf(running);
    const all = readFileSync(`/proc/${init}/cgroup`, 'utf8');
    assert.match(all, /\/payload(\/init\.scope)?$/m);
    running.child.kill('SIGTERM');
    assert.equal(await running.exited, { status: 0, signal: null });
  });
});

test.run();

import { type HostFacts, type ResourceFacts, UsageError } from '@tsnspawn/core';
import { encodePlan } from '@tsnspawn/native';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, stepsOf, viewOf } from './fixtures';

const RESOURCES: ResourceFacts = {
  memory: 2 ** 33,
  tasks: 1000,
  cpus: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  mems: [0],
  levels: [
    { path: '/system.slice/x.service', controllers: ['memory', 'pids'], enabled: [], processes: 'own', root: false },
    { path: '/', controllers: ['memory', 'pids'], enabled: ['memory'], processes: 'others', root: true },
  ],
  disks: {},
  devices: {},
};

function systemd(path = '/system.slice/x.service', changes: Partial<ResourceFacts> = {}): HostFacts {
  return host({
    systemd: true,
    cgroup: { kind: 'v2', unifiedMount: '/sys/fs/cgroup', unifiedPath: path, v1: [] },
    resources: { ...RESOURCES, ...changes },
  });
}

const scopeOf = (argv: readonly string[], facts = systemd()) => viewOf(argv, facts).unit?.scope;
const property = (name: string, ...argv: string[]) =>
  scopeOf(argv)
    ?.properties.filter(([key]) => key === name)
    .map((words) => words.slice(1).join(' '));

test('where systemd manages the host a machine has a scope of its own below machine.slice', () => {
  const scope = scopeOf([]);
  assert.is(scope?.name, 'machine-debian\\x2dtree.scope');
  assert.is(scope?.slice, 'machine.slice');
  assert.is(scope?.required, false);
  assert.equal(property('Slice'), ['s machine.slice']);
  assert.equal(property('Delegate'), ['b true']);
  assert.equal(property('DevicePolicy'), ['s closed']);
  assert.is(scopeOf(['-M', 'web.1'])?.name, 'machine-web.1.scope');
});

test('--slice and --property are for the scope, in the types that D-Bus has for them', () => {
  assert.equal(property('Slice', '--slice=work'), ['s work.slice']);
  assert.is(scopeOf(['--slice=work'])?.required, true);
  const all: readonly (readonly [string, string, string])[] = [
    ['MemoryMax=1G', 'MemoryMax', 't 1073741824'],
    ['MemoryMax=50%', 'MemoryMax', 't 4294967296'],
    ['MemoryHigh=infinity', 'MemoryHigh', 't 18446744073709551615'],
    ['TasksMax=7', 'TasksMax', 't 7'],
    ['CPUQuota=12.5%', 'CPUQuotaPerSecUSec', 't 125000'],
    ['CPUQuotaPeriodSec=10ms', 'CPUQuotaPeriodUSec', 't 10000'],
    ['CPUWeight=idle', 'CPUWeight', 't 0'],
    ['CPUShares=512', 'CPUShares', 't 512'],
    ['AllowedCPUs=0,9', 'AllowedCPUs', 'ay 2 1 2'],
    ['IOWeight=5', 'IOWeight', 't 5'],
    ['IODeviceWeight=/dev/sda 5', 'IODeviceWeight', 'a(st) 1 /dev/sda 5'],
    ['IOReadBandwidthMax=/var 1M', 'IOReadBandwidthMax', 'a(st) 1 /var 1000000'],
    ['BlockIOWeight=10', 'BlockIOWeight', 't 10'],
    ['DeviceAllow=/dev/kvm rw', 'DeviceAllow', 'a(ss) 1 /dev/kvm rw'],
    ['OOMPolicy=kill', 'OOMPolicy', 's kill'],
    ['Description=a b', 'Description', 's a b'],
    ['After=a.service b.service', 'After', 'as 2 a.service b.service'],
    ['CPUAccounting=on', 'CPUAccounting', 'b true'],
    ['TimeoutStopSec=1min', 'TimeoutStopUSec', 't 60000000'],
  ];
  for (const [text, name, words] of all) assert.is(property(name, `--property=${text}`)?.at(-1), words, text);
  // they are set once, there
  assert.equal(stepsOf(planOf(['--property=MemoryMax=1G'], systemd()).outer, 'cgroupWrite').length, 1);
});

test('in a scope of its own the guest is apart from launcher and monitor, and has every controller', () => {
  const plan = planOf([], systemd());
  assert.is(plan.leaf, '/sys/fs/cgroup/system.slice/x.service/supervisor');
  assert.equal(
    stepsOf(plan.outer, 'cgroup').map(({ path }) => path),
    ['/system.slice/x.service/payload'],
  );
  const [enable] = stepsOf(plan.outer, 'cgroupWrite');
  assert.equal(enable?.cgroup, { mount: '/sys/fs/cgroup', path: '/system.slice/x.service' });
  assert.equal(enable?.files, [{ name: 'cgroup.subtree_control', value: '+memory +pids' }]);
});

test('--keep-unit makes no scope; a unit that the launcher has for itself is divided, with the limits set directly', () => {
  const kept = planOf(['--keep-unit', '--property=MemoryMax=1G'], systemd());
  assert.is(viewOf(['--keep-unit'], systemd()).unit?.scope, undefined);
  assert.is(kept.leaf, '/sys/fs/cgroup/system.slice/x.service/supervisor');
  assert.equal(
    stepsOf(kept.outer, 'cgroup').map(({ path }) => path),
    ['/system.slice/x.service/tsnspawn-debian-tree-77', '/system.slice/x.service/tsnspawn-debian-tree-77/payload'],
  );
  const levels = RESOURCES.levels.map((level) => ({ ...level, processes: 'others' as const }));
  assert.is(planOf(['--keep-unit'], systemd('/x', { levels })).leaf, undefined);
  // what is above the unit is the affair of systemd
  assert.throws(
    () => viewOf(['--keep-unit', '--property=MemoryMax=1G'], systemd('/x', { levels })),
    /--property=MemoryMax=1G cannot be given with --keep-unit/,
  );
});

test('the guest is registered by its first process, before it goes on, unless that is not wanted', () => {
  const [step] = stepsOf(planOf(['--register=yes'], systemd()).host, 'register');
  assert.is(step?.machine, 'debian-tree');
  assert.match(step?.id ?? '', /^[0-9a-f]{32}$/);
  assert.is(step?.optional, undefined);
  assert.is(stepsOf(planOf([], systemd()).host, 'register')[0]?.optional, true);
  assert.equal(stepsOf(planOf(['--register=no'], systemd()).host, 'register'), []);
  const users = planOf(['--private-users=65536'], systemd());
  assert.is(
    users.late.at(-1)?.op,
    'register',
    'with a user namespace, when the monitor is back among the mounts of the host',
  );
  assert.ok(encodePlan(users, () => new Uint8Array()).length > 0);
});

test('without systemd, or with --register=no --keep-unit, no bus is asked', () => {
  for (const argv of [[], ['--register=yes'], ['--slice=x'], ['--keep-unit'], ['--property=Description=x']]) {
    const container = viewOf(argv, host());
    assert.is(container.unit, undefined, argv.join(' '));
  }
  assert.is(viewOf(['--register=no', '--keep-unit'], systemd()).unit, undefined);
});

test('a login session is not made a machine: it would end with it', () => {
  const session = systemd('/user.slice/user-0.slice/session-1.scope');
  assert.throws(
    () => viewOf(['--keep-unit', '--register=yes'], session),
    (error: Error) => error instanceof UsageError && /your login session/.test(error.message),
  );
  assert.is(viewOf(['--keep-unit'], session).unit, undefined);
  assert.ok(viewOf([], session).unit?.scope);
});

test('devices that are bound into the guest, and those of an image, get past the closed policy of the scope', () => {
  const allowed = (...argv: string[]): string => property('DeviceAllow', ...argv)?.[0] ?? '';
  assert.match(allowed(), /char-pts rw/);
  assert.match(allowed('--bind=/dev/kvm'), / \/dev\/kvm rwm$/);
  assert.not.match(allowed('--bind=/srv'), /srv/);
});

test.run();

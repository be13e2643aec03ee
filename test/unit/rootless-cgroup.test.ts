// Cgroups of a launch by an ordinary user: what it has, and what it is told where it has none.

import { CgroupError, type CgroupFacts, type HostFacts, type ResourceFacts } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, stepsOf, tree, viewOf } from './fixtures';

const IDS = [{ first: 0, size: 65537 }];

function user(changes: Partial<HostFacts> = {}): HostFacts {
  return host({
    euid: 1000,
    capabilities: { permitted: [], bounding: host().capabilities.bounding },
    rootless: { size: 65537, uids: IDS, gids: IDS, maps: { uids: [], gids: [] } },
    cgroup: FOREIGN,
    ...changes,
  });
}

const V2: CgroupFacts = { kind: 'v2', unifiedMount: '/sys/fs/cgroup', unifiedPath: '/mine', v1: [] };
const FOREIGN: CgroupFacts = { ...V2, unifiedPath: '/', unifiedWritable: false, unifiedObstacle: 'foreign' };
const hierarchy = (name: string, writable = false) => ({ name, mount: `/sys/fs/cgroup/${name}`, path: '/', writable });
const V1: CgroupFacts = { kind: 'v1', v1: ['memory', 'name=systemd'].map((name) => hierarchy(name)) };
const HYBRID: CgroupFacts = { ...FOREIGN, kind: 'hybrid', unifiedMount: '/sys/fs/cgroup/unified', v1: V1.v1 };

function refusal(argv: readonly string[], facts: HostFacts, version = 252): CgroupError {
  try {
    viewOf(argv, facts, tree({ systemdVersion: version }));
  } catch (error) {
    assert.instance(error, CgroupError);
    return error as CgroupError;
  }
  throw new Error(`${argv.join(' ')} was not refused`);
}

test('a systemd that would find no cgroup is refused with a line to type that gives one, for each kind of host', () => {
  const { message, hint } = refusal(['-b'], user());
  assert.is(message, 'systemd in the tree needs a cgroup of its own, and this user may make none');
  assert.is(
    hint,
    'in the shell that starts tsnspawn: sudo sh -c "mkdir -p /sys/fs/cgroup/tsnspawn-1000/shell && ' +
      'chown -R 1000 /sys/fs/cgroup/tsnspawn-1000 && echo $$ > /sys/fs/cgroup/tsnspawn-1000/shell/cgroup.procs"',
  );
  assert.match(
    refusal(['-b'], user({ cgroup: HYBRID })).hint ?? '',
    /"mkdir -p \/sys\/fs\/cgroup\/unified\/tsnspawn-1000/,
  );
  const named =
    / \/sys\/fs\/cgroup\/name=systemd\/tsnspawn-1000 && .*echo \$\$ > \/sys\/fs\/cgroup\/name=systemd\/tsnspawn-1000\/cgroup.procs"$/;
  assert.match(refusal(['-b'], user({ cgroup: V1 })).hint ?? '', named);
  assert.match(refusal(['-b'], user({ cgroup: HYBRID }), 219).hint ?? '', named);
  assert.match(refusal(['-b'], user({ cgroup: V1 }), 258).hint ?? '', /mount -t cgroup2/);
});

test('where systemd manages the host it is to run one for the user, or to give a delegated unit', () => {
  assert.match(refusal(['-b'], user({ systemd: true })).hint ?? '', /sudo loginctl enable-linger 1000/);
  const managed = user({ systemd: true, userManager: '/run/user/1000' });
  assert.match(
    refusal(['-b', '--keep-unit'], managed).hint ?? '',
    /systemd-run --user --scope -p Delegate=yes tsnspawn/,
  );
});

test('a mount that is read-only or covered, and a kernel without cgroup namespaces, are told as what they are', () => {
  const obstacle = (unifiedObstacle: 'read-only' | 'hidden') => user({ cgroup: { ...FOREIGN, unifiedObstacle } });
  assert.match(refusal(['-b'], obstacle('read-only')).hint ?? '', /\/sys\/fs\/cgroup is mounted read-only/);
  assert.match(refusal(['-b'], obstacle('hidden')).hint ?? '', /something lies over \/sys\/fs\/cgroup/);
  assert.match(refusal(['-b'], user({ cgroup: { ...V2, namespace: false } })).message, /has no cgroup namespaces/);
  assert.match(refusal(['-b'], user({ cgroup: { kind: 'none', v1: [] } })).hint ?? '', /mount -t cgroup2/);
});

test('where only the mount is in the way, the monitor mounts its own cgroup', () => {
  for (const unifiedObstacle of ['read-only', 'hidden'] as const) {
    const { outer, inner } = planOf(['-b'], user({ cgroup: { ...FOREIGN, unifiedObstacle, unifiedAnew: true } }));
    assert.equal(
      outer.slice(0, 4).map((step) => (step.op === 'mount' ? `${step.fs} on ${step.target}` : step.op)),
      ['unshareCgroup', 'tmpfs on /sys/fs/cgroup', 'cgroup2 on /sys/fs/cgroup', 'cgroup'],
    );
    assert.is(stepsOf(outer, 'cgroup')[0]?.path, '/tsnspawn-debian-tree-77');
    assert.is(stepsOf(inner, 'unshareCgroup').length, 1);
  }
});

test('other inits and plain commands start without', () => {
  for (const cgroup of [FOREIGN, V1, HYBRID]) {
    assert.is(viewOf(['true'], user({ cgroup })).cgroup.kind, 'none');
    for (const init of ['busybox', 'sysvinit', 'openrc'] as const) {
      assert.is(viewOf(['-b'], user({ cgroup }), tree({ init })).cgroup.kind, 'none', init);
    }
    const plan = planOf(['true'], user({ cgroup }));
    assert.equal([stepsOf(plan.outer, 'cgroup'), stepsOf(plan.inner, 'unshareCgroup')], [[], []]);
  }
});

test('in a delegated cgroup the guest has one below it, which stays the property of its root', () => {
  const plan = planOf(['-b'], user({ cgroup: V2 }));
  assert.is(stepsOf(plan.outer, 'cgroup')[0]?.path, '/mine/tsnspawn-debian-tree-77');
  assert.equal(stepsOf(plan.outer, 'delegateCgroup'), [{ op: 'delegateCgroup', from: 'cgroup', owner: 0 }]);
});

test('a legacy hierarchy serves a systemd that takes it, when cgroup2 is not delegated', () => {
  const cgroup: CgroupFacts = { ...HYBRID, v1: [hierarchy('memory'), hierarchy('name=systemd', true)] };
  assert.is(viewOf(['-b'], user({ cgroup })).cgroup.kind, 'legacy');
  assert.match(refusal(['-b'], user({ cgroup }), 258).message, /needs cgroup2, and this user may make none/);
});

const RESOURCES: ResourceFacts = {
  memory: 2 ** 33,
  tasks: 1000,
  cpus: [0],
  mems: [0],
  levels: [
    { path: '/mine/shell', controllers: ['memory', 'pids'], enabled: [], processes: 'others', root: false },
    { path: '/mine', controllers: ['memory', 'pids'], enabled: [], processes: 'none', root: false },
  ],
  disks: {},
  devices: { '/dev/kvm': [{ type: 'char', major: 10, minor: 232 }] },
};
const DELEGATED = user({ cgroup: { ...V2, unifiedPath: '/mine/shell' }, resources: RESOURCES });

test('limits lie in the lowest delegated cgroup that can hand their controllers down', () => {
  for (const facts of [DELEGATED, { ...DELEGATED, systemd: true }]) {
    const paths = stepsOf(planOf(['--keep-unit', '--property=MemoryMax=1G'], facts).outer, 'cgroup').map(
      ({ path }) => path,
    );
    assert.equal(paths, ['/mine/tsnspawn-debian-tree-77', '/mine/tsnspawn-debian-tree-77/payload']);
  }
});

test('a launcher that is alone in its cgroup is not divided where only the one above has the controller', () => {
  const [shell, above] = RESOURCES.levels;
  if (shell === undefined || above === undefined) throw new Error('two levels');
  const levels = [{ ...shell, controllers: [], processes: 'own' as const }, above];
  const plan = planOf(['--keep-unit', '--property=MemoryMax=1G'], {
    ...DELEGATED,
    systemd: true,
    resources: { ...RESOURCES, levels },
  });
  assert.is(plan.leaf, undefined);
  assert.is(stepsOf(plan.outer, 'cgroup')[0]?.path, '/mine/tsnspawn-debian-tree-77');
});

test("in a unit of the user's systemd that has other processes, what is above is not for the taking", () => {
  const service = '/user.slice/user-1000.slice/user@1000.service';
  const levels = RESOURCES.levels.map((level) => ({ ...level, path: level.path.replace('/mine', service) }));
  const facts = { ...MANAGED, cgroup: { ...V2, unifiedPath: `${service}/shell` }, resources: { ...RESOURCES, levels } };
  const { message, hint } = refusal(['--keep-unit', '--property=MemoryMax=1G'], facts);
  assert.match(message, /MemoryMax=1G cannot be given with --keep-unit/);
  assert.match(hint ?? '', /has a scope of its own/);
});

test('a limit whose controller is not delegated is refused by its name, with what to do', () => {
  const cpu = refusal(['--property=CPUQuota=10%'], DELEGATED);
  assert.is(
    cpu.message,
    '--property=CPUQuota=10% cannot be given: no cgroup with the cpu controller is delegated to this user',
  );
  assert.match(cpu.hint ?? '', /echo \+cpu > \/sys\/fs\/cgroup\/cgroup.subtree_control && mkdir -p/);
  const none = { ...RESOURCES, levels: [] };
  assert.match(
    refusal(['--property=TasksMax=9'], user({ resources: none })).message,
    /no cgroup with the pids controller/,
  );
  const legacy = refusal(['--property=MemoryMax=1G'], user({ cgroup: HYBRID, resources: none }));
  assert.match(legacy.hint ?? '', /echo \$\$ > \/sys\/fs\/cgroup\/memory\/tsnspawn-1000\/cgroup.procs"$/);
  const busy = { ...RESOURCES, levels: RESOURCES.levels.map((level) => ({ ...level, processes: 'others' as const })) };
  assert.match(
    refusal(['--property=TasksMax=9'], { ...DELEGATED, resources: busy }).hint ?? '',
    /tsnspawn-1000\/shell/,
  );
});

test('only root filters devices', () => {
  for (const property of ['DevicePolicy=closed', 'DeviceAllow=/dev/kvm rw']) {
    assert.match(refusal([`--property=${property}`], DELEGATED).message, /only root can filter devices/);
    assert.match(refusal([`--property=${property}`], MANAGED).message, /only root can filter devices/);
  }
});

const MANAGED = user({
  systemd: true,
  userManager: '/run/user/1000',
  resources: { ...RESOURCES, levels: [], manager: ['cpu', 'memory', 'pids'] },
});

test("a user's systemd makes the scope, and is asked for what it can give", () => {
  const { scope, register } = viewOf(['-b', '--slice=work', '--property=MemoryMax=1G'], MANAGED).unit ?? {};
  assert.is(scope?.manager, 'user');
  assert.is(scope?.slice, 'work.slice');
  assert.is(register, false, 'machined listens to root alone');
  const names = scope?.properties.map(([name]) => name);
  assert.ok(names?.includes('MemoryMax') && names.includes('Delegate') && names.includes('KillSignal'));
  assert.not.ok(names?.includes('DevicePolicy'));
  assert.is(viewOf(['--register=yes'], MANAGED).unit?.register, true);
  assert.match(refusal(['--property=IOWeight=5'], MANAGED).message, /the systemd of this user has no io controller/);
  assert.match(
    refusal(['--slice=work'], user({ systemd: true })).message,
    /--slice=work.slice needs a systemd of this user/,
  );
});

test('the scope will be delegated, whatever cgroup the launcher is in before', () => {
  assert.equal(viewOf(['-b'], MANAGED).cgroup, { kind: 'unified', optional: false });
});

test('root of a user namespace around it asks the systemd there', () => {
  const scope = viewOf(['true'], user({ euid: 0, systemd: true, cgroup: V2 })).unit?.scope;
  assert.is(scope?.manager, 'system');
});

test.run();

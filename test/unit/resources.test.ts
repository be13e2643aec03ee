import { CgroupError, type HostFacts, type ResourceFacts, UsageError } from '@tsnspawn/core';
import { encodePlan } from '@tsnspawn/native';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, spec, stepsOf, viewOf } from './fixtures';

const GIB = 2 ** 30;

const FACTS: ResourceFacts = {
  memory: 8 * GIB,
  tasks: 1000,
  cpus: [0, 1, 2, 3],
  mems: [0],
  levels: [
    { path: '/user.slice/a', controllers: ['cpu'], enabled: [], processes: 'others', root: false },
    {
      path: '/user.slice',
      controllers: ['cpu', 'memory', 'pids'],
      enabled: ['memory'],
      processes: 'none',
      root: false,
    },
    {
      path: '/',
      controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'],
      enabled: ['cpu', 'memory', 'pids'],
      processes: 'others',
      root: true,
    },
  ],
  disks: { '/var': '8:0', '/dev/sda': '8:0' },
  devices: { '/dev/kvm': [{ type: 'char', major: 10, minor: 232 }], 'char-pts': [{ type: 'char', major: 136 }] },
};

/** cgroup2 alone, the launcher in a cgroup with other processes below one without. */
const V2 = host({
  cgroup: { kind: 'v2', unifiedMount: '/sys/fs/cgroup', unifiedPath: '/user.slice/a', v1: [] },
  resources: FACTS,
});

const hierarchy = (name: string) => ({ name, mount: `/sys/fs/cgroup/${name}`, path: '/own' });
/** The controllers in legacy hierarchies, beside a cgroup2 without any. */
const HYBRID = host({
  cgroup: {
    kind: 'hybrid',
    unifiedMount: '/sys/fs/cgroup/unified',
    unifiedPath: '/',
    v1: ['cpu,cpuacct', 'cpuset', 'memory', 'blkio', 'pids', 'devices', 'name=systemd'].map(hierarchy),
  },
  resources: { ...FACTS, levels: [{ path: '/', controllers: [], enabled: [], processes: 'others', root: true }] },
});

const properties = (...list: string[]): string[] => list.map((property) => `--property=${property}`);

/** `file=value` of everything that is written for the properties. */
function written(facts: HostFacts, ...list: string[]): string[] {
  return stepsOf(planOf(properties(...list), facts).outer, 'cgroupWrite').flatMap(({ files }) =>
    files.filter(({ name }) => name !== 'cgroup.subtree_control').map(({ name, value }) => `${name}=${value}`),
  );
}

const onV2 = (...list: string[]): string[] => written(V2, ...list);
const onHybrid = (...list: string[]): string[] =>
  // a legacy cpuset is filled in before anything else can be said
  written(HYBRID, ...list).filter((line) => !/^cpuset\.(cpus=0-3|mems=0)$/.test(line));

for (const [property, unified, legacy] of [
  ['MemoryMax=1G', ['memory.max=1073741824'], ['memory.limit_in_bytes=1073741824']],
  ['MemoryMax=1.5G', ['memory.max=1610612736'], ['memory.limit_in_bytes=1610612736']],
  ['MemoryMax=infinity', ['memory.max=max'], ['memory.limit_in_bytes=-1']],
  ['MemoryMax=25%', ['memory.max=2147483648'], ['memory.limit_in_bytes=2147483648']],
  ['MemoryLimit=4096', ['memory.max=4096'], ['memory.limit_in_bytes=4096']],
  ['MemoryHigh=512M', ['memory.high=536870912'], undefined],
  ['MemoryLow=1M', ['memory.low=1048576'], undefined],
  ['MemoryMin=0', ['memory.min=0'], undefined],
  ['MemorySwapMax=0', ['memory.swap.max=0'], undefined],
  ['MemoryZSwapMax=1M', ['memory.zswap.max=1048576'], undefined],
  ['CPUWeight=50', ['cpu.weight=50'], ['cpu.shares=512']],
  ['CPUWeight=idle', ['cpu.idle=1'], ['cpu.idle=1']],
  ['CPUShares=2048', ['cpu.weight=200'], ['cpu.shares=2048']],
  ['CPUQuota=20%', ['cpu.max=20000 100000'], ['cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=20000']],
  ['CPUQuota=250%', ['cpu.max=250000 100000'], ['cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=250000']],
  ['CPUQuota=0.5%', ['cpu.max=1000 200000'], ['cpu.cfs_period_us=200000', 'cpu.cfs_quota_us=1000']],
  ['CPUQuota=', ['cpu.max=max'], ['cpu.cfs_quota_us=-1']],
  ['AllowedCPUs=1 3', ['cpuset.cpus=1,3'], ['cpuset.cpus=1,3', 'cpuset.cpus=1,3', 'cpuset.cpus=1,3']],
  ['AllowedMemoryNodes=0', ['cpuset.mems=0'], []],
  ['TasksMax=100', ['pids.max=100'], ['pids.max=100']],
  ['TasksMax=5%', ['pids.max=50'], ['pids.max=50']],
  ['TasksMax=infinity', ['pids.max=max'], ['pids.max=max']],
  [
    'IOWeight=100',
    ['io.weight=default 100', 'io.bfq.weight=default 100'],
    ['blkio.weight=500', 'blkio.bfq.weight=100'],
  ],
  [
    'IOWeight=10000',
    ['io.weight=default 10000', 'io.bfq.weight=default 1000'],
    ['blkio.weight=1000', 'blkio.bfq.weight=1000'],
  ],
  [
    'BlockIOWeight=500',
    ['io.weight=default 100', 'io.bfq.weight=default 100'],
    ['blkio.weight=500', 'blkio.bfq.weight=100'],
  ],
  [
    'IODeviceWeight=/var 50',
    ['io.weight=8:0 50', 'io.bfq.weight=8:0 50'],
    ['blkio.weight_device=8:0 250', 'blkio.bfq.weight_device=8:0 50'],
  ],
  ['IOReadBandwidthMax=/var 10M', ['io.max=8:0 rbps=10000000'], ['blkio.throttle.read_bps_device=8:0 10000000']],
  ['IOWriteBandwidthMax=/dev/sda 1K', ['io.max=8:0 wbps=1000'], ['blkio.throttle.write_bps_device=8:0 1000']],
  ['IOReadIOPSMax=/var 200', ['io.max=8:0 riops=200'], ['blkio.throttle.read_iops_device=8:0 200']],
  ['IOWriteIOPSMax=/var infinity', ['io.max=8:0 wiops=max'], ['blkio.throttle.write_iops_device=8:0 0']],
  ['BlockIOReadBandwidth=/var 1M', ['io.max=8:0 rbps=1000000'], ['blkio.throttle.read_bps_device=8:0 1000000']],
  ['IODeviceLatencyTargetSec=/var 25ms', ['io.latency=8:0 target=25000'], undefined],
  ['OOMPolicy=kill', ['memory.oom.group=1'], undefined],
] as const) {
  test(`${property} is what the files of cgroup2 and of the legacy hierarchies say it is`, () => {
    // io and cpuset are handed down by the root only
    assert.equal(onV2(property), unified);
    if (legacy !== undefined) assert.equal(onHybrid(property), legacy);
    else assert.throws(() => onHybrid(property), /--property/);
  });
}

test('a period goes with its quota, and the last of several values counts', () => {
  assert.equal(onV2('CPUQuotaPeriodSec=10ms', 'CPUQuota=50%'), ['cpu.max=5000 10000']);
  assert.equal(onV2('MemoryMax=1G', 'MemoryMax=2G'), ['memory.max=2147483648']);
  assert.equal(onV2('IOReadIOPSMax=/var 1', 'IOReadIOPSMax=/dev/sda 2'), ['io.max=8:0 riops=1', 'io.max=8:0 riops=2']);
});

test('legacy cgroups count swap and memory together, and are told the memory first', () => {
  assert.equal(onHybrid('MemorySwapMax=1M', 'MemoryMax=1M'), [
    'memory.limit_in_bytes=1048576',
    'memory.memsw.limit_in_bytes=2097152',
  ]);
  assert.throws(() => onHybrid('MemorySwapMax=1M'), /legacy cgroups limit swap together with the memory/);
});

for (const [property, reason] of [
  ['MemoryMax=lots', /bad value 'MemoryMax=lots' for --property: lots is not a size/],
  ['MemoryMax=1Q', /1Q is not a size/],
  ['MemoryMax=0', /not more than 0/],
  ['MemoryMax=101%', /more than the whole/],
  ['MemoryMax=-1', /-1 is not a size/],
  ['MemoryMax', /not of the form NAME=VALUE/],
  ['memorymax=1G', /no such property is known/],
  ['MemroyMax=1G', /no such property is known/],
  ['IPAddressDeny=any', /no such property is known/],
  ['CPUQuota=0%', /not a percentage above 0%/],
  ['CPUQuota=50', /not a percentage/],
  ['CPUQuotaPeriodSec=2s', /not from 1ms to 1s/],
  ['CPUWeight=0', /not a number from 1 to 10000/],
  ['CPUWeight=10001', /not a number from 1 to 10000/],
  ['CPUShares=1', /not a number from 2 to 262144/],
  ['TasksMax=0', /not a number from 1 on/],
  ['TasksMax=0%', /not more than 0/],
  ['TasksMax=many', /not a number/],
  ['AllowedCPUs=3-1', /3-1 is not a processor/],
  ['IOWeight=x', /not a number from 1 to 10000/],
  ['IOReadBandwidthMax=10M', /not of the form PATH VALUE/],
  ['IOReadBandwidthMax=var 10M', /not of the form PATH VALUE/],
  ['DevicePolicy=open', /not one of auto, closed, strict/],
  ['DeviceAllow=/dev/null x', /not of the form PATH \[rwm\]/],
  ['DeviceAllow=null', /not a path below \/dev/],
  ['OOMPolicy=stop', /not one of continue, kill/],
  ['Delegate=gpu', /not one of cpu, cpuset, memory, io, pids/],
  ['MemoryAccounting=perhaps', /neither yes nor no/],
  ['Slice=x.slice', /the slice has an option of its own/],
] as const) {
  test(`${property} is refused before anything has begun`, () => {
    assert.throws(
      () => spec(`--property=${property}`),
      (error: Error) => error instanceof UsageError && reason.test(error.message) && error.option === '--property',
    );
  });
}

test('what the host does not have is refused with the property and what is missing', () => {
  const none = host({ cgroup: V2.cgroup, resources: { ...FACTS, levels: [] } });
  for (const [property, controller] of [
    ['MemoryMax=1G', 'memory'],
    ['CPUQuota=10%', 'cpu'],
    ['TasksMax=10', 'pids'],
    ['IOWeight=10', 'io'],
    ['AllowedCPUs=0', 'cpuset'],
    ['Delegate=memory', 'memory'],
  ] as const) {
    assert.throws(
      () => viewOf(properties(property), none),
      (error: Error) =>
        error instanceof CgroupError &&
        error.message === `--property=${property} cannot be given: the host has no ${controller} controller`,
    );
  }
  assert.throws(() => viewOf(properties('AllowedCPUs=2-9'), V2), /there is no processor 4/);
  assert.throws(() => viewOf(properties('AllowedMemoryNodes=1'), V2), /there is no memory node 1/);
  assert.throws(() => viewOf(properties('IOReadIOPSMax=/proc 1'), V2), /\/proc is not on a block device/);
  assert.throws(() => viewOf(properties('DeviceAllow=/dev/nope'), V2), /\/dev\/nope is no device of this host/);
  const readOnly = HYBRID.cgroup.v1.map((one) => ({ ...one, writable: false }));
  const mounted = { ...HYBRID, cgroup: { ...HYBRID.cgroup, v1: readOnly } };
  assert.throws(() => viewOf(properties('MemoryMax=1G'), mounted), /no memory controller/);
});

test('what is about a unit alone is taken, and means nothing where there is none', () => {
  const plain = planOf([], V2);
  for (const property of [
    'Description=a b',
    'CPUAccounting=yes',
    'After=x.service',
    'TimeoutStopSec=5s',
    'StartupCPUWeight=9',
  ])
    assert.equal(planOf(properties(property), V2), plain, property);
});

test("limits lie above the guest's own cgroup, which it enters, and go with the machine", () => {
  const { outer } = planOf(properties('MemoryMax=1G'), V2);
  assert.equal(
    stepsOf(outer, 'cgroup').map(({ path, into }) => [path, into]),
    [
      ['/user.slice/tsnspawn-debian-tree-77', false],
      ['/user.slice/tsnspawn-debian-tree-77/payload', true],
    ],
  );
  const legacy = stepsOf(planOf(properties('MemoryMax=1G'), HYBRID).outer, 'cgroup');
  assert.equal(
    legacy.map(({ mount, path, into }) => [mount + path, into]),
    [
      ['/sys/fs/cgroup/unified/tsnspawn-debian-tree-77', true],
      ['/sys/fs/cgroup/memory/own/tsnspawn-debian-tree-77', false],
      ['/sys/fs/cgroup/memory/own/tsnspawn-debian-tree-77/payload', true],
    ],
  );
});

test('a legacy cpuset, which cannot be entered empty, is filled in on both levels', () => {
  const steps = planOf(properties('AllowedCPUs=1'), HYBRID).outer.filter(({ op }) => op.startsWith('cgroup'));
  assert.equal(
    steps.map((step) => (step.op === 'cgroupWrite' ? step.files.map(({ name }) => name).join() : step.op)),
    ['cgroup', 'cgroup', 'cpuset.cpus,cpuset.mems', 'cpuset.cpus', 'cgroup', 'cpuset.cpus,cpuset.mems'],
  );
});

/** Where the machine lies, and what its parent is told to hand down. */
function place(levels: ResourceFacts['levels'], ...list: string[]): readonly [path: string, enabled: string] {
  const { outer } = planOf(properties(...list), host({ cgroup: V2.cgroup, resources: { ...FACTS, levels } }));
  const enable = stepsOf(outer, 'cgroupWrite').flatMap(({ files }) =>
    files.filter(({ name }) => name === 'cgroup.subtree_control').map(({ value }) => value),
  );
  return [stepsOf(outer, 'cgroup')[0]?.path ?? '', enable.join(';')];
}

test('a cgroup with processes hands nothing down: the machine lies beside the launcher, as low as it can', () => {
  const name = 'tsnspawn-debian-tree-77';
  assert.equal(place(FACTS.levels, 'MemoryMax=1G'), [`/user.slice/${name}`, '+memory']);
  assert.equal(place(FACTS.levels, 'TasksMax=1'), [`/user.slice/${name}`, '+pids']);
  assert.equal(place(FACTS.levels, 'IOWeight=1', 'MemoryMax=1G'), [`/${name}`, '+io +memory']);
  const [own, ...above] = FACTS.levels;
  assert.ok(own);
  assert.equal(place([{ ...own, enabled: ['cpu'] }, ...above], 'CPUWeight=1'), [`/user.slice/a/${name}`, '+cpu']);
});

test('processes of others are never moved: where that would be needed the limit is refused', () => {
  const crowded = FACTS.levels.slice(0, 2).map((level) => ({ ...level, enabled: [], processes: 'others' as const }));
  assert.throws(() => place(crowded, 'MemoryMax=1G'), /no cgroup from \/user\.slice\/a upwards can hand down memory/);
});

test('Delegate= hands controllers on to the guest, all or those that are named', () => {
  const [path, enabled] = place(FACTS.levels, 'Delegate=memory pids');
  assert.equal([path, enabled], ['/user.slice/tsnspawn-debian-tree-77', '+memory +pids']);
  const both = place(FACTS.levels, 'Delegate=memory', 'TasksMax=10');
  assert.is(both[1], '+pids +memory;+memory');
});

test('a device policy is a list for the legacy controller, and a program on cgroup2', () => {
  const lines = written(HYBRID, 'DeviceAllow=/dev/kvm rw');
  assert.is(lines[0], 'devices.deny=a');
  for (const line of ['c 1:3 rwm', 'c 5:2 rwm', 'c 136:* rwm', 'c 10:232 rw'])
    assert.ok(lines.includes(`devices.allow=${line}`));
  const plan = planOf(properties('DeviceAllow=/dev/kvm rw', 'DevicePolicy=strict'), V2);
  const [step] = stepsOf(plan.outer, 'cgroupDevices');
  const rules = step?.rules ?? [];
  assert.equal(rules.at(-1), { type: 'char', major: 10, minor: 232, access: 'rw' });
  assert.is(rules.find(({ major, minor }) => major === 1 && minor === 3)?.access, 'm');
  assert.ok(encodePlan(plan, () => new Uint8Array()).length > 0);
  assert.equal(stepsOf(planOf(properties('DevicePolicy=auto'), V2).outer, 'cgroupDevices'), []);
});

test('without properties a plan has no more cgroups than before', () => {
  assert.equal(
    stepsOf(planOf([], V2).outer, 'cgroup').map(({ path }) => path),
    ['/user.slice/a/tsnspawn-debian-tree-77'],
  );
});

test.run();

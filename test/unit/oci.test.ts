// The configuration of an OCI bundle: each part becomes what an option would say, and what cannot be given is refused with its place.

import { mergeSettings, parseArguments, type Settings, specFrom, view } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { config, type Json, NAMESPACES, read, refused, settingsOf } from '../support/oci';
import { host, tree } from './fixtures';

const processOf = (process: Json): Settings => settingsOf({ process });
const specOf = (changes: Json = {}, linux: Json = {}) => specFrom(settingsOf(changes, linux), {});

test('the root is relative to the bundle, or absolute', () => {
  assert.is(settingsOf().directory, '/bundle/rootfs');
  assert.is(settingsOf({ root: { path: '/srv/tree', readonly: true } }).directory, '/srv/tree');
  assert.equal(
    [settingsOf().readOnly, settingsOf({ root: { path: 'r', readonly: true } }).readOnly],
    [undefined, true],
  );
});

test('nothing of the host is added: no resolv.conf, time zone or journal', () => {
  const { resolvConf, timezone, linkJournal } = specOf();
  assert.equal([resolvConf, timezone, linkJournal.mode], ['off', 'off', 'no']);
});

test('versions 1.0 to 1.2 are read, drafts and others are not', () => {
  for (const version of ['1.0.0', '1.0.2', '1.1.0', '1.2.1']) settingsOf({ ociVersion: version });
  for (const version of ['1.0.2-dev', '1.3.0', '2.0.0', '0.9.0', '1.0', '', '1.0.0+x'])
    refused(config({ ociVersion: version }), /: ociVersion: is '/);
  refused({ root: { path: 'r' } }, /ociVersion is missing/);
  refused(config({ ociVersion: 1 }), /ociVersion: is 1, not a string/);
});

test('arguments, environment, directory and user of the process', () => {
  const spec = specOf({
    process: {
      args: ['/bin/sh', '-c', 'true'],
      env: ['A=1', 'B=', 'C=x=y'],
      cwd: '/srv',
      user: { uid: 1000, gid: 100, additionalGids: [5, 6] },
      noNewPrivileges: true,
      oomScoreAdj: -5,
    },
  });
  assert.equal([spec.start, ...spec.command], ['pid1', '/bin/sh', '-c', 'true']);
  assert.equal(spec.env, [
    { name: 'A', value: '1' },
    { name: 'B', value: '' },
    { name: 'C', value: 'x=y' },
  ]);
  assert.equal([spec.chdir, spec.user, ...(spec.groups ?? [])], ['/srv', '1000', 100, 5, 6]);
  assert.equal([spec.noNewPrivileges, spec.oomScoreAdjust], [true, -5]);
});

test('terminal: false hands on the descriptors of the caller, true and nothing leave it to the caller', () => {
  assert.is(processOf({ terminal: false }).console, 'pipe');
  assert.is(processOf({ terminal: true, consoleSize: { height: 25, width: 80 } }).console, undefined);
  assert.is(processOf({}).console, undefined);
});

test('the bounding set is what is retained, and the ambient set is ambient', () => {
  const { privileges } = view(
    specOf({
      process: {
        args: ['x'],
        capabilities: { bounding: ['CAP_KILL', 'CAP_SYSLOG'], effective: ['CAP_KILL'], ambient: ['CAP_KILL'] },
      },
    }),
    host(),
    tree(),
  );
  assert.equal([[...privileges.bounding].sort(), privileges.ambient], [['kill', 'syslog'], ['kill']]);
  const none = view(specOf({ process: { args: ['x'], capabilities: {} } }), host(), tree());
  assert.equal(none.privileges.bounding, []);
});

test('a capability that nobody knows is passed over with a warning, as the specification wants it', () => {
  const { settings, warnings } = read(config({ process: { capabilities: { bounding: ['CAP_KILL', 'CAP_NOPE'] } } }));
  assert.equal(settings.capability, [['kill']]);
  assert.equal(warnings, [
    '/bundle/config.json: process.capabilities.bounding[1]: no capability is named CAP_NOPE: passed over',
  ]);
});

test('limits are numbers in the units of the kernel; the largest and negative ones mean none', () => {
  const rlimits = [
    { type: 'RLIMIT_NOFILE', soft: 10, hard: 20 },
    { type: 'RLIMIT_CORE', soft: 0, hard: 2 ** 64 - 1 },
    { type: 'RLIMIT_AS', soft: -1, hard: -1 },
  ];
  assert.equal(specOf({ process: { rlimits } }).rlimits, {
    NOFILE: { soft: 10, hard: 20 },
    CORE: { soft: 0, hard: 'infinity' },
    AS: { soft: 'infinity', hard: 'infinity' },
  });
});

test('namespaces that are not named are those of the host, as far as that can be', () => {
  const without = (type: string) => specOf({}, { namespaces: NAMESPACES.filter((one) => one.type !== type) });
  assert.equal(specOf().sharedNamespaces, []);
  assert.equal(without('ipc').sharedNamespaces, ['ipc']);
  assert.equal(without('uts').sharedNamespaces, ['uts']);
  assert.is(without('cgroup').cgroupNamespace, false);
  assert.equal([specOf().network.private, without('network').network.private], [true, false]);
  const joined = NAMESPACES.map((one) => (one.type === 'network' ? { ...one, path: '/run/netns/x' } : one));
  const { network } = specOf({}, { namespaces: joined });
  assert.equal([network.private, network.namespacePath], [false, '/run/netns/x']);
});

test('a user namespace is a range from 0 of the container, for users and groups alike', () => {
  const namespaces = [...NAMESPACES, { type: 'user' }];
  const maps = [{ containerID: 0, hostID: 100000, size: 65536 }];
  const { users, ownership } = specOf({}, { namespaces, uidMappings: maps, gidMappings: maps });
  assert.equal(users, { mode: 'range', base: 100000, size: 65536 });
  assert.is(ownership, 'off');
  assert.is(specOf().users.mode, 'no');
});

test('mounts: binds of the host, relative to the bundle, tmpfs and overlays', () => {
  const mounts = [
    { destination: '/a', source: '/srv', type: 'bind', options: ['rbind', 'ro', 'nosuid', 'nodev', 'rprivate'] },
    { destination: '/b', source: 'data', options: ['bind', 'rw', 'idmap'] },
    { destination: '/c', type: 'none', source: '/x', options: ['bind'] },
    { destination: '/t', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=1m', 'mode=700'] },
    {
      destination: '/o',
      type: 'overlay',
      source: 'overlay',
      options: ['lowerdir=/top:/low', 'upperdir=up', 'workdir=w'],
    },
  ];
  const bind = { kind: 'bind', recursive: false, readOnly: false, ids: 'none' };
  const from = (path: string) => ({ path, inTree: false });
  assert.equal(specOf({ mounts }).mounts, [
    { ...bind, source: from('/srv'), destination: '/a', recursive: true, readOnly: true, flags: ['nosuid', 'nodev'] },
    { ...bind, source: from('/bundle/data'), destination: '/b', ids: 'idmap' },
    { ...bind, source: from('/x'), destination: '/c' },
    { kind: 'tmpfs', destination: '/t', options: 'nosuid,size=1m,mode=700' },
    { kind: 'overlay', lower: [from('/low'), from('/top')], upper: from('/bundle/up'), destination: '/o' },
  ]);
});

test('what every container has anyway is not mounted a second time, a bind in its place is', () => {
  const own = [
    ['/proc', 'proc'],
    ['/dev', 'tmpfs'],
    ['/dev/pts', 'devpts'],
    ['/dev/shm', 'tmpfs'],
    ['/dev/mqueue', 'mqueue'],
    ['/sys', 'sysfs'],
    ['/sys/fs/cgroup', 'cgroup'],
    ['/sys/fs/cgroup/unified', 'cgroup2'],
    ['/run', 'tmpfs'],
  ].map(([destination, type]) => ({ destination, type, source: type, options: ['nosuid'] }));
  assert.equal(specOf({ mounts: own }).mounts, []);
  assert.is(
    specOf({ mounts: [{ destination: '/run', type: 'bind', source: '/srv', options: ['rbind'] }] }).mounts.length,
    1,
  );
});

test('masked and read-only paths need not exist', () => {
  const { mounts } = specOf({}, { maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/bus'] });
  assert.equal(mounts, [
    {
      kind: 'bind',
      source: { path: '/proc/bus', inTree: true },
      destination: '/proc/bus',
      readOnly: true,
      recursive: true,
      ids: 'none',
      optional: true,
    },
    { kind: 'inaccessible', destination: '/proc/kcore', optional: true },
  ]);
});

test('resources are properties of a unit, in its units', () => {
  const properties = (resources: Json) =>
    specOf({}, { resources }).properties.map(({ name, value }) => `${name}=${value}`);
  assert.equal(properties({ memory: { limit: 1048576, reservation: 4096, swap: 2097152 } }), [
    'MemoryMax=1048576',
    'MemoryLow=4096',
    'MemorySwapMax=1048576',
  ]);
  assert.equal(properties({ memory: { limit: -1, swap: -1, kernel: -1, disableOOMKiller: false } }), [
    'MemoryMax=infinity',
    'MemorySwapMax=infinity',
  ]);
  assert.equal(properties({ cpu: { shares: 2048, quota: 50000, period: 100000, cpus: '0-1', mems: '0' } }), [
    'CPUWeight=200',
    'CPUQuota=50%',
    'CPUQuotaPeriodSec=100000us',
    'AllowedCPUs=0-1',
    'AllowedMemoryNodes=0',
  ]);
  assert.equal(properties({ cpu: { shares: 0, quota: -1, period: 0, cpus: '' } }), []);
  assert.equal(properties({ pids: { limit: 100 } }), ['TasksMax=100']);
  assert.equal(properties({ pids: { limit: -1 } }), ['TasksMax=infinity']);
  assert.equal(
    properties({
      blockIO: {
        weight: 500,
        weightDevice: [{ major: 8, minor: 0, weight: 1000 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1024 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 10 }],
      },
    }),
    [
      'IOWeight=100',
      'IODeviceWeight=/dev/block/8:0 200',
      'IOReadBandwidthMax=/dev/block/8:0 1024',
      'IOWriteIOPSMax=/dev/block/8:16 10',
    ],
  );
  const deny = { allow: false, access: 'rwm' };
  assert.equal(properties({ devices: [deny] }), []);
  assert.equal(
    properties({
      devices: [
        deny,
        { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
        { allow: true, type: 'b', major: 8, access: 'r' },
        { allow: true, type: 'c', major: -1, minor: -1, access: 'm' },
      ],
    }),
    ['DeviceAllow=/dev/char/10:229 rw', 'DeviceAllow=block-8 r', 'DeviceAllow=char-* m'],
  );
  assert.equal(properties({ devices: [deny, { allow: true, access: 'rwm' }] }), []);
});

test('devices that every container has are left out, others are made', () => {
  const devices = [
    { path: '/dev/null', type: 'c', major: 1, minor: 3 },
    { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
    { path: '/dev/pipe', type: 'p' },
    { path: '/dev/disk', type: 'b', major: 8, minor: 0, fileMode: 0o600 },
  ];
  assert.equal(specOf({}, { devices }).devices, [
    { path: '/dev/fuse', type: 'char', mode: 0o666, major: 10, minor: 229 },
    { path: '/dev/pipe', type: 'fifo', mode: 0o644 },
    { path: '/dev/disk', type: 'block', mode: 0o600, major: 8, minor: 0 },
  ]);
});

test('kernel parameters of the namespaces of the container are set, those of the host are refused', () => {
  const seen = (sysctl: Json, namespaces = NAMESPACES) => view(specOf({}, { sysctl, namespaces }), host(), tree());
  const steps = seen({ 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '8192' }).entries.filter(
    ({ kind }) => kind === 'sysctl',
  );
  assert.is(steps.length, 2);
  for (const key of ['kernel.panic', 'vm.swappiness', 'kernel.core_pattern', 'fs.file-max', 'network.x'])
    assert.throws(() => seen({ [key]: '1' }), new RegExp(`kernel parameter ${key} is not one of the container's own`));
  assert.throws(
    () =>
      seen(
        { 'net.core.somaxconn': '1' },
        NAMESPACES.filter(({ type }) => type !== 'network'),
      ),
    /net\.core\.somaxconn is not one/,
  );
  const { hostname, entries } = view(specOf({ hostname: 'h', domainname: 'd.example' }), host(), tree());
  assert.is(hostname, 'h');
  assert.ok(entries.some((entry) => entry.kind === 'sysctl' && entry.value === 'd.example'));
});

test("a system call filter takes the place of the container's own, whatever its kind", () => {
  const seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    syscalls: [
      { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
      {
        names: ['clone'],
        action: 'SCMP_ACT_ERRNO',
        args: [{ index: 0, value: 0x10000000, valueTwo: 0x10000000, op: 'SCMP_CMP_MASKED_EQ' }],
      },
      { names: ['ptrace'], action: 'SCMP_ACT_KILL_PROCESS' },
    ],
  };
  const profile = {
    action: { kind: 'errno', errno: 38 },
    architectures: ['x86_64', 'x86'],
    rules: [
      { names: ['read', 'write'], action: { kind: 'allow' }, args: [] },
      {
        names: ['clone'],
        action: { kind: 'errno', errno: 1 },
        args: [{ index: 0, op: 'MASKED_EQ', value: 0x10000000, valueTwo: 0x10000000 }],
      },
      { names: ['ptrace'], action: { kind: 'kill-process' }, args: [] },
    ],
  };
  const spec = specOf({}, { seccomp });
  assert.equal(spec.seccompProfile, profile);
  assert.equal(view(spec, host(), tree()).privileges.filters, [
    { filter: 'arguments' },
    { filter: 'profile', profile },
  ]);
  const rules = mergeSettings({ systemCallFilter: [{ deny: true, names: ['bpf'] }] }, settingsOf({}, { seccomp }));
  assert.equal([rules.seccompProfile, rules.systemCallFilter?.length], [undefined, 1]);
});

test('the path of a slice is its name', () => {
  assert.is(specOf({}, { cgroupsPath: '/a.slice/a-b.slice' }).slice, 'a-b.slice');
  assert.is(specOf({}, { cgroupsPath: 'user.slice:runc:name' }).slice, 'user.slice');
});

test('the command line wins, by the same classes as over a settings file', () => {
  const bundle = settingsOf({
    process: {
      args: ['/bin/app'],
      env: ['A=1'],
      user: { uid: 5, gid: 6 },
      rlimits: [{ type: 'RLIMIT_CORE', soft: 1, hard: 1 }],
    },
    hostname: 'h',
    mounts: [{ destination: '/a', source: '/srv', options: ['bind'] }],
  });
  let said: Settings = {};
  parseArguments(
    ['-D', '/other', '-u', 'joe', '--tmpfs=/t', '--rlimit=NOFILE=9', '--hostname=mine', 'true'],
    {},
    (settings) => {
      said = settings;
      return settings;
    },
  );
  const spec = specFrom(mergeSettings(said, bundle), {});
  assert.equal(
    [spec.directory, spec.user, spec.groups, spec.hostname, ...spec.command],
    ['/other', 'joe', undefined, 'mine', 'true'],
  );
  assert.equal(
    spec.mounts.map(({ kind }) => kind),
    ['tmpfs'],
  );
  assert.equal(Object.keys(spec.rlimits), ['CORE', 'NOFILE']);
  assert.equal(spec.env, [{ name: 'A', value: '1' }]);
});

test.run();

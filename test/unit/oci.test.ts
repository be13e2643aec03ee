// The configuration of an OCI bundle: each part becomes what an option would say, and what cannot be given is refused with its place.

import { mergeSettings, parseArguments, readBundle, type Settings, specFrom, UsageError, view } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { random } from '../support/random';
import { host, tree } from './fixtures';

type Json = { [name: string]: unknown };

const NAMESPACES = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type }));

/** The smallest configuration, with parts of it replaced. */
function config(changes: Json = {}, linux: Json = {}): Json {
  return {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    linux: { namespaces: NAMESPACES, ...linux },
    ...changes,
  };
}

function read(json: unknown) {
  return readBundle(JSON.stringify(json), '/bundle');
}

const settingsOf = (changes: Json = {}, linux: Json = {}): Settings => read(config(changes, linux)).settings;
const processOf = (process: Json): Settings => settingsOf({ process });
const specOf = (changes: Json = {}, linux: Json = {}) => specFrom(settingsOf(changes, linux), {});

function refused(json: unknown, message: RegExp): void {
  try {
    read(json);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    assert.match(error.message, /^\/bundle\/config\.json: /);
    assert.match(error.message, message);
    return;
  }
  assert.unreachable(`accepted: ${JSON.stringify(json)}`);
}

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

const process = (changes: Json) => config({ process: changes });
const linux = (changes: Json) => config({}, changes);
const resources = (changes: Json) => linux({ resources: changes });
const rule = (changes: Json) => linux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [changes] } });
const mount = (changes: Json) => config({ mounts: [{ destination: '/a', ...changes }] });

const REFUSED: readonly (readonly [promise: string, json: unknown, message: RegExp])[] = [
  ['no object', [], /is a list, not an object/],
  ['an unknown property', config({ vm: {} }), /: vm: is not known here/],
  [
    'an unknown property deep down',
    process({ user: { uid: 1, gid: 1, shell: 'x' } }),
    /process\.user\.shell: is not known/,
  ],
  ['no root', { ociVersion: '1.0.0', linux: { namespaces: NAMESPACES } }, /root is missing/],
  ['an empty root', config({ root: { path: '' } }), /root\.path: is empty/],
  ['a root with a zero byte', config({ root: { path: 'a\0b' } }), /root\.path: contains a zero byte/],
  ['arguments that are none', process({ args: [] }), /process\.args: names no program/],
  ['an empty program', process({ args: [''] }), /process\.args: names no program/],
  ['an argument that is a number', process({ args: ['a', 1] }), /process\.args\[1\]: is 1, not a string/],
  ['a variable without a value', process({ env: ['SECRET'] }), /process\.env\[0\]: 'SECRET' is not of the form/],
  ['a variable with a bad name', process({ env: ['9=1'] }), /process\.env\[0\]: bad value/],
  ['a relative directory', process({ cwd: 'srv' }), /process\.cwd: bad value 'srv'/],
  ['a directory that leads out', process({ cwd: '/a/../..' }), /process\.cwd: bad value/],
  ['a user by name', process({ user: { uid: 'root', gid: 0 } }), /process\.user\.uid: is 'root', not a number/],
  ['a user without a group', process({ user: { uid: 0 } }), /process\.user: gid is missing/],
  ['a user that is no id', process({ user: { uid: 4294967295, gid: 0 } }), /process\.user\.uid: is 4294967295/],
  ['a half user', process({ user: { uid: 0.5, gid: 0 } }), /process\.user\.uid: is 0\.5/],
  ['another umask', process({ user: { uid: 0, gid: 0, umask: 0 } }), /umask: is not supported/],
  [
    'a limit nobody knows',
    process({ rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] }),
    /rlimits\[0\]\.type: no limit/,
  ],
  [
    'a limit twice',
    process({ rlimits: [1, 2].map(() => ({ type: 'RLIMIT_CPU', soft: 1, hard: 1 })) }),
    /limited twice/,
  ],
  [
    'a soft limit above the hard one',
    process({ rlimits: [{ type: 'RLIMIT_CPU', soft: 2, hard: 1 }] }),
    /soft 2 is above hard 1/,
  ],
  ['an oom score beyond its bounds', process({ oomScoreAdj: 1001 }), /process\.oomScoreAdj: is 1001/],
  ['an AppArmor profile', process({ apparmorProfile: 'p' }), /process\.apparmorProfile: is not supported/],
  ['scheduling', process({ scheduler: { policy: 'SCHED_FIFO' } }), /process\.scheduler: is not supported/],
  ['hooks', config({ hooks: { prestart: [{ path: '/x' }] } }), /hooks\.prestart: is not supported/],
  ['an annotation that is no string', config({ annotations: { a: 1 } }), /annotations\.a: is 1, not a string/],
  ['a host name that is none', config({ hostname: 'a..b' }), /hostname: bad value/],
  ['a mount without a destination', config({ mounts: [{ source: '/x' }] }), /mounts\[0\]: destination is missing/],
  ['a relative destination', mount({ destination: 'a', source: '/x' }), /mounts\[0\]\.destination: bad value 'a'/],
  [
    'a destination that leads out',
    mount({ destination: '/a/../../b', source: '/x' }),
    /mounts\[0\]\.destination: bad value/,
  ],
  ['the root as a destination', mount({ destination: '/', source: '/x' }), /mounts\[0\]\.destination: bad value/],
  ['a bind without a source', mount({ type: 'bind' }), /mounts\[0\]: source is missing/],
  [
    'a bind with an unknown option',
    mount({ source: '/x', options: ['bind', 'frob'] }),
    /mounts\[0\]\.options\[1\]: 'frob'/,
  ],
  [
    'a file system of another type',
    mount({ type: 'ext4', source: '/dev/sda1' }),
    /mounts\[0\]\.type: 'ext4' cannot be mounted/,
  ],
  ['proc in another place', mount({ type: 'proc', source: 'proc' }), /'proc' cannot be mounted on \/a/],
  ['an overlay without layers', mount({ type: 'overlay' }), /mounts\[0\]: an overlay without lowerdir/],
  [
    'owners of a single mount',
    mount({ source: '/x', uidMappings: [{}] }),
    /mounts\[0\]\.uidMappings: is not supported/,
  ],
  ['no namespaces', config({ linux: {} }), /linux: namespaces is missing/],
  [
    'no mount namespace',
    linux({ namespaces: [{ type: 'pid' }] }),
    /linux\.namespaces: a container without a mount namespace/,
  ],
  ['the process ids of the host', linux({ namespaces: [{ type: 'mount' }] }), /without a pid namespace/],
  ['an unknown namespace', linux({ namespaces: [{ type: 'x' }] }), /linux\.namespaces\[0\]\.type: is 'x', not one of/],
  ['a namespace twice', linux({ namespaces: [...NAMESPACES, { type: 'pid' }] }), /named twice/],
  ['a time namespace', linux({ namespaces: [...NAMESPACES, { type: 'time' }] }), /time namespaces are not supported/],
  [
    'an existing namespace',
    linux({ namespaces: [{ type: 'ipc', path: '/x' }] }),
    /existing ipc namespace cannot be joined/,
  ],
  [
    'ids that do not begin at 0',
    linux({ namespaces: [...NAMESPACES, { type: 'user' }], uidMappings: [{ containerID: 1, hostID: 1, size: 1 }] }),
    /uidMappings\[0\]: ranges that do not begin/,
  ],
  [
    'ids of users alone',
    linux({ namespaces: [...NAMESPACES, { type: 'user' }], uidMappings: [{ containerID: 0, hostID: 1, size: 9 }] }),
    /mapped alike/,
  ],
  [
    'groups of another range',
    linux({
      namespaces: [...NAMESPACES, { type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: 1, size: 9 }],
      gidMappings: [{ containerID: 0, hostID: 2, size: 9 }],
    }),
    /linux\.gidMappings: is not the range of uidMappings/,
  ],
  [
    'ids without a user namespace',
    linux({ uidMappings: [{ containerID: 0, hostID: 1, size: 9 }] }),
    /no user namespace/,
  ],
  [
    'a device outside of /dev',
    linux({ devices: [{ path: '/etc/x', type: 'c', major: 1, minor: 2 }] }),
    /not below \/dev/,
  ],
  [
    'a device that leads out',
    linux({ devices: [{ path: '/dev/../etc/x', type: 'p' }] }),
    /devices\[0\]\.path: bad value/,
  ],
  ['a device without numbers', linux({ devices: [{ path: '/dev/x', type: 'c' }] }), /devices\[0\]: major is missing/],
  [
    'a device of somebody',
    linux({ devices: [{ path: '/dev/x', type: 'p', uid: 5 }] }),
    /only the root of the container/,
  ],
  [
    'a kernel parameter that leads out',
    linux({ sysctl: { 'net/../../x': '1' } }),
    /is not the name of a kernel parameter/,
  ],
  [
    'a kernel parameter with empty parts',
    linux({ sysctl: { 'net..x': '1' } }),
    /is not the name of a kernel parameter/,
  ],
  [
    'a kernel parameter that is a number',
    linux({ sysctl: { 'net.a': 1 } }),
    /linux\.sysctl\."net\.a": is 1, not a string/,
  ],
  [
    'a cgroup that is no slice',
    linux({ cgroupsPath: '/docker/x' }),
    /linux\.cgroupsPath: '\/docker\/x' is not the path/,
  ],
  ['memory in letters', resources({ memory: { limit: '1G' } }), /memory\.limit: is '1G', not a number/],
  ['swap without memory', resources({ memory: { swap: 5 } }), /memory: swap is limited together/],
  ['kernel memory', resources({ memory: { kernel: 5 } }), /memory\.kernel: is not supported/],
  ['no OOM killer', resources({ memory: { disableOOMKiller: true } }), /disableOOMKiller: is not supported/],
  ['real time', resources({ cpu: { realtimeRuntime: 5 } }), /cpu\.realtimeRuntime: is not supported/],
  ['huge pages', resources({ hugepageLimits: [{}] }), /hugepageLimits: is not supported/],
  ['files of cgroup2', resources({ unified: { 'memory.max': '1' } }), /unified: is not supported/],
  [
    'denied devices',
    resources({ devices: [{ allow: false, type: 'c', access: 'rwm' }] }),
    /devices\[0\]: only all devices/,
  ],
  ['a filter without a default', linux({ seccomp: {} }), /linux\.seccomp: defaultAction is missing/],
  [
    'a filter that notifies',
    linux({ seccomp: { defaultAction: 'SCMP_ACT_NOTIFY' } }),
    /'SCMP_ACT_NOTIFY' is not supported/,
  ],
  [
    'an error number that is none',
    linux({ seccomp: { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 5000 } }),
    /defaultErrnoRet: is 5000/,
  ],
  ['a rule without calls', rule({ names: [], action: 'SCMP_ACT_ALLOW' }), /syscalls\[0\]: names no system call/],
  ['a call that is no name', rule({ names: ['a b'], action: 'SCMP_ACT_ALLOW' }), /syscalls\[0\]\.names\[0\]: 'a b'/],
  [
    'a comparison nobody knows',
    rule({ names: ['a'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, op: 'SCMP_CMP_X' }] }),
    /args\[0\]\.op: 'SCMP_CMP_X' is not a comparison/,
  ],
  [
    'a seventh argument',
    rule({ names: ['a'], action: 'SCMP_ACT_ALLOW', args: [{ index: 6, value: 1, op: 'SCMP_CMP_EQ' }] }),
    /args\[0\]\.index: is 6/,
  ],
  ['Intel RDT', linux({ intelRdt: { closID: 'x' } }), /linux\.intelRdt: is not supported/],
  ['a propagation nobody knows', linux({ rootfsPropagation: 'x' }), /rootfsPropagation: is 'x', not one of/],
  ['a masked path that is relative', linux({ maskedPaths: ['proc'] }), /maskedPaths\[0\]: bad value/],
];

for (const [promise, json, message] of REFUSED) test(`refused: ${promise}`, () => refused(json, message));

test('what is no JSON is told with the place that JSON.parse names', () => {
  assert.throws(() => readBundle('{', '/bundle'), /^.*\/bundle\/config\.json: not JSON: /);
});

test('what every object of JavaScript inherits is no part of a document', () => {
  refused({ ...config(), ...JSON.parse('{"__proto__":{"root":{"path":"/x"}}}') }, /./);
  const text = JSON.stringify(config()).replace('{', '{"__proto__":{"polluted":1},');
  assert.throws(() => readBundle(text, '/bundle'), /: __proto__: is not known here/);
  assert.throws(() => readBundle('{"ociVersion":"1.0.0","constructor":{}}', '/bundle'), /constructor: is not known/);
  assert.is(({} as Json).polluted, undefined);
  refused(mount({ source: '/x', options: ['bind', 'constructor'] }), /options\[1\]: 'constructor'/);
  refused(process({ rlimits: [{ type: 'RLIMIT_toString', soft: 1, hard: 1 }] }), /no limit is named/);
});

test('null stands for what is not there', () => {
  assert.equal(settingsOf({ hostname: null, mounts: null }), settingsOf());
});

test('three thousand mutations of a configuration give settings or a UsageError', () => {
  const seed = JSON.stringify(
    config(
      {
        process: {
          args: ['a'],
          env: ['A=1'],
          cwd: '/',
          user: { uid: 0, gid: 0 },
          rlimits: [{ type: 'RLIMIT_CPU', soft: 1, hard: 2 }],
        },
        mounts: [{ destination: '/a', source: 'b', options: ['rbind', 'ro'] }],
      },
      {
        resources: {
          memory: { limit: 5 },
          cpu: { quota: 5, period: 9 },
          devices: [{ allow: true, type: 'c', access: 'r' }],
        },
        seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['a'], action: 'SCMP_ACT_ERRNO' }] },
        sysctl: { 'net.a': 'b' },
        devices: [{ path: '/dev/x', type: 'p' }],
      },
    ),
  );
  const next = random(7);
  const values: unknown[] = [
    null,
    true,
    0,
    -1,
    1.5,
    1e300,
    '',
    'x',
    '/../..',
    '\0',
    [],
    {},
    [[]],
    '__proto__',
    'a'.repeat(5000),
  ];
  const value = (): unknown => values[next(values.length)];
  /** Replaces, removes or adds something somewhere. */
  const mutate = (json: unknown): unknown => {
    if (typeof json !== 'object' || json === null || next(4) === 0) return value();
    const copy = (Array.isArray(json) ? [...json] : { ...json }) as Json;
    const keys = Object.keys(copy);
    const key = keys[next(keys.length + 1)];
    if (key === undefined) copy[next(2) === 0 ? 'length2' : `k${next(9)}`] = value();
    else if (next(6) === 0) delete copy[key];
    else copy[key] = mutate(copy[key]);
    return copy;
  };
  const started = globalThis.process.cpuUsage();
  for (let round = 0; round < 3000; round += 1) {
    let json: unknown = JSON.parse(seed);
    for (let edits = next(3); edits >= 0; edits -= 1) json = mutate(json);
    try {
      specFrom(read(json).settings, {});
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
  assert.ok(globalThis.process.cpuUsage(started).user < 10e6);
});

test('a document that is nested deeply is refused, or read, without an end of the stack', () => {
  const deep = `{"ociVersion":"1.0.0","annotations":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  assert.throws(
    () => readBundle(deep, '/bundle'),
    (error: Error) => error instanceof UsageError,
  );
});

test.run();

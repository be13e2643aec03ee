// What a configuration of an OCI bundle may not say: it is refused with its place in the document, whatever the document looks like.

import { readBundle, specFrom, UsageError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { config, type Json, NAMESPACES, read, refused, settingsOf } from '../support/oci';
import { random } from '../support/random';

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

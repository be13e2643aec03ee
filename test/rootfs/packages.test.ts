// Whole bootstraps of packages with a stand-in for the launcher. They need root, as packages have owners.

import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap, exportTree, type GuestRunner, removeTree } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { type DebSpec, deb, sha256 } from './support/archives';
import { type Keys, makeKeys, TestRepository, temporaryDirectory } from './support/repository';
import { fails, request } from './support/requests';

let keys: Keys;
test.before(async () => {
  keys = await makeKeys();
});

async function repository(specs: readonly DebSpec[]): Promise<TestRepository> {
  const made = new TestRepository(keys);
  await made.publish(specs);
  return made;
}

const asRoot = only(test, needs('root'));

const BASE: readonly DebSpec[] = [
  {
    name: 'base',
    fields: { Essential: 'yes', 'Pre-Depends': 'lib' },
    control: {
      preinst: '#!/bin/sh\nexit 0\n',
      conffiles: '/etc/base.conf\n',
      triggers: 'interest-noawait /usr/share/base\ninterest ldconfig\n',
      md5sums: 'x\n',
    },
    files: [
      { name: './etc/', type: '5' },
      { name: './etc/base.conf', content: 'conf' },
      { name: './bin/', type: '5' },
      { name: './bin/base', content: 'b', mode: 0o755 },
    ],
  },
  {
    name: 'lib',
    fields: { 'Multi-Arch': 'same' },
    files: [
      { name: './lib/', type: '5' },
      { name: './lib/libx', content: 'lib' },
    ],
  },
  {
    name: 'extra',
    fields: { Depends: 'more' },
    files: [
      { name: './usr/', type: '5' },
      { name: './usr/extra', content: 'e' },
    ],
  },
  { name: 'more' },
];

interface Call {
  readonly script: string;
  readonly status: string;
}

/** Stands in for the launcher: notes what it was to run, and what the database said then. */
function recorder(calls: Call[], status = 0, output = ''): GuestRunner {
  return (tree, _argv, options) => {
    calls.push({ script: options?.stdin ?? '', status: readFileSync(join(tree, 'var/lib/dpkg/status'), 'utf8') });
    return Promise.resolve({ status, output });
  };
}

asRoot('packages are unpacked, entered in the database and handed to their scripts in order', async () => {
  const calls: Call[] = [];
  const options = request(await repository(BASE), {
    variant: 'minbase',
    include: ['extra'],
    runner: recorder(calls),
  });
  await bootstrap(options);
  const info = join(options.directory, 'var/lib/dpkg/info');
  assert.is(readFileSync(join(info, 'base.list'), 'utf8'), '/.\n/etc\n/etc/base.conf\n/bin\n/bin/base\n');
  assert.ok(existsSync(join(info, 'lib:amd64.list')));
  assert.is(readFileSync(join(info, 'lib:amd64.md5sums'), 'utf8'), 'e8acc63b1e238f3255c900eed37254b8  lib/libx\n');
  assert.is(
    readFileSync(join(options.directory, 'var/lib/dpkg/triggers/File'), 'utf8'),
    '/usr/share/base base/noawait\n',
  );
  assert.is(readFileSync(join(options.directory, 'var/lib/dpkg/triggers/ldconfig'), 'utf8'), 'base\n');
  assert.is(calls.length, 1);
  assert.match(calls[0]?.status ?? '', /^Package: base\nStatus: install ok unpacked$/m);
  assert.match(calls[0]?.status ?? '', /\nConffiles:\n \/etc\/base.conf [0-9a-f]{32}\n/);
  const script = calls[0]?.script ?? '';
  assert.ok(
    script.indexOf('base.preinst install') > 0 &&
      script.indexOf('base.preinst install') < script.indexOf('--configure'),
  );
  assert.match(script, /--configure lib:amd64 base\n.*--configure -a\n$/s);
  assert.is(readFileSync(join(options.directory, 'etc/machine-id'), 'utf8'), '');
  assert.is(existsSync(join(options.directory, 'usr/sbin/policy-rc.d')), false);
  assert.is(
    readFileSync(join(options.directory, 'var/lib/apt/extended_states'), 'utf8'),
    'Package: more\nArchitecture: amd64\nAuto-Installed: 1\n',
  );
  assert.match(
    readFileSync(join(options.directory, 'etc/apt/sources.list.d/test.sources'), 'utf8'),
    `URIs: file://${options.mirror}\nSuites: test\nComponents: main\n`,
  );
});

asRoot('a tree has an init by default, the one that was asked for, or with minbase none', async () => {
  const named = (...names: string[]): DebSpec[] => names.map((name) => ({ name }));
  const from = await repository([...BASE, ...named('systemd-sysv', 'dbus', 'sysvinit-core')]);
  for (const [options, extra] of [
    [{ variant: undefined }, ['dbus', 'systemd-sysv']],
    [{ variant: 'system', init: 'systemd', include: ['extra'] }, ['dbus', 'extra', 'more', 'systemd-sysv']],
    [{ variant: undefined, init: 'sysvinit' }, ['sysvinit-core']],
    [{ variant: 'minbase' }, []],
  ] as const) {
    const whole = request(from, { ...(options as object), runner: recorder([]) });
    await bootstrap(whole);
    const status = readFileSync(join(whole.directory, 'var/lib/dpkg/status'), 'utf8');
    const names = [...status.matchAll(/^Package: (.*)$/gm)].map(([, name]) => name as string);
    assert.equal(names.sort(), ['base', 'lib', ...extra].sort());
  }
});

asRoot('a script that fails is named with what it said, and nothing is left', async () => {
  const output =
    'Setting up lib (1.0) ...\ncannot find the moon\ndpkg: error processing package base (--configure):\n installed base package post-installation script subprocess returned error exit status 1\n';
  await fails(
    request(await repository(BASE), { variant: 'minbase', runner: recorder([], 1, output) }),
    'SCRIPT_FAILED',
    /^cannot configure the package base: cannot find the moon$/,
  );
});

asRoot('scripts find the name that the system will have, and the tree does not keep it', async () => {
  let found = '';
  const options = request(await repository(BASE), {
    variant: 'minbase',
    runner: (tree) => {
      found = readFileSync(join(tree, 'etc/hostname'), 'utf8');
      return Promise.resolve({ status: 0, output: '' });
    },
  });
  await bootstrap(options);
  assert.is(found, 'tree\n');
  assert.is(existsSync(join(options.directory, 'etc/hostname')), false);
});

asRoot('packages that want the same path are refused, unless one replaces the other', async () => {
  const file = (content: string) => [
    { name: './usr/', type: '5' },
    { name: './usr/same', content },
  ];
  const essential = { Essential: 'yes' };
  const both = (fields: Record<string, string>): DebSpec[] => [
    { name: 'one', fields: essential, files: file('one') },
    { name: 'two', fields: { ...essential, ...fields }, files: file('two') },
  ];
  await fails(
    request(await repository(both({})), { variant: 'minbase', runner: recorder([]) }),
    'DEPENDENCY',
    /cannot unpack both (one and two|two and one): each has \/usr\/same/,
  );
  const options = request(await repository(both({ Replaces: 'one' })), {
    variant: 'minbase',
    runner: recorder([]),
  });
  await bootstrap(options);
  assert.is(readFileSync(join(options.directory, 'usr/same'), 'utf8'), 'two');
  assert.is(readFileSync(join(options.directory, 'var/lib/dpkg/info/one.list'), 'utf8'), '/.\n/usr\n');
});

asRoot('a package that diverts files is left to the tree’s own dpkg, and takes nothing from others', async () => {
  const diverting: DebSpec = {
    name: 'guard',
    control: { preinst: '#!/bin/sh\ndpkg-divert --package guard --add --rename --divert /usr/same.real /usr/same\n' },
    files: [
      { name: './usr/', type: '5' },
      { name: './usr/same', content: 'guard' },
      { name: './usr/own', content: 'guard' },
    ],
  };
  const calls: Call[] = [];
  const specs = [
    {
      name: 'one',
      fields: { Essential: 'yes' },
      files: [
        { name: './usr/', type: '5' },
        { name: './usr/same', content: 'one' },
      ],
    },
    diverting,
  ];
  const options = request(await repository(specs), {
    variant: 'minbase',
    include: ['guard'],
    runner: recorder(calls),
  });
  await bootstrap(options);
  assert.match(calls[0]?.script ?? '', '--unpack /var/cache/apt/archives/guard_amd64.deb');
  assert.is(calls[0]?.status.includes('Package: guard'), false);
  assert.is(readFileSync(join(options.directory, 'usr/same'), 'utf8'), 'one');
  assert.is(existsSync(join(options.directory, 'usr/own')), false);
  assert.equal(readdirSync(join(options.directory, 'var/cache/apt/archives')), []);
});

asRoot('a package file that is not what the index says is refused', async () => {
  const from = await repository([{ name: 'one', fields: { Essential: 'yes' } }]);
  const other = deb({ name: 'two' });
  from.write('pool/one.deb', other);
  await from.publishIndex(
    `Package: one\nVersion: 1.0\nArchitecture: amd64\nEssential: yes\nFilename: pool/one.deb\nSize: ${other.length}\nSHA256: ${sha256(other)}\n`,
  );
  await fails(
    request(from, { variant: 'minbase', runner: recorder([]) }),
    'ARCHIVE_INVALID',
    /it says of itself to be two 1.0 for amd64/,
  );
});

asRoot('a full disk is one line, and the half tree is gone', async () => {
  const small = temporaryDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', small]);
  try {
    const files = [{ name: './big', content: Buffer.alloc(2 << 20) }];
    const from = await repository([{ name: 'one', fields: { Essential: 'yes' }, files }]);
    const error = await fails(
      request(from, { variant: 'minbase', directory: join(small, 'tree'), runner: recorder([]) }),
      'DISK_FULL',
      /cannot write .*tree: no space left on the device/,
    );
    assert.ok(error.hint);
  } finally {
    execFileSync('umount', [small]);
  }
});

asRoot('who has one id makes a tree that remembers the owners of its files', async () => {
  const special: DebSpec = {
    name: 'special',
    fields: { Essential: 'yes' },
    files: [
      { name: './', type: '5' },
      { name: './dev/', type: '5', gid: 5, mode: 0o555 },
      { name: './dev/null', type: '3', mode: 0o666 },
      { name: './game', content: 'g', uid: 5, gid: 60, mode: 0o2555 },
      { name: './link', type: '2', target: 'game', uid: 5 },
      { name: './plain', content: 'p' },
    ],
  };
  const home = temporaryDirectory();
  const options = request(await repository([special]), { variant: 'minbase', directory: join(home, 'tree') });
  for (const path of [home, options.cache as string, options.mirror as string])
    execFileSync('chown', ['-R', '65534:65534', path]);
  const script = `const {bootstrap} = require('@tsnspawn/rootfs');
    bootstrap({...${JSON.stringify(options)}, runner: () => Promise.resolve({status: 0, output: ''})})`;
  const env = { ...process.env, HOME: home };
  execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', script], {
    env,
  });
  assert.equal(readdirSync(home).sort(), ['.#tree.owners', 'tree']);
  const file = join(home, 'tree.tar');
  await exportTree({ directory: options.directory, file, note: () => undefined });
  const listing = execFileSync('tar', ['-tvf', file, '--numeric-owner'], { encoding: 'utf8' });
  assert.match(listing, /^drwxr-xr-x 0\/0 .* \.\/$/m);
  assert.match(listing, /^dr-xr-xr-x 0\/5 .* \.\/dev\/$/m);
  assert.match(listing, /^crw-rw-rw- 0\/0 +1,3 .* \.\/dev\/null$/m);
  assert.match(listing, /^-r-xr-sr-x 5\/60 .* \.\/game$/m);
  assert.match(listing, /^lrwxrwxrwx 5\/0 .* \.\/link -> game$/m);
  assert.match(listing, /^-rw-r--r-- 0\/0 .* \.\/plain$/m);
  assert.is(lstatSync(join(options.directory, 'game')).uid, 65534);
  removeTree({ directory: options.directory });
  assert.equal(readdirSync(home), ['tree.tar']);
});

asRoot('a file system that remembers nothing is refused before anything is fetched', async () => {
  const home = temporaryDirectory();
  const options = request(await repository(BASE), { variant: 'minbase', directory: join(home, 'tree') });
  execFileSync('mount', ['-t', 'ramfs', 'none', home]);
  try {
    for (const path of [home, options.cache as string]) execFileSync('chown', ['-R', '65534:65534', path]);
    const script = `const {bootstrap} = require('@tsnspawn/rootfs');
      bootstrap({...${JSON.stringify(options)}, mirror: '/nowhere'}).catch((e) => console.log(e.message + '\\n' + e.hint))`;
    const as = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const said = execFileSync('setpriv', [...as, process.execPath, '-e', script], { encoding: 'utf8' });
    assert.match(
      said,
      /^cannot remember the owner of a file: Operation not supported\nchoose a directory on a file system/,
    );
    assert.equal(readdirSync(home), []);
  } finally {
    execFileSync('umount', [home]);
  }
});

test.run();

// What is refused before anything is looked at or changed: each option's bad values, and options that contradict each other.

import { OPTIONS, type OptionRow } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { launch } from '../../packages/cli/src/launch';
import { host, tree } from './fixtures';

/** Longer than the kernel takes (PATH_MAX), and a component longer than any file system takes (NAME_MAX). */
const LONG_PATH = '/x'.repeat(2048);
const LONG_NAME = `/${'x'.repeat(256)}`;
const BAD_PATHS = ['', LONG_PATH, LONG_NAME];
const BAD_BOOLEANS = ['', '2', 'ja', 'yes ', 'yesno'];
const BAD_INTERFACES = ['', 'sixteen-letters-', 'a/b', 'a b', '.', '..', 'all', 'default', '12', 'a%d', 'ü'];
const BAD_PAIRS = [...BAD_INTERFACES, ':b', 'a:', 'a:b:c', 'a:b/c'];
const BAD_CAPABILITIES = [
  'bogus',
  '41',
  '64',
  '-1',
  'net_admin net_raw',
  'net_admin, net_raw',
  '~all',
  'cap_net_admin,x',
];
const BAD_CREDENTIALS = ['', 'a', ':b', 'a/b:c', '.:b', '..:b', 'ä:b', `${'x'.repeat(256)}:b`];
const BAD_MODES = ['', 'bogus', 'AUTO', 'copy host'];

/** By the long name, or the short one where there is no other. */
const BAD: { readonly [option: string]: readonly string[] } = {
  directory: BAD_PATHS,
  image: BAD_PATHS,
  machine: ['', '-a', 'a-', '.a', 'a.', 'a..b', 'a_b', 'a b', 'a/b', 'ö', 'x'.repeat(65)],
  template: BAD_PATHS,
  volatile: ['', 'bogus', 'Overlay', 'yes,state'],
  'pivot-root': ['', '/', 'rel', ':/b', '/a:', '/a:rel', '/a/../b', '/a:/b:/c', '/a:/a', '/a\\'],
  'root-hash': ['', 'ab', 'abc', '0123456789abcdef0123456789abcde', 'g123456789abcdef0123456789abcdef'],
  'root-hash-sig': ['', 'base64:', 'base64:AAA', 'base64:A A=', 'base64:????', LONG_PATH],
  'verity-data': BAD_PATHS,
  'image-policy': ['', 'root=\nverity'],
  'oci-bundle': BAD_PATHS,
  hostname: ['', '-a', 'a..b', 'a_b', 'ö', 'x'.repeat(65)],
  uuid: ['', '0', '0'.repeat(32), 'x'.repeat(32), '0123456789abcdef-0123-456789abcdef', `{${'1'.repeat(32)}}`],
  user: ['', '65535', '4294967295', '-1', '+5', '0x10', '010', 'a:b', 'a/b', 'a b', 'a\nb'],
  chdir: ['', 'rel', '/a/../b', '/a/./b', '/a//b', '/proc', '/proc/1', '/sys', '/dev/shm', LONG_PATH],
  setenv: ['', '=b', '1A=b', 'A-B=c', 'A B=c', 'A.B=c', 'ä=c'],
  'kill-signal': ['', '0', '65', '-1', 'NOPE', 'RTMIN-1', 'RTMIN+31', 'RTMAX+1', 'RTMIN+ 3', '1.5', '0x41'],
  'notify-ready': BAD_BOOLEANS,
  'suppress-sync': BAD_BOOLEANS,
  personality: ['', 'X86', 'x86_64', 'i386', 'arm64'],
  'private-users': [
    '',
    '-1',
    '+5',
    ' 5',
    '010',
    '0x10',
    '5:',
    ':5',
    '5:0',
    '5:-1',
    '5:5:5',
    '4294967295',
    '4294901760',
    'ja',
  ],
  'private-users-ownership': ['', 'bad', 'yes', 'Chown'],
  'bind-user': ['', ',', 'a:b', 'a b', '0', '1000', '-x'],
  'bind-user-shell': ['', 'maybe', 'bin/sh', LONG_PATH],
  'bind-user-group': ['', ',', 'a:b', '5'],
  bind: [
    '',
    ':',
    '/',
    '/a:',
    '/a:b',
    '+',
    '+usr:/x',
    '+:/x',
    '/a:/',
    '/a:/b/../c',
    '/a:/b:bad',
    '/a:/b:rbind:x',
    '/a\\',
    LONG_PATH,
  ],
  'bind-ro': ['', ':', '/a:', '/a:/b:idmapped', '/a:/b:rbind,bad', LONG_NAME],
  tmpfs: ['', '/', 'rel', '/a/../b', LONG_PATH],
  overlay: ['', '/a', ':/b', ':/a:/b', '::/b', '/a:', '/a:/b:', '/a:/b:rel', '/a:/b:/', '/a::', '/a:/b:/c/../d'],
  'overlay-ro': ['', '/a', ':/b', ':/a:/b', '/a::/b', '/a:', '/a:/b:rel', '/a:/b:/'],
  inaccessible: ['', '/', 'rel', '/a/../b', LONG_PATH],
  proc: ['', 'ro', 'yes', 'writable'],
  capability: BAD_CAPABILITIES,
  'drop-capability': BAD_CAPABILITIES,
  'ambient-capability': [...BAD_CAPABILITIES, 'all'],
  'no-new-privileges': BAD_BOOLEANS,
  'system-call-filter': ['', '~', ' ', 'open,close', 'a/b', '@', '~@'],
  'selinux-context': ['', 'a\nb'],
  'selinux-apifs-context': ['', 'a\nb'],
  rlimit: [
    ...[
      '',
      'NOFILE',
      'NOFILE=',
      '=5',
      'nofile=1',
      'FOO=1',
      'NOFILE=2:1',
      'NOFILE=infinity:1',
      'NOFILE=:3',
      'NOFILE=3:',
    ],
    ...['NOFILE=1:2:3', 'NOFILE=1K', 'NOFILE=-1', 'NOFILE=1.5', 'NOFILE=5 ', 'NOFILE=Infinity', 'NOFILE=08'],
    ...[
      'NOFILE=18446744073709551615',
      'AS=1k',
      'AS=1KB',
      'AS=16E',
      'AS=0x10',
      'AS=1K 1M',
      'CORE=-1',
      'CPU=1x',
      'CPU=0x10',
    ],
    ...['CPU=-1s', 'NICE=41', 'NICE=-21', 'NICE=+20'],
  ],
  'oom-score-adjust': ['', '1001', '-1001', '5.5', 'a', '--5', '- 5', '0x3e9'],
  'cpu-affinity': ['', ',', '0-', '-1', '3-0', '8192', '99999', 'a', '0-3:2', '0-1-2', '1.5'],
  property: ['', 'MemoryMax', '=1', 'Memory Max=1'],
  slice: ['', 'a/b', 'a b', '-a', 'a-', 'a--b', '.slice'],
  register: ['', 'maybe', 'Auto'],
  'network-veth-extra': BAD_PAIRS,
  'network-bridge': BAD_INTERFACES,
  'network-zone': ['', 'thirteen-long', 'a/b', 'a b', 'a:b', 'ü', '-a', '.'],
  'network-macvlan': BAD_PAIRS,
  'network-ipvlan': BAD_PAIRS,
  'network-interface': BAD_PAIRS,
  'network-namespace-path': ['', 'rel', LONG_PATH],
  port: [
    '',
    '0',
    '65536',
    '-80',
    ' 80',
    '080',
    '80 ',
    '80:',
    ':80',
    '80:0',
    'tcp:',
    'TCP:80',
    'sctp:5',
    'tcp:80:90:100',
    '1.5',
  ],
  'resolv-conf': BAD_MODES,
  timezone: [...BAD_MODES, 'copy-host'],
  'link-journal': [...BAD_MODES, 'try-auto'],
  'set-credential': [...BAD_CREDENTIALS, 'a:\\x4', 'a:\\q', 'a:\\', 'a:\\400', 'a:\\U00110000', 'a:\\ud800'],
  'load-credential': [...BAD_CREDENTIALS, 'a:', `a:${LONG_PATH}`],
  console: ['', 'bogus', 'Pipe', 'auto'],
  background: ['red', '44;', ';', '1234', '44m', '\x1b[44m', '44 45'],
  settings: ['', 'maybe', 'Override'],
  'dry-run': ['', 'xml', 'JSON'],
};

interface Told {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command on a machine that must not be touched: nothing is started, and what is looked at is made up. */
async function command(...argv: string[]): Promise<Told> {
  const told = { out: '', err: '' };
  const status = await launch(
    argv,
    {},
    {
      out: (text) => {
        told.out += text;
      },
      err: (text) => {
        told.err += text;
      },
    },
    {
      probeHost: () => host(),
      probeTree: () => tree(),
      findSettings: () => undefined,
      openImage: () => {
        throw new Error('an image was opened');
      },
      supervise: () => {
        throw new Error('a machine was started');
      },
    },
  );
  return { status, ...told };
}

async function refused(argv: readonly string[], ...words: readonly string[]): Promise<void> {
  const { status, out, err } = await command(...argv);
  assert.is(status, 1, `accepted: ${argv.join(' ')}`);
  assert.is(out, '');
  const [message = '', hint, ...rest] = err.trimEnd().split(/\n(?=hint: )|\n$/);
  assert.match(message, /^tsnspawn: /);
  for (const word of words) assert.ok(message.includes(word), `'${word}' is not in: ${message}`);
  assert.ok(hint === undefined || hint.startsWith('hint: '), err);
  assert.is(rest.length, 0, err);
}

const nameOf = (row: OptionRow): string => row.long ?? row.short ?? '';

for (const row of OPTIONS) {
  const name = nameOf(row);
  const shown = row.long === undefined ? `-${row.short}` : `--${row.long}`;
  if (row.takes === 'nothing') {
    if (row.long === undefined) continue;
    test(`${shown} takes no value`, () => refused([`${shown}=yes`], shown, 'takes no value', "'yes'"));
    continue;
  }
  test(`bad values of ${shown} are refused, with the option and the value in the message`, async () => {
    const values = BAD[name] ?? [];
    assert.ok(values.length >= 2, `no bad values are known for ${shown}`);
    for (const value of values) {
      await refused([`${shown}=${value}`], `bad value '${value}' for ${shown}: `);
      if (row.short !== undefined && value !== '')
        await refused([`-${row.short}${value}`], `'${value}' for -${row.short}`);
      if (row.takes === 'required') await refused([shown, value], `'${value}' for ${shown}: `);
    }
  });
}

test('a refusal comes before everything else that the command line asks for', () =>
  refused(['--dry-run', '-D', '/srv', '--rlimit=NOFILE=x', '--version'], '--rlimit'));

test('a new option has to be in this list', () => {
  const known = new Set(OPTIONS.map(nameOf));
  assert.equal(
    Object.keys(BAD).filter((name) => !known.has(name)),
    [],
  );
});

const CONFLICTS: readonly (readonly [promise: string, argv: string, ...words: string[]])[] = [
  ['an init is PID 1', '-b -a', '--boot', '--as-pid2'],
  ['a tree is a directory or an image', '-D /a -i /b', '--directory=/a', '--image=/b'],
  ['a template makes no image', '-i /a --template=/b', '--image=/a', '--template=/b'],
  ['what is forgotten is not made from a template', '-D /a -x --template=/b', '--ephemeral', '--template=/b'],
  [
    'verity is for images: the hash',
    '-D /a --root-hash=0123456789abcdef0123456789abcdef',
    '--root-hash=0123',
    '--image',
  ],
  [
    'verity is for images: the signature',
    '-D /a --root-hash-sig=base64:AAAA',
    '--root-hash-sig=base64:AAAA',
    '--image',
  ],
  ['verity is for images: the data', '-D /a --verity-data=/v', '--verity-data=/v', '--image'],
  ['a policy for images needs one', '-D /a --image-policy=root=verity', '--image-policy=root=verity', '--image'],
  ['an init has no ambient capabilities', '-b --ambient-capability=CAP_CHOWN', '--boot', '--ambient-capability=chown'],
  [
    'a tree that is read only keeps its owners',
    '--read-only -U --private-users-ownership=chown',
    '--read-only',
    'ownership=chown',
  ],
  [
    'a tree that is not changed keeps its owners',
    '--volatile=state -U --private-users-chown',
    '--volatile=state',
    'ownership=chown',
  ],
  ['users of the host are bound into a user namespace', '--bind-user=joe', '--bind-user=joe', 'user namespace'],
  [
    'a journal does not outlive a machine that is forgotten',
    '-x --link-journal=host',
    '--ephemeral',
    '--link-journal=host',
  ],
  ['the same in the guest', '-x --link-journal=guest', '--ephemeral', '--link-journal=guest'],
  ['a credential has one value', '--set-credential=a:x --load-credential=a:/y', 'credential a', 'twice'],
  ['one end is in one bridge', '--network-bridge=br0 --network-zone=z', '--network-bridge=br0', '--network-zone=z'],
  [
    'no cable into a network that others made',
    '--network-namespace-path=/n -n',
    '--network-namespace-path=/n',
    '--network-veth',
  ],
  [
    'nor another',
    '--network-namespace-path=/n --network-veth-extra=a',
    '--network-namespace-path=/n',
    '--network-veth-extra=a:a',
  ],
  [
    'nor a bridge',
    '--network-namespace-path=/n --network-bridge=b',
    '--network-namespace-path=/n',
    '--network-bridge=b',
  ],
  ['nor a zone', '--network-namespace-path=/n --network-zone=z', '--network-namespace-path=/n', '--network-zone=z'],
  [
    'nor a macvlan',
    '--network-namespace-path=/n --network-macvlan=m',
    '--network-namespace-path=/n',
    '--network-macvlan=m:mv-m',
  ],
  [
    'nor an ipvlan',
    '--network-namespace-path=/n --network-ipvlan=m',
    '--network-namespace-path=/n',
    '--network-ipvlan=m:iv-m',
  ],
  [
    'nor an interface',
    '--network-namespace-path=/n --network-interface=m',
    '--network-namespace-path=/n',
    '--network-interface=m:m',
  ],
  ['a port is forwarded to a network of its own', '-p 80', '--port=tcp:80:80'],
  ['that of others does not count', '-p 80:81 --network-namespace-path=/n', '--port=tcp:80:81'],
  ['a port of the host is forwarded once', '-n -p 80 -p 80:90', 'tcp:80', 'twice'],
];

for (const [promise, argv, ...words] of CONFLICTS) {
  test(`${promise}: ${argv}`, () => refused(argv.split(' '), ...words));
}

test('the same port for another protocol, and a port in a network that is joined and private, are no conflict', async () => {
  for (const argv of ['-n -p 80 -p udp:80', '--private-network --network-namespace-path=/n -p 80']) {
    const { err } = await command('--dry-run', ...argv.split(' '));
    assert.not.match(err, /exclude|twice|needs a network/);
  }
});

test.run();

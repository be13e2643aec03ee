// The same command lines through systemd-nspawn's parser and this one: what it takes is taken, what it refuses is refused.
// Its tree does not exist, so that nothing is started: an error about the tree means that the command line was good.

import { spawnSync } from 'node:child_process';
import { OPTIONS, TreeError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { launch } from '../../packages/cli/src/launch';
import { needs, only } from '../support/needs';
import { host } from '../unit/fixtures';

const it = only(test, needs('root', 'command:systemd-nspawn'));

const TREE = '/nonexistent';

/** Whether systemd-nspawn gets as far as the tree. */
function theyTake(argv: readonly string[]): boolean {
  const { stderr, stdout, status } = spawnSync('systemd-nspawn', ['-q', ...argv], {
    encoding: 'utf8',
    timeout: 20_000,
    cwd: '/usr', // without a tree of its own it finds none here: /usr/usr does not exist
  });
  return status === 0 ? stdout !== '' : /\/nonexistent: No such file|doesn't look like it has an OS tree/.test(stderr);
}

/** The same of this command, in this process. */
async function weTake(argv: readonly string[]): Promise<boolean> {
  let reached = false;
  const silent = { out: () => {}, err: () => {} };
  const farEnough = (): never => {
    reached = true;
    throw new TreeError('far enough');
  };
  const status = await launch(['-q', ...argv], {}, silent, {
    probeHost: () => host(),
    probeTree: farEnough,
    openImage: farEnough,
    findSettings: () => undefined,
    supervise: () => 0,
  });
  return reached || status === 0;
}

async function same(...argv: string[]): Promise<void> {
  const theirs = theyTake(argv);
  assert.is(await weTake(argv), theirs, `systemd-nspawn ${theirs ? 'takes' : 'refuses'}: ${argv.join(' ')}`);
}

/** Whether systemd-nspawn has such an option at all: some came later, and some only exist here. */
function theyKnow(option: string): boolean {
  const { stderr } = spawnSync('systemd-nspawn', ['-D', TREE, option], { encoding: 'utf8', timeout: 20_000 });
  return !/unrecognized option/.test(stderr);
}

it('an option wants a value where it does so in systemd-nspawn, and takes none where that takes none', async () => {
  const known = OPTIONS.filter(({ long }) => long !== undefined && theyKnow(`--${long}`));
  assert.ok(known.length > 60, `only ${known.length} options are compared`);
  for (const { long, takes } of known) {
    await same('-D', TREE, `--${long}`);
    if (takes === 'nothing' && long !== 'private-users-chown') await same('-D', TREE, `--${long}=yes`);
  }
});

const MANNERS: readonly (readonly [promise: string, ...lines: string[]])[] = [
  [
    'a value may be attached, behind = or the next word',
    `-D${TREE}`,
    `-D ${TREE}`,
    `--directory=${TREE}`,
    `--directory ${TREE}`,
  ],
  ['short options cluster', `-bqD ${TREE}`, `-bqD${TREE}`, `-jUxD ${TREE}`, `-U5 -D ${TREE}`, '-bz'],
  ['a unique prefix does', `--dir=${TREE}`, `--director ${TREE}`, `--boo -D ${TREE}`, '--vers', '--he'],
  [
    'an ambiguous prefix does not',
    '--d=x',
    '--no-',
    '--p',
    '--pr=x',
    '--private=',
    '--u=5',
    '--n',
    `--network-v -D ${TREE}`,
  ],
  [
    'a prefix of options of this project alone is no obstacle',
    `--dr=CAP_KILL -D ${TREE}`,
    `--prope=CPUQuota=5% -D ${TREE}`,
  ],
  [
    'an exact name is not ambiguous',
    `--bind=/usr -D ${TREE}`,
    `--network-veth -D ${TREE}`,
    `--private-users -D ${TREE}`,
  ],
  ['a missing value is an error', '-D', '--bind', '--uuid', `-D ${TREE} -D`],
  ['an unwanted value is an error', '--boot=yes', '--help=x', '--network-veth=x'],
  ['the next word is a value whatever it looks like', '-M -b', '--machine --help'],
  [
    'optional values are only attached',
    `--volatile=state -D ${TREE}`,
    `--volatile state -D ${TREE}`,
    `--private-users=5 -D ${TREE}`,
  ],
  ['the first other word ends the options', `ls -D ${TREE}`, `-D ${TREE} ls --nonsense`],
  ['and so does --', `-- -D ${TREE}`, `-D ${TREE} -- --nonsense`],
  ['a dash alone is a word', `- -D ${TREE}`],
  ['unknown options are errors', '-z', '--frobnicate', '--=x'],
  ['of an option that is given twice the last counts', `-D /usr -D ${TREE}`, `--volatile=yes --volatile=no -D ${TREE}`],
  ['help and version need nothing else', '-h', '--version', '--console=help', '--kill-signal=help', '--rlimit=help'],
];

for (const [promise, ...lines] of MANNERS) {
  it(`as in systemd-nspawn: ${promise}`, async () => {
    for (const line of lines) await same(...line.split(' '));
  });
}

const VALUES: { readonly [option: string]: readonly string[] } = {
  '--machine': [
    'a',
    'A',
    '1',
    '12.5',
    'a.b',
    'a.',
    '.a',
    'a..b',
    '-a',
    'a-',
    '_a',
    'a_b',
    'ö',
    'a b',
    'a/b',
    'x'.repeat(64),
    'x'.repeat(65),
  ],
  '--hostname': ['a', 'a_b', 'ö', '-a', 'x'.repeat(65)],
  '--uuid': [
    '',
    '0',
    '0'.repeat(32),
    '0123456789abcdef0123456789abcdef',
    '01234567-89ab-cdef-0123-456789abcdef',
    '0123456789abcdef-0123-456789abcdef',
  ],
  '--setenv': ['', 'A', 'A=b', '=b', '1A=b', 'A-B=c', 'A B=c', 'A.B=c', 'ä=c', '_A=1', 'A=', 'A=\nb'],
  '--rlimit': [
    ...[
      '',
      'NOFILE=0x10',
      'NOFILE=+5',
      'NOFILE= 5',
      'NOFILE=010',
      'NOFILE=0b11',
      'NOFILE=0o17',
      'NOFILE=08',
      'NOFILE=5 ',
    ],
    ...[
      'NOFILE=-1',
      'NOFILE=1K',
      'NOFILE=5:3',
      'NOFILE=:3',
      'NOFILE=3:',
      'NOFILE=Infinity',
      'NOFILE=infinity',
      'nofile=1',
    ],
    ...[
      'NOFILE=18446744073709551615',
      'STACK=1.5M',
      'STACK=1E',
      'STACK=16E',
      'STACK=1M 1K',
      'STACK=1K 1M',
      'STACK=0x10',
    ],
    ...[
      'AS=1K',
      'AS=1k',
      'AS=1KB',
      'AS=1 K',
      'AS=1B',
      'CPU=5',
      'CPU=5min',
      'CPU=1ms',
      'CPU=0.5',
      'CPU=0x10',
      'CPU=-1s',
    ],
    ...['RTTIME=5s', 'NICE=+5', 'NICE=-5', 'NICE=0', 'NICE=40', 'NICE=41', 'NICE=-21', 'NICE=+20', 'RLIMIT_NICE=1'],
  ],
  '--kill-signal': [
    '',
    '0',
    '1',
    '64',
    '65',
    'TERM',
    'SIGTERM',
    'RTMIN',
    'RTMIN+3',
    'RTMIN+30',
    'RTMIN+31',
    'RTMAX-30',
    'RTMIN-1',
    '+15',
    '0x0f',
    '015',
    ' 15',
    '32',
  ],
  '--oom-score-adjust': ['', '0', '1000', '1001', '-1000', '-1001', '+5', '0x10', '010', ' 5', '5.5', 'a'],
  '--cpu-affinity': [
    '0',
    '0-3',
    '0,1',
    '0 1',
    '0,,1',
    ' 0',
    '0-',
    '-1',
    '8191',
    '8192',
    'a',
    '0x1',
    '+1',
    '01',
    '0-3:2',
  ],
  '--personality': ['', 'x86', 'x86-64', 'X86', 'arm', 'x86_64'],
  '--capability': ['', 'CAP_NET_ADMIN', '12', '40', '64', 'all', '0xc', 'CAP_NET_ADMIN CAP_NET_RAW', 'bogus', '~all'],
  '--drop-capability': ['', 'CAP_NET_ADMIN', 'all', 'bogus'],
  '--private-users': [
    ...[
      '',
      '0',
      '1',
      'yes',
      'no',
      'pick',
      'identity',
      '0:0',
      '65536',
      '65536:1',
      '4294967295',
      '4294967294:1',
      '4294901760',
    ],
    ...['4294901759:65536', '0x10000', '010000', ' 5', '+5', '5:+5', '5:0x10', '5:', ':5', '-1', '5:-1', '5:5:5'],
  ],
  '--private-users-ownership': ['', 'off', 'chown', 'map', 'auto', 'bad'],
  '--network-veth-extra': [
    '',
    'a',
    'a:b',
    'a:b:c',
    'sixteen-letters-',
    'a/b',
    'a b',
    '.',
    'all',
    'default',
    '1',
    '1a',
    'ö',
    'a%d',
  ],
  '--network-bridge': ['', 'a', 'sixteen-letters-', 'a/b', 'a b', 'a:b', '.', 'all', '12', 'ö'],
  '--network-zone': ['a', 'thirteen-long', 'twelve--long', 'a/b', 'a b', 'a:b', 'ö', '12'],
  '--bind': [
    ...[
      '',
      '/a',
      '/a:/b',
      '/a:',
      ':/b',
      ':',
      '/a:b',
      '/a:/b:rbind',
      '/a:/b:',
      '/a:/b:norbind,rbind',
      '/a\\:b:/c',
      '/a\\q',
      '/a\\',
    ],
    ...['+/usr:/x', '+usr:/x', '+:/x', '+', './x:/y', 'x:/y', '/a:/b:idmap', '/a:/b:rootidmap'],
  ],
  '--tmpfs': ['', 'rel', '/a', '/a:size=5', '/a:', '/a\\:b'],
  '--overlay': [
    '',
    '/a',
    '/a:/b',
    '/a:/b:/c',
    '/a::/c',
    ':/a:/b',
    '::/b',
    ':/b',
    '/a:',
    '/a:/b:',
    '+/a:+/b:/c',
    '/a:/b:rel',
    '/a::',
    'rel:/b:/c',
  ],
  '--overlay-ro': ['', '/a', '/a:/b', '/a:/b:/c', ':/a:/b', '/a:', '/a:/b:rel'],
  '--inaccessible': ['', 'rel', '/a', '/a/'],
  '--chdir': ['', 'rel', '/a', '/'],
  '--pivot-root': ['', 'rel', '/a', '/a:/b', ':/b', '/a/../b'],
  '--resolv-conf': [
    '',
    'yes',
    'no',
    'on',
    'auto',
    'off',
    '1',
    'copy-host',
    'copy',
    'bind-stub',
    'replace-static',
    'delete',
    'bogus',
    'AUTO',
  ],
  '--timezone': ['', 'yes', 'no', 'auto', 'off', 'copy', 'bind', 'symlink', 'delete', 'copy-host', 'AUTO'],
  '--link-journal': ['', 'yes', 'no', 'auto', 'host', 'try-host', 'guest', 'try-guest', 'bogus'],
  '--set-credential': [
    '',
    'a',
    'a:b',
    ':b',
    'a/b:c',
    'a:',
    '.:b',
    'a b:c',
    'ä:b',
    'a:\\x41',
    'a:\\x4',
    'a:\\q',
    'a:\\',
    'a:\\400',
    'a:\\000',
    'a:\\u00e4',
    'a:\\U00110000',
    'a:b:c',
  ],
  '--register': ['', 'yes', 'no', 'maybe'],
  '--settings': ['', 'yes', 'no', 'override', 'trusted', 'maybe'],
  '--no-new-privileges': ['', 'yes', 'no', 'maybe'],
  '--notify-ready': ['', 'yes', 'no', 'maybe'],
  '--suppress-sync': ['', 'yes', 'no', 'maybe'],
  '--volatile': ['', 'yes', 'no', '1', 'state', 'overlay', 'bogus'],
  '--console': ['', 'interactive', 'read-only', 'passive', 'pipe', 'autopipe', 'bogus'],
  '--root-hash': ['', 'ab', 'abc', 'g123456789abcdef0123456789abcdef'],
};

for (const [option, values] of Object.entries(VALUES)) {
  it(`values of ${option} are taken and refused as by systemd-nspawn`, async () => {
    for (const value of values) await same('-D', TREE, `${option}=${value}`);
  });
}

const PORTS = [
  '',
  '80',
  '0',
  '65535',
  '65536',
  'tcp:80',
  'udp:80',
  'TCP:80',
  'tcp:80:90',
  '80:90',
  '80:',
  ':80',
  'tcp:',
  'sctp:5',
  '0x50',
  '+80',
  ' 80',
  '080',
  '80:0',
  '-80',
];
it('values of --port are taken and refused as by systemd-nspawn', async () => {
  for (const port of PORTS) await same('-D', TREE, '-n', `--port=${port}`);
});

it('options that exclude each other do so here and there', async () => {
  for (const line of [
    '-a -b',
    '-b --ambient-capability=CAP_CHOWN',
    '-a --ambient-capability=CAP_CHOWN',
    '-x --template=/x',
    '-x --link-journal=host',
    '-x --link-journal=try-guest',
    '--network-namespace-path=/x --private-network',
    '--network-namespace-path=/proc/self/ns/net -n',
    '--network-namespace-path=/proc/self/ns/net --network-zone=a',
    '--private-network --network-namespace-path=/proc/self/ns/net -p 80',
    '-p 80 --network-namespace-path=/proc/self/ns/net',
    '--read-only -U --private-users-ownership=chown',
    '--volatile=state -U --private-users-chown',
    '--bind-user=root -U',
    '--bind-user=root',
    '--network-bridge=a --network-zone=b',
    '--network-bridge=a',
    '-p 80',
    '-n -p 80 -p 80:90',
    '-n -p 80 -p udp:80',
    '--set-credential=a:b --set-credential=a:c',
    '-P -b',
  ])
    await same('-D', TREE, ...line.split(' '));
});

test.run();

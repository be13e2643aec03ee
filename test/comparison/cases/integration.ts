// What of the host's comes into the container, settings files, and the manners of the command line.

import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, refused } from '../case';
import type { Place } from '../place';

const sh = (script: string): readonly string[] => ['sh', '-c', script];
const RESOLV = sh(
  'stat -c "%F %a" /etc/resolv.conf; readlink /etc/resolv.conf; cat /etc/resolv.conf; grep resolv.conf /proc/self/mountinfo | cut -d" " -f5,6',
);
const ZONE = sh(
  'stat -c "%F" /etc/localtime; readlink /etc/localtime; wc -c < /etc/localtime; grep localtime /proc/self/mountinfo | cut -d" " -f5,6',
);

const own = (place: Place): void => place.write('guest/etc/resolv.conf', 'nameserver 192.0.2.1\n');
const zones = (place: Place): void => place.write('guest/usr/share/zoneinfo/Etc/UTC', 'TZif of the tree\n');

const resolv = (mode: string, prepare: (place: Place) => void = own, ...more: readonly string[]): Case => ({
  promise: `--resolv-conf=${mode}${more.join(' ')}${prepare === own ? '' : ' over a link'}`,
  prepare,
  options: [`--resolv-conf=${mode}`, ...more],
  command: RESOLV,
});
const link = ({ tree }: Place): void => {
  rmSync(join(tree, 'etc/resolv.conf'), { force: true });
  symlinkSync('../run/resolve/stub.conf', join(tree, 'etc/resolv.conf'));
};
const timezone = (mode: string, prepare?: (place: Place) => void): Case => ({
  promise: `--timezone=${mode}${prepare === undefined ? '' : ' where the tree has the zone'}`,
  ...(prepare === undefined ? {} : { prepare }),
  options: [`--timezone=${mode}`],
  command: ZONE,
});

const RESOLV_MODES = [
  'off',
  'auto',
  'delete',
  'copy-host',
  'replace-host',
  'bind-host',
  'copy-static',
  'replace-static',
  'bind-static',
  'copy-uplink',
  'copy-stub',
];

export const INTEGRATION_CASES: readonly Case[] = [
  ...RESOLV_MODES.map((mode) => resolv(mode)),
  resolv('copy-host', link),
  resolv('replace-host', link),
  resolv('bind-host', link),
  resolv('auto', link),
  resolv('auto', own, '--private-network'),
  resolv('auto', own, '--read-only'),
  { promise: '--resolv-conf=help', options: ['--resolv-conf=help'], statusOnly: true },
  refused('a --resolv-conf that is none', '--resolv-conf=maybe'),
  ...['off', 'auto', 'copy', 'bind', 'symlink', 'delete'].flatMap((mode) => [timezone(mode), timezone(mode, zones)]),
  { promise: '--timezone=auto in a read-only tree', options: ['--timezone=auto', '--read-only'], command: ZONE },
  refused('a --timezone that is none', '--timezone=maybe'),
  ...['no', 'auto', 'guest', 'try-guest', 'try-host'].map(
    (mode): Case => ({
      promise: `--link-journal=${mode}`,
      prepare: (place) => place.write('guest/etc/machine-id', '0123456789abcdef0123456789abcdef\n'),
      options: [`--link-journal=${mode}`],
      command: sh(
        'ls -ld /var/log/journal /var/log/journal/* 2>&1 | cut -d" " -f1; grep journal /proc/self/mountinfo | cut -d" " -f5,6',
      ),
    }),
  ),
  { promise: '-j', options: ['-j'], command: ['/bin/true'] },
  refused('a --link-journal that is none', '--link-journal=maybe'),
  { ...refused('-x and --link-journal=host', '-x', '--link-journal=host') },
  { promise: '--set-credential', options: ['--set-credential=one:first', '--set-credential=two:a\\tb\\x41'] },
  {
    promise: '--set-credential: what is in it',
    options: ['--set-credential=one:first', '--set-credential=two:a\\tb\\x41:c'],
    command: sh(
      'echo $CREDENTIALS_DIRECTORY; cd $CREDENTIALS_DIRECTORY; ls -ln | cut -c1-10; for f in *; do echo $f; od -c $f; done',
    ),
  },
  {
    promise: '--load-credential',
    prepare: (place) => place.write('secret', 'of a file\n'),
    options: ['--load-credential=mine:{place}/secret'],
    command: sh('cat $CREDENTIALS_DIRECTORY/mine'),
  },
  {
    promise: '--load-credential and -u',
    prepare: (place) => place.write('secret', 'of a file\n'),
    options: ['--load-credential=mine:{place}/secret', '-u', 'joe'],
    command: sh('cat $CREDENTIALS_DIRECTORY/mine || ls -ld $CREDENTIALS_DIRECTORY | cut -c1-10'),
  },
  refused('a credential without a colon', '--set-credential=one'),
  refused('a credential whose name has a slash', '--set-credential=a/b:c'),
  refused('a credential from a file that does not exist', '--load-credential=a:/no/such/file'),
  refused('a credential twice', '--set-credential=a:1', '--set-credential=a:2'),
];

const settings = (promise: string, text: string, rest: Partial<Case> = {}): Case => ({
  promise,
  prepare: (place) => place.write('guest.nspawn', text),
  ...rest,
});

export const SETTINGS_CASES: readonly Case[] = [
  settings(
    'a settings file beside the tree: what it may say',
    '[Exec]\nEnvironment=A=file B=b\nWorkingDirectory=/usr\nUser=joe\nHostname=filed\nNoNewPrivileges=yes\nPersonality=x86-64\nDropCapability=CAP_NET_RAW\n[Files]\nReadOnly=yes\n',
  ),
  settings(
    'a settings file beside the tree: what it may not say',
    '[Exec]\nCapability=CAP_NET_ADMIN\nLimitNOFILE=5\nOOMScoreAdjust=5\nCPUAffinity=0\nPrivateUsers=1048576\n[Files]\nBind=/usr/share:/mnt\nTemporaryFileSystem=/srv\nInaccessible=/opt\n[Network]\nPrivate=yes\n',
  ),
  settings(
    '--settings=trusted: it may say everything',
    '[Exec]\nCapability=CAP_NET_ADMIN\nLimitNOFILE=50:60\nOOMScoreAdjust=5\nCPUAffinity=0\n[Files]\nBind=/usr/share:/mnt\nTemporaryFileSystem=/srv:mode=0700\nInaccessible=/opt\n[Network]\nPrivate=yes\n',
    { options: ['--settings=trusted'] },
  ),
  settings(
    'the command line wins over the file',
    '[Exec]\nHostname=filed\nEnvironment=A=file\nWorkingDirectory=/usr\n',
    { options: ['--hostname=lined', '-E', 'A=line', '--chdir=/etc'] },
  ),
  settings(
    '--settings=override: the file wins',
    '[Exec]\nHostname=filed\nEnvironment=A=file\nWorkingDirectory=/usr\n',
    { options: ['--settings=override', '--hostname=lined', '-E', 'A=line', '--chdir=/etc'] },
  ),
  settings('--settings=no: the file is not read', '[Exec]\nHostname=filed\n', {
    options: ['--settings=no'],
    command: ['hostname'],
  }),
  settings('ProcessTwo=', '[Exec]\nProcessTwo=yes\nParameters=/probe\n', { command: [] }),
  settings('a command masks Parameters=', '[Exec]\nProcessTwo=yes\nParameters=/bin/false\n', {
    command: ['/bin/echo', 'mine'],
  }),
  settings('Parameters= alone has no effect', '[Exec]\nParameters=/bin/echo from the file\n', {
    command: [],
    input: 'echo a shell; exit 3\n',
  }),
  settings(
    'keys and sections that are unknown are passed over',
    '[Exec]\nNoSuchKey=1\nHostname=filed\n[Nothing]\nA=b\n',
    { command: ['hostname'], statusOnly: true },
  ),
  settings('a line that is no setting', '[Exec]\nwhat is this\nHostname=filed\n', {
    command: ['hostname'],
    statusOnly: true,
  }),
  settings('a value that is bad is passed over', '[Exec]\nUser=joe\nPersonality=vax\nHostname=filed\n', {
    command: ['hostname'],
    statusOnly: true,
  }),
  settings(
    'comments and continued lines',
    '# a comment\n; another\n[Exec]\nEnvironment=A=1 \\\n  B=2\nHostname=filed\n',
    { command: ['sh', '-c', 'echo $A $B; hostname'] },
  ),
  refused('a --settings that is none', '--settings=maybe'),
];

export const MANNERS_CASES: readonly Case[] = [
  { promise: 'short options cluster', base: ['-qPD', 'guest'], command: ['hostname'] },
  { promise: 'the value of a short option may be attached', base: ['-qPDguest'], command: ['hostname'] },
  {
    promise: 'a unique prefix of an option will do',
    base: ['-q', '-P', '--dir=guest'],
    options: ['--read'],
    command: ['sh', '-c', 'touch /x; echo $?'],
  },
  { promise: '-- ends the options', options: ['--'], command: ['hostname'] },
  { promise: 'what follows the command is its own', command: ['echo', '-q', '--help', '--', '-D'] },
  { ...refused('an option that is none', '--no-such-option') },
  { ...refused('a prefix of several options', '--network-v') },
  { ...refused('a short option that is none', '-y') },
  { ...refused('a value for an option that takes none', '--read-only=yes') },
  { ...refused('an option without its value'), base: ['-q'], options: ['-D'], command: [] },
  { promise: '--help', base: ['--help'], command: [], statusOnly: true },
  { promise: '--version', base: ['--version'], command: [], statusOnly: true },
  { promise: '--no-pager', options: ['--no-pager'], command: ['true'] },
  { promise: 'without -q: standard output is the payload’s alone', base: ['-P', '-D', 'guest'], command: ['hostname'] },
  refused('a slice where the unit is kept', '--slice=x'),
  refused('a slice that is none', '--slice=a/b'),
  refused('a property that is none', '--property=x'),
];

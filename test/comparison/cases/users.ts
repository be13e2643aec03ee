// User namespaces, and the console.

import { execFileSync } from 'node:child_process';
import { type Case, refused } from '../case';

/** The tree belongs to the range, as after a chown. */
const owned = (base: number) => (place: { readonly tree: string }) => {
  execFileSync('sh', ['-c', `cd '${place.tree}' && find . -exec chown -h ${base}:${base} {} +`]);
};
const sees = (promise: string, ...options: readonly string[]): Case => ({ promise, options });
const LIST = [
  'sh',
  '-c',
  'cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c "%n %u:%g" / /etc/passwd /dev /run /dev/null /proc/sys',
];

export const USER_CASES: readonly Case[] = [
  sees('--private-users=no', '--private-users=no'),
  sees('--private-users=identity', '--private-users=identity'),
  { promise: '--private-users: the range of the tree’s owner', prepare: owned(1 << 20), options: ['--private-users'] },
  { promise: '--private-users=yes', prepare: owned(1 << 20), options: ['--private-users=yes'], command: LIST },
  { promise: '--private-users=BASE', prepare: owned(1 << 20), options: [`--private-users=${1 << 20}`] },
  { promise: '--private-users=BASE:SIZE', prepare: owned(1 << 20), options: [`--private-users=${1 << 20}:4096`] },
  {
    promise: '--private-users=BASE of another tree: its files are nobody’s',
    options: ['--private-users=1048576'],
    command: LIST,
  },
  sees('--private-users with chown', '--private-users=1048576', '--private-users-ownership=chown'),
  sees('--private-users with map', '--private-users=1048576', '--private-users-ownership=map'),
  sees('--private-users with auto', '--private-users=1048576', '--private-users-ownership=auto'),
  {
    promise: '--private-users=pick of an owned range',
    prepare: owned(0x1000000),
    options: ['--private-users=pick', '--private-users-ownership=off'],
    alone: true,
  },
  {
    promise: '-U: the guest’s root owns its files',
    options: ['-U'],
    alone: true,
    command: [
      'sh',
      '-c',
      'id -u; stat -c "%n %u:%g" / /etc/passwd /dev /run; cut -c1-10 /proc/self/uid_map; cut -c22-40 /proc/self/uid_map',
    ],
  },
  {
    promise: 'a user namespace and a user',
    options: ['--private-users=1048576', '--private-users-ownership=map', '-u', 'joe'],
  },
  {
    promise: 'a user namespace and a read-only tree',
    options: ['--private-users=1048576', '--private-users-ownership=map', '--read-only'],
  },
  {
    promise: 'a user namespace and a network of its own',
    options: ['--private-users=1048576', '--private-users-ownership=map', '--private-network'],
  },
  {
    promise: 'a user namespace, and the calls it may make',
    options: ['--private-users=1048576', '--private-users-ownership=map'],
    command: ['/probe', 'calls'],
  },
  {
    promise: 'a user namespace and a volatile tree',
    options: ['--private-users=1048576', '--private-users-ownership=map', '--volatile=overlay'],
    statusOnly: true,
    command: ['/bin/true'],
  },
  {
    promise: 'a bind shows its owners as nobody',
    prepare: (place) => place.write('src/file', ''),
    options: ['--private-users=1048576', '--private-users-ownership=map', '--bind={place}/src:/mnt'],
    command: ['stat', '-c', '%n %u:%g', '/mnt', '/mnt/file'],
  },
  {
    promise: 'an idmapped bind shows its owners',
    prepare: (place) => place.write('src/file', ''),
    options: ['--private-users=1048576', '--private-users-ownership=map', '--bind={place}/src:/mnt:idmap'],
    command: ['stat', '-c', '%n %u:%g', '/mnt', '/mnt/file'],
  },
  refused('a range of no ids', '--private-users=65536:0'),
  refused('a range beyond the last id', '--private-users=4294901760:131072'),
  refused('a range that is no number', '--private-users=many'),
  refused('an ownership that is none', '--private-users=65536', '--private-users-ownership=maybe'),
  refused('ownership without a user namespace', '--private-users-ownership=chown'),
  refused('chown of a read-only tree', '--private-users=1048576', '--private-users-ownership=chown', '--read-only'),
];

const TTY = [
  'sh',
  '-c',
  'tty; stty size; ls -l /dev/console | sed "s/.*-> //"; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; cat /proc/self/stat | cut -d" " -f7',
];
const onTerminal = (promise: string, ...options: readonly string[]): Case => ({
  promise,
  base: ['-q', '-D', 'guest'],
  options,
  terminal: true,
  command: TTY,
});

export const CONSOLE_CASES: readonly Case[] = [
  {
    promise: 'pipe: the caller’s descriptors as they are',
    command: ['sh', '-c', 'cat; echo error >&2; ls -l /dev/console'],
    input: 'in\0put\r\n',
  },
  { promise: 'without a terminal the console only prints', base: ['-q', '-D', 'guest'], input: 'typed\n' },
  {
    promise: 'without a terminal the console only prints: lines',
    base: ['-q', '-D', 'guest'],
    command: ['sh', '-c', 'printf "a\\nb\\r\\nc"'],
  },
  { promise: '--console=read-only', base: ['-q', '-D', 'guest'], options: ['--console=read-only'] },
  {
    promise: '--console=passive',
    base: ['-q', '-D', 'guest'],
    options: ['--console=passive'],
    command: ['sh', '-c', 'tty; echo out'],
  },
  { promise: '--console=pipe', base: ['-q', '-D', 'guest'], options: ['--console=pipe'] },
  {
    promise: '--console=autopipe without a terminal',
    base: ['-q', '-D', 'guest'],
    options: ['--console=autopipe'],
    since: 257,
  },
  { promise: '--console=help', options: ['--console=help'], statusOnly: true },
  refused('a console that is none', '--console=loud'),
  onTerminal('on a terminal: a terminal of the guest’s own, as large'),
  onTerminal('on a terminal, --console=interactive', '--console=interactive'),
  onTerminal('on a terminal, --console=read-only', '--console=read-only'),
  onTerminal('on a terminal, --pipe', '--pipe'),
  onTerminal('on a terminal, -a', '-a'),
];

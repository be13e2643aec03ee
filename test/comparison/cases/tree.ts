// Which tree, what it is called, and what of it may change.

import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, refused } from '../case';
import type { Place } from '../place';

const ID = '0123456789abcdef0123456789abcdef';

/** A second system within the tree. */
function subtree({ tree }: Place): void {
  execFileSync('sh', [
    '-c',
    `cd '${tree}' && mkdir sub sub/old && cp -a bin etc home lib lib64 mnt opt probe root sbin srv tmp usr var proc sys dev run sub/`,
  ]);
}

/** Writes into the tree, and shows that it can, or cannot. */
const WRITES = ['sh', '-c', 'for d in / /etc /usr /var /tmp /home /root; do touch $d/new && echo $d; done 2>&1; ls /'];

const OCI = {
  ociVersion: '1.0.0',
  root: { path: 'rootfs' },
  process: {
    args: ['/bin/sh', '-c', 'id -u; pwd; echo $A; hostname'],
    env: ['A=from the bundle'],
    cwd: '/usr',
    user: { uid: 0, gid: 0 },
  },
  hostname: 'bundled',
};

function bundle(place: Place): void {
  place.write('bundle/config.json', JSON.stringify(OCI));
  execFileSync('cp', ['-a', place.tree, join(place.path, 'bundle/rootfs')]);
}

export const TREE_CASES: readonly Case[] = [
  { promise: 'a tree, as it is' },
  { promise: 'the path of a tree may end in a slash', base: ['-q', '-P', '-D', 'guest/'], command: ['hostname'] },
  { promise: 'the path of a tree may be absolute', base: ['-q', '-P', '-D', '{place}/guest'], command: ['hostname'] },
  {
    promise: 'the path of a tree may be a link, and is followed',
    prepare: ({ path }) => symlinkSync('guest', join(path, 'other')),
    base: ['-q', '-P', '-D', 'other'],
    command: ['hostname'],
  },
  { promise: 'without a tree it is the current directory', cwd: 'guest', base: ['-q', '-P'], command: ['hostname'] },
  { ...refused('a tree that does not exist'), base: ['-q', '-P', '-D', 'none'] },
  { ...refused('a file as the tree'), base: ['-q', '-P', '-D', 'guest/probe'] },
  { ...refused('the root of the host'), base: ['-q', '-P', '-D', '/'] },
  { ...refused('a tree and an image'), base: ['-q', '-P', '-D', 'guest', '-i', 'guest'] },
  { ...refused('a tree without usr'), prepare: (place) => place.directory('empty'), base: ['-q', '-P', '-D', 'empty'] },
  { ...refused('an image that does not exist'), base: ['-q', '-P', '-i', 'none.raw'] },
  { ...refused('a machine without a tree'), base: ['-q', '-P', '-M', 'no-such-machine'] },
  {
    promise: 'a tree without usr is started when the check is off',
    since: 255,
    env: { SYSTEMD_NSPAWN_CHECK_OS_RELEASE: '0' },
    prepare: ({ tree }) => execFileSync('sh', ['-c', `cd '${tree}' && rm -r usr bin sbin`]),
  },
  { promise: '-M names the machine', options: ['-M', 'another'] },
  { promise: '--hostname only the host name', options: ['-M', 'another', '--hostname=yet-another.example'] },
  { promise: 'a machine name of 64 characters', options: ['-M', 'a'.repeat(64)] },
  refused('a machine name of 65 characters', '-M', 'a'.repeat(65)),
  refused('a machine name with a slash', '-M', 'a/b'),
  refused('an empty machine name', '-M', ''),
  refused('a host name with a blank', '--hostname=a b'),
  refused('a host name that starts with a dot', '--hostname=.a'),
  {
    promise: '--uuid becomes container_uuid where the tree has no machine id',
    prepare: (place) => place.write('guest/etc/machine-id', ''),
    options: [`--uuid=${ID}`],
  },
  {
    promise: '--uuid counts where the machine id is "uninitialized"',
    prepare: (place) => place.write('guest/etc/machine-id', 'uninitialized\n'),
    options: ['--uuid=01234567-89ab-cdef-0123-456789abcdef'],
  },
  {
    promise: 'the machine id of the tree wins over --uuid',
    prepare: (place) => place.write('guest/etc/machine-id', `fedc${ID.slice(4)}\n`),
    options: [`--uuid=${ID}`],
  },
  refused('a --uuid of zeros', '--uuid=00000000000000000000000000000000'),
  refused('a --uuid that is none', '--uuid=12345'),
  { promise: '--read-only', options: ['--read-only'] },
  { promise: '--read-only: nothing of the tree can be written', options: ['--read-only'], command: WRITES },
  { promise: '--volatile: /usr alone', options: ['--volatile'] },
  { promise: '--volatile=yes: what can be written', options: ['--volatile=yes'], command: WRITES },
  { promise: '--volatile=state', options: ['--volatile=state'] },
  { promise: '--volatile=state: what can be written', options: ['--volatile=state'], command: WRITES },
  { promise: '--volatile=overlay', options: ['--volatile=overlay'] },
  { promise: '--volatile=overlay: what can be written', options: ['--volatile=overlay'], command: WRITES },
  {
    promise: '--volatile=overlay and --read-only: what can be written',
    options: ['--volatile=overlay', '--read-only'],
    command: WRITES,
  },
  { promise: '--volatile=no', options: ['--volatile=no'], command: WRITES },
  refused('a volatile mode that is none', '--volatile=maybe'),
  { promise: '-x: the changes are forgotten', options: ['-x', '-M', 'given'], command: WRITES },
  {
    promise: '-x: the machine gets a random name',
    options: ['-x'],
    command: ['sh', '-c', "hostname | sed 's/-.*/-random/'"],
  },
  { promise: '-x and --read-only', options: ['-x', '--read-only', '-M', 'given'], command: WRITES },
  { ...refused('-x and --template'), base: ['-q', '-P', '-x', '-D', 'new', '--template=guest'] },
  { promise: '--template makes the tree', base: ['-q', '-P', '-D', 'new', '--template=guest'], command: WRITES },
  {
    promise: '--template leaves a tree alone that is there',
    prepare: (place) => place.write('old/usr/file', ''),
    base: ['-q', '-P', '-D', 'guest', '--template=old'],
    command: WRITES,
  },
  { ...refused('a template that does not exist'), base: ['-q', '-P', '-D', 'new', '--template=none'] },
  { promise: '--pivot-root, the old root unmounted', prepare: subtree, options: ['--pivot-root=/sub'] },
  { promise: '--pivot-root, the old root kept', prepare: subtree, options: ['--pivot-root=/sub:/old'] },
  refused('a relative --pivot-root', '--pivot-root=sub'),
  refused('a root hash that is too short', '--root-hash=abcd'),
  refused('a root hash that is no number', '--root-hash=x'.padEnd(76, 'x')),
  {
    promise: '--oci-bundle gives tree, command, environment and host name',
    prepare: bundle,
    base: ['-q', '-P', '--oci-bundle=bundle'],
    command: [],
  },
  { ...refused('a bundle that does not exist'), base: ['-q', '-P', '--oci-bundle=none'] },
  {
    ...refused('a bundle of a version to come'),
    prepare: (place) => {
      bundle(place);
      place.write('bundle/config.json', JSON.stringify({ ...OCI, ociVersion: '2.0.0' }));
    },
    base: ['-q', '-P', '--oci-bundle=bundle'],
    command: [],
  },
];

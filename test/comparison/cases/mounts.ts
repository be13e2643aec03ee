// What of the host is mounted into the container, and what is hidden.

import { chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, refused } from '../case';
import type { Place } from '../place';

/** A directory with files, some of them another user's, and two more to lay over it. */
function layers(place: Place): void {
  place.write('src/file', 'of the source\n');
  place.write('src/dir/below', 'below\n');
  chownSync(join(place.path, 'src/file'), 1234, 1234);
  place.write('lower/file', 'of the lower\n');
  place.write('lower/only', 'of the lower\n');
  place.directory('upper');
  place.write('guest/opt/own', 'of the tree\n');
}

const LOOK =
  'ls -lnR /mnt | sed "s/ [A-Z][a-z][a-z] .*:[0-9][0-9]//;/^total/d"; grep " /mnt" /proc/self/mountinfo | cut -d" " -f5,6';
const TRY = 'for p in /mnt/new /mnt/dir/new; do touch $p && echo wrote $p; done 2>/dev/null; cat /mnt/file';

const sees = (promise: string, ...options: readonly string[]): Case => ({ promise, prepare: layers, options });
const does = (promise: string, ...options: readonly string[]): Case => ({
  promise: `${promise}: what can be read and written`,
  prepare: layers,
  options,
  command: ['sh', '-c', `${TRY}; ${LOOK}`],
});
const fails = (what: string, ...options: readonly string[]): Case => ({
  ...refused(what, ...options),
  prepare: layers,
});

export const MOUNT_CASES: readonly Case[] = [
  sees('--bind to another place', '--bind={place}/src:/mnt'),
  does('--bind', '--bind={place}/src:/mnt'),
  sees('--bind of a relative path', '--bind=src:/mnt'),
  sees('--bind to the same place', '--bind=/usr/share'),
  sees('--bind of a file, to a file that does not exist', '--bind={place}/src/file:/srv/deep/file'),
  sees('--bind makes the mount point', '--bind={place}/src:/srv/a/b'),
  sees('--bind of a place in the tree', '--bind=+/opt:/mnt'),
  sees('--bind of nothing is a temporary directory', '--bind=:/mnt'),
  sees('--bind with norbind', '--bind={place}/src:/mnt:norbind'),
  sees('--bind with rbind', '--bind={place}/src:/mnt:rbind'),
  sees('--bind with a colon in the path', '--bind={place}/src:/mnt/a\\:b'),
  sees('--bind twice, the deeper one last', '--bind={place}/src/dir:/mnt/dir', '--bind={place}/lower:/mnt'),
  sees('--bind into a tmpfs', '--tmpfs=/mnt', '--bind={place}/src:/mnt/x'),
  sees('--bind below /proc', '--bind-ro={place}/src/file:/proc/version'),
  sees('--bind of a device', '--bind=/dev/fuse:/dev/mine'),
  {
    promise: '--bind over a link of the tree ends inside of it',
    prepare: (place) => {
      layers(place);
      symlinkSync('/opt', join(place.tree, 'mnt/link'));
    },
    options: ['--bind={place}/src:/mnt/link'],
  },
  sees('--bind-ro', '--bind-ro={place}/src:/mnt'),
  does('--bind-ro', '--bind-ro={place}/src:/mnt'),
  sees('--bind in a read-only tree', '--read-only', '--bind={place}/src:/mnt'),
  fails('a bind of what does not exist', '--bind=/no/such/thing:/mnt'),
  fails('a bind to a relative path', '--bind={place}/src:mnt'),
  fails('a bind with an option that is none', '--bind={place}/src:/mnt:fast'),
  fails('a bind with too many fields', '--bind=/usr:/mnt:rbind:x'),
  sees('--tmpfs', '--tmpfs=/mnt'),
  sees('--tmpfs with options', '--tmpfs=/mnt:mode=0750,size=12M'),
  sees('--tmpfs with mount flags', '--tmpfs=/mnt:ro,noexec,nosuid'),
  sees('--tmpfs on /var in a read-only tree', '--read-only', '--tmpfs=/var'),
  sees('--tmpfs on a place that does not exist', '--tmpfs=/srv/a/b'),
  fails('a tmpfs on /', '--tmpfs=/'),
  fails('a tmpfs on a relative path', '--tmpfs=mnt'),
  sees('--overlay', '--overlay={place}/lower:{place}/src:{place}/upper:/mnt'),
  does('--overlay', '--overlay={place}/lower:{place}/src:{place}/upper:/mnt'),
  sees('--overlay of two', '--overlay={place}/lower:{place}/upper:/mnt'),
  sees('--overlay over a place of the tree', '--overlay=+/opt:{place}/upper:/opt'),
  sees('--overlay with a temporary upper directory', '--overlay={place}/lower::/mnt'),
  does('--overlay with a temporary upper directory', '--overlay={place}/lower::/mnt'),
  sees('--overlay-ro', '--overlay-ro={place}/lower:{place}/src:/mnt'),
  does('--overlay-ro', '--overlay-ro={place}/lower:{place}/src:/mnt'),
  fails('an overlay of one path', '--overlay=/usr'),
  fails('an overlay of what does not exist', '--overlay=/no/such:{place}/upper:/mnt'),
  sees('--inaccessible of a file', '--inaccessible=/etc/passwd'),
  sees('--inaccessible of a directory', '--inaccessible=/opt'),
  {
    promise: '--inaccessible: neither read nor entered by a user',
    options: ['--inaccessible=/opt', '--inaccessible=/etc/profile', '-u', 'joe'],
    command: ['sh', '-c', 'ls /opt; cat /etc/profile; stat -c "%F %a" /opt /etc/profile 2>&1'],
  },
  fails('to make inaccessible what does not exist', '--inaccessible=/no/such/thing'),
  fails('to make a relative path inaccessible', '--inaccessible=etc'),
  sees(
    'every kind of mount at once',
    '--bind={place}/src:/mnt/a',
    '--bind-ro={place}/lower:/mnt/b',
    '--tmpfs=/mnt/c',
    '--overlay={place}/lower:{place}/upper:/mnt/d',
    '--inaccessible=/opt',
  ),
  {
    promise: 'mount points are found also below links that lead out of the tree',
    prepare: (place) => {
      layers(place);
      mkdirSync(join(place.path, 'guest/srv'), { recursive: true });
      symlinkSync('../../../../../../etc', join(place.tree, 'srv/out'));
    },
    options: ['--tmpfs=/srv/out/new'],
  },
];

// The launcher runs as root and touches a tree before anything contains it. Whatever a tree brings along: nothing outside of it is
// read, written or mounted on, and nothing hangs. (CVE-2026-41579, CVE-2026-47766, CVE-2023-27561, CVE-2025-52565)

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hostMounts, newMounts } from '../support/footprint';
import { type Outcome, tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';

const BAIT_ID = 'badbadbadbadbadbadbadbadbadbadba';

/** A directory of the host that a tree would like to be let into. */
const bait = mkdtempSync(join(tmpdir(), 'tsnspawn-bait-'));
process.on('exit', () => rmSync(bait, { recursive: true, force: true }));
mkdirSync(join(bait, 'directory'));
writeFileSync(join(bait, 'machine-id'), `${BAIT_ID}\n`);
writeFileSync(join(bait, 'os-release'), 'ID=bait\nNAME="secret of the host"\n');
writeFileSync(join(bait, 'passwd'), 'baituser:x:0:0::/:/bin/sh\n');

/** Takes a path of the tree away for one test. */
function without<T>(path: string, body: () => T): T {
  return replaced(path, () => {}, body);
}

function baitState(): string {
  return execFileSync('find', [bait, '-printf', '%p %y %m %u %s %C@ %T@\n'], { encoding: 'utf8' });
}

/** Puts something in the place of a path of the tree for one test. */
function replaced<T>(path: string, put: (place: string) => void, body: () => T): T {
  const place = join(tree, path);
  const kept = `${place}.kept`;
  const there = exists(place);
  mkdirSync(join(place, '..'), { recursive: true });
  if (there) renameSync(place, kept);
  try {
    put(place);
    return body();
  } finally {
    rmSync(place, { recursive: true, force: true });
    if (there) renameSync(kept, place);
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Starts the tree; whatever comes of it, nothing outside has been touched, and nothing is left. */
function start(...args: string[]): Outcome {
  const state = baitState();
  const mounts = hostMounts();
  const outcome = tsnspawn(['-q', '-D', tree, ...args], { timeout: 15 });
  assert.is(baitState(), state, 'the host has been touched');
  assert.equal(newMounts(mounts), []);
  return outcome;
}

function refused({ status, stderr }: Outcome, path: string): void {
  assert.is(status, 1, stderr);
  const [line = '', ...rest] = stderr.trimEnd().split('\n');
  assert.ok(line.startsWith('tsnspawn: ') && line.includes(path), stderr);
  assert.ok(rest.length <= 1 && rest.every((text) => text.startsWith('hint: ')), stderr);
}

const UPWARDS = '../'.repeat(12);
const ways = (target: string): readonly (readonly [string, string])[] => [
  ['an absolute link', target],
  ['a link upwards', join('.', UPWARDS, target)],
  ['a link through the root of a process', `/proc/self/root${target}`],
  ['a link through the working directory of a process', `/proc/self/cwd${target}`],
];

for (const path of ['/dev', '/proc', '/sys']) {
  for (const [way, target] of ways(join(bait, 'directory'))) {
    it(`${path} as ${way} to the host is refused by name`, () =>
      replaced(
        path,
        (place) => symlinkSync(target, place),
        () => refused(start('true'), path),
      ));
  }
}

for (const path of ['/run', '/tmp']) {
  for (const [way, target] of ways(join(bait, 'directory'))) {
    it(`${path} as ${way} to the host ends inside the tree`, () =>
      replaced(
        path,
        (place) => symlinkSync(target, place),
        () => {
          const outcome = start('--pipe', 'sh', '-c', `touch ${path}/made; echo started`);
          if (outcome.status !== 0) refused(outcome, path);
          else assert.is(outcome.stdout, 'started\n');
          rmSync(join(tree, bait), { recursive: true, force: true });
        },
      ));
  }
}

it('a link that leads to itself is refused by name', () => {
  for (const path of ['/dev', '/proc', '/sys', '/run', '/tmp']) {
    replaced(
      path,
      (place) => symlinkSync(path, place),
      () => refused(start('true'), path),
    );
  }
});

for (const path of ['/dev', '/proc', '/sys', '/run', '/tmp']) {
  it(`${path} as a file, a FIFO or a device is refused by name, and does not hang`, () => {
    replaced(
      path,
      (place) => writeFileSync(place, 'a file\n'),
      () => refused(start('true'), path),
    );
    replaced(
      path,
      (place) => execFileSync('mkfifo', [place]),
      () => refused(start('true'), path),
    );
    replaced(
      path,
      (place) => execFileSync('mknod', [place, 'c', '1', '5']),
      () => refused(start('true'), path),
    );
  });
}

for (const [way, target] of ways(join(bait, 'machine-id'))) {
  it(`the machine id of the host is not read through /etc/machine-id as ${way}`, () =>
    replaced(
      '/etc/machine-id',
      (place) => symlinkSync(target, place),
      () => {
        const { status, stdout, stderr } = start(
          '--pipe',
          'sh',
          '-c',
          'echo $container_uuid; cat /run/host/container-uuid',
        );
        assert.is(status, 0, stderr);
        assert.not.match(stdout.replaceAll('-', ''), new RegExp(BAIT_ID));
      },
    ));
}

for (const [way, target] of ways(join(bait, 'os-release'))) {
  it(`the os-release of the host does not make a system of a tree whose own is ${way}`, () =>
    without('/usr/lib/os-release', () =>
      replaced(
        '/etc/os-release',
        (place) => symlinkSync(target, place),
        () => {
          const outcome = start('--boot');
          refused(outcome, tree);
          assert.match(outcome.stderr, /os-release/);
        },
      ),
    ));
}

const ODD: Readonly<Record<string, (place: string) => void>> = {
  'a FIFO': (place) => execFileSync('mkfifo', [place]),
  'a device that never ends': (place) => execFileSync('mknod', [place, 'c', '1', '5']),
  'a terminal': (place) => execFileSync('mknod', [place, 'c', '5', '0']),
  'a directory': (place) => mkdirSync(place),
  'a file of 100 GB': (place) => {
    writeFileSync(place, '');
    truncateSync(place, 100e9);
  },
  'a link to itself': (place) => symlinkSync(place.slice(tree.length), place),
  'random bytes': (place) => execFileSync('sh', ['-c', `head -c 4096 /dev/urandom >'${place}'`]),
};

for (const [what, put] of Object.entries(ODD)) {
  for (const path of [
    '/etc/machine-id',
    '/etc/os-release',
    '/etc/group',
    '/etc/localtime',
    '/etc/resolv.conf',
    '/etc/hostname',
  ]) {
    it(`${what} in the place of ${path} does not hold up the launch`, () =>
      replaced(path, put, () => {
        const { status, stderr } = start('true');
        assert.is(status, 0, stderr);
      }));
  }
  it(`${what} in the place of /etc/passwd does not hold up the launch, nor the search for a user`, () =>
    replaced('/etc/passwd', put, () => {
      assert.is(start('true').status, 0);
      const outcome = start('--user=somebody', 'true');
      refused(outcome, 'somebody');
    }));
  it(`${what} in the place of the init is refused, and does not hang`, () =>
    replaced('/sbin/init', put, () => {
      const outcome = start('--boot');
      assert.is(outcome.status, 1);
      assert.match(outcome.stderr, /^tsnspawn: .*\n(hint: .*\n)?$/);
    }));
}

const MODES: readonly string[] = [
  ...['off', 'delete', ...['copy', 'replace', 'bind'].map((act) => `${act}-host`)].map(
    (mode) => `--resolv-conf=${mode}`,
  ),
  ...['copy', 'bind', 'symlink', 'delete'].map((mode) => `--timezone=${mode}`),
];

for (const [what, put] of Object.entries(ODD)) {
  it(`${what} in the place of resolv.conf or localtime does not hold up a launch that asks for them by name`, () => {
    for (const mode of MODES) {
      const path = mode.startsWith('--timezone') ? '/etc/localtime' : '/etc/resolv.conf';
      for (const more of [[], ['--read-only']])
        replaced(path, put, () => {
          const outcome = start(mode, ...more, 'true');
          if (outcome.status !== 0) refused(outcome, path);
        });
    }
  });
}

for (const [way, target] of ways(join(bait, 'passwd'))) {
  it(`a file of the host is not written, covered or removed through resolv.conf or localtime as ${way}`, () => {
    for (const mode of [...MODES, '--read-only', '--as-pid2']) {
      for (const path of ['/etc/localtime', '/etc/resolv.conf']) {
        replaced(
          path,
          (place) => symlinkSync(target, place),
          () => {
            const outcome = start(mode, 'true');
            if (outcome.status !== 0) refused(outcome, path);
          },
        );
      }
    }
    rmSync(join(tree, bait), { recursive: true, force: true });
  });
}

it('/etc as a link to the host keeps resolv.conf and localtime of the host as they are', () => {
  for (const [, target] of ways(join(bait, 'directory'))) {
    for (const mode of MODES) {
      replaced(
        '/etc',
        (place) => symlinkSync(target, place),
        () => {
          const outcome = start(mode, 'true');
          if (outcome.status !== 0) refused(outcome, '/etc');
          assert.equal(readdirSync(join(bait, 'directory')), []);
        },
      );
    }
  }
  rmSync(join(tree, bait), { recursive: true, force: true });
});

it('a user of the host is not found through a link at /etc/passwd', () => {
  for (const [, target] of ways(join(bait, 'passwd'))) {
    replaced(
      '/etc/passwd',
      (place) => symlinkSync(target, place),
      () => refused(start('--user=baituser', 'true'), 'baituser'),
    );
  }
});

it('a program of the host is not started through a link', () => {
  const program = join(bait, 'program');
  writeFileSync(program, '#!/bin/sh\necho outside\n', { mode: 0o755 });
  for (const [, target] of ways(program)) {
    replaced(
      '/linked',
      (place) => symlinkSync(target, place),
      () => {
        const outcome = start('--pipe', '/linked');
        assert.not.match(outcome.stdout, /outside/);
        refused(outcome, '/linked');
      },
    );
  }
  rmSync(program);
});

for (const [name, ...options] of [
  ['bind', '--bind=/etc/os-release:/way/below/file'],
  ['bind of a directory', '--bind=/etc:/way/below/directory'],
  ['tmpfs', '--tmpfs=/way/below/tmpfs'],
] as const) {
  it(`the target of a ${name} below a link to the host is made inside the tree`, () => {
    for (const [, target] of ways(join(bait, 'directory'))) {
      replaced(
        '/way',
        (place) => symlinkSync(target, place),
        () => {
          const outcome = start(...options, 'true');
          if (outcome.status !== 0) refused(outcome, '/way');
          assert.equal(readdirSync(join(bait, 'directory')), []);
          rmSync(join(tree, bait), { recursive: true, force: true });
        },
      );
    }
  });
}

it('the source of a bind out of the tree does not leave it', () => {
  replaced(
    '/way',
    (place) => symlinkSync(bait, place),
    () => {
      const outcome = start('--pipe', '--bind=+/way:/mnt', 'ls', '/mnt');
      assert.not.match(outcome.stdout, /machine-id/);
    },
  );
  rmSync(join(tree, bait), { recursive: true, force: true });
});

it('usr as a link to the host does not make a system of an empty tree', () =>
  replaced(
    '/usr',
    (place) => symlinkSync('/usr', place),
    () => {
      const outcome = start('true');
      assert.is.not(outcome.status, 0);
      assert.match(outcome.stderr, /^tsnspawn: /);
    },
  ));

it('a working directory that is a link to the host ends inside the tree', () => {
  for (const [, target] of ways(bait)) {
    replaced(
      '/way',
      (place) => symlinkSync(target, place),
      () => {
        const outcome = start('--pipe', '--chdir=/way', 'ls');
        assert.not.match(outcome.stdout, /machine-id/);
      },
    );
  }
});

it('what a guest has left behind does not reach the host at its next start', () => {
  // The guest, being root in its tree, prepares the places that the launcher will touch next time.
  const prepare = `umount -l /tmp /run; rmdir /tmp /run; ln -s ${bait}/directory /tmp; ln -s ${bait}/directory /run; echo prepared`;
  const kept = readdirSync(tree);
  try {
    assert.is(start('--pipe', 'sh', '-c', prepare).stdout, 'prepared\n');
    const outcome = start('--pipe', 'sh', '-c', 'touch /tmp/a /run/b; echo started');
    if (outcome.status !== 0) refused(outcome, '/run');
  } finally {
    for (const name of ['tmp', 'run']) {
      rmSync(join(tree, name), { recursive: true, force: true });
      if (kept.includes(name)) mkdirSync(join(tree, name));
    }
    rmSync(join(tree, bait), { recursive: true, force: true });
  }
});

it('the tree is still the one it was', () => {
  assert.ok(existsSync(join(tree, 'usr/bin/busybox')));
  assert.match(readFileSync(join(tree, 'etc/passwd'), 'utf8'), /^root:/);
  const { status, stderr } = start('true');
  assert.is(status, 0, stderr);
});

test.run();

// The cgroup of an ordinary user's guest: where it comes from, what lies on it, and that it goes.

import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf, nothingLeft } from '../support/footprint';
import { eventually, type Outcome, Running } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { OrdinaryUser } from '../support/users';

const REASON = needs('root', 'namespaces', 'mirror', 'command:newuidmap', 'command:setpriv', 'command:nsenter');
const it = only(test, REASON);
const inCgroup2 = only(test, REASON ?? needs('cgroup2'));

let known: { user: OrdinaryUser; tiny: string; debian: string } | undefined;
function place() {
  if (known === undefined) {
    const user = new OrdinaryUser();
    known = { user, tiny: user.tree('busybox'), debian: user.tree('bookworm') };
  }
  return known;
}

interface Mount {
  readonly path: string;
  readonly controllers: readonly string[];
}

const mounts: readonly Mount[] = readFileSync('/proc/self/mounts', 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
  .map(([, path = '', type, options = '']) => ({
    path,
    controllers:
      type === 'cgroup' ? options.split(',') : readFileSync(join(path, 'cgroup.controllers'), 'utf8').split(/\s+/),
  }));

/** A test in a cgroup that is given to the user in the hierarchy that has the controller, or is name=systemd. */
function giving(controller: string, body: (cgroup: string) => void): void {
  const { user } = place();
  const { path = '' } = mounts.find(({ controllers }) => controllers.includes(controller)) ?? {};
  const own = join(path, `${user.name}-given`);
  mkdirSync(own);
  try {
    for (const file of ['.', ...readdirSync(own)]) chownSync(join(own, file), user.uid, user.gid);
    body(own);
    assert.equal(directories(own), []);
  } finally {
    rmdirSync(own);
  }
}

/** Where cgroup2 is mounted. */
const UNIFIED =
  mounts.find(({ path }) => spawnSync('stat', ['-fc', '%T', path]).stdout.toString() === 'cgroup2fs\n')?.path ?? '';

const withController = (name: string) => {
  const there = mounts.some(({ controllers }) => controllers.includes(name));
  return only(test, REASON ?? (there ? undefined : `needs the hierarchy ${name}`));
};

/** What boot-check says of a systemd that is up. */
const UP = /booted with systemd as PID 1 and was up after \d.*it has been shut down/;

const directories = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

inCgroup2('the cgroup is the guest’s own: its root may divide it, and sees no other', async () => {
  const { user, tiny } = place();
  const cgroup = user.cgroup();
  const script = `
    cat /proc/self/cgroup | grep ^0:
    cd /sys/fs/cgroup && stat -c '%u %g' . cgroup.procs
    mkdir part && echo $$ >part/cgroup.procs && grep ^0: /proc/self/cgroup
    ls -d ../tsnspawn-* 2>/dev/null; grep ' /sys/fs/cgroup ' /proc/mounts | tail -n 1 | cut -d' ' -f3`;
  const { stdout, stderr } = user.tsnspawn(['-qPD', tiny, 'sh', '-c', script], { cgroup });
  assert.equal([stdout, stderr], ['0::/\n0 0\n0 0\n0::/part\ncgroup2\n', '']);
  assert.equal(directories(cgroup), []);
});

inCgroup2('a cgroup that is delegated further up serves as well', () => {
  const { user, tiny } = place();
  const own = user.cgroup();
  const below = join(own, 'of-root');
  mkdirSync(below);
  const { status, stdout } = user.tsnspawn(['--dry-run', '-D', tiny, 'true'], { cgroup: below });
  assert.is(status, 0);
  assert.match(stdout, new RegExp(`make the cgroup ${own}/tsnspawn-busybox-\\d+$`, 'm'));
  assert.is(user.tsnspawn(['-qPD', tiny, 'grep', '-qx', '0::/', '/proc/self/cgroup'], { cgroup: below }).status, 0);
  rmdirSync(below);
});

withController('name=systemd')('any cgroup of name=systemd serves for the legacy layout, also one beside', () =>
  giving('name=systemd', () => {
    const { user, debian } = place();
    const env = { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '0' };
    const { status, stdout, stderr } = user.tsnspawn(['boot-check', '-D', debian], { timeout: 90, env });
    assert.is(status, 0, stdout + stderr);
    assert.match(stdout, UP);
  }),
);

it('busybox boots without a cgroup', async () => {
  const { user, tiny } = place();
  await withRunning(user.start(['-D', tiny, '-b']), async (running) => {
    await running.until(/# /);
    assert.not.match(running.output, /cgroup/);
    running.child.kill('SIGTERM');
    assert.equal(await running.exited, { status: 0, signal: null });
  });
});

const limited = (property: string, cgroup: string, script: string): Outcome => {
  const { user, tiny } = place();
  return user.tsnspawn(['-qPD', tiny, `--property=${property}`, 'sh', '-c', script], { cgroup });
};

withController('pids')('TasksMax= holds, and the guest’s root cannot raise it', () =>
  giving('pids', (cgroup) => {
    const raise = 'find / -xdev -name pids.max -exec sh -c "echo max >{}" \\; 2>/dev/null';
    const bomb = 'i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i + 1)); done';
    assert.match(limited('TasksMax=20', cgroup, `${raise}; ${bomb}`).stderr, /can't fork/);
  }),
);

withController('memory')('a memory hog is killed at MemoryMax=', () =>
  giving('memory', (cgroup) => {
    const { user, tiny } = place();
    const hog = '(dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null); echo hog $?';
    assert.match(limited('MemoryMax=48M', cgroup, hog).stdout, /^hog (?!0$)\d+$/m);
    assert.is(user.tsnspawn(['-qPD', tiny, 'sh', '-c', hog], { cgroup }).stdout, 'hog 0\n');
  }),
);

inCgroup2('a limit that no delegated cgroup has a controller for is refused before anything is there', () => {
  const { user, tiny } = place();
  const cgroup = user.cgroup();
  const { status, stdout, stderr } = user.tsnspawn(['-D', tiny, '--property=CPUQuota=10%', 'echo', 'started'], {
    cgroup,
  });
  assert.equal([status, stdout], [1, '']);
  assert.match(stderr, /--property=CPUQuota=10% cannot be given: no cgroup .*\bcpu\b.*delegated to this user/);
  assert.match(stderr, /^hint: in the shell that starts tsnspawn: sudo sh -c "/m);
});

for (const victim of ['launcher', 'monitor'] as const) {
  inCgroup2(
    `nothing is left of the cgroups, those of the guest’s other users too, when the ${victim} is killed`,
    async () => {
      const { user, debian } = place();
      const cgroup = user.cgroup();
      const script =
        'cd /sys/fs/cgroup && mkdir -p joe/own/deep && chown -R games joe && echo ready && exec sleep 1000';
      await withRunning(user.start(['-qD', debian, 'sh', '-c', script], { cgroup }), async (running) => {
        await running.until(/ready/);
        const footprint = footprintOf(running);
        assert.equal(directories(cgroup), [`tsnspawn-${basename(debian)}-${footprint.launcher}`]);
        process.kill(footprint[victim], 'SIGKILL');
        await running.exited;
        await nothingLeft(footprint);
        await eventually(() => directories(cgroup).length === 0, 'no cgroup');
      });
    },
  );
}

inCgroup2('--cleanup removes what is left when launcher and monitor are killed at once', async () => {
  const { user, debian } = place();
  const cgroup = user.cgroup();
  const script =
    'mkdir -p /srv/own/deep /sys/fs/cgroup/joe/own && chown -R games /srv/own /sys/fs/cgroup/joe && echo ready';
  const argv = ['-qxD', debian, '-M', 'gone', 'sh', '-c', `${script}; exec sleep 1000`];
  await withRunning(user.start(argv, { cgroup }), async (running) => {
    await running.until(/ready/);
    const { launcher, monitor } = footprintOf(running);
    process.kill(launcher, 'SIGSTOP');
    process.kill(monitor, 'SIGKILL');
    process.kill(launcher, 'SIGKILL');
    await running.exited;
  });
  const left = () => [
    ...directories(cgroup),
    ...readdirSync(user.home).filter((name) => name.startsWith('.#tsnspawn.')),
  ];
  assert.is(left().length, 2);
  const { status, stderr } = user.tsnspawn(['--cleanup', '-M', 'gone', '-D', debian]);
  assert.equal([status, left()], [0, []], stderr);
  assert.match(stderr, /^Removed \S+\/tsnspawn-gone-\d+\.$/m);
});

/** The command as the user. */
const asUser = (user: OrdinaryUser): string[] => [
  ...['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'],
  ...user.command,
];

/** A run where the file systems of cgroups have been changed by this script. */
function elsewhere(script: string, args: readonly string[]) {
  const words = ['-m', 'sh', '-ec', `${script}; exec "$@"`, 'sh', ...asUser(place().user), ...args];
  return spawnSync('unshare', words, { encoding: 'utf8', timeout: 60_000 });
}

/** Boots a Debian by the line that the refusal hints at, on a host that this script has changed. */
function bootByHint(script: string): void {
  const { debian } = place();
  const { status, stderr } = elsewhere(script, ['-bD', debian]);
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: systemd in the tree needs a cgroup of its own, and this user may make none$/m);
  const line = /^hint: in the shell that starts tsnspawn: sudo (sh -c .*)$/m.exec(stderr)?.[1] ?? 'false';
  const booted = elsewhere(`${script}; ${line}`, ['boot-check', '-D', debian]);
  const made = /mkdir -p (\S*\/tsnspawn-\d+)/.exec(line)?.[1] ?? '';
  const shell = directories(made);
  const left = shell.flatMap((name) => directories(join(made, name)));
  for (const path of [...shell.map((name) => join(made, name)), made]) rmdirSync(path);
  assert.is(booted.status, 0, booted.stdout + booted.stderr);
  assert.match(booted.stdout, UP);
  assert.equal([shell.filter((name) => name !== 'shell'), left], [[], []]);
}

inCgroup2('the hint of the refusal is a line that makes a Debian boot', () => bootByHint('true'));

withController('name=systemd')('so it is on a host with legacy cgroups alone', () =>
  bootByHint(`umount ${UNIFIED} || true`),
);

/** A launch in a cgroup of the user's whose mount cannot be written. */
const READ_ONLY = `mount -o remount,ro,bind ${UNIFIED}`;

inCgroup2('in a cgroup of the user a Debian boots where only the mount is read-only, and nothing is left', () => {
  const { user, debian } = place();
  const cgroup = user.cgroup();
  const { status, stdout, stderr } = elsewhere(`echo $$ >${cgroup}/cgroup.procs; ${READ_ONLY}`, [
    'boot-check',
    '-D',
    debian,
  ]);
  assert.is(status, 0, stderr);
  assert.match(stdout, UP);
  assert.equal(directories(cgroup), []);
  const said = elsewhere(`echo $$ >${cgroup}/cgroup.procs; ${READ_ONLY}`, ['doctor', '--json']);
  assert.is(JSON.parse(said.stdout).checks.cgroup.answer, 'partly');
});

inCgroup2('the same when the monitor is killed', async () => {
  const { user, debian } = place();
  const cgroup = user.cgroup();
  const script = `echo $$ >${cgroup}/cgroup.procs; ${READ_ONLY}; exec "$@"`;
  const words = ['-m', 'sh', '-ec', script, 'sh', ...asUser(user), '-bD', debian];
  await withRunning(new Running('unshare', words), async (running) => {
    await running.until(/login: /);
    assert.is(directories(cgroup).length, 1);
    process.kill(footprintOf(running).monitor, 'SIGKILL');
    await running.exited;
    assert.equal(directories(cgroup), []);
  });
});

inCgroup2('cgroup2 that is read-only or covered is told as that, where the cgroup is not the user’s either', () => {
  const said = (script: string): string => elsewhere(script, ['-bD', place().debian]).stderr;
  assert.match(said(READ_ONLY), new RegExp(`^hint: ${UNIFIED} is mounted read-only`, 'm'));
  assert.match(said(`mount -t tmpfs none ${UNIFIED}`), new RegExp(`^hint: something lies over ${UNIFIED}`, 'm'));
});

test.run();

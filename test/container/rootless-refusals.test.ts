// Where the kernel refuses an ordinary user something: the error says what exactly, and what would mend it.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { type Host, withMounts, withUsers } from '../support/refusing';
import { OrdinaryUser } from '../support/users';

const REASON = needs('root', 'namespaces', 'command:newuidmap', 'command:setpriv', 'command:unshare', 'command:gcc');
const it = only(test, REASON);
const inCgroup = only(test, REASON ?? needs('cgroup2', 'mirror'));
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-refusals-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
chmodSync(scratch, 0o755);
const hides = join(scratch, 'hides');

let known: { user: OrdinaryUser; tree: string } | undefined;
function place() {
  if (known === undefined) {
    const user = new OrdinaryUser();
    known = { user, tree: user.tree('busybox') };
    execFileSync('gcc', ['-static', '-O1', '-o', hides, 'test/support/hides.c']);
  }
  return known;
}

/** Standard error of a launch that fails on this host, where it may not take the other engine. */
function refused(host: Host, ...options: string[]): string {
  const { user, tree } = place();
  const { status, stdout, stderr } = user.tsnspawn(['-qPD', tree, '--engine=namespaces', ...options, 'true'], { host });
  assert.equal([status, stdout], [1, ''], stderr);
  return stderr;
}

const NO_USER_NAMESPACES = withUsers('echo 0 >/proc/sys/user/max_user_namespaces');

it('without user namespaces: which setting it is, and the command that changes it', () => {
  assert.is(
    refused(NO_USER_NAMESPACES),
    `tsnspawn: without root a container needs user namespaces, and this host gives none
hint: user.max_user_namespaces is 0: sudo sysctl -w user.max_user_namespaces=15000; tsnspawn doctor tells more
`,
  );
});

it('with too few of another kind: the same', () => {
  const stderr = refused(withUsers('echo 0 >/proc/sys/user/max_mnt_namespaces'));
  assert.match(
    stderr,
    /^tsnspawn: cannot make the namespaces of the container \(user,mnt,pid\): No space left on device\n/,
  );
  assert.match(stderr, /\nhint: user\.max_mnt_namespaces is 0: sudo sysctl -w user\.max_mnt_namespaces=15000; /);
});

it('with a number of them that is used up: the lowest limit', () => {
  const stderr = refused(withUsers('echo 1 >/proc/sys/user/max_pid_namespaces'));
  assert.match(
    stderr,
    /\nhint: the limit on namespaces is reached \(user\.max_pid_namespaces=1\), here or in a user namespace around: /,
  );
});

it('where the filter of another container forbids namespaces: that, and not a switch of the kernel', () => {
  const stderr = refused(['sh', '-c', 'exec "$0" "$@"', hides, '-clone,-unshare,clone3']);
  assert.match(
    stderr,
    /^tsnspawn: cannot make the namespaces of the container \(user,mnt,pid\): Operation not permitted\n/,
  );
  assert.match(stderr, /\nhint: Operation not permitted: .*a seccomp filter.*; tsnspawn doctor tells more\n$/);
});

it('where it forbids detached mounts: the same', () => {
  const stderr = refused(['sh', '-c', 'exec "$0" "$@"', hides, '-open_tree']);
  assert.match(
    stderr,
    /^tsnspawn: cannot open .*: Operation not permitted\nhint: Operation not permitted: .*a seccomp filter/,
  );
});

it('where /proc is partly covered: what covers it', () => {
  const host = withMounts('mount -t tmpfs none /proc/acpi; mount --bind /proc/sys /proc/sys');
  const stderr = refused(host, '--engine=namespaces');
  assert.match(stderr, /^tsnspawn: cannot mount proc for the monitor: Operation not permitted\n/);
  assert.match(
    stderr,
    /\nhint: refused while \/proc\/acpi and \/proc\/sys are covered by other mounts: .*; tsnspawn doctor tells more\n$/,
  );
});

it('where /sys is partly covered: nothing with the host’s network, and what covers it with another', () => {
  const host = withMounts('mount -t tmpfs none /sys/firmware');
  const { user, tree } = place();
  assert.is(user.tsnspawn(['-qPD', tree, 'true'], { host }).status, 0);
  const stderr = refused(host, '--private-network');
  assert.match(stderr, /^tsnspawn: cannot make sysfs \(.*\): Operation not permitted\n/);
  assert.match(
    stderr,
    /\nhint: refused while \/sys\/firmware is covered by other mounts: sudo umount \/sys\/firmware; /,
  );
});

inCgroup(
  'where no cgroup namespace can be had: a program runs without a cgroup, and systemd is refused with the reason',
  () => {
    const { user, tree } = place();
    const host = withUsers('echo 0 >/proc/sys/user/max_cgroup_namespaces');
    const cgroup = user.cgroup();
    const run = (...args: string[]) => user.tsnspawn(['-q', ...args], { host, cgroup });
    assert.is(run('-PD', tree, 'true').status, 0);
    const { status, stderr } = run('-bD', user.tree('bookworm'));
    assert.is(status, 1);
    assert.match(stderr, /and the host has no cgroup namespaces\nhint: .*user\.max_cgroup_namespaces above 0\n$/);
    const said = JSON.parse(user.tsnspawn(['doctor', '--json'], { host, cgroup }).stdout);
    assert.is(said.checks.cgroup.detail, 'user.max_cgroup_namespaces is 0');
  },
);

it('where seccomp is forbidden to a guest with one id: that owners cannot be emulated', () => {
  const { user, tree } = place();
  const host = withMounts(`mount --bind /dev/null /usr/bin/newuidmap; set -- ${hides} -seccomp "$@"`);
  const { status, stderr } = user.tsnspawn(['-qPD', tree, 'true'], { host });
  assert.is(status, 1);
  assert.match(
    stderr,
    /^tsnspawn: cannot emulate users and remember owners.*: Operation not permitted\nhint: Operation not permitted: .*a seccomp filter/,
  );
});

it('where newuidmap does not map: its own words, and a launch with one id', () => {
  const { user, tree } = place();
  const host = ['setpriv', '--no-new-privs', '--'];
  const { stderr } = user.tsnspawn(['-PD', tree, 'true'], { host });
  assert.match(
    stderr,
    /^tsnspawn: warning: cannot map the users .*: new[ug]idmap: write to [ug]id_map failed: .*; going on with one id, see tsnspawn doctor\n/,
  );
});

it('where a layer cannot lie: which file systems cannot have one', () => {
  const { user } = place();
  // a layer on an overlay is one of those
  const host = withMounts(
    `mkdir ${scratch}/u ${scratch}/w; mount -t overlay none -o lowerdir=${user.home},upperdir=${scratch}/u,workdir=${scratch}/w ${user.home}; cd ${user.home}`,
  );
  const stderr = refused(host, `--overlay=${user.home}/busybox/usr:${user.home}/busybox/root:/mnt`);
  assert.match(
    stderr,
    /^tsnspawn: cannot lay .* over each other: Invalid argument\nhint: the file system of the writable layer/,
  );
  assert.equal(
    readdirSync(user.home).filter((name) => name.includes('tsnspawn')),
    [],
  );
});

it('a launch that may take any engine goes on without namespaces, and says so', () => {
  const { user, tree } = place();
  for (const host of [NO_USER_NAMESPACES, withUsers('echo 0 >/proc/sys/user/max_mnt_namespaces')]) {
    const { status, stdout, stderr } = user.tsnspawn(['-PD', tree, 'id', '-u'], { host });
    assert.equal([status, stdout], [0, '0\n']);
    assert.match(stderr, /^tsnspawn: warning: .*; going on with the engine ptrace, which is slower/);
  }
});

it('nothing of a refused launch stays', () => {
  const { user, tree } = place();
  const before = readdirSync(user.home).sort();
  refused(NO_USER_NAMESPACES);
  refused(withMounts('mount -t tmpfs none /proc/acpi'));
  assert.equal(readdirSync(user.home).sort(), before);
  // and the lock is free
  assert.is(user.tsnspawn(['-qPD', tree, 'true']).status, 0);
});

test.run();

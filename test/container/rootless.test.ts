// What an ordinary user can do without any privilege: the tests are root, to make such users, and every command is theirs.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine } from '../support/footprint';
import { childrenOf, eventually, isAlive } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { sharedTree } from '../support/trees';
import { OrdinaryUser } from '../support/users';

const REASON = needs('root', 'namespaces', 'mirror', 'command:newuidmap', 'command:setpriv', 'command:setfacl');
const it = only(test, REASON);
const inCgroup = only(test, REASON ?? needs('cgroup2'));

let known: { user: OrdinaryUser; tiny: string; debian: string } | undefined;
/** A user with subordinate ids, and trees that belong to them: made at the first call, for all tests of this file. */
function place() {
  if (known === undefined) {
    const user = new OrdinaryUser();
    known = { user, tiny: user.tree('busybox'), debian: user.tree('bookworm') };
  }
  return known;
}

it('a user runs a program as root of a tree', () => {
  const { user, tiny } = place();
  const { status, stdout } = user.tsnspawn(['-qPD', tiny, 'sh', '-c', 'id -u; echo $$; touch /root/made']);
  assert.equal([status, stdout], [0, '0\n1\n']);
  assert.is(statSync(join(tiny, 'root/made')).uid, user.uid);
});

it('the status is the payload’s', () => {
  const { user, tiny } = place();
  assert.is(user.tsnspawn(['-qPD', tiny, 'sh', '-c', 'exit 23']).status, 23);
});

it('the other users of the guest are the subordinate ids', () => {
  const { user, debian } = place();
  const script =
    'useradd -m joe && su joe -c "id -u; touch ~/own" && chown mail:games /srv && stat -c %U:%G /home/joe/own /srv';
  const { status, stdout, stderr } = user.tsnspawn(['-qPD', debian, 'sh', '-c', script]);
  assert.equal([status, stdout, stderr], [0, '1000\njoe:joe\nmail:games\n', '']);
  assert.is(statSync(join(debian, 'home/joe/own')).uid, (user.first?.uid ?? 0) + 999);
});

it('set-id programs give what they are to give', () => {
  const { user, debian } = place();
  const script = 'chpasswd <<<root:secret; runuser -u mail -- bash -c "su -c \\"id -u\\" <<<secret"';
  const { stdout } = user.tsnspawn(['-qPD', debian, 'bash', '-c', script]);
  assert.is(stdout, '0\n');
});

it('root of the guest is not root of the host', () => {
  const { user, tiny } = place();
  const script = 'cat /etc/shadow.of.host; mknod /dev/disk b 254 0; mount -t tmpfs none /mnt && echo mounted';
  const { stdout } = user.tsnspawn(['-qPD', tiny, '--bind-ro=/etc/shadow:/etc/shadow.of.host', 'sh', '-c', script]);
  assert.is(stdout, 'mounted\n');
});

it('what is bound read-only stays so, and what is covered stays covered', () => {
  const { user, debian } = place();
  user.run(['sh', '-c', 'printf kept >precious']);
  const script = `mount -o remount,rw,bind /mnt; echo lost >/mnt/precious; umount /mnt; umount /srv; cat /srv/* 2>&1; true`;
  const { status } = user.tsnspawn([
    '-qPD',
    debian,
    `--bind-ro=${user.home}:/mnt`,
    '--inaccessible=/srv',
    'sh',
    '-c',
    script,
  ]);
  assert.is(status, 0);
  assert.is(readFileSync(join(user.home, 'precious'), 'utf8'), 'kept');
});

it('a directory of the user that is bound belongs to the guest’s root', () => {
  const { user, debian } = place();
  const words = ['sh', '-c', 'stat -c %U /mnt/precious; echo new >/mnt/made'];
  const { stdout } = user.tsnspawn(['-qPD', debian, `--bind=${user.home}:/mnt`, ...words]);
  assert.is(stdout, 'root\n');
  assert.is(statSync(join(user.home, 'made')).uid, user.uid);
});

it('an ephemeral run leaves the tree as it was, and nothing beside it', () => {
  const { user, debian } = place();
  const before = readdirSync(user.home).sort();
  const script = 'rm -r /usr/share/doc && chown games /etc/passwd && mkdir /usr/share/doc && ls /usr/share/doc | wc -l';
  const { status, stdout, stderr } = user.tsnspawn(['-qxPD', debian, 'sh', '-c', script]);
  assert.equal([status, stdout, stderr], [0, '0\n', '']);
  assert.ok(existsSync(join(debian, 'usr/share/doc/bash')));
  assert.is(statSync(join(debian, 'etc/passwd')).uid, user.uid);
  assert.equal(readdirSync(user.home).sort(), before);
});

it('a tree is made from a template with its owners, and what is left of a failed copy goes with the next cleanup', () => {
  const { user, debian } = place();
  const words = ['stat', '-c', '%U:%G', '/var/mail', '/etc/shadow'];
  const { status, stdout, stderr } = user.tsnspawn(['-qPD', 'from-template', `--template=${debian}`, ...words]);
  assert.equal([status, stdout, stderr], [0, 'root:mail\nroot:shadow\n', '']);
  // as a copy that was killed leaves it
  const left = join(user.home, '.#tsnspawn.left-123456');
  execFileSync('cp', ['-a', join(user.home, 'from-template'), left]);
  const cleaned = user.tsnspawn(['--cleanup', '-D', 'from-template']);
  assert.equal([cleaned.status, existsSync(left)], [0, false]);
  assert.match(cleaned.stderr, /Removed .*left-123456\.\n/);
});

it('a private network has lo alone, which is up', () => {
  const { user, tiny } = place();
  const { stdout } = user.tsnspawn(['-qPD', tiny, '--private-network', 'ip', '-o', 'link']);
  assert.match(stdout, /^1: lo: <LOOPBACK,UP/);
  assert.is(stdout.trim().split('\n').length, 1);
});

it('a tree of root is looked at, and told about', () => {
  const { user } = place();
  const tree = sharedTree('busybox');
  const other = join(user.home, 'of-root');
  execFileSync('cp', ['-a', tree, other]);
  const { status, stdout, stderr } = user.tsnspawn([
    '-PD',
    other,
    'sh',
    '-c',
    'touch /etc/x 2>/dev/null || echo refused',
  ]);
  assert.equal([status, stdout], [0, 'refused\n']);
  assert.match(stderr, /belongs to user 0: its files are nobody's/);
});

it('the root of the host is no layer: what is mounted below it stays where it is', () => {
  const { user } = place();
  const { status, stderr } = user.tsnspawn(['-PD', '/', '-x', 'true']);
  assert.is(status, 1);
  assert.match(stderr, /cannot open \/ .*: Invalid argument\nhint: .*mounted below/);
});

it('who is root of a user namespace needs no other one', () => {
  const { user, tiny } = place();
  const words = [
    'unshare',
    '--map-auto',
    '--map-root-user',
    ...user.command,
    '-qPD',
    tiny,
    'cat',
    '/proc/self/uid_map',
  ];
  const { status, stdout } = user.run(words);
  assert.is(status, 0);
  assert.match(stdout, /^\s+0\s+0\s+1\n\s+1\s+1\s+\d+\n$/);
});

it('nothing is left of a guest whose launcher is killed', async () => {
  const { user, tiny } = place();
  await withRunning(user.start(['-D', tiny, 'sh', '-c', 'echo up; exec sleep 1000']), async (running) => {
    await running.until(/up/);
    const monitor = childrenOf(running.pid).find((pid) => commandLine(pid).startsWith('tsnspawn-monitor')) as number;
    const guest = childrenOf(monitor)[0] as number;
    running.child.kill('SIGKILL');
    await eventually(() => !isAlive(guest) && !isAlive(monitor), 'the guest is gone');
  });
});

it('nothing is left of an ephemeral run whose monitor is killed, not even files of the guest’s other users', async () => {
  const { user, debian } = place();
  const script = 'mkdir -p /srv/own/deep && chown -R games /srv/own && echo up && exec sleep 1000';
  await withRunning(user.start(['-qxD', debian, 'sh', '-c', script]), async (running) => {
    await running.until(/up/);
    const layers = () => readdirSync(user.home).filter((name) => name.startsWith('.#tsnspawn.'));
    assert.is(layers().length, 1);
    const monitor = childrenOf(running.pid).find((pid) => commandLine(pid).startsWith('tsnspawn-monitor')) as number;
    process.kill(monitor, 'SIGKILL');
    await running.exited;
    assert.equal(layers(), []);
  });
});

it('a tree that is in use is not used twice', async () => {
  const { user, tiny } = place();
  await withRunning(user.start(['-D', tiny, 'sh', '-c', 'echo up; exec sleep 1000']), async (running) => {
    await running.until(/up/);
    const { status, stderr } = user.tsnspawn(['-D', tiny, 'true']);
    assert.is(status, 1);
    assert.match(stderr, /cannot use the tree .*: it is busy/);
  });
});

it('programs that map ids and cannot are told about, and one id is used', () => {
  const { user, tiny } = place();
  const bin = join(user.home, 'bin');
  user.run(['mkdir', '-p', bin]);
  for (const name of ['newuidmap', 'newgidmap']) {
    const script = '#!/bin/sh\necho "newuidmap: not today" >&2; exit 1\n';
    user.run(['sh', '-c', `cat >${bin}/${name} && chmod +x ${bin}/${name}`], { input: script });
  }
  const path = `${bin}:${process.env.PATH}`;
  const { stderr } = user.tsnspawn(['-D', tiny, '--console=pipe', 'cat', '/proc/self/uid_map'], {
    env: { PATH: path },
  });
  assert.match(stderr, /newuidmap: not today.*going on with one id/);
});

inCgroup('a Debian boots in a cgroup of the user, is up, reboots, and powers off', async () => {
  const { user, debian } = place();
  const cgroup = user.cgroup();
  await withRunning(user.startOnTerminal(['-bD', debian], { cgroup, timeout: 90 }), async (running) => {
    await running.until(/root@\S*:~# $/m);
    running.write('systemctl is-system-running --wait\n');
    await running.until(/^running/m);
    running.write('systemctl reboot\n');
    await running.until(/is being rebooted/);
    await running.until(/is being rebooted[\s\S]*root@\S*:~# $/m);
    running.write('systemctl poweroff\n');
    assert.is((await running.exited).status, 0);
    assert.match(running.output, /has been shut down/);
  });
  assert.equal(
    readdirSync(cgroup, { withFileTypes: true }).filter((entry) => entry.isDirectory()),
    [],
  );
});

it('a Debian with sysvinit boots without a cgroup, says when it is up, and powers off', () => {
  const { user } = place();
  const { status, stdout, stderr } = user.tsnspawn(['boot-check', '-D', user.tree('sysvinit')], { timeout: 90 });
  assert.is(status, 0, stderr);
  assert.match(stdout + stderr, /booted with init as PID 1 and was up after \d.*it has been shut down/);
});

it('a Debian without a cgroup is refused, before anything is started', () => {
  const { user, debian } = place();
  const { status, stderr } = user.tsnspawn(['-bD', debian]);
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: .*cgroup.*\nhint: /);
});

test.run();

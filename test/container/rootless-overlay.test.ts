// Overlays of an ordinary user where the kernel refuses them: fuse-overlayfs takes over.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, processes } from '../support/footprint';
import { needs, only } from '../support/needs';
import { type Host, withMounts } from '../support/refusing';
import { OrdinaryUser } from '../support/users';

const it = only(
  test,
  needs('root', 'namespaces', 'command:newuidmap', 'command:setpriv', 'command:unshare', 'command:fuse-overlayfs'),
);

let known: { user: OrdinaryUser; tree: string } | undefined;
function place() {
  if (known === undefined) {
    const user = new OrdinaryUser();
    known = { user, tree: user.tree('busybox') };
  }
  return known;
}

/** Lays an overlay over the user's home, so that what lies there cannot be a writable layer. */
const OVERLAY = (home: string, uid: number): string =>
  'd=$(mktemp -d -p /srv); mkdir $d/u $d/w; ' +
  `chown ${uid} $d/u; mount -t overlay none -o lowerdir=${home},upperdir=$d/u,workdir=$d/w ${home}; cd ${home}`;

/** A host whose home directories are on `overlays` of them. Each may open a /dev/fuse or not. */
function host(overlays: 1 | 2, fuse = true): Host {
  const { home, uid } = place().user;
  const device = `mknod /srv/fuse c 10 229; chmod ${fuse ? 666 : 600} /srv/fuse; mount --bind /srv/fuse /dev/fuse`;
  const lay = Array.from({ length: overlays }, () => OVERLAY(home, uid)).join('; ');
  return withMounts(`mount -t tmpfs none /srv; ${lay}; ${device}`);
}

/** Output of a shell script in a guest. */
function sh(on: Host, script: string, ...options: string[]): string {
  const { user, tree } = place();
  const { status, stdout, stderr } = user.tsnspawn(['-qPD', tree, ...options, 'sh', '-c', script], { host: on });
  assert.is(status, 0, stderr);
  return stdout;
}

it('a third overlay on two others: -x and --volatile=overlay work, and the tree stays as it is', () => {
  for (const option of ['-x', '--volatile=overlay']) {
    const script =
      'rm /etc/passwd; echo new >/new; chown 7:8 /new; mkdir /dir; stat -c "%u:%g %s" /new; ls /etc/passwd 2>&1; ls -d /dir';
    const output = sh(host(2), `${script}; sed -n "s/.* - //p" /proc/self/mountinfo | head -n 1`, option);
    assert.match(output, /^7:8 4\nls: \/etc\/passwd: No such file or directory\n\/dir\nfuse fuse-overlayfs rw,/);
    assert.match(sh(host(2), 'ls /etc/passwd; ls /new 2>&1; true'), /^\/etc\/passwd\nls: \/new: No such file/);
  }
});

it('a guest boots on it', () => {
  const { user, tree } = place();
  const { status, stdout, stderr } = user.tsnspawn(['boot-check', '-xD', tree], { host: host(2) });
  assert.is(status, 0, stderr);
  assert.match(stdout, /booted with (init|linuxrc|busybox) as PID 1/);
});

it('a reboot of the guest keeps what was written', () => {
  const { user } = place();
  const tree = user.tree('busybox', 'rebooting');
  const script = 'echo run >>/runs; wc -l </runs; sync; [ $(wc -l </runs) = 1 ] && reboot || poweroff';
  writeFileSync(join(tree, 'etc/inittab'), `::wait:/bin/sh -c '${script}'\n`);
  const { status, stdout } = user.tsnspawn(['-qxbD', tree, '--console=pipe'], { host: host(2) });
  assert.equal([status, stdout], [0, '1\n2\n']);
  assert.is(existsSync(join(tree, 'runs')), false);
});

it('a writable layer on an overlay takes what is written', () => {
  const { user } = place();
  user.run(['mkdir', '-p', 'low', 'up']);
  user.run(['sh', '-c', 'echo low >low/file']);
  const options = `--overlay=${user.home}/low:${user.home}/up:/mnt`;
  const command = [...user.command, '-qPD', place().tree, options, 'sh', '-c', 'cat /mnt/file; echo more >>/mnt/file'];
  const words = command.map((word) => `'${word}'`).join(' ');
  const { stdout, stderr } = user.run(['sh', '-c', `${words}; cat up/file`], { host: host(1) });
  assert.equal([stdout, stderr], ['low\nlow\nmore\n', '']);
});

it('a layer without attributes, as in memory before Linux 6.6: a directory can be made where one was removed', () => {
  const { user, tree } = place();
  user.run(['mkdir', '-p', 'bare/dir', 'plain']);
  // ramfs has none on any kernel
  const device =
    'mount -t tmpfs none /srv; mknod /srv/fuse c 10 229; chmod 666 /srv/fuse; mount --bind /srv/fuse /dev/fuse';
  const layer = `mount -t ramfs none ${user.home}/plain; mkdir ${user.home}/plain/up; chown -R ${user.uid} ${user.home}/plain`;
  const options = `--overlay=${user.home}/bare:${user.home}/plain/up:/mnt`;
  const command = ['-qPD', tree, options, 'sh', '-c', 'rmdir /mnt/dir && mkdir /mnt/dir && ls /mnt'];
  const { stdout, stderr } = user.tsnspawn(command, { host: withMounts(`${device}; ${layer}`) });
  assert.equal([stdout, stderr], ['dir\n', '']);
});

it('root of the guest has no more rights in it than root of the guest has', () => {
  const { user } = place();
  user.run(['mkdir', '-p', 'low', 'up']);
  const options = `--overlay=${user.home}/low:${user.home}/up:/mnt`;
  const script = 'mknod /mnt/disk b 254 0; ls -l /mnt; su nobody -s /bin/sh -c "echo x >/mnt/y" || echo refused';
  const output = sh(host(1), `${script} 2>&1`, options);
  assert.match(output, /refused\n$/);
  assert.not.match(output, /^b/m);
});

it('without /dev/fuse it is refused, and the hint says what would help', () => {
  const { user, tree } = place();
  const { status, stderr } = user.tsnspawn(['-qPxD', tree, 'true'], { host: host(2, false) });
  assert.is(status, 1);
  assert.match(
    stderr,
    /^tsnspawn: cannot lay .* over each other \(nodev\): Invalid argument\nhint: .*; fuse-overlayfs would, and needs \/dev\/fuse\n$/,
  );
});

it('the doctor knows', () => {
  const { user } = place();
  const said = (on: Host) => JSON.parse(user.tsnspawn(['doctor', '--json'], { host: on }).stdout).checks.overlay;
  assert.match(
    said(host(1)).detail,
    /^by fuse-overlayfs where the kernel does not, which is slower; the kernel takes no writable layer on overlay here/,
  );
  assert.is(said(host(1, false)).answer, 'partly');
});

it('nothing is left of the program, nor of the layers', () => {
  const { user, tree } = place();
  sh(host(2), 'true', '-x');
  assert.equal(
    processes().filter((pid) => commandLine(pid).startsWith('/usr/bin/fuse-overlayfs -o lowerdir=/tmp/0')),
    [],
  );
  assert.equal(
    readdirSync(user.home).filter((name) => name.includes('tsnspawn-')),
    [],
  );
  assert.is(user.tsnspawn(['-qPD', tree, 'true']).status, 0);
});

test.run();

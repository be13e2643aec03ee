// Guests by the portable archive, as an ordinary user, on a kernel that knows no more than Linux 2.6.32: by ptrace, without filters.

import { readFileSync } from 'node:fs';
import { addon } from '@tsnspawn/native';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/launcher';
import { needs, only } from '../support/needs';
import { OldHost } from '../support/portable';
import { sharedTree } from '../support/trees';

const missing = needs('root', 'arch:x64', 'mirror', 'command:gcc', 'command:setpriv');
const it = only(test, missing);

/** Nobody has it, and no other test takes it: all its processes are those of these guests. */
const USER = 64874;
let known: { readonly host: OldHost; readonly debian: string } | undefined;
function place(): { readonly host: OldHost; readonly debian: string } {
  if (known === undefined) {
    const host = new OldHost(USER);
    known = { host, debian: host.tree(sharedTree('sysvinit'), 'debian') };
  }
  return known;
}

/** Runs a script of the shell in the tree. */
function inside(script: string, ...options: readonly string[]) {
  const { host, debian } = place();
  return host.run(['-qP', '-D', debian, ...options, '/bin/bash', '-c', script]);
}

it('a program runs in a tree, and it is said with what', () => {
  const { host, debian } = place();
  const { status, stdout, stderr } = host.run(['-D', debian, '/bin/ls', '-la', '/']);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^drwxr-xr-x .* root +root .* usr$/m);
  assert.match(stderr, 'going on with the engine ptrace');
});

it('there is a shell with pipes, jobs and its own limits, and its status is that of the command', () => {
  const { status, stdout } = inside('seq 30 | sort -rn | head -1; sleep 0 & wait; ulimit -n 99; ulimit -n; exit 9');
  assert.equal([status, stdout], [9, '30\n99\n']);
});

it('packages’ own programs run: dpkg, perl, tar, find', () => {
  const { stdout, stderr } = inside(
    'dpkg -l | grep -c "^ii" | grep -q .. && echo dpkg; perl -e "print qq(perl\\n)"; tar -c /etc | tar -t | grep -c . | grep -q .. && ' +
      'echo tar; find /usr -path "*/bin/dpkg"',
  );
  assert.is(stdout, 'dpkg\nperl\ntar\n/usr/bin/dpkg\n', stderr);
});

it('owners and devices are remembered without birth times of files', () => {
  inside('touch /srv/f; ln -s x /srv/l; chown -h daemon:mail /srv/f /srv/l; mknod /srv/d c 1 3');
  const { stdout } = inside('cd /srv; stat -c "%n %U %G %F" f l d; rm f l d');
  // a new one that has the number of one that is gone
  const again =
    'cd /srv; for i in 1 2 3 4 5 6; do ln -s x l$i; chown -h 7:8 l$i; rm l$i; ln -s y l; stat -c %u l; rm l; done';
  assert.is(inside(again).stdout, '0\n'.repeat(6));
  assert.is(
    stdout,
    'f daemon mail regular empty file\nl daemon mail symbolic link\nd root root character special file\n',
  );
});

it('programs are told of a kernel that their C library takes, by no way of another one', () => {
  const { stdout } = inside('uname -r; cat /proc/sys/kernel/osrelease; LD_SHOW_AUXV=1 /bin/true | grep -c SYSINFO');
  assert.is(stdout, '3.2.0\n3.2.0\n0\n');
  assert.is(inside('uname -r', '--kernel-release=4.5.6').stdout, '4.5.6\n');
});

it('a command that is not there is told as such, by a Node that is started once more', () => {
  const { host, debian } = place();
  const { status, stderr } = host.run(['-D', debian, '/bin/nothing']);
  assert.is(status, 1);
  assert.match(stderr, 'tsnspawn: cannot execute /bin/nothing: No such file or directory');
});

it('nothing goes on when the tracer is killed, although the kernel does not end what it has traced', async () => {
  const { host, debian } = place();
  const script = 'sleep 1000 & (setsid sleep 1001 &); (trap "" HUP TERM; while :; do :; done) & echo up; wait';
  const running = host.start(['-qP', '-D', debian, '/bin/bash', '-c', script]);
  await running.until(/up/);
  const monitor = host.processes().find(({ name }) => name === 'tsnspawn-mon');
  assert.ok(monitor);
  process.kill(monitor.pid, 'SIGKILL');
  const { status } = await running.exited;
  assert.is(status, 1);
  await eventually(() => host.processes().length === 0, 'no process of the guest is left');
});

it('nothing is left of a guest that ends by itself', async () => {
  const { host } = place();
  assert.is(inside('(setsid sleep 1000 &); exit 3').status, 3);
  await eventually(() => host.processes().length === 0, 'no process of the guest is left');
});

it('a sysvinit guest boots to a login, and powers off in order', async () => {
  const { host, debian } = place();
  const running = host.start(['-D', debian, '/sbin/init'], { timeout: 180 });
  await running.until(/automatic login/);
  running.child.kill('SIGTERM');
  const { status } = await running.exited;
  assert.is(status, 0, running.output);
  assert.match(running.output, 'Container debian has been shut down.');
  await eventually(() => host.processes().length === 0, 'no process of the guest is left');
});

it('what a reboot in a PID namespace would be is found without a change to the host', () => {
  const setting = () => readFileSync('/proc/sys/kernel/ctrl-alt-del', 'utf8');
  const before = setting();
  assert.is(addon().rebootsHost(), false);
  assert.is(setting(), before);
});

test.run();

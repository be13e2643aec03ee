// The ptrace engine as an ordinary user has it, who has no subordinate ids and on whose host there may be no namespaces.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { OrdinaryUser } from '../support/users';

const it = only(test, needs('root', 'namespaces', 'mirror', 'command:setpriv', 'command:cc'));

let known: { user: OrdinaryUser; debian: string } | undefined;
function place(): { user: OrdinaryUser; debian: string } {
  if (known === undefined) {
    const user = new OrdinaryUser({ subordinate: false });
    known = { user, debian: user.tree('bookworm') };
  }
  return known;
}

/** Runs a script of the shell in the tree, in the engine. */
function inside(script: string, options: readonly string[] = [], env: { readonly [name: string]: string } = {}) {
  const { user, debian } = place();
  const words = ['--engine=ptrace', '-qP', `-D${debian}`, ...options, 'bash', '-c', script];
  return user.tsnspawn(words, { env, timeout: 120 });
}

/** What a run leaves on the host. */
const remains = () => readdirSync('/tmp').filter((name) => name.startsWith('.tsn-'));

it('the payload is root of the tree, and its status is that of the launcher', () => {
  const { status, stdout, stderr } = inside('id -u; exit 23');
  assert.equal([status, stdout, stderr], [23, '0\n', '']);
});

it('a payload that a signal kills ends as it does in a shell', () => {
  assert.is(inside('kill -TERM $$').status, 143);
  assert.is(inside('kill -KILL $$').status, 137);
});

it('signals of others do not hurt the first process unless it listens', () => {
  assert.is(inside('(kill -TERM 1); echo alive').stdout, 'alive\n');
  assert.is(inside('trap "echo heard; exit 5" TERM; (kill -TERM 1); sleep 5').status, 5);
});

it('however many calls it makes, a guest has all processors of the caller, and so has what it starts', () => {
  const count = `$m = "\\0" x 128; $n = syscall 204, 0, 128, $m; print unpack("%32b*", substr $m, 0, $n), "\\n";`;
  const calls = 'stat "/etc/passwd" for 1 .. 500;';
  const status = 'open S, "/proc/self/status"; print grep /^Cpus_allowed_list/, <S>;';
  const { stdout } = inside(`perl -e '${calls} ${count} ${calls} ${status} ${calls} fork or do { ${count} exit }; wait'
    for i in {1..500}; do [ -e /etc/passwd ]; done; nproc`);
  const processors = execFileSync('nproc', { encoding: 'utf8' });
  const list = /^Cpus_allowed_list.*\n/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[0];
  assert.is(stdout, `${processors}${list}${processors}${processors}`);
});

it('owners that were given stay with the files, from one run to the next', () => {
  inside('touch /srv/file && mkfifo /srv/fifo && ln -s x /srv/link && chown -h mail:games /srv/*');
  const { stdout } = inside('stat -c %U:%G /srv/file /srv/fifo /srv/link; rm /srv/*');
  assert.is(stdout, 'mail:games\nmail:games\nmail:games\n');
});

it('users can be made and become', () => {
  const { stdout, stderr } = inside(
    'useradd -m joe && su joe -c "id -u; touch ~/own; stat -c %U ~/own; cat /etc/shadow" 2>&1; userdel -r joe 2>&1',
  );
  assert.match(stdout, /^1000\njoe\n/);
  assert.is(stderr, '');
});

it('a guest says when it is up: boot-check hears it, and names its init', () => {
  const { user } = place();
  const { status, stdout, stderr } = user.tsnspawn(['boot-check', '--engine=ptrace', '-D', user.tree('sysvinit')], {
    timeout: 120,
  });
  assert.is(status, 0, stderr);
  assert.match(stdout + stderr, /booted with init as PID 1 and was up after \d.*it has been shut down/);
});

it('--fake-id makes the payload somebody else', () => {
  assert.is(inside('id -u; id -g', ['--fake-id=8:12']).stdout, '8\n12\n');
  assert.is(inside('id -u', ['--fake-root']).stdout, '0\n');
});

it('--kernel-release is what programs are told', () => {
  const { stdout } = inside('uname -r; cat /proc/sys/kernel/osrelease', ['--kernel-release=4.4.0-old']);
  assert.is(stdout, '4.4.0-old\n4.4.0-old\n');
});

it('binds, a tmpfs, what is read-only and what is hidden are there', () => {
  const { user } = place();
  writeFileSync(join(user.home, 'precious'), 'kept\n');
  const options = [
    `--bind=${user.home}:/mnt/home`,
    `--bind-ro=${user.home}:/mnt/read`,
    '--tmpfs=/opt',
    '--inaccessible=/srv',
  ];
  const script =
    'cat /mnt/home/precious; echo new >/mnt/home/made; echo x 2>&- >/mnt/read/precious || echo refused; ' +
    'rm /mnt/read/precious 2>/dev/null || echo refused; touch /opt/x && ls /opt; ls /srv 2>/dev/null || echo hidden; ls /mnt';
  const { stdout } = inside(script, options);
  assert.is(stdout, 'kept\nrefused\nrefused\nx\nhidden\nhome\nread\n');
  assert.is(readFileSync(join(user.home, 'made'), 'utf8'), 'new\n');
  assert.is(readFileSync(join(user.home, 'precious'), 'utf8'), 'kept\n');
});

it('the later of two binds on one target wins', () => {
  const { stdout } = inside('head -c4 /mnt/file', ['--bind=/etc/passwd:/mnt/file', '--bind=/bin/sh:/mnt/file']);
  assert.is(stdout, '\x7fELF');
});

it('a read-only tree is not changed', () => {
  const { stdout } = inside('touch /etc/x 2>&1; touch /tmp/x && echo in memory', ['--read-only']);
  assert.match(stdout, /Read-only file system\nin memory\n$/);
});

it('processes of the host are neither seen nor reached', () => {
  const { stdout } = inside(
    `ls /proc | grep -c '^[0-9]'; kill -0 ${process.pid} 2>&1; cat /proc/${process.pid}/cmdline 2>&1`,
  );
  assert.match(stdout, /^[1-5]\n.*No such process\n.*No such file or directory\n$/);
});

it('nothing of a run is left, whoever dies first', () => {
  const before = remains();
  inside('mkdir -p /tmp/a/b && chmod 0 /tmp/a; (setsid sleep 1000 &) ; exit 0');
  assert.equal(remains(), before);
});

it('packages with scripts of their maintainers can be installed, and verified', () => {
  const install = 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends';
  const { status, stdout } = inside(
    `${install} cron >/dev/null 2>&1; dpkg --audit; dpkg -V; stat -c %G /usr/bin/crontab`,
  );
  assert.equal([status, stdout], [0, 'crontab\n']);
});

for (const engine of ['ptrace', 'namespaces'])
  it(`with --share-host a program of the tree works on the caller’s files, as the caller, by ${engine}`, () => {
    const { user, debian } = place();
    writeFileSync(join(user.home, 'words'), 'b\na\n');
    const run = (...options: readonly string[]) =>
      user.tsnspawn([
        '-qPD',
        debian,
        `--engine=${engine}`,
        ...options,
        'sh',
        '-c',
        'id -u; pwd; sort words >sorted; stat -c %u sorted',
      ]);
    assert.equal(run('--share-host').stdout, `${user.uid}\n${user.home}\n${user.uid}\n`);
    assert.is(readFileSync(join(user.home, 'sorted'), 'utf8'), 'a\nb\n');
    assert.is(statSync(join(user.home, 'sorted')).uid, user.uid);
    assert.equal(run('--share-host=cwd,home', '--fake-root').stdout, `0\n${user.home}\n0\n`);
  });

it('--qemu runs every program through a command of the host', () => {
  const { user, debian } = place();
  const source = join(user.home, 'emulator.c');
  // says how it was called; what it was to run it does not
  writeFileSync(
    source,
    '#include <stdio.h>\nint main(int n, char** v) { for (int i = 1; i < n; i++) puts(v[i]); return 4; }\n',
  );
  const emulator = join(user.home, 'emulator');
  execFileSync('cc', ['-static', '-o', emulator, source]);
  const words = ['--engine=ptrace', '-qPD', debian, `--qemu=${emulator} -x`, '/bin/echo', 'word'];
  const { status, stdout } = user.tsnspawn(words);
  assert.equal([status, stdout], [4, '-x\n-0\n/bin/echo\n/usr/bin/echo\nword\n']);
});

it('--port-map lets a server have a port that only root may have', () => {
  const script = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(80, INADDR_LOOPBACK)) or die $!;
    listen(S, 1); my ($port) = sockaddr_in(getsockname(S)); print "$port\\n";
    if (fork) { accept(C, S); print scalar <C>; }
    else { socket(D, PF_INET, SOCK_STREAM, 0); connect(D, sockaddr_in(80, INADDR_LOOPBACK)) or die $!; syswrite D, "heard\\n"; }`;
  const { stdout, stderr } = inside(`perl -e '${script}'`, [`--port-map=80:${20000 + (process.pid % 10000)}`]);
  assert.equal([stdout, stderr], ['80\nheard\n', '']);
});

it('--link2symlink does the work of hard links between file systems', () => {
  const shared = mkdtempSync('/dev/shm/tsnspawn-link-');
  try {
    chmodSync(shared, 0o777);
    const script =
      'echo data >/root/f; ln /root/f /mnt/g 2>/dev/null || echo refused; cat /mnt/g; rm -f /root/f; cat /mnt/g; rm -f /root/.l2s*';
    assert.is(inside(script, [`--bind=${shared}:/mnt`, '--link2symlink']).stdout, 'data\ndata\n');
    rmSync(join(shared, 'g'), { force: true });
    assert.match(inside(script, [`--bind=${shared}:/mnt`]).stdout, /^refused\n/);
  } finally {
    rmSync(shared, { recursive: true });
  }
});

it('a bind with ! covers a link itself', () => {
  const { stdout } = inside('test -e /var/lock/passwd && echo covered; test -e /run/lock/passwd || echo not behind', [
    '--bind=/etc:/var/lock!',
  ]);
  assert.is(stdout, 'covered\nnot behind\n');
});

it('the host itself can be the tree, with binds in it', () => {
  const { user } = place();
  const script = 'id -u; cat /opt/not/there; ls /opt/not; test -e /usr/bin/env && echo usual';
  const { stdout } = user.tsnspawn([
    '--engine=ptrace',
    '-qPD',
    '/',
    '--bind=/etc/hostname:/opt/not/there',
    'sh',
    '-c',
    script,
  ]);
  assert.is(stdout, `0\n${readFileSync('/etc/hostname', 'utf8')}there\nusual\n`);
});

it('what takes a kernel to keep is refused before the start', () => {
  const { status, stderr } = inside('true', ['--private-network']);
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: --private-network: the engine ptrace cannot/);
});

it('a bad name of an accelerator is refused', () => {
  const { status, stderr } = inside('true', [], { TSNSPAWN_PTRACE_ACCEL: 'fast' });
  assert.is(status, 1);
  assert.match(stderr, /TSNSPAWN_PTRACE_ACCEL/);
});

it('inside of what has its calls served already notifications are refused by name, and all else runs', () => {
  const { user, debian } = place();
  const listens = join(user.home, 'listens');
  execFileSync('gcc', ['-static', '-o', listens, 'test/support/listens.c']);
  const run = (accelerator: string) =>
    user.run([listens, ...user.command, '-qP', '--engine=ptrace', `-D${debian}`, 'echo', 'runs'], {
      env: { TSNSPAWN_PTRACE_ACCEL: accelerator },
    });
  const refused = run('notify');
  assert.equal([refused.status, refused.stdout], [1, '']);
  assert.match(
    refused.stderr,
    /TSNSPAWN_PTRACE_ACCEL=notify: a container around this one already has its calls served/,
  );
  assert.equal([run('trace').stdout, run('').stdout], ['runs\n', 'runs\n']);
});

it('without user namespaces the engine is taken, and what is lost is told', () => {
  const { user, debian } = place();
  // in a user namespace in which no more can be made
  const script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --reuid=0 "$@"';
  const words = [...user.command, '-PD', debian, 'id', '-u'];
  const { stdout, stderr, status } = user.run(['unshare', '-Ur', 'sh', '-c', script, 'sh', ...words]);
  assert.equal([status, stdout], [0, '0\n']);
  assert.match(stderr, /engine ptrace, which is slower/);
});

it('without user namespaces a tree is made and boots, as npm start does it', () => {
  const { user } = place();
  const script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --reuid=0 "$@"';
  const run = (...words: readonly string[]) =>
    user.run(['unshare', '-Ur', 'sh', '-c', script, 'sh', ...user.command, ...words], { timeout: 200 });
  const made = run('bootstrap', '--init=sysvinit', '--autologin', 'bookworm', 'fresh');
  assert.is(made.status, 0, made.stderr);
  const { status, stdout, stderr } = run('boot-check', '-D', 'fresh', '/sbin/init');
  assert.is(status, 0, stderr);
  assert.match(stdout, /booted with init as PID 1 and was up/);
});

it('behind a filter that refuses namespaces, as in the containers of others, launches and boot-check take the engine, too', () => {
  const { user, debian } = place();
  const shut = join(user.home, 'shut');
  execFileSync('gcc', ['-static', '-o', shut, 'test/support/shut.c']);
  const run = (...words: readonly string[]) => user.run([shut, ...user.command, ...words], { timeout: 100 });
  const launched = run('-PD', debian, 'id', '-u');
  assert.equal([launched.status, launched.stdout], [0, '0\n'], launched.stderr);
  assert.match(launched.stderr, /engine ptrace, which is slower/);
  const checked = run('boot-check', '-D', user.tree('sysvinit', 'sysvinit-shut'), '/sbin/init');
  assert.is(checked.status, 0, checked.stderr);
  assert.match(checked.stdout, /booted with init as PID 1 and was up/);
});

for (const accelerator of ['none', 'trace', 'notify']) {
  it(`a sysvinit guest boots, reboots and powers off: ${accelerator}`, async () => {
    const { user } = place();
    const tree = user.tree('sysvinit', `sysvinit-${accelerator}`);
    const running = user.startOnTerminal(['--engine=ptrace', '-bD', tree], {
      env: { TSNSPAWN_PTRACE_ACCEL: accelerator },
      timeout: 150,
    });
    await running.until(/login: root \(automatic login\)[\s\S]*# /);
    running.write('echo "PID 1 is" $(cat /proc/1/comm)\n');
    await running.until(/PID 1 is init/);
    running.write('reboot\n');
    await running.until(/is being rebooted[\s\S]*login: root \(automatic login\)[\s\S]*# /);
    running.write('poweroff\n');
    await running.until(/has been shut down/);
    assert.is((await running.exited).status, 0);
  });
}

test.run();

// An OCI bundle as it runs: what `runc spec` writes, and what of it the payload finds.

import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const limited = only(test, missing ?? needs('cgroup'));
const rootfs = missing === undefined ? ownTree('busybox', 'rootfs') : '';
const bundle = dirname(rootfs);

type Json = { readonly [name: string]: unknown };

/** What `runc spec` writes, without a terminal. */
const CONFIG = {
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: 0, gid: 0 },
    args: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
    cwd: '/',
    capabilities: Object.fromEntries(
      ['bounding', 'effective', 'permitted', 'ambient'].map((set) => [
        set,
        ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],
      ]),
    ),
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1000, soft: 900 }],
    noNewPrivileges: true,
  },
  root: { path: basename(rootfs), readonly: true },
  hostname: 'runc',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'gid=5'],
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  ],
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
    maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/no-such-file', '/sys/firmware', '/proc/scsi'],
    readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger', '/proc/nothing'],
  },
};

/** Runs `script` in the bundle with parts of its configuration replaced. */
function run(script: string, changes: { process?: Json; linux?: Json } & Json = {}, ...options: string[]) {
  const config = {
    ...CONFIG,
    ...changes,
    process: { ...CONFIG.process, args: ['/bin/sh', '-c', script], ...changes.process },
    linux: { ...CONFIG.linux, ...changes.linux },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  const { status, stdout, stderr } = tsnspawn(['-q', `--oci-bundle=${bundle}`, ...options]);
  return { status, stderr, lines: stdout.trimEnd().split('\n') };
}

it('the configuration that `runc spec` writes runs', () => {
  const { status, stderr, lines } = run(
    `hostname; ulimit -Sn; ulimit -Hn; pwd; grep -E "^(CapBnd|CapAmb|NoNewPrivs)" /proc/self/status; touch /x 2>/dev/null || echo ro
     ls /sys/class/net; exit 3`,
  );
  assert.equal([status, stderr], [3, '']);
  const caps = '0000000020000420';
  assert.equal(lines, [
    'runc',
    '900',
    '1000',
    '/',
    `CapBnd:\t${caps}`,
    `CapAmb:\t${caps}`,
    'NoNewPrivs:\t1',
    'ro',
    'lo',
  ]);
});

it('the user and its groups are numbers, whatever the tree knows of them', () => {
  const { lines } = run('id -u; id -g; id -G; echo $HOME', {
    process: { user: { uid: 1234, gid: 4321, additionalGids: [7, 8] } },
  });
  assert.equal(lines, ['1234', '4321', '4321 7 8', '/']);
  assert.equal(run('id -u; id -g; id -G; echo $HOME', { process: { user: { uid: 0, gid: 5 } } }).lines, [
    '0',
    '5',
    '5',
    '/root',
  ]);
});

it('masked paths cannot be read, read-only ones not written, the net part of /proc/sys among them', () => {
  const { lines } = run(`
    cat /proc/kcore >/dev/null 2>&1 || echo masked
    ls /sys/firmware 2>/dev/null | wc -l
    echo 1 2>/dev/null > /proc/sys/net/ipv4/ip_forward || echo read-only`);
  assert.equal(lines, ['masked', '0', 'read-only']);
});

it('binds are relative to the bundle, with the flags that they are given', () => {
  mkdirSync(join(bundle, 'data'), { recursive: true });
  writeFileSync(join(bundle, 'data/file'), 'of the bundle');
  const mounts = [
    { destination: '/mnt', source: 'data', type: 'bind', options: ['rbind', 'ro', 'noexec', 'rprivate'] },
    { destination: '/srv', type: 'tmpfs', source: 'tmpfs', options: ['size=1m', 'noexec', 'mode=700'] },
  ];
  const { lines, stderr } = run(
    `cat /mnt/file; echo; grep -E " (/mnt|/srv) " /proc/mounts | cut -d" " -f2,4 | grep -oE "^/[a-z]+|ro,|noexec|size=[0-9]+k"`,
    { root: { path: 'rootfs' }, mounts },
  );
  assert.equal(
    [lines[0], ...lines.slice(1).sort()],
    ['of the bundle', '/mnt', '/srv', 'noexec', 'noexec', 'ro,', 'size=1024k'],
    stderr,
  );
});

it('kernel parameters of its namespaces are set', () => {
  const { lines, stderr } = run(
    'cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname',
    {
      domainname: 'example',
      linux: { sysctl: { 'kernel.msgmax': '9000', 'net.ipv4.ip_forward': '1' } },
    },
  );
  assert.equal(lines, ['9000', '1', 'example'], stderr);
  const { status, stderr: error } = run('true', { linux: { sysctl: { 'kernel.panic': '9' } } });
  assert.is(status, 1);
  assert.match(error, /kernel parameter kernel\.panic is not one of the container's own/);
});

it('a kernel parameter that does not exist, or a value that it does not take, is told', () => {
  const { status, stderr } = run('true', { linux: { sysctl: { 'net.no.such': '1' } } });
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: cannot set the kernel parameter net\.no\.such to 1: No such file or directory$/m);
  assert.match(
    run('true', { linux: { sysctl: { 'kernel.msgmax': 'x' } } }).stderr,
    /kernel\.msgmax to x: Invalid argument/,
  );
});

it('namespaces that are not named are those of the host', () => {
  const namespaces = CONFIG.linux.namespaces.filter(({ type }) => type !== 'network');
  const { lines } = run('cat /proc/self/ns/x 2>/dev/null; readlink /proc/self/ns/net', { linux: { namespaces } });
  assert.is(lines[0], tsnspawnHostNamespace());
});

function tsnspawnHostNamespace(): string {
  return tsnspawn(['-q', '-D', rootfs, '-P', 'readlink', '/proc/self/ns/net']).stdout.trim();
}

it('devices are made with their numbers and modes', () => {
  const devices = [
    { path: '/dev/extra', type: 'c', major: 1, minor: 11, fileMode: 0o640 },
    { path: '/dev/pipe', type: 'p' },
  ];
  const { lines, stderr } = run('stat -c "%a %t:%T %F" /dev/extra /dev/pipe', { linux: { devices } });
  assert.equal(lines, ['640 1:b character special file', '644 0:0 fifo'], stderr);
});

limited('resources limit the container, with devices by number also where no node of the host has it', () => {
  const resources = {
    devices: [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 240, minor: 7, access: 'rw' },
      { allow: true, type: 'b', major: 240, access: 'r' },
      { allow: true, type: 'c', access: 'm' },
    ],
    memory: { limit: 50_000_000, swap: 50_000_000 },
    pids: { limit: 20 },
    cpu: { quota: 50_000, period: 100_000 },
  };
  const script = `i=0; while [ $i -lt 40 ]; do sleep 9 & i=$((i + 1)); done 2>/dev/null; echo not reached`;
  const { lines, stderr } = run(script, { linux: { resources } });
  assert.not(lines.includes('not reached'), stderr);
  const eats = 'tail -c 200000000 /dev/zero | wc -c; echo end';
  assert.not.match(run(eats, { linux: { resources } }).lines.join(' '), /^200000000/);
});

it('a filter that refuses some calls lets others pass, by their arguments where it says so', () => {
  const setUid = (index: number) => [{ index, value: 0o4000, valueTwo: 0o4000, op: 'SCMP_CMP_MASKED_EQ' }];
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_S390X'],
    syscalls: [
      { names: ['mkdir', 'mkdirat', 'no_such_call_yet'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 },
      { names: ['chmod'], action: 'SCMP_ACT_ERRNO', args: setUid(1) },
      { names: ['fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO', args: setUid(2) },
    ],
  };
  const { lines, stderr } = run(
    'mkdir /tmp/x 2>&1; touch /tmp/f; chmod 755 /tmp/f && echo ok; chmod 4755 /tmp/f 2>&1',
    {
      linux: { seccomp },
    },
  );
  assert.match(lines[0] ?? '', /No space left/, stderr);
  assert.is(lines[1], 'ok');
  assert.match(lines[2] ?? '', /not permitted/);
});

it('a filter that lists what is allowed is all that is allowed', () => {
  const names = (
    'access arch_prctl brk clock_gettime clock_nanosleep clone clone3 close close_range dup dup2 dup3 execve exit exit_group ' +
    'faccessat faccessat2 fcntl fstat futex getcwd getdents64 getegid geteuid getgid getpgrp getpid getppid getrandom getuid ' +
    'ioctl lseek madvise mmap mprotect mremap munmap newfstatat open openat pipe pipe2 poll ppoll prctl pread64 prlimit64 read ' +
    'readlink readlinkat rseq rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list set_tid_address sigaltstack stat statx ' +
    'sysinfo uname vfork wait4 waitid write writev'
  ).split(' ');
  const seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 28,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_AARCH64'],
    syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }],
  };
  const { lines, stderr } = run('echo up; mkdir /tmp/x 2>&1; cat /etc/no-such-file 2>&1', { linux: { seccomp } });
  assert.is(lines[0], 'up', stderr);
  assert.match(lines[1] ?? '', /No space left/);
  assert.match(lines[2] ?? '', /No such file/);
  const kills = { ...seccomp, defaultAction: 'SCMP_ACT_KILL_PROCESS' };
  assert.is(run('echo up; mkdir /tmp/x; echo alive', { linux: { seccomp: kills } }).lines[0], 'up');
});

it('the command line wins: command, user, directory and mounts', () => {
  const other = ownTree('busybox', 'other');
  const { lines } = run(
    'echo of the bundle',
    {},
    '-D',
    other,
    '-u',
    'nobody',
    '--hostname=mine',
    'sh',
    '-c',
    'hostname; id -un',
  );
  assert.equal(lines, ['mine', 'nobody']);
});

it('a settings file beside the tree is not looked for', () => {
  writeFileSync(`${rootfs}.nspawn`, '[Exec]\nEnvironment=FROM=file\n[Bogus]\n');
  try {
    assert.equal(run('echo "<$FROM>"'), { status: 0, stderr: '', lines: ['<>'] });
  } finally {
    rmSync(`${rootfs}.nspawn`);
  }
});

it('a directory without a configuration, or with one that cannot be given, is refused before anything starts', () => {
  const empty = mkdtempSync(join(tmpdir(), 'tsnspawn-oci-'));
  try {
    assert.match(
      tsnspawn([`--oci-bundle=${empty}`]).stderr,
      /^tsnspawn: .*cannot use the bundle .*: there is no config\.json in it$/m,
    );
    assert.match(tsnspawn(['--oci-bundle=/no/such']).stderr, /cannot use the bundle \/no\/such/);
    mkdirSync(join(empty, 'config.json'));
    assert.match(tsnspawn([`--oci-bundle=${empty}`]).stderr, /no regular file/);
  } finally {
    rmSync(empty, { recursive: true });
  }
  const { status, stderr } = run('true', { hooks: { prestart: [{ path: '/bin/true' }] } });
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: .*config\.json: hooks\.prestart: is not supported\nhint: /);
});

it('a bundle is found by a relative path, and may be moved', () => {
  run('true');
  const moved = `${bundle}-moved`;
  cpSync(bundle, moved, { recursive: true, verbatimSymlinks: true });
  try {
    const { status, stderr } = tsnspawn(['-q', `--oci-bundle=${basename(moved)}`], { cwd: dirname(moved) });
    assert.equal([status, stderr], [0, '']);
    renameSync(moved, `${moved}2`);
    assert.is(tsnspawn(['-q', '--oci-bundle=.'], { cwd: `${moved}2` }).status, 0);
  } finally {
    rmSync(moved, { recursive: true, force: true });
    rmSync(`${moved}2`, { recursive: true, force: true });
  }
});

test.run();

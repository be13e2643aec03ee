// What a guest sees and may do: its own processes, mounts and devices, the documented privileges, and nothing of the host.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf, hostMounts, newMounts, nothingLeft } from '../support/footprint';
import { quoted, TSNSPAWN, tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const itWithCompiler = only(test, needs('root', 'namespaces', 'command:gcc'));
const tree = missing === undefined ? ownTree('busybox', 'guest') : '';

/** Output of a shell script in the guest. */
function sh(script: string, ...options: string[]): string {
  const plain = ['--resolv-conf=off', '--timezone=off'];
  const { status, stdout, stderr } = tsnspawn(['-q', '-D', tree, '--pipe', ...plain, ...options, 'sh', '-c', script]);
  assert.is(status, 0, `status ${status}: ${stdout}${stderr}`);
  return stdout;
}

it('ps shows processes of the guest only', () => {
  const lines = sh('ps -o pid,args').trim().split('\n').slice(1);
  assert.ok(lines.length <= 2, lines.join('\n'));
  assert.match(lines[0] ?? '', /^ *1 /);
  assert.match(sh('ps -o pid,args', '--as-pid2').trim().split('\n').length.toString(), /^[34]$/);
});

it('/proc holds processes of the guest only', () => {
  assert.match(sh('cd /proc; echo [0-9]*'), /^1( \d)?\n$/);
});

it('the guest cannot signal a process of the host', () => {
  const outcome = tsnspawn(['-q', '-D', tree, '--pipe', 'sh', '-c', `kill -0 ${process.pid}; echo $?`]);
  assert.is(outcome.stdout, '1\n');
});

it('mounts of the guest never show on the host: not while it runs, and not afterwards', () => {
  const before = hostMounts();
  const script =
    'mkdir -p /mnt; mount -t tmpfs here /mnt; mount --bind /etc /mnt; mount --make-rshared /; mount -t tmpfs over /root; echo ready; exec sleep 1000';
  return withMachine(['-q', '-D', tree, 'sh', '-c', script], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    assert.equal(newMounts(before), []);
    assert.match(readFileSync(`/proc/${footprint.init}/mountinfo`, 'utf8'), / \/root .* tmpfs over /);
    process.kill(footprint.init, 'SIGKILL');
    await running.exited;
    await nothingLeft(footprint);
    assert.equal(newMounts(before), []);
  });
});

for (const users of [[], ['-U']]) {
  const where = users.length === 0 ? '' : ', in a user namespace as well';
  it(`what the host mounts later below the tree or a bind arrives in the guest, and nothing goes the other way${where}`, () => {
    const place = mkdtempSync(join(tmpdir(), 'tsnspawn-shared-'));
    const [root, bound] = [join(place, 'root'), join(place, 'bound')];
    for (const path of [root, bound, join(bound, 'sub'), join(bound, 'late'), join(tree, 'srv/sub')])
      mkdirSync(path, { recursive: true });
    for (const [from, to] of [
      [tree, root],
      [bound, bound],
    ] as const) {
      execFileSync('mount', ['--bind', from, to]);
      execFileSync('mount', ['--make-shared', to]);
    }
    const script = 'mount -t tmpfs inside /mnt && mount -t tmpfs inside /bound/sub && echo ready; exec sleep 1000';
    const args = ['-q', '-D', root, '-M', 'shared', `--bind=${bound}:/bound`, ...users, 'sh', '-c', script];
    return withMachine(args, async (running) => {
      await running.until(/ready/);
      for (const path of [join(root, 'srv/sub'), join(bound, 'late')])
        execFileSync('mount', ['-t', 'tmpfs', 'late', path]);
      const guest = readFileSync(`/proc/${footprintOf(running).init}/mountinfo`, 'utf8');
      assert.match(guest, / \/srv\/sub .* tmpfs late /);
      assert.match(guest, / \/bound\/late .* tmpfs late /);
      assert.not.match(readFileSync('/proc/self/mountinfo', 'utf8'), / tmpfs inside /);
    }).finally(() => {
      execFileSync('umount', ['-R', '-l', root]);
      execFileSync('umount', ['-R', '-l', bound]);
      rmSync(place, { recursive: true });
    });
  });
}

it('no mount of the host shows in the guest', () => {
  const mounts = sh('cat /proc/self/mountinfo');
  for (const line of mounts.trim().split('\n')) {
    const [, , , root = '', path = ''] = line.split(' ');
    if (/ - (ext[234]|xfs|btrfs|overlay|f2fs) /.test(line))
      assert.ok(path === '/' || path === '/run/host/os-release', line);
    assert.not.match(root, /^\/(etc|home|root)\b/);
  }
});

interface Mount {
  readonly type: string;
  readonly flags: ReadonlySet<string>;
  readonly data: string;
}

function mountsOf(...options: string[]): Map<string, Mount> {
  const mounts = new Map<string, Mount>();
  for (const line of sh('cat /proc/self/mountinfo', ...options)
    .trim()
    .split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , , path = '', flags = ''] = left.split(' ');
    const [type = '', , data = ''] = right.split(' ');
    mounts.set(path, { type, flags: new Set(flags.split(',')), data });
  }
  return mounts;
}

/** nspawn-features.md, section 3: path, type, flags, and what must stand in the data. */
const TABLE: readonly (readonly [path: string, type: string, flags: string, data?: RegExp])[] = [
  ['/proc', 'proc', 'rw nosuid nodev noexec'],
  ['/proc/sys', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/kallsyms', 'tmpfs', 'ro nosuid nodev noexec'],
  ['/proc/kcore', 'tmpfs', 'ro nosuid nodev noexec'],
  ['/proc/keys', 'tmpfs', 'ro nosuid nodev noexec'],
  ['/proc/sysrq-trigger', 'tmpfs', 'ro nosuid nodev noexec'],
  ['/proc/timer_list', 'tmpfs', 'ro nosuid nodev noexec'],
  ['/proc/acpi', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/apm', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/asound', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/bus', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/fs', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/irq', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/scsi', 'proc', 'ro nosuid nodev noexec'],
  ['/proc/kmsg', 'tmpfs', 'rw nosuid nodev'],
  ['/proc/sys/kernel/random/boot_id', 'tmpfs', 'ro nosuid nodev noexec'],
  ['/sys', 'sysfs', 'ro nosuid nodev noexec'],
  ['/dev', 'tmpfs', 'rw nosuid', /size=4096k,nr_inodes=65536,mode=755/],
  ['/dev/pts', 'devpts', 'rw nosuid noexec', /gid=5,mode=620,ptmxmode=666/],
  ['/dev/shm', 'tmpfs', 'rw nosuid nodev', /size=\d+k,nr_inodes=409600/],
  ['/dev/mqueue', 'mqueue', 'rw nosuid nodev noexec'],
  ['/run', 'tmpfs', 'rw nosuid nodev', /nr_inodes=819200,mode=755/],
  ['/run/host', 'tmpfs', 'ro nosuid nodev noexec'],
  ['/run/host/os-release', '', 'ro nosuid nodev noexec'],
  ['/tmp', 'tmpfs', 'rw nosuid nodev', /size=\d+k,nr_inodes=409600/],
];

for (const [path, type, flags, data] of TABLE) {
  it(`${path} is mounted ${flags.replaceAll(' ', ',')}${type === '' ? '' : ` as ${type}`}, where there is one`, () => {
    if (path.startsWith('/proc/') && !existsSync(path)) return; // this kernel does not have it
    if (path === '/dev/mqueue' && !readFileSync('/proc/filesystems', 'utf8').includes('mqueue')) return;
    const mount = mountsOf().get(path);
    assert.ok(mount, 'it is not mounted');
    if (type !== '') assert.is(mount?.type, type);
    for (const flag of flags.split(' '))
      assert.ok(mount?.flags.has(flag), `no ${flag} in ${[...(mount?.flags ?? [])]}`);
    if (data !== undefined) assert.match(mount?.data ?? '', data);
  });
}

it('nothing else is mounted but the tree and its cgroups', () => {
  const known = new Set(TABLE.map(([path]) => path));
  const others = [...mountsOf().keys()].filter(
    (path) => !known.has(path) && path !== '/' && !/^\/sys\/fs\/(cgroup|selinux)/.test(path),
  );
  assert.equal(others, []);
});

it('the tree is read-only with --read-only, and otherwise writable', () => {
  assert.is(sh('touch /probe && echo written; rm /probe'), 'written\n');
  assert.is(
    sh(
      'touch /probe 2>/dev/null || echo refused; touch /tmp/probe /run/probe /dev/shm/probe && echo rest',
      '--read-only',
    ),
    'refused\nrest\n',
  );
});

it('files that configure the kernel cannot be written', () => {
  const files =
    '/proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/sys/fs/file-max /proc/irq/default_smp_affinity /sys/kernel/uevent_helper /sys/power/state /sys/kernel/mm/transparent_hugepage/enabled /sys/module/printk/parameters/time';
  const script = `for f in ${files}; do [ -e $f ] || continue; cat $f >/dev/null 2>&1; (: >>$f) 2>/dev/null && echo "$f can be written"; done; :`;
  assert.is(sh(script), '');
});

it('the kernel log of the host cannot be read, and a reader of /proc/kmsg waits', () => {
  assert.is(
    sh('dmesg >/dev/null 2>&1 && echo read; ls /dev/kmsg 2>/dev/null; timeout 1 head -c 1 /proc/kmsg | wc -c'),
    '0\n',
  );
});

it('covered files of /proc are empty', () => {
  assert.is(
    sh('for f in kcore kallsyms keys timer_list; do [ -e /proc/$f ] && head -c 10 /proc/$f; done 2>/dev/null | wc -c'),
    '0\n',
  );
});

it('/dev has the standard nodes, open to all, with the numbers of every Linux, and no other', () => {
  const nodes = new Map(
    sh(
      "cd /dev; for f in * net/*; do [ ! -L $f ] && [ -c $f -o -b $f ] && stat -c '%n %F %a %t:%T' $f; done; :",
      '--console=read-only',
    )
      .trim()
      .split(/\r?\n/)
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  );
  const standard = { full: '1:7', null: '1:3', random: '1:8', tty: '5:0', urandom: '1:9', zero: '1:5' };
  for (const [name, numbers] of Object.entries(standard))
    assert.is(nodes.get(name), `character special file 666 ${numbers}`);
  for (const name of nodes.keys()) assert.ok(name in standard || name === 'fuse' || name === 'net/tun', `/dev/${name}`);
});

it('the nodes of /dev work', () => {
  assert.is(
    sh(
      'head -c 4 /dev/zero | wc -c; echo x >/dev/null && echo null; echo x 2>/dev/null >/dev/full || echo full; head -c 8 /dev/urandom | wc -c',
    ),
    '4\nnull\nfull\n8\n',
  );
});

it('/dev has the links that programs expect', () => {
  const script = 'cd /dev; for l in fd stdin stdout stderr ptmx console char/1:3; do echo "$l $(readlink $l)"; done';
  const links = tsnspawn(['-q', '-D', tree, 'sh', '-c', script]).stdout.trim().split(/\r?\n/);
  assert.equal(links, [
    'fd /proc/self/fd',
    'stdin /proc/self/fd/0',
    'stdout /proc/self/fd/1',
    'stderr /proc/self/fd/2',
    'ptmx pts/ptmx',
    'console pts/0',
    'char/1:3 ../null',
  ]);
});

it('/dev has no block device', () => {
  // Only a device cgroup could refuse the open of a node made inside; what is promised is that none is there to begin with.
  assert.is(sh('for f in /dev/*; do [ -b $f ] && echo $f; done; :'), '');
});

const NSPAWN_CAPABILITIES = 0xfdecafffn;

function status(field: string, text: string): bigint {
  return BigInt(`0x${new RegExp(`^${field}:\\s+([0-9a-f]+)$`, 'm').exec(text)?.[1]}`);
}

it('the capabilities are those of systemd-nspawn, as far as the host has them', () => {
  const host =
    status('CapPrm', readFileSync('/proc/self/status', 'utf8')) &
    status('CapBnd', readFileSync('/proc/self/status', 'utf8'));
  const guest = sh('cat /proc/self/status');
  for (const set of ['CapBnd', 'CapPrm', 'CapEff', 'CapInh']) {
    assert.is(status(set, guest).toString(16), (NSPAWN_CAPABILITIES & host).toString(16), set);
  }
  assert.is(status('CapAmb', guest), 0n);
});

it('NET_ADMIN comes with a network of its own, and an ordinary user has no capabilities', () => {
  const host = status('CapPrm', readFileSync('/proc/self/status', 'utf8'));
  const own = status('CapBnd', sh('cat /proc/self/status', '--private-network'));
  assert.is(own & (1n << 12n), host & (1n << 12n));
  const nobody = sh('cat /proc/self/status', '--user=65534');
  for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb']) assert.is(status(set, nobody), 0n, set);
});

it('the stub init holds no more than the payload', () => {
  const guest = sh('cat /proc/1/status', '--as-pid2');
  const bounding = status('CapBnd', sh('cat /proc/self/status'));
  for (const set of ['CapBnd', 'CapPrm', 'CapEff']) assert.is(status(set, guest) & ~bounding, 0n, set);
});

it('a system call filter is on', () => {
  assert.match(sh('cat /proc/self/status'), /^Seccomp:\t2$/m);
  assert.match(sh('cat /proc/1/status', '--as-pid2'), /^Name:\t\(?(stub|sd-stub)/m);
});

itWithCompiler('denied system calls give EPERM, unknown ones ENOSYS, and keys cannot be pushed into a terminal', () => {
  mkdirSync(join(tree, 'opt'), { recursive: true });
  execFileSync('gcc', ['-static', '-O1', '-o', join(tree, 'opt/denied'), 'test/support/denied.c']);
  const { stdout } = tsnspawn(['-q', '-D', tree, '/opt/denied']);
  const answers = new Map(
    stdout
      .trim()
      .split(/\r?\n/)
      .map((line) => line.split(' ') as [string, string]),
  );
  const special: Readonly<Record<string, string>> = { unknown: 'ENOSYS', audit: 'EAFNOSUPPORT', route: 'allowed' };
  assert.ok(answers.size > 12, stdout);
  for (const [name, answer] of answers) assert.is(answer, special[name] ?? 'EPERM', name);
});

it('the limits are those of an init, not those of the caller', () => {
  const script = `ulimit -Sn 77; ulimit -Ss 1024; ulimit -Sf 5000; exec ${[TSNSPAWN, '-q', '-D', tree, '--pipe', 'cat', '/proc/self/limits'].map(quoted).join(' ')}`;
  const { stdout } = spawnSync('/bin/bash', ['-c', script], { encoding: 'utf8', timeout: 20_000 });
  const soft = (name: string) => new RegExp(`^${name} +(\\S+)`, 'm').exec(stdout)?.[1];
  assert.is(soft('Max open files'), '1024');
  assert.is(soft('Max stack size'), '8388608');
  assert.is(soft('Max file size'), 'unlimited');
  assert.is(soft('Max core file size'), '0');
});

it('the environment is the documented one and nothing of the caller', () => {
  const { stdout } = tsnspawn(['-q', '-D', tree, '--pipe', 'env'], {
    env: {
      SECRET: 'of the caller',
      TERM: 'vt220',
      LANG: 'de_DE.UTF-8',
      NODE_OPTIONS: '',
      LD_LIBRARY_PATH: '/nowhere',
      DEBUG: undefined,
      NO_COLOR: undefined,
      COLORTERM: undefined,
    },
  });
  const environment = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const expected = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    container: 'tsnspawn',
    TERM: 'vt220',
    HOME: '/root',
    USER: 'root',
    LOGNAME: 'root',
    NOTIFY_SOCKET: '/run/host/notify',
    LANG: 'C.UTF-8',
  };
  for (const [name, value] of Object.entries(expected)) assert.is(environment.get(name), value, name);
  assert.match(environment.get('container_uuid') ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  for (const name of environment.keys())
    assert.ok(name in expected || /^container_(uuid|host_(id|version_id|build_id|variant_id))$/.test(name), name);
});

it('--setenv has the last word', () => {
  assert.is(
    sh('echo "$A $container $B"', '-E', 'A=one', '-E', 'A=two', '-E', 'container=mine', '-E', 'B=c=d'),
    'two mine c=d\n',
  );
});

it('/run/host says what the container is', () => {
  const [manager, uuid, variable, host] = sh(
    'cat /run/host/container-manager /run/host/container-uuid; echo $container_uuid; grep ^ID= /run/host/os-release',
  )
    .trim()
    .split('\n');
  assert.is(manager, 'tsnspawn');
  assert.is(uuid, variable);
  assert.ok(
    readFileSync('/etc/os-release', 'utf8')
      .split('\n')
      .includes(host ?? ''),
  );
});

it('/run/host has the sockets, the incoming directory and the inaccessible nodes, and cannot be written', () => {
  const script = `cd /run/host; stat -c '%n %F %a' notify incoming inaccessible/*; touch x 2>/dev/null && echo written; :`;
  assert.equal(sh(script).trim().split('\n').sort(), [
    'inaccessible/blk block special file 0',
    'inaccessible/chr character special file 0',
    'inaccessible/dir directory 0',
    'inaccessible/fifo fifo 0',
    'inaccessible/reg regular empty file 0',
    'inaccessible/sock socket 0',
    'incoming directory 755',
    'notify socket 666',
  ]);
});

it('the host name is the machine name, and the name of the host stays as it is', () => {
  const before = hostname();
  assert.is(sh('hostname'), 'guest\n');
  assert.is(sh('hostname', '--machine=other'), 'other\n');
  assert.is(sh('hostname', '--machine=other', '--hostname=name.example'), 'name.example\n');
  assert.is(sh('hostname changed; hostname'), 'changed\n');
  assert.is(hostname(), before);
});

it('the boot id is a new one at each start, and the machine id that of the tree', () => {
  const ids = [0, 1].map(() => sh('cat /proc/sys/kernel/random/boot_id').trim());
  assert.match(ids[0] ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.is.not(ids[0], ids[1]);
  assert.is.not(ids[0], readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const uuid = '0123456789abcdef0123456789abcdef';
  assert.is(sh('echo $container_uuid', `--uuid=${uuid}`), '01234567-89ab-cdef-0123-456789abcdef\n');
});

it('the guest has namespaces of its own, and those of the host only where none was asked for', () => {
  for (const kind of ['mnt', 'pid', 'uts', 'ipc', 'cgroup', 'net']) {
    if (!existsSync(`/proc/self/ns/${kind}`)) continue;
    const host = execFileSync('readlink', [`/proc/self/ns/${kind}`], { encoding: 'utf8' });
    const guest = sh(`readlink /proc/self/ns/${kind}`);
    if (kind === 'net') assert.is(guest, host);
    else assert.is.not(guest, host, kind);
  }
  assert.is.not(
    sh('readlink /proc/self/ns/net', '--private-network'),
    execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }),
  );
});

it('a network of its own has lo, up, and nothing else', () => {
  const lines = sh('cat /proc/net/dev', '--private-network')
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.trim().split(':')[0]);
  assert.ok(lines.includes('lo'));
  assert.equal(
    lines.filter(
      (name) =>
        !/^(lo|tunl0|sit0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|ip6tnl0|ip6gre0|ip6_vti0|dummy0|bond0)$/.test(
          name ?? '',
        ),
    ),
    [],
  );
  assert.match(sh('ip addr show lo', '--private-network'), /<LOOPBACK,UP[\s\S]*127\.0\.0\.1\/8/);
});

it('the payload leads a session of its own, with umask 0022, in /', () => {
  const caller = `umask 077; exec ${[TSNSPAWN, '-q', '-D', tree, '--pipe', 'sh', '-c', 'umask; pwd; cut -d" " -f5-7 /proc/$$/stat'].map(quoted).join(' ')}`;
  const { stdout } = spawnSync('/bin/sh', ['-c', caller], { encoding: 'utf8', timeout: 20_000 });
  assert.is(stdout, '0022\n/\n1 1 0\n');
});

it('signals are at their defaults, whatever the caller ignores or blocks', () => {
  const caller = `trap '' INT TERM PIPE USR1; exec ${[TSNSPAWN, '-q', '-D', tree, '--pipe', 'grep', '^Sig\\(Ign\\|Blk\\)', '/proc/self/status'].map(quoted).join(' ')}`;
  const { stdout } = spawnSync('/bin/sh', ['-c', caller], { encoding: 'utf8', timeout: 20_000 });
  assert.is(stdout, 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
});

it('the cgroup of the guest is the root of what it sees', () => {
  for (const line of sh('cat /proc/self/cgroup').trim().split('\n')) {
    if (line.startsWith('0:')) assert.is(line, '0::/');
  }
});

it('the way to the root of the host is closed: chroot, .. and the root of PID 1 stay in the tree', () => {
  rmSync(join(tree, 'marker'), { force: true });
  const outside = process.cwd();
  const script = `echo here >/marker; cd /; cd ../../../..; cat marker; cat /proc/1/root/marker; ls -d ${outside} 2>/dev/null; mkdir -p /jail/bin; cp -a /usr /jail/ 2>/dev/null; :`;
  assert.is(sh(script), 'here\nhere\n');
});

test.run();

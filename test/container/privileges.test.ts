// What the payload may do, as the kernel sees it: capabilities, calls, limits, processors, namespaces. What the plan says of
// them is tested in test/unit/privileges.test.ts, and what the filters answer to every call in test/native.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type LaunchPlan, StepError } from '@tsnspawn/core';
import { probeTree, startMachine } from '@tsnspawn/runtime';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TSNSPAWN, tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const itWithCompiler = only(test, missing ?? needs('command:gcc'));
const itOnX86 = only(test, missing ?? needs('command:gcc', 'arch:x64'));
const itBeside = only(test, missing ?? needs('command:gcc', 'command:systemd-nspawn'));
const tree = missing === undefined ? ownTree('busybox', 'guest') : '';

if (missing === undefined && needs('command:gcc') === undefined) {
  mkdirSync(join(tree, 'opt'), { recursive: true });
  for (const name of ['calls', 'denied'])
    execFileSync('gcc', ['-static', '-O1', '-o', join(tree, 'opt', name), `test/support/${name}.c`]);
}

interface In {
  readonly [variable: string]: string;
}

/** Output of a command in the guest. */
function run(options: readonly string[], command: readonly string[], env: In = {}): string {
  const outcome = tsnspawn(['-q', '-D', tree, '--pipe', ...options, ...command], { env });
  assert.is(outcome.status, 0, `status ${outcome.status}: ${outcome.stdout}${outcome.stderr}`);
  return outcome.stdout;
}

const sh = (script: string, options: readonly string[] = [], env: In = {}) => run(options, ['sh', '-c', script], env);

/** The launch is refused, with these words, and the payload never ran. */
function refuses(options: readonly string[], words: RegExp, env: In = {}): void {
  const { status, stdout, stderr } = tsnspawn(['-q', '-D', tree, '--pipe', ...options, 'echo', 'it ran'], { env });
  assert.is(status, 1);
  assert.is(stdout, '');
  assert.match(stderr, words);
}

const field = (name: string, status: string) => new RegExp(`^${name}:\\s+(\\S+)$`, 'm').exec(status)?.[1] ?? '';
const set = (name: string, status: string) => BigInt(`0x${field(name, status)}`);
const held = missing === undefined ? set('CapPrm', readFileSync('/proc/self/status', 'utf8')) : 0n;

const CHOWN = 1n << 0n;
const NET_RAW = 1n << 13n;
const SYS_TIME = 1n << 25n;
const DEFAULT = 0xfdecafffn;

it('--capability and --drop-capability change all sets of root, the second after the first', () => {
  for (const [options, mask] of [
    [[], DEFAULT],
    [['--capability=CAP_SYS_TIME'], DEFAULT | SYS_TIME],
    [['--capability=sys_time', '--drop-capability=sys_time,chown'], DEFAULT & ~CHOWN],
    [['--capability=all'], (1n << 41n) - 1n],
    [['--drop-capability=all'], 0n],
  ] as const) {
    const status = sh('cat /proc/self/status', options);
    for (const name of ['CapBnd', 'CapPrm', 'CapEff', 'CapInh'])
      assert.is(set(name, status), mask & held, `${name} with ${options}`);
    assert.is(set('CapAmb', status), 0n);
  }
});

it('an ambient capability is what a payload of another user can use, and all that it has', () => {
  const status = sh('cat /proc/self/status', ['-u', '65534', '--ambient-capability=CAP_NET_RAW']);
  for (const name of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb']) assert.is(set(name, status), NET_RAW, name);
  assert.is(set('CapBnd', status), DEFAULT & held);
  const script = 'touch /tmp/mine; chown 77 /tmp/mine 2>/dev/null; stat -c %u /tmp/mine';
  assert.is(sh(script, ['-u', '65534']), '65534\n');
  assert.is(sh(script, ['-u', '65534', '--ambient-capability=chown']), '77\n');
});

it('root keeps the rest beside an ambient capability', () => {
  const status = sh('cat /proc/self/status', ['--ambient-capability=net_raw']);
  assert.equal([set('CapAmb', status), set('CapEff', status)], [NET_RAW, DEFAULT & held]);
});

it('an ambient capability that is not retained is refused', () => {
  refuses(['--ambient-capability=sys_time'], /--ambient-capability=sys_time.*\nhint: --capability=sys_time/);
  refuses(['--ambient-capability=chown', '--drop-capability=chown'], /\nhint: --drop-capability/);
});

it('--no-new-privileges holds for the payload', () => {
  assert.is(field('NoNewPrivs', sh('cat /proc/self/status')), '0');
  assert.is(field('NoNewPrivs', sh('cat /proc/self/status', ['--no-new-privileges=yes'])), '1');
});

/** What the calls of test/support/denied.c answered. */
function denied(options: readonly string[] = [], env: In = {}): Map<string, string> {
  return answersOf(run(options, ['/opt/denied'], env));
}

function answersOf(text: string): Map<string, string> {
  return new Map(
    text
      .trim()
      .split(/\r?\n/)
      .map((line) => line.split(' ') as [string, string]),
  );
}

itWithCompiler('a capability opens its calls, and no others', () => {
  const answers = denied(['--capability=sys_time,syslog']);
  assert.is(answers.get('settimeofday'), 'allowed');
  // no longer the filter: the kernel itself finds a bad argument
  assert.is(answers.get('syslog'), 'EINVAL');
  for (const name of ['init_module', 'iopl', 'keyctl', 'bpf']) {
    if (answers.has(name)) assert.is(answers.get(name), 'EPERM', name);
  }
});

itWithCompiler('all capabilities open the calls of all of them, and what none opens stays closed', () => {
  const answers = denied(['--capability=all']);
  for (const name of ['settimeofday', 'syslog', 'init_module']) assert.is.not(answers.get(name), 'EPERM', name);
  for (const name of ['keyctl', 'add_key', 'bpf', 'open_by_handle_at', 'swapoff', 'TIOCSTI'])
    assert.is(answers.get(name), 'EPERM', name);
  assert.is(answers.get('audit'), 'EAFNOSUPPORT');
});

itWithCompiler('a rule opens calls and groups that no capability does', () => {
  const answers = denied(['--system-call-filter=@keyring bpf', '--system-call-filter=@swap']);
  for (const name of ['keyctl', 'add_key', 'bpf', 'swapoff']) assert.is.not(answers.get(name), 'EPERM', name);
  for (const name of ['perf_event_open', 'open_by_handle_at', 'init_module'])
    assert.is(answers.get(name), 'EPERM', name);
  assert.is(answers.get('unknown'), 'ENOSYS');
  assert.is(answers.get('TIOCSTI'), 'EPERM');
});

it('a rule closes calls and groups; root cannot mount then, and not load another filter that would open them', () => {
  const mount = 'mkdir -p /tmp/m; mount -t tmpfs none /tmp/m 2>/dev/null && echo mounted || echo refused';
  assert.is(sh(mount), 'mounted\n');
  assert.is(sh(mount, ['--system-call-filter=~@mount']), 'refused\n');
  assert.is(sh(mount, ['--system-call-filter=@mount', '--system-call-filter=~mount']), 'refused\n');
  assert.is(sh(mount, ['--system-call-filter=~mount', '--system-call-filter=@mount']), 'refused\n');
});

it('the stub init is behind the same filter as its payload, and the two live', () => {
  const options = ['--as-pid2', '--system-call-filter=~@mount @swap'];
  const script = 'for p in 1 $$; do grep ^Seccomp: /proc/$p/status; done; (exit 3) & wait; echo $$';
  assert.is(sh(script, options), 'Seccomp:\t2\nSeccomp:\t2\n2\n');
});

it('a name that is no call and no group is refused before anything starts, with the nearest name', () => {
  refuses(['--system-call-filter=@keyring mounnt'], /'mounnt' for --system-call-filter.*\nhint: did you mean mount\?/);
  refuses(['--system-call-filter=~@mont'], /'@mont' for --system-call-filter.*\nhint: did you mean @mount\?/);
});

it('a filter behind which the payload could not start, or its stub init not live, is refused', () => {
  refuses(['--system-call-filter=~execve'], /could not be started/);
  refuses(['--as-pid2', '--system-call-filter=~@process'], /--as-pid2/);
});

it('what fails behind a filter is told all the same', () => {
  for (const rule of ['~sendmsg', '~@network-io', '~@signal @file-system @ipc']) {
    const { status, stderr } = tsnspawn(['-q', '-D', tree, '-P', `--system-call-filter=${rule}`, 'no-such-command']);
    assert.is(status, 1);
    assert.match(stderr, /cannot execute no-such-command: No such file or directory/);
  }
});

it('signals are at their defaults and descriptors closed behind a filter that refuses these calls', () => {
  const closes = '--system-call-filter=~@signal close_range fcntl';
  assert.is(run([closes], ['grep', '-c', '^Sig\\(Ign\\|Blk\\):.0000000000000000$', '/proc/self/status']), '2\n');
  // three, and the one of the directory
  assert.is(run([closes], ['sh', '-c', 'set -- /proc/self/fd/*; echo $#']), '4\n');
});

itWithCompiler('the payload has a session keyring of its own', () => {
  // keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0)
  const call = `${process.arch === 'arm64' ? 219 : 250},0,-3,0`;
  const host = execFileSync(join(tree, 'opt/calls'), ['native', call], { encoding: 'utf8' });
  const keyring = () => run(['--system-call-filter=@keyring'], ['/opt/calls', 'native', call]);
  const found = [host, keyring(), keyring()];
  for (const answer of found) assert.match(answer, /^\d+ \d+\n$/);
  assert.is(new Set(found).size, 3, found.join(''));
});

itOnX86('32-bit programs are behind the same filter', () => {
  const compat = (options: readonly string[], ...calls: string[]) =>
    run(options, ['/opt/calls', 'compat', ...calls])
      .replace(/^\d+ /gm, '')
      .trim()
      .replaceAll('\n', ' ');
  // getpid, mount of nothing, init_module, keyctl, one that nobody knows
  const calls = ['20', '21,0,0,0,0,0', '128', '288,0,-3', '2000'];
  assert.is(compat([], ...calls), '1 EFAULT EPERM EPERM ENOSYS');
  assert.is(compat(['--system-call-filter=~mount'], ...calls), '1 EPERM EPERM EPERM ENOSYS');
  assert.not.match(compat(['--system-call-filter=@keyring'], ...calls).split(' ')[3] ?? '', /EPERM|ENOSYS/);
  // socket(AF_UNIX), socketcall(SYS_SOCKET), socketcall(SYS_BIND)
  assert.is(compat(['--system-call-filter=~socket'], '359,1,1,0', '102,1,0', '102,2,0'), 'EPERM EPERM EFAULT');
});

itOnX86('no call can be made as an x32 program', () => {
  const calls = ['0x40000027', '0x40000000'];
  for (const options of [[], ['--system-call-filter=@known']]) {
    assert.equal([...answersOf(run(options, ['/opt/calls', 'native', ...calls])).values()], ['ENOSYS', 'ENOSYS']);
  }
});

itOnX86('--personality=x86 makes the machine an i686', () => {
  assert.equal([sh('uname -m', ['--personality=x86']), sh('uname -m')], ['i686\n', 'x86_64\n']);
  assert.is(run(['--personality=x86'], ['/opt/calls', 'compat', '20']), '20 1\n');
});

itOnX86('--suppress-sync: a sync succeeds at once, also that of a 32-bit program', () => {
  // fsync of no descriptor; open for synchronous writing
  const [fsync, native] = ['74,-1', ['/opt/calls', 'native', '74,-1', '2,0,0x101000']];
  assert.equal([...answersOf(run([], native)).values()], ['EBADF', 'EFAULT']);
  assert.equal([...answersOf(run(['--suppress-sync=yes'], native)).values()], ['0', 'EINVAL']);
  assert.equal([...answersOf(run([], native, { SYSTEMD_SUPPRESS_SYNC: '1' })).values()], ['0', 'EINVAL']);
  assert.is(run(['--suppress-sync=yes'], ['/opt/calls', 'compat', '118,-1']), '118 0\n');
  assert.is(run(['--suppress-sync=no'], ['/opt/calls', 'native', fsync]), '74 EBADF\n');
});

itWithCompiler('SYSTEMD_SECCOMP=0 loads no filter at all', () => {
  const env = { SYSTEMD_SECCOMP: '0' };
  assert.is(field('Seccomp', sh('cat /proc/self/status', [], env)), '0');
  assert.is.not(denied([], env).get('keyctl'), 'EPERM');
  refuses(['--system-call-filter=~@mount'], /--system-call-filter.*SYSTEMD_SECCOMP=0/, env);
});

it('--cpu-affinity is the set of processors that the payload runs on', () => {
  assert.is(sh('grep ^Cpus_allowed_list: /proc/self/status', ['--cpu-affinity=0']), 'Cpus_allowed_list:\t0\n');
});

it('a processor that is not there is refused, also beside one that is', () => {
  refuses(['--cpu-affinity=8191'], /--cpu-affinity: processor 8191 /);
  refuses(['--cpu-affinity=0,8190-8191'], /--cpu-affinity: processors 8190,8191 /);
});

it('a caller that is itself bound to a processor can name another one', () => {
  const { status, stdout } = spawnSync(
    'taskset',
    ['1', TSNSPAWN, '-q', '-D', tree, '-P', '--cpu-affinity=0', 'grep', '^Cpus_allowed_list', '/proc/self/status'],
    { encoding: 'utf8', timeout: 20_000 },
  );
  assert.equal([status, stdout], [0, 'Cpus_allowed_list:\t0\n']);
});

it('--oom-score-adjust is what the kernel weighs the payload by', () => {
  assert.is(sh('cat /proc/self/oom_score_adj', ['--oom-score-adjust=750']), '750\n');
});

it('--rlimit sets soft and hard limit, and the last one of a name counts', () => {
  const limits = sh('cat /proc/self/limits', [
    ...['--rlimit=NOFILE=100:200', '--rlimit=RLIMIT_CORE=1M', '--rlimit=FSIZE=5', '--rlimit=FSIZE=infinity'],
    '--rlimit=CPU=7:infinity',
  ]);
  const limit = (name: string) => new RegExp(`^Max ${name} +(\\S+) +(\\S+)`, 'm').exec(limits)?.slice(1);
  assert.equal(limit('open files'), ['100', '200']);
  assert.equal(limit('core file size'), ['1048576', '1048576']);
  assert.equal(limit('file size'), ['unlimited', 'unlimited']);
  assert.equal(limit('cpu time'), ['7', 'unlimited']);
});

const itWithoutSelinux = only(test, missing ?? (existsSync('/sys/fs/selinux/enforce') ? 'SELinux is on' : undefined));
itWithoutSelinux('an SELinux label on a host without SELinux is refused with that reason', () => {
  refuses(['-Z', 'system_u:system_r:container_t:s0'], /--selinux-context: SELinux is not enabled/);
  refuses(['-L', 'system_u:object_r:container_file_t:s0'], /--selinux-apifs-context: SELinux is not enabled/);
});

itWithoutSelinux(
  'a label that the kernel does not take ends the launch: it is written to the kernel, and nowhere else',
  async () => {
    const plan = JSON.parse(tsnspawn(['-D', tree, '-P', '--dry-run=json', 'true']).stdout) as LaunchPlan;
    const at = plan.inner.findIndex(({ op }) => op === 'seccomp');
    const label = { op: 'execLabel', label: 'nobody:knows:this:s0' } as const;
    const inner = [...plan.inner.slice(0, at), label, ...plan.inner.slice(at)];
    const machine = startMachine({ ...plan, inner }, { tree: probeTree(tree, false), readOnly: false });
    const error = await machine.ended.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof StepError);
    assert.is(error.message, 'cannot take the SELinux label nobody:knows:this:s0: Invalid argument');
  },
);

it('SYSTEMD_NSPAWN_SHARE_NS_IPC and _UTS leave the payload in these namespaces of the host', () => {
  for (const name of ['ipc', 'uts']) {
    const shared = sh(`readlink /proc/self/ns/${name}`, [], { [`SYSTEMD_NSPAWN_SHARE_NS_${name.toUpperCase()}`]: '1' });
    assert.is(shared.trim(), readlinkSync(`/proc/self/ns/${name}`));
    assert.is.not(sh(`readlink /proc/self/ns/${name}`).trim(), readlinkSync(`/proc/self/ns/${name}`));
  }
  refuses([], /SYSTEMD_NSPAWN_SHARE_NS_PID/, { SYSTEMD_NSPAWN_SHARE_NS_PID: '1' });
});

only(test, missing ?? needs('cgroup2'))(
  'with SYSTEMD_NSPAWN_USE_CGNS=0 the payload can write its own cgroup, and no other',
  () => {
    const script =
      'own=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); mkdir $own/x && echo own && rmdir $own/x; ' +
      'mkdir /sys/fs/cgroup/x 2>/dev/null && echo host; mkdir $own/../x 2>/dev/null && echo beside; readlink /proc/self/ns/cgroup';
    const [own, namespace] = sh(script, [], { SYSTEMD_NSPAWN_USE_CGNS: '0' }).trim().split('\n');
    assert.equal([own, namespace], ['own', readlinkSync('/proc/self/ns/cgroup')]);
  },
);

const itBoots = only(test, missing ?? needs('cgroup2'));
for (const [what, options, env] of [
  ['all capabilities', ['--capability=all'], {}],
  ['fewer capabilities', ['--drop-capability=sys_ptrace,sys_tty_config,mknod'], {}],
  ['a filter of its own', ['--system-call-filter=@keyring @pkey', '--system-call-filter=~@swap @module acct'], {}],
  ['no filter', [], { SYSTEMD_SECCOMP: '0' }],
  ['no cgroup namespace', [], { SYSTEMD_NSPAWN_USE_CGNS: '0' }],
] as const) {
  itBoots(`a Debian boots and goes down in order with ${what}`, () => {
    const { status, stdout, stderr } = tsnspawn(['boot-check', '-D', debian(), ...options], { env });
    assert.is(status, 0, stdout + stderr);
  });
}

let copy: string | undefined;
/** One copy of bookworm for this file. */
function debian(): string {
  copy ??= ownTree('bookworm');
  return copy;
}

/** Output of the same command line in a container of systemd-nspawn, or undefined where that refuses it. */
function nspawn(options: readonly string[], command: readonly string[]): string | undefined {
  const argv = ['-q', '--register=no', '--keep-unit', '-D', tree, '--pipe', ...options, ...command];
  const { status, stdout } = spawnSync('systemd-nspawn', argv, { encoding: 'utf8', timeout: 20_000, input: '' });
  return status === 0 ? stdout : undefined;
}

for (const options of [
  [],
  ['--capability=all'],
  ['--capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYSLOG,CAP_SYS_RAWIO'],
  ['--drop-capability=all'],
  ['--drop-capability=CAP_SYS_PTRACE,CAP_NET_RAW'],
  ['--capability=CAP_SYS_TIME', '--ambient-capability=CAP_SYS_TIME,CAP_CHOWN'],
  ['--private-network'],
  ['--no-new-privileges=yes'],
  ['--system-call-filter=@keyring bpf perf_event_open'],
  ['--system-call-filter=~@mount', '--system-call-filter=@swap'],
  ['--personality=x86'],
  ['--oom-score-adjust=300', '--rlimit=NOFILE=300:400', '--rlimit=RLIMIT_NPROC=500', '--cpu-affinity=0'],
]) {
  itBeside(`calls and status are those of systemd-nspawn: ${options.join(' ') || 'without options'}`, () => {
    const script =
      "grep -E '^(Cap|NoNew|Seccomp:|Cpus_allowed)' /proc/self/status; cat /proc/self/limits /proc/self/oom_score_adj; uname -m; ulimit -a; /opt/denied";
    assert.is(
      sh(script, options).replace(/^TIOCSTI .*/m, ''),
      nspawn(options, ['sh', '-c', script])?.replace(/^TIOCSTI .*/m, ''),
    );
  });
}

test.run();

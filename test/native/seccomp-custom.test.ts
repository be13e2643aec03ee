// System call filters that are compiled for one launch: what --system-call-filter and capabilities open and close.

import { execFileSync } from 'node:child_process';
import { type LaunchPlan, UsageError } from '@tsnspawn/core';
import { builtFile, requireFilters, seccompProgram } from '@tsnspawn/native';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALLOW, type Answer, archs, builtIn, ENOSYS, EPERM, evaluate, X86, X86_64 } from '../support/bpf';
import { needs, only } from '../support/needs';
import { planOf, stepsOf } from '../unit/fixtures';

/** Numbers on x86-64, x86, aarch64, arm. */
const numbers = {
  acct: [163, 51, 89, 51],
  bind: [49, 361, 200, 282],
  bpf: [321, 357, 280, 386],
  capset: [126, 185, 91, 185],
  chown: [92, 182, undefined, 182],
  clock_settime: [227, 264, 112, 262],
  fchownat: [260, 298, 54, 325],
  getpid: [39, 20, 172, 20],
  init_module: [175, 128, 105, 128],
  iopl: [172, 110, undefined, undefined],
  keyctl: [250, 288, 219, 311],
  memfd_secret: [447, 447, 447, undefined],
  mlock: [149, 150, 228, 150],
  mount: [165, 21, 40, 21],
  msgget: [68, 399, 186, 303],
  open_by_handle_at: [304, 342, 265, 371],
  pivot_root: [155, 217, 41, 218],
  ptrace: [101, 26, 117, 26],
  reboot: [169, 88, 142, 88],
  setuid: [105, 213, 146, 213],
  socket: [41, 359, 198, 281],
  swapon: [167, 87, 224, 87],
  syslog: [103, 103, 116, 103],
  umount2: [166, 52, 39, 52],
  vhangup: [153, 111, 58, 111],
} as const;
type Call = keyof typeof numbers;

/** What is loaded for a payload with these options. */
function programs(...options: readonly string[]): Uint8Array[] {
  return stepsOf(planOf([...options, 'true']).inner, 'seccomp').map(seccompProgram);
}

/** What is loaded with these rules. */
const withRules = (...rules: readonly string[]) => programs(...rules.map((rule) => `--system-call-filter=${rule}`));

/** The answers are these, on both architectures as far as they have the call. */
function answers(loaded: readonly Uint8Array[], expected: { readonly [call in Call]?: Answer }): void {
  for (const [name, answer] of Object.entries(expected)) {
    for (const arch of archs) {
      const number = numbers[name as Call][arch.column];
      if (number !== undefined) assert.is(evaluate(loaded, arch.audit, number), answer, `${name} on ${arch.audit}`);
    }
  }
}

test('without a rule and with the default capabilities they are the built-in ones', () => {
  assert.equal(programs().map(Buffer.from), [builtIn('arguments'), builtIn('default')]);
  assert.equal(programs('--capability=all').map(Buffer.from), [builtIn('arguments'), builtIn('privileged')]);
});

test('what is compiled for a launch is what the build compiles', () => {
  const opened = (capabilities: readonly string[]) =>
    Buffer.from(seccompProgram({ filter: 'opened', capabilities, names: [] }));
  assert.equal(opened(['sys_boot', 'sys_ptrace', 'sys_tty_config']), builtIn('default'));
  assert.equal(opened(OPENS.map(([capability]) => capability)), builtIn('privileged'));
});

const OPENS: readonly (readonly [capability: string, calls: readonly Call[]])[] = [
  ['ipc_lock', ['mlock']],
  ['sys_boot', ['reboot']],
  ['sys_module', ['init_module']],
  ['sys_pacct', ['acct']],
  ['sys_ptrace', ['ptrace']],
  ['sys_rawio', ['iopl']],
  ['sys_time', ['clock_settime']],
  ['sys_tty_config', ['vhangup']],
  ['syslog', ['syslog']],
];
for (const [capability, calls] of OPENS) {
  test(`${capability} opens ${calls}, and they are closed without it`, () => {
    const open = Object.fromEntries(calls.map((call) => [call, ALLOW]));
    const closed = Object.fromEntries(calls.map((call) => [call, EPERM]));
    const rest = OPENS.flatMap(([name, others]) => (name === capability ? [] : others));
    const kept = `--capability=${capability}`;
    const others = OPENS.map(([name]) => name).filter((name) => name !== capability);
    answers(programs(kept), open);
    answers(programs(kept, '--system-call-filter=bpf'), { ...open, bpf: ALLOW });
    answers(programs('--capability=all', `--drop-capability=${capability}`), closed);
    const alone = programs(kept, `--drop-capability=${others}`);
    answers(alone, { ...open, ...Object.fromEntries(rest.map((call) => [call, EPERM])), getpid: ALLOW, bpf: EPERM });
  });
}

test('a call or a group is added to what is allowed, and nothing else with it', () => {
  answers(withRules('bpf'), { bpf: ALLOW, keyctl: EPERM, getpid: ALLOW });
  answers(withRules('@keyring', '@swap'), { keyctl: ALLOW, swapon: ALLOW, bpf: EPERM });
  answers(withRules('@swap bpf'), { swapon: ALLOW, bpf: ALLOW, keyctl: EPERM });
});

test('a call or a group is taken from what is allowed', () => {
  answers(withRules('~mount'), { mount: EPERM, umount2: ALLOW, getpid: ALLOW });
  answers(withRules('~@mount'), { mount: EPERM, umount2: EPERM, pivot_root: EPERM, getpid: ALLOW });
});

test('of two rules the one that denies wins, in whatever order they stand', () => {
  for (const rules of [
    ['@keyring', '~keyctl'],
    ['~keyctl', '@keyring'],
    ['~@keyring', 'keyctl'],
  ]) {
    answers(withRules(...rules), { keyctl: EPERM, getpid: ALLOW });
  }
});

test('a group holds the members of the groups in it', () => {
  answers(withRules('~@privileged'), { chown: EPERM, fchownat: EPERM, setuid: EPERM, capset: EPERM, reboot: EPERM });
  answers(withRules('@privileged'), { swapon: ALLOW, open_by_handle_at: ALLOW, init_module: ALLOW, keyctl: EPERM });
  answers(withRules('@system-service'), { keyctl: ALLOW, mlock: ALLOW, swapon: EPERM });
});

test('@known opens everything that is known, and what nobody knows stays unknown', () => {
  const loaded = withRules('@known');
  answers(loaded, { keyctl: ALLOW, swapon: ALLOW, bpf: ALLOW, init_module: ALLOW, memfd_secret: ALLOW });
  for (const { audit } of archs) assert.is(evaluate(loaded, audit, 2000), ENOSYS);
  assert.is(evaluate(loaded, 0xc0000015, 1), ENOSYS);
});

test('a call that is unknown to containers can be opened, or refused, by its name', () => {
  answers(withRules(), { memfd_secret: ENOSYS });
  answers(withRules('memfd_secret'), { memfd_secret: ALLOW });
  answers(withRules('~memfd_secret'), { memfd_secret: EPERM });
});

test('a call of a dropped capability can be opened by its name', () => {
  answers(programs('--drop-capability=sys_ptrace', '--system-call-filter=ptrace'), { ptrace: ALLOW, reboot: ALLOW });
  answers(programs('--drop-capability=sys_ptrace', '--system-call-filter=bpf'), { ptrace: EPERM, bpf: ALLOW });
});

test('a call newer than libseccomp can be taken away, on the compat architecture too', () => {
  const [native, compat] = archs;
  const mseal = 462;
  assert.is(evaluate(programs(), native.audit, mseal), ALLOW);
  assert.is(evaluate(withRules('~mseal'), native.audit, mseal), EPERM);
  assert.is.not(evaluate(withRules('~mseal'), compat.audit, mseal), ALLOW);
});

const onX86 = only(test, needs('arch:x64'));

onX86('x32 calls stay unknown, whatever is opened', () => {
  for (const number of [0, 39, 547]) {
    assert.is(evaluate(withRules('@known'), X86_64.audit, 0x40000000 | number), ENOSYS);
  }
});

onX86('what a 32-bit program may not call it cannot reach through socketcall(2) or ipc(2) either', () => {
  const socketcall = (loaded: readonly Uint8Array[], operation: bigint) =>
    evaluate(loaded, X86.audit, 102, [operation, 0n]);
  const ipc = (loaded: readonly Uint8Array[], operation: bigint) => evaluate(loaded, X86.audit, 117, [operation, 0n]);
  const [SOCKET, BIND, MSGGET, SHMGET] = [1n, 2n, 13n, 23n];
  answers(withRules('~socket'), { socket: EPERM, bind: ALLOW });
  assert.is(socketcall(withRules('~socket'), SOCKET), EPERM);
  assert.is(socketcall(withRules('~socket'), BIND), ALLOW);
  assert.is(ipc(withRules('~msgget'), MSGGET), EPERM);
  assert.is(ipc(withRules('~msgget'), SHMGET), ALLOW);
  for (const operation of [SOCKET, BIND]) {
    assert.is(socketcall(withRules(), operation), ALLOW);
    assert.is(socketcall(withRules('~socketcall'), operation), EPERM);
    assert.is(socketcall(withRules('~@network-io'), operation), EPERM);
  }
});

function planWith(...options: string[]): LaunchPlan {
  return planOf([...options, 'true']);
}

function refusal(...options: string[]): UsageError {
  try {
    requireFilters(planWith(...options));
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

test('a name that is no system call and no group is refused, with the nearest one as a hint', () => {
  for (const [value, hint] of [
    ['keyclt', 'did you mean keyctl?'],
    ['~@swp', 'did you mean @swap?'],
    ['@keyring @file-systm', 'did you mean @file-system?'],
    ['zzzzzzzzzzzzzzz', 'names are those of syscalls(2), groups those of systemd.exec(5)'],
  ] as const) {
    const error = refusal(`--system-call-filter=${value}`);
    const name = value.replace(/^~/, '').split(' ').at(-1);
    assert.match(error.message, `bad value '${name}' for --system-call-filter: no `);
    assert.is(error.hint, hint);
    assert.is(error.option, '--system-call-filter');
  }
});

test('a filter that would not let the payload start is refused', () => {
  for (const value of ['execve', '@default', '@system-service', '@known', 'exit_group']) {
    assert.match(refusal(`--system-call-filter=~${value}`).message, /the payload could not be started without it/);
  }
});

test('what the stub init lives by cannot be taken from it; a payload that is PID 1 can do without', () => {
  assert.match(refusal('--as-pid2', '--system-call-filter=~@process').message, /init of --as-pid2 could not live/);
  requireFilters(planWith('--system-call-filter=~@process'));
  requireFilters(planWith('--as-pid2', '--system-call-filter=~@mount'));
});

only(test, needs('command:systemd-analyze'))(
  'every group of systemd is there, with all calls of these architectures',
  () => {
    const compiler = { exports: {} as { members(name: string): string[] | undefined } };
    process.dlopen(compiler, builtFile('seccomp.node'));
    const { members } = compiler.exports;
    const known = new Set(members('@known'));
    let group = '';
    let groups = 0;
    const text = execFileSync('systemd-analyze', ['--no-pager', 'syscall-filter'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for (const line of text.split('\n')) {
      if (line.startsWith('@')) {
        group = line.trim();
        groups += 1;
        assert.ok(members(group), `${group} is not known`);
      } else if (/^ {4}[@a-z_]/.test(line) && group !== '') {
        const ours = new Set(members(group));
        for (const call of members(line.trim()) ?? []) {
          if (known.has(call)) assert.ok(ours.has(call), `${call} is not in ${group}`);
        }
      } else if (line.startsWith('#')) group = '';
    }
    assert.ok(groups >= 29, `${groups} groups`);
  },
);

test.run();

// The promises of the built-in seccomp programs, checked by running them.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ALLOW,
  type Answer,
  type Arch,
  archs,
  builtIn,
  EAFNOSUPPORT,
  EINVAL,
  ENOSYS,
  EPERM,
  evaluate,
  X86,
  X86_64,
} from '../support/bpf';
import { needs, only } from '../support/needs';

const numbers = {
  socket: [41, 359, 198, 281],
  ioctl: [16, 54, 29, 54],
  fsync: [74, 118, 82, 118],
  sync: [162, 36, 81, 36],
  msync: [26, 144, 227, 144],
  open: [2, 5, undefined, 5],
  openat: [257, 295, 56, 322],
  init_module: [175, 128, 105, 128],
  clone3: [435, 435, 435, 435],
  fchmodat2: [452, 452, 452, 452],
  openat2: [437, 437, 437, 437],
} as const;

const programs = [builtIn('default'), builtIn('arguments'), builtIn('suppress-sync')] as const;
// What is loaded together; 'suppress-sync' comes to the other two.
const defaults = programs.slice(0, 2);
const suppressSync = programs.slice(2);

function call(
  together: readonly Buffer[],
  arch: Arch,
  name: keyof typeof numbers,
  ...args: bigint[]
): Answer | undefined {
  const number = numbers[name][arch.column];
  return number === undefined ? undefined : evaluate(together, arch.audit, number, args);
}

const AF_INET = 2n;
const AF_NETLINK = 16n;
const NETLINK_ROUTE = 0n;
const NETLINK_AUDIT = 9n;
const SOCK_CLOEXEC = 0o2000000n;
const SOCK_NONBLOCK = 0o4000n;
const TIOCSTI = 0x5412n;
const TIOCLINUX = 0x541cn;
const TCGETS = 0x5401n;
const O_RDWR = 0o2n;
const O_DSYNC = 0o10000n;
const O_SYNC = 0o4010000n;
const garbage = 0xdeadbeefn << 32n;

test('the programs are well formed: whole instructions, and few enough for the kernel', () => {
  for (const program of programs) {
    assert.is(program.length % 8, 0);
    assert.ok(program.length / 8 < 4096);
  }
});

test('the only answers are "go on" and an error number: nothing kills, traps or waits for a tracer', () => {
  for (const program of programs) {
    for (let at = 0; at < program.length; at += 8) {
      if (program.readUInt16LE(at) !== 0x06) continue;
      const answer = program.readUInt32LE(at + 4);
      assert.ok(answer === 0x7fff0000 || answer >>> 16 === 5, `instruction ${at / 8} answers ${answer.toString(16)}`);
    }
  }
});

test('what every program does is allowed, on the native and on the compat architecture', () => {
  for (const arch of archs) {
    for (const name of ['openat', 'fsync', 'clone3', 'fchmodat2'] as const) {
      assert.is(call(defaults, arch, name), ALLOW, name);
    }
    assert.is(call(defaults, arch, 'ioctl', 0n, TCGETS), ALLOW);
  }
});

test('a call that needs a capability the guest does not have fails with EPERM', () => {
  for (const arch of archs) assert.is(call(defaults, arch, 'init_module'), EPERM);
});

const onX86 = only(test, needs('arch:x64'));
onX86('calls follow the capabilities that are kept by default', () => {
  const calls: Record<string, [number, Answer]> = {
    ptrace: [101, ALLOW],
    process_vm_readv: [310, ALLOW],
    reboot: [169, ALLOW],
    vhangup: [153, ALLOW],
    settimeofday: [164, EPERM],
    iopl: [172, EPERM],
    mlock: [149, EPERM],
    acct: [163, EPERM],
    syslog: [103, EPERM],
    bpf: [321, EPERM],
    keyctl: [250, EPERM],
    kexec_load: [246, EPERM],
    open_by_handle_at: [304, EPERM],
    swapon: [167, EPERM],
    modify_ldt: [154, EPERM],
    perf_event_open: [298, EPERM],
    pkey_alloc: [330, EPERM],
  };
  for (const [name, [number, expected]] of Object.entries(calls)) {
    assert.is(evaluate(defaults, X86_64.audit, number), expected, name);
  }
});

onX86('an x32 call is unknown: allowed numbers do not become another set of allowed numbers', () => {
  for (const number of [0, 1, numbers.openat[0], 512, 547]) {
    assert.is(evaluate(defaults, X86_64.audit, 0x40000000 | number), ENOSYS);
  }
});

onX86('32-bit programs find the socket calls that are calls of their own since Linux 4.3', () => {
  for (const number of [359, 361, 362, 369, 371, 393, 399])
    assert.is(evaluate(defaults, X86.audit, number, [AF_INET]), ALLOW);
});

test('calls newer than the libseccomp of the build have their answer too; on the compat architecture they may not exist', () => {
  const [native, compat] = archs;
  // statmount, futex_wait, listmount, mseal, getxattrat, open_tree_attr, file_setattr; lsm_set_self_attr
  for (const number of [457, 455, 458, 462, 464, 467, 469]) {
    assert.is(evaluate(defaults, native.audit, number), ALLOW);
    assert.ok(([ALLOW, ENOSYS] as Answer[]).includes(evaluate(defaults, compat.audit, number)));
  }
  assert.is(evaluate(defaults, native.audit, 460), EPERM);
  assert.ok(([EPERM, ENOSYS] as Answer[]).includes(evaluate(defaults, compat.audit, 460)));
  for (const arch of archs) assert.is(evaluate(defaults, arch.audit, 453), ENOSYS); // map_shadow_stack: in no group
});

onX86('32-bit programs may use socketcall(2), whatever lies in the registers it does not use', () => {
  for (let operation = 1n; operation <= 20n; operation++) {
    for (const pointer of [0x10000n, 0x08049000n, 0xffffd000n]) {
      for (const third of [0n, NETLINK_AUDIT]) {
        assert.is(evaluate(defaults, X86.audit, 102, [operation, pointer, third]), ALLOW);
      }
    }
  }
});

test('a call nobody has heard of fails with ENOSYS, so that the C library tries an older one', () => {
  for (const arch of archs) {
    for (const number of [600, 5000, 0x7fffffff, -1]) assert.is(evaluate(defaults, arch.audit, number), ENOSYS);
  }
});

test('a call of a foreign architecture fails with ENOSYS and kills nobody', () => {
  for (const audit of [0, 0xc0000015, 0xc00000f3]) assert.is(evaluate(defaults, audit, 1), ENOSYS);
});

test('nothing can be typed into a terminal from inside, whatever stands in the upper half of the argument', () => {
  for (const arch of archs) {
    for (const request of [TIOCSTI, TIOCLINUX, TIOCSTI | garbage, TIOCLINUX | garbage]) {
      assert.is(call(defaults, arch, 'ioctl', 0n, request), EPERM);
    }
  }
});

test('other requests pass, also those that a C library with an int for the request sign-extends', () => {
  const TIOCGPTN = 0x80045430n;
  for (const arch of archs) {
    for (const request of [
      TIOCGPTN,
      TIOCGPTN | (0xffffffffn << 32n),
      TCGETS | garbage,
      TIOCSTI ^ 1n,
      TIOCSTI | 0x10000n,
    ]) {
      assert.is(call(defaults, arch, 'ioctl', 0n, request), ALLOW, request.toString(16));
    }
  }
});

test('the audit socket does not exist for a guest; other netlink sockets do', () => {
  for (const arch of archs) {
    const socket = (...args: bigint[]) => call(defaults, arch, 'socket', ...args);
    assert.is(socket(AF_NETLINK, 3n, NETLINK_AUDIT), EAFNOSUPPORT);
    assert.is(socket(AF_NETLINK | garbage, 3n | garbage, NETLINK_AUDIT | garbage), EAFNOSUPPORT);
    for (const flags of [SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK]) {
      assert.is(socket(AF_NETLINK, 2n | flags, NETLINK_AUDIT), EAFNOSUPPORT);
    }
    assert.is(socket(AF_NETLINK, 3n, NETLINK_ROUTE), ALLOW);
    assert.is(socket(AF_INET, 3n, NETLINK_AUDIT), ALLOW);
    assert.is(socket(AF_NETLINK | garbage, 3n, NETLINK_ROUTE | garbage), ALLOW);
  }
});

test('suppress-sync: a wait for the disk is over at once', () => {
  for (const arch of archs) {
    for (const name of ['fsync', 'sync', 'msync'] as const) assert.is(call(suppressSync, arch, name), 0, name);
  }
});

test('suppress-sync: a file cannot be opened for synchronous writing', () => {
  for (const arch of archs) {
    for (const flags of [O_SYNC, O_DSYNC, O_RDWR | O_SYNC, O_RDWR | O_DSYNC | garbage]) {
      assert.is(call(suppressSync, arch, 'openat', 0n, 0n, flags), EINVAL);
      assert.is(
        call(suppressSync, arch, 'open', 0n, flags),
        numbers.open[arch.column] === undefined ? undefined : EINVAL,
      );
    }
    assert.is(call(suppressSync, arch, 'openat', 0n, 0n, O_RDWR), ALLOW);
    assert.is(call(suppressSync, arch, 'openat2'), ENOSYS, 'its flags cannot be seen');
  }
});

test('suppress-sync: everything else is left to the other filters', () => {
  for (const arch of archs) assert.is(call(suppressSync, arch, 'init_module'), ALLOW);
  assert.is(evaluate(suppressSync, 0, 1), ALLOW);
});

test.run();

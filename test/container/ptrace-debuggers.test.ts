// strace and gdb in the ptrace engine: every process there has the engine as its tracer for the kernel, and is traced all the same.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ACCELERATORS } from '../conformance';
import { needs, only } from '../support/needs';
import { OrdinaryUser } from '../support/users';

const it = only(test, needs('root', 'namespaces', 'mirror', 'arch:x64', 'command:setpriv', 'command:gcc'));

let known: { user: OrdinaryUser; debian: string } | undefined;
function place(): { user: OrdinaryUser; debian: string } {
  if (known === undefined) {
    const user = new OrdinaryUser({ subordinate: false });
    const debian = user.tree('debuggers');
    const words = ['-g', '-O0', '-static', '-pthread', '-o', join(debian, 'debugged'), 'test/support/debugged.c'];
    execFileSync('gcc', words);
    known = { user, debian };
  }
  return known;
}

/** Starts a program that says when it is there, as `$it`, and leaves a way to tell it to go on: `>&7`. */
const MEETING =
  'mkfifo /tmp/in /tmp/out; /debugged waits </tmp/in >/tmp/out & it=$!; exec 7>/tmp/in; read line </tmp/out;';
const ATTACH = 'strace -o /tmp/trace -p $it 2>/tmp/said & until grep -q attached /tmp/said; do :; done;';

for (const accelerator of ACCELERATORS) {
  const inside = (script: string): string => {
    const { user, debian } = place();
    const words = ['--engine=ptrace', '-qP', `-D${debian}`, 'bash', '-c', `rm -f /tmp/*; cd /; ${script}`];
    const { stdout } = user.tsnspawn(words, { env: { TSNSPAWN_PTRACE_ACCEL: accelerator }, timeout: 60 });
    return stdout;
  };
  const gdb = (commands: readonly string[], ...program: readonly string[]): string =>
    inside(
      `gdb -nx -batch ${commands.map((one) => `-ex '${one}'`).join(' ')} --args /debugged ${program.join(' ')} 2>&1`,
    );

  it(`${accelerator}: strace -f shows the calls of a pipeline as its programs make them`, () => {
    const traced = inside(
      'strace -f -o /tmp/trace sh -c "cat /etc/debian_version | tr a-z A-Z >/tmp/upper; exit 7"; echo $?; cat /tmp/trace',
    );
    assert.match(traced, /^7\n/);
    assert.match(traced, /execve\("\/(usr\/)?bin\/sh", \["sh", "-c", .*\) = 0\n/);
    assert.match(traced, /execve\("\/(usr\/)?bin\/cat", \["cat", "\/etc\/debian_version"\].*\n/);
    assert.match(traced, /openat\(AT_FDCWD, "\/etc\/debian_version", O_RDONLY/);
    assert.match(traced, /openat\(AT_FDCWD, "\/tmp\/upper", O_WRONLY\|O_CREAT\|O_TRUNC, 0666(\) | <unf)/);
    assert.match(traced, /\[\{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 0\}\], 0, NULL\) = \d+/);
    assert.is(traced.match(/\+\+\+ exited with 0 \+\+\+/g)?.length, 2);
    assert.is(traced.match(/\+\+\+ exited with 7 \+\+\+/g)?.length, 1);
    // neither the place of the tree nor what the engine does itself
    assert.not.match(traced, new RegExp(place().debian));
    assert.not.match(traced, /ENOSYS|0x6ffff/);
  });

  it(`${accelerator}: strace -p looks at a process that runs, and says how it ends`, () => {
    const traced = inside(`${MEETING} ${ATTACH} echo >&7; wait $it; echo $?; wait; cat /tmp/trace`);
    assert.match(traced, /^5\n/);
    assert.match(traced, /read\(0, .*\) *= 1\nopenat\(AT_FDCWD, "\/etc\/hostname", O_RDONLY\) = /);
    assert.match(traced, /\+\+\+ exited with 5 \+\+\+\n$/);
  });

  it(`${accelerator}: a process goes on when who traces it is killed`, () => {
    const script = `${MEETING} ${ATTACH} grep TracerPid /proc/$it/status | grep -cw $!; kill -9 $!; wait $! 2>&-;
      grep TracerPid /proc/$it/status; echo >&7; wait $it; echo $?`;
    assert.is(inside(script), '1\nTracerPid:\t0\n5\n');
  });

  it(`${accelerator}: strace counts calls, and has them fail`, () => {
    assert.match(inside('strace -c /debugged 2>&1'), /^10\n% time[\s\S]* +1 +write\n[\s\S]* total\n$/);
    const failing = 'strace -qq -e trace=openat -e inject=openat:error=EMFILE:when=1 cat /etc/debian_version 2>&1';
    assert.match(inside(failing), /^openat\(.*\) = -1 EMFILE \(Too many open files\) \(INJECTED\)\n/);
  });

  it(`${accelerator}: gdb stops at breakpoints, shows who has called, and steps`, () => {
    const said = gdb(['break deep if n == 1', 'run', 'bt', 'finish', 'next', 'continue']);
    assert.match(said, /Breakpoint 1, deep \(n=1\) at .*debugged\.c:\d+\n/);
    assert.match(said, /#0 +deep \(n=1\).*\n#1 .* deep \(n=2\).*\n#2 .* deep \(n=3\).*\n#3 .* main \(argc=1, /);
    assert.match(said, /Value returned is \$1 = 8\n/);
    assert.match(said, /^10\n\[Inferior 1 \(process \d+\) exited with code 05\]\n/m);
  });

  it(`${accelerator}: gdb sees who changes a variable`, () => {
    const said = gdb(['break main', 'run', 'watch watched', 'continue', 'print n', 'kill']);
    assert.match(said, /hardware watchpoint 2: watched\n\nOld value = 0\nNew value = 42\n/i);
    assert.match(said, /\$1 = 0\n/);
  });

  it(`${accelerator}: gdb sees threads, children and faults`, () => {
    const threads = gdb(['break deep if n == 2', 'run', 'info threads', 'continue'], 'threads');
    assert.match(threads, /Thread 2 "debugged" hit Breakpoint 1, deep \(n=2\)/);
    assert.match(threads, /\n {2}1 .*\n\* 2 .* deep \(n=2\)/);
    assert.match(threads, /exited with code 05\]/);
    const child = gdb(['set follow-fork-mode child', 'break deep if n == 1', 'run', 'bt', 'continue'], 'forks');
    assert.match(child, /#0 +deep \(n=1\).*\n#1 .* main \(argc=2, /);
    assert.match(child, /\[Inferior 2 \(process \d+\) exited with code 010\]/);
    assert.match(child, /^child 8$/m);
    const fault = gdb(['run', 'bt', 'kill'], 'faults');
    assert.match(fault, /received signal SIGSEGV[\s\S]*#0 .* main \(argc=2, /);
  });

  it(`${accelerator}: gdb attaches to a process, changes it and leaves it`, () => {
    const script = `${MEETING} gdb -nx -batch -p $it -ex bt -ex 'set var watched = 9' -ex 'print watched' -ex detach 2>&1;
      grep -E '^(State|TracerPid)' /proc/$it/status; echo >&7; wait $it; echo $?`;
    const said = inside(script);
    assert.match(said, /#\d .* meet \(\) .*\n#\d .* main \(argc=2, /);
    assert.match(said, /\$1 = 9\n\[Inferior 1 \(process \d+\) detached\]\nState:\tS \(sleeping\)\nTracerPid:\t0\n5\n$/);
  });

  it(`${accelerator}: nobody traces a process of the host, or one of root's as another user`, () => {
    const host = `strace -p ${process.pid} 2>&1; echo $?`;
    assert.match(inside(host), /No such process\n1\n$/);
    const other = 'useradd joe; su joe -c "strace -p $$" 2>&1; echo $?';
    assert.match(inside(other), /Operation not permitted\n1\n$/);
  });
}

test.run();

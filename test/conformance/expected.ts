// What an engine without privileges is known to answer otherwise than a chroot, and why. Lines that match are not compared.

import type { Accelerator } from './ways';

type WayName = Accelerator | 'old' | 'narrow';

export interface Difference {
  /** the name of a case, or of all cases of a file */
  readonly promise: string;
  readonly lines: RegExp;
  readonly why: string;
  /** of these ways alone; default all */
  readonly ways?: readonly WayName[];
}

const ALL = /./;

const EXPECTED: readonly Difference[] = [
  {
    promise: 'escapes: a directory that another thread makes a link in time does not lead out',
    lines: /^ {2}reached: /,
    why: 'the kernel walks the path again after the engine has; the engine is no security boundary',
    ways: ['none', 'trace', 'old', 'narrow'],
  },
  {
    promise: 'filters: a filter that knows few calls sees those that were made',
    lines: ALL,
    why: 'a call that the engine answers itself is another by the time that filters see it',
    ways: ['none', 'old'],
  },
  {
    promise: 'escapes: a directory that another process makes a link in time does not show what is outside',
    lines: /^ {2}seen: /,
    why: 'the path is walked again after the engine has; the engine is no security boundary',
    ways: ['none', 'trace', 'old', 'narrow'],
  },
  {
    promise: 'ids: a process becomes a user for good',
    lines: /^ {2}mknod\(/,
    why: 'both refuse it, the chroot because of the directory: what the rights of fake users do not forbid is the caller’s to do',
  },
  ...['a process knows itself, its parent and its children', "orphans are the first process's"].map((name) => ({
    promise: `processes: ${name}`,
    lines: /getppid\(\) == 1|^ {2}above: /,
    why: 'a payload that is no init keeps the number that the host gave it',
  })),
  ...['the first process is the payload', '/proc lists the processes of the tree and no others'].map((name) => ({
    promise: `procfs: ${name}`,
    lines: /^ {2}(status: Pid|first): /,
    why: 'a payload that is no init keeps the number that the host gave it',
  })),
  ...['ptrace: ', 'tracers: '].flatMap((promise) => [
    {
      promise,
      lines: ALL,
      why: 'the engine stands in for the tracer that a 64-bit program is, and a debugger of 32 bits is refused',
      ways: ['narrow'] as const,
    },
    {
      promise,
      lines: ALL,
      why: 'who waits for a tracee is woken by PTRACE_INTERRUPT (Linux 3.4), and without that there are no tracers in the guest',
      ways: ['old'] as const,
    },
  ]),
];

/** What Linux 2.6.32 has not, and so neither a chroot there nor the engine; programs go on without. */
const NEWER: readonly (readonly [promise: string, lines: RegExp])[] = [
  ['dirfds: a descriptor stands for its file with an empty path', /link, "", |S_ISLNK|fchmod/],
  ['dirfds: openat2 opens as openat does', ALL],
  ['dirfds: openat2 in a root does not leave it', ALL],
  ['dirfds: openat2 beneath refuses what leads out', ALL],
  ['dirfds: openat2 without links, and without those of /proc', ALL],
  ['dirfds: descriptors of paths are no more than that', /path/],
  ['exec: execveat of a path, of a descriptor, and of a link', ALL],
  ['exec: fexecve of a program and of a script', /argc > 1/],
  ['filters: ', ALL],
  ['links: a link can be kept from being followed', /O_PATH/],
];

const ON_OLD_KERNELS: readonly Difference[] = [
  ...NEWER.map(([promise, lines]) => ({
    promise,
    lines,
    why: 'Linux 2.6.32 does not have it',
    ways: ['old'] as const,
  })),
  ...[
    'exec: the auxiliary vector is the kernel’s',
    'registers: time is told without a call, and by the old page of calls',
  ].map((promise) => ({
    promise: promise.replace('’', "'"),
    lines: /AT_SYSINFO_EHDR/,
    why: 'a C library would find the age of the kernel there',
    ways: ['old'] as const,
  })),
  {
    promise: 'exec: exec resets handlers and keeps what is ignored and blocked',
    lines: /^ {2}blocked: /,
    why: 'the loader ends in a trap, which unblocks its signal, and only Linux 3.11 lets the tracer block it again',
    ways: ['old'],
  },
  ...[
    'a stopped process stops, its parent is told, and it goes on',
    'a process that is stopped from outside does nothing',
    'SIGTSTP stops, unless there is a handler',
    'SIGCHLD tells of children that end and that stop',
  ].map((name) => ({
    promise: `signals: ${name}`,
    lines: /state ==|shared ==|stopped by|count >= 2/,
    why: 'without PTRACE_LISTEN (Linux 3.4) who traces cannot leave a process stopped',
    ways: ['old'] as const,
  })),
];

/** What is not compared of a case. */
export function differencesOf(name: string, ...of: string[]): RegExp[] {
  return [...EXPECTED, ...ON_OLD_KERNELS]
    .filter(({ promise, ways }) => {
      const about = promise.endsWith(': ') ? name.startsWith(promise) : name === promise;
      return about && (ways === undefined || ways.some((way) => of.includes(way)));
    })
    .map(({ lines }) => lines);
}

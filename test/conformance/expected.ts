// What an engine without privileges is known to answer otherwise than a chroot, and why. Lines that match are not compared.

import type { Accelerator } from './ways';

export interface Difference {
  /** the name of a case, or of all cases of a file */
  readonly promise: string;
  readonly lines: RegExp;
  readonly why: string;
  /** of these ways alone; default all */
  readonly ways?: readonly Accelerator[];
}

const ALL = /./;

const EXPECTED: readonly Difference[] = [
  {
    promise: 'escapes: a directory that another thread makes a link in time does not lead out',
    lines: /^ {2}reached: /,
    why: 'the kernel walks the path again after the engine has; the engine is no security boundary',
    ways: ['none', 'trace'],
  },
  {
    promise: 'filters: the strict mode',
    lines: /^ {2}strict open: /,
    why: 'the kernel has one kind of filters for a process, and the engine has loaded one',
    ways: ['trace'],
  },
  {
    promise: 'filters: a filter that knows few calls sees those that were made',
    lines: ALL,
    why: 'a call that the engine answers itself is another by the time that filters see it',
    ways: ['none'],
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
  {
    promise: 'signals: a handler is told who sent the signal and with what',
    lines: /si_uid/,
    why: 'the kernel says as whom the sender really runs',
  },
  {
    promise: 'sockets: credentials travel with a message',
    lines: /^ {2}sender: /,
    why: 'the kernel says as whom the sender really runs',
  },
  {
    promise: 'sockets: paths of sockets of the greatest length',
    lines: /\/s{20}|^ {2}own name: |^ {2}unlink/,
    why: 'the path of the tree is in front of it, and the kernel takes 108 bytes',
  },
  { promise: 'ptrace: ', lines: ALL, why: 'a process has one tracer, and that is the engine' },
];

/** What is not compared of a case. */
export function differencesOf(name: string, way: string): RegExp[] {
  return EXPECTED.filter(({ promise, ways }) => {
    const about = promise.endsWith(': ') ? name.startsWith(promise) : name === promise;
    return about && (ways === undefined || (ways as readonly string[]).includes(way));
  }).map(({ lines }) => lines);
}

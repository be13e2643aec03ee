// The calls of systemd-machined as command lines of busctl(1): its interface is in org.freedesktop.machine1(5).

import type { Step } from '@tsnspawn/core';

/** Stands for the process id of the guest's PID 1, which the monitor puts in. */
export const LEADER = '$LEADER';

/** Seconds that machined may take to answer: less than the runner waits for busctl itself. */
const TIMEOUT = 10;

/** The command lines that make a machine known, and that sign it off. */
export function busCalls(step: Extract<Step, { op: 'register' }>): readonly [call: string[], end: string[]] {
  const { program, machine, id, root } = step;
  const manager = [
    program,
    '--system',
    '--quiet',
    `--timeout=${TIMEOUT}`,
    'call',
    'org.freedesktop.machine1',
    '/org/freedesktop/machine1',
    'org.freedesktop.machine1.Manager',
  ];
  const bytes = (id.match(/../g) ?? []).map((pair) => String(Number.parseInt(pair, 16)));
  return [
    [
      ...manager,
      'RegisterMachine',
      'sayssus',
      machine,
      String(bytes.length),
      ...bytes,
      'tsnspawn',
      'container',
      LEADER,
      root,
    ],
    [...manager, 'UnregisterMachine', 's', machine],
  ];
}

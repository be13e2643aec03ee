// What one comparison is: the same command line for both launchers, and the promise that they agree.

import type { Place } from './place';

export interface Case {
  /** the promise in words; unique */
  readonly promise: string;
  /** what is compared; {place} is the directory of the launcher, where it runs, and which holds the tree `guest` */
  readonly options?: readonly string[];
  /** what runs in the guest; without it the probe, whose report is compared line by line. [] is no command at all. */
  readonly command?: readonly string[];
  /** where both are started, below that directory */
  readonly cwd?: string;
  /** options that stand first; default: -q -P -D guest */
  readonly base?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** on a terminal of its own */
  readonly terminal?: true;
  /** once the output matches, this is sent to the launcher */
  readonly signal?: readonly [when: RegExp, name: NodeJS.Signals];
  /** made before, in the directory of each launcher */
  readonly prepare?: (place: Place) => void;
  /** what is to be seen on the host afterwards; compared too */
  readonly after?: (place: Place) => string;
  /** only the status counts, and that a failure says something: what is refused, or whose output is no promise */
  readonly statusOnly?: true;
  /** it takes names of the host (interfaces, ranges of ids), so no other such case runs beside it */
  readonly alone?: true;
  /** first version of systemd-nspawn that has it */
  readonly since?: number;
  /** seconds; default 20 */
  readonly timeout?: number;
}

/** A case that both refuse. */
export const refused = (what: string, ...options: readonly string[]): Case => ({
  promise: `refused: ${what}`,
  options,
  command: ['/bin/true'],
  statusOnly: true,
});

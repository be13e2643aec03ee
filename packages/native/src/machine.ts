// Starting a plan: encode it, hand it to the addon, and turn the monitor's messages into a promise and a few callbacks.

import { readlinkSync } from 'node:fs';
import { type FailedStep, type LaunchPlan, type Slot, StepError, UsageError, type UserMaps } from '@tsnspawn/core';
import { addon, type NativeLaunch, type NativeMaps, nodeCommand } from './addon';
import { encodePlan, namespaceFlags } from './encode';
import { mapText } from './encode/fields';
import { seccompProgram } from './filters';

/** wire::Event. */
enum Event {
  Gone = -1,
  Failed = 0,
  Started = 1,
  Notify = 2,
  Exited = 3,
  Rebooting = 4,
}

/** wire::Cause: the escape sequence was typed on the console. */
const CAUSE_ESCAPE = 1;

/** How a guest ended. */
export type GuestEnd =
  /** its PID 1 exited */
  | { readonly kind: 'exited'; readonly status: number }
  /** its PID 1 was killed by a signal; halt and power off are SIGINT (2), a reboot that was not followed SIGHUP (1) */
  | { readonly kind: 'signaled'; readonly signal: number }
  /** the user typed the escape sequence */
  | { readonly kind: 'escaped' }
  /** the monitor was killed, and the kernel killed the guest with it */
  | { readonly kind: 'monitor-lost'; readonly signal: number };

export interface StartOptions {
  /** descriptor of the tree, locked; the monitor keeps the lock for as long as it lives */
  readonly lockFd: number;
  /** descriptors for the slots that the plan wants handed; copies go to the monitor */
  readonly handed?: ReadonlyMap<Slot, number>;
  /** descriptors of lock files; the monitor holds copies, and removes the files at its end */
  readonly lockFiles?: readonly number[];
  /** where the guest's output goes. Default 1 */
  readonly stdout?: number;
  /** what /proc/PID/environ of the monitor shows */
  readonly env: readonly string[];
}

export interface GuestEvents {
  /** the payload is running */
  readonly onStarted?: () => void;
  /** an sd_notify(3) message of the guest's PID 1 */
  readonly onNotify?: (text: string) => void;
  /** the guest has gone down and is started again */
  readonly onRebooting?: () => void;
}

export interface RunningGuest {
  /** process id of the monitor, whose child the guest's PID 1 is */
  readonly monitorPid: number;
  /** Sends a signal to the guest's PID 1; false when the guest has gone. */
  signal(number: number): boolean;
  /** Resolves when no process of the guest and no monitor is left. Rejects with StepError when the guest never started. */
  readonly ended: Promise<GuestEnd>;
}

/**
 * Starts a guest.
 * @throws StepError when the monitor cannot be started
 */
export function startPlan(plan: LaunchPlan, options: StartOptions, events: GuestEvents): RunningGuest {
  const native = addon();
  let resolve!: (end: GuestEnd) => void;
  let reject!: (error: Error) => void;
  const ended = new Promise<GuestEnd>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  let end: GuestEnd | undefined;
  let failure: StepError | undefined;
  const hear = (kind: number, a: number, b: number, c: number, text: string): void => {
    switch (kind) {
      case Event.Started:
        events.onStarted?.();
        break;
      case Event.Notify:
        events.onNotify?.(text);
        break;
      case Event.Rebooting:
        events.onRebooting?.();
        break;
      case Event.Exited:
        if (c === CAUSE_ESCAPE) end = { kind: 'escaped' };
        else if (b !== 0) end = { kind: 'signaled', signal: b };
        else end = { kind: 'exited', status: a };
        break;
      case Event.Failed:
        failure ??= new StepError(failedStep(plan, a, b), c, text === '' ? undefined : text);
        break;
      case Event.Gone:
        if (failure !== undefined) reject(failure);
        else resolve(end ?? { kind: 'monitor-lost', signal: b });
        break;
    }
  };
  const monitor = rethrowing(plan, () => native.launch(nativeLaunch(plan, options), hear));
  return { monitorPid: monitor.pid, signal: (number) => monitor.signal(number), ended };
}

export interface SupervisionOptions extends StartOptions {
  /** the tree, for messages */
  readonly tree: string;
  readonly quiet: boolean;
  readonly notifyReady: boolean;
}

/**
 * Starts a guest and gives this process up to it: Node is replaced by the supervisor, a few pages of C++ under the same process
 * id, which ends with the guest's status. When a step of the plan fails, the supervisor executes Node again with the same
 * command line; failureOf() then tells the step.
 * @throws StepError when the monitor cannot be started
 */
export function supervisePlan(plan: LaunchPlan, options: SupervisionOptions): never {
  return rethrowing(plan, () =>
    addon().supervise({
      ...nativeLaunch(plan, options),
      machine: plan.machine,
      tree: options.tree,
      manager: process.env.NOTIFY_SOCKET,
      quiet: options.quiet,
      notifyReady: options.notifyReady,
      interactive: plan.monitor.console === 'interactive',
      argv: [...nodeCommand(), ...process.argv.slice(1)],
    }),
  );
}

/** Set by the supervisor for a Node that has to explain a failure: its process id, side, step, errno, and what it was about. */
const FAILURE_VARIABLE = 'TSNSPAWN_FAILURE';

/** True in a Node that was executed again to explain a failure: what there is to say before a launch has been said. */
export function explainsFailure(): boolean {
  return failureText() !== null;
}

function failureText(): RegExpExecArray | null {
  const match = /^(\d+) (\d) (-?\d+) (\d+) (.*)$/s.exec(process.env[FAILURE_VARIABLE] ?? '');
  // The supervisor was this very process: one that is inherited is none.
  return match !== null && Number(match[1]) === process.pid ? match : null;
}

/** The failure is told, and this Node launches anew. */
export function forgetFailure(): void {
  delete process.env[FAILURE_VARIABLE];
}

/** The failed step of a launch of this plan that a supervisor has seen, or undefined when there was none before this one. */
export function failureOf(plan: LaunchPlan): StepError | undefined {
  const match = failureText();
  if (match === null) return undefined;
  const [, , side, index, errno, about] = match;
  return new StepError(failedStep(plan, Number(side), Number(index)), Number(errno), about === '' ? undefined : about);
}

function nativeLaunch(plan: LaunchPlan, options: StartOptions): NativeLaunch {
  const lockFiles = [...(options.lockFiles ?? []), ...(plan.locks ?? []).map((slot) => handedFor(slot, options))];
  return {
    plan: encodePlan(plan, seccompProgram, lockFiles.length),
    lockFd: options.lockFd,
    handed: [...plan.handed.map((slot) => handedFor(slot, options)), ...lockFiles, ...listenFds(plan)],
    stdout: options.stdout ?? 1,
    name: `tsnspawn-monitor: ${plan.machine}`,
    env: options.env,
    namespaces: namespaceFlags(plan.clone.monitor),
    ...(plan.clone.maps === undefined ? {} : { maps: nativeMaps(plan.clone.maps) }),
  };
}

/** Maps as the addon takes them. */
export function nativeMaps({ uids, gids, programs, denySetgroups = false }: UserMaps): NativeMaps {
  return {
    uids: mapText(uids),
    gids: mapText(gids),
    newuidmap: programs?.uids,
    newgidmap: programs?.gids,
    denySetgroups,
  };
}

/** Where sd_listen_fds(3) has a process look for the descriptors that it was given. */
const LISTEN_FDS_START = 3;

function listenFds({ listen }: LaunchPlan): number[] {
  return Array.from({ length: listen }, (_, index) => {
    const fd = LISTEN_FDS_START + index;
    // where the caller left a gap, Node has put something of its own
    if (!isForeign(fd)) throw new UsageError(`LISTEN_FDS=${listen}, but descriptor ${fd} is not open`);
    return fd;
  });
}

function isForeign(fd: number): boolean {
  try {
    return !readlinkSync(`/proc/self/fd/${fd}`).startsWith('anon_inode:');
  } catch {
    return false;
  }
}

function handedFor(slot: Slot, { handed }: StartOptions): number {
  const fd = handed?.get(slot);
  if (fd === undefined) throw new RangeError(`the plan wants a descriptor that nobody has opened: ${slot}`);
  return fd;
}

/** Puts an error of the addon into words. */
function rethrowing<T>(plan: LaunchPlan, start: () => T): T {
  try {
    return start();
  } catch (error) {
    const { errno, syscall, about } = error as { errno?: number; syscall?: string; about?: string };
    if (errno === undefined || syscall === undefined) throw error;
    throw new StepError(startStep(plan, syscall), errno, about);
  }
}

/** What the addon was at: a word of native/src/addon/spawn.cc. */
function startStep({ clone }: LaunchPlan, what: string): FailedStep {
  if (what === 'clone') return { op: 'clone', namespaces: clone.monitor };
  if (what === 'map' && clone.maps !== undefined) return { op: 'map', ...clone.maps };
  return { op: 'runner' };
}

function failedStep(plan: LaunchPlan, side: number, index: number): FailedStep {
  const steps = [plan.outer, plan.host, plan.inner, plan.late][side] ?? [];
  return steps[index] ?? { op: 'clone', namespaces: plan.clone.guest };
}

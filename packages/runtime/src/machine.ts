// A machine: a running guest as its user holds it. Starting it takes the tree's lock; when it has ended, nothing of it is
// left, whoever died first.

import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchPlan, Slot } from '@tsnspawn/core';
import { addon, type GuestEnd, type RunningGuest, startPlan } from '@tsnspawn/native';
import { debug } from './debug';
import { releaseDevices } from './held';
import { type LockOptions, releaseLock, takeLock } from './lock';

const SIGHUP = 1;
const SIGINT = 2;
const SIGKILL = 9;

/** EXIT_FORCE_RESTART of systemd-nspawn: tells a service manager to start the unit again. */
const EXIT_RESTART = 133;

export interface MachineOptions extends LockOptions {
  /** descriptors for the slots that the plan wants handed */
  readonly handed?: ReadonlyMap<Slot, number>;
  /** descriptor for the guest's output. Default 1 */
  readonly stdout?: number;
  /** called at each start of the guest, the first and those after a reboot */
  readonly onStarted?: () => void;
  /** the guest's PID 1 has said READY=1: it is up */
  readonly onReady?: () => void;
  /** STATUS= of the guest's PID 1 */
  readonly onStatus?: (text: string) => void;
  readonly onRebooting?: () => void;
}

/** How a machine ended: the launcher's exit status, and what happened in one phrase. */
export interface MachineEnd {
  readonly status: number;
  /** goes on after "Container NAME": `exited successfully` */
  readonly text: string;
}

export interface Machine {
  readonly name: string;
  /** process id of the monitor */
  readonly monitorPid: number;
  /** Sends a signal to the guest's PID 1; false when it has gone. */
  signal(number: number): boolean;
  /** Ends the guest: in order the first time, where its init knows how; at once the second time. True for the first. */
  terminate(): boolean;
  /** Resolves when nothing of the guest is left; rejects with StepError when it could not be started. */
  readonly ended: Promise<MachineEnd>;
}

/**
 * Carries out a plan.
 * @throws TreeError when another machine has the tree
 * @throws StepError when the monitor cannot be started
 */
export function startMachine(plan: LaunchPlan, options: MachineOptions): Machine {
  const native = addon();
  const { held } = options;
  const lock = takeLock(options);
  const interactive = plan.monitor.console === 'interactive';
  if (interactive) native.saveTerminal();
  let guest: RunningGuest;
  try {
    const stdout = options.stdout ?? 1;
    guest = startPlan(
      plan,
      { ...lock, handed: options.handed ?? new Map(), stdout, env: monitorEnvironment(plan) },
      {
        ...(options.onStarted === undefined ? {} : { onStarted: options.onStarted }),
        ...(options.onRebooting === undefined ? {} : { onRebooting: options.onRebooting }),
        onNotify: (text) => hearNotification(text, options),
      },
    );
  } catch (error) {
    releaseLock(lock);
    throw error;
  } finally {
    if (held !== undefined) releaseDevices(held);
  }
  // The monitor has its own copies: the lock lasts as long as the guest, even when this process is killed.
  for (const fd of [lock.lockFd, ...lock.lockFiles]) native.closeFd(fd);
  debug('machine', '%s: monitor %d', plan.machine, guest.monitorPid);
  let asked = false;
  return {
    name: plan.machine,
    monitorPid: guest.monitorPid,
    signal: (number) => guest.signal(number),
    terminate() {
      const first = !asked && plan.monitor.killSignal !== 0;
      asked = true;
      guest.signal(first ? plan.monitor.killSignal : SIGKILL);
      return first;
    },
    ended: guest.ended.then((end) => {
      if (end.kind === 'monitor-lost') {
        // What the monitor would have done last.
        if (interactive) native.restoreTerminal();
        removeRemains(plan);
      }
      return machineEnd(end);
    }),
  };
}

/** What the monitor, and a stub PID 1, show as their environment. */
export function monitorEnvironment(plan: LaunchPlan): string[] {
  const exec = plan.inner.find((step) => step.op === 'exec');
  return exec?.env.filter((variable) => /^container(_uuid)?=/.test(variable)) ?? [];
}

function hearNotification(text: string, options: MachineOptions): void {
  for (const line of text.split('\n')) {
    if (line === 'READY=1') options.onReady?.();
    if (line.startsWith('STATUS=')) options.onStatus?.(line.slice('STATUS='.length));
  }
}

function machineEnd(end: GuestEnd): MachineEnd {
  switch (end.kind) {
    case 'exited':
      if (end.status === 0) return { status: 0, text: 'exited successfully' };
      return { status: end.status, text: `failed with error code ${end.status}` };
    case 'escaped':
      return { status: 1, text: 'has been killed from the terminal' };
    case 'monitor-lost':
      return { status: 1, text: `has been killed with its monitor (signal ${end.signal})` };
    case 'signaled':
      // How the kernel shows reboot(2) of a PID namespace: pid_namespaces(7).
      if (end.signal === SIGINT) return { status: 0, text: 'has been shut down' };
      if (end.signal === SIGHUP) return { status: EXIT_RESTART, text: 'has been rebooted' };
      return { status: 1, text: `terminated by signal ${end.signal}` };
  }
}

/** Removes cgroups and temporary directories of a plan whose monitor was killed. Its processes are gone: the kernel took them along. */
function removeRemains(plan: LaunchPlan): void {
  for (const step of plan.outer) {
    if (step.op === 'cgroup') removeCgroup(step.mount + step.path);
    if (step.op === 'tempDirectory') removeTemporary(step.path);
  }
}

function removeTemporary(path: string): void {
  const opened = addon().openTree(path);
  if (typeof opened === 'number') return;
  addon().removeDirectory(opened.fd, path);
  addon().closeFd(opened.fd);
}

function removeCgroup(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(path, entry.name));
    }
    rmdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') debug('machine', '%s: %o', path, error);
  }
}

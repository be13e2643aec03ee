// Machines for one test each: started, handed to the test, and gone at its end, however that comes about.

import { commandLine } from './footprint';
import {
  descendantsOf,
  type Running,
  type StartOptions,
  startOnTerminal,
  startScript,
  startTsnspawn,
} from './launcher';

const isMonitor = (pid: number): boolean => commandLine(pid).startsWith('tsnspawn-monitor: ');

/** Runs the test with the machine; what still runs at its end is killed. */
export async function withRunning<T>(running: Running, body: (running: Running) => Promise<T>): Promise<T> {
  try {
    return await body(running);
  } catch (error) {
    if (error instanceof Error) error.message += `\n--- output of the command ---\n${running.output.slice(-4000)}`;
    throw error;
  } finally {
    if (running.child.exitCode === null && running.child.signalCode === null) {
      // script(1) has the launcher below it: that would otherwise only hear a hang-up, and shut down in its own time. The monitor
      // stays: it ends the guest when the launcher is gone, and takes its cgroup away
      for (const pid of [running.pid, ...descendantsOf(running.pid).filter((one) => !isMonitor(one))]) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {} // gone already
      }
    }
    if (!running.readsOutput) running.dropOutput();
    await running.exited;
  }
}

export function withMachine<T>(
  args: readonly string[],
  body: (running: Running) => Promise<T>,
  options: StartOptions = {},
): Promise<T> {
  return withRunning(startTsnspawn(args, options), body);
}

export function withTerminal<T>(
  args: readonly string[],
  body: (running: Running) => Promise<T>,
  size?: { rows: number; columns: number },
): Promise<T> {
  return withRunning(startOnTerminal(args, size), body);
}

/** A shell script on a terminal of its own. */
export function withScript<T>(script: string, body: (running: Running) => Promise<T>): Promise<T> {
  return withRunning(startScript(script), body);
}

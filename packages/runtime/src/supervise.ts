// From a plan to an exit status, as a foreground command does it.

import type { LaunchPlan, Slot } from '@tsnspawn/core';
import { failureOf, supervisePlan } from '@tsnspawn/native';
import { type LockOptions, letGo, releaseLock, type TreeLock, takeLock } from './lock';
import { monitorEnvironment } from './machine';
import { enterLeaf } from './scope';

export interface SuperviseOptions extends LockOptions {
  /** descriptors for the slots that the plan wants handed */
  readonly handed?: ReadonlyMap<Slot, number>;
  /** no messages but errors */
  readonly quiet: boolean;
  /** READY=1 goes to the service manager when the guest says it, instead of when it starts */
  readonly notifyReady: boolean;
  /** tells the user a line, without a newline, while the terminal still is in its usual mode */
  readonly say: (line: string) => void;
}

/**
 * Runs a guest until it ends, and this process with it, by the status that the guest's end means. SIGTERM, SIGINT and SIGHUP shut
 * a booted guest down in order; a second one kills it. It never returns: Node makes room for native/src/supervisor.
 * @throws TreeError when another machine has the tree
 * @throws StepError when the guest could not be started
 */
export function supervise(plan: LaunchPlan, options: SuperviseOptions): never {
  const { handed = new Map<Slot, number>() } = options;
  const failure = failureOf(plan);
  let lock: TreeLock;
  try {
    if (failure !== undefined) throw failure;
    lock = takeLock(options);
  } catch (error) {
    letGo(handed);
    throw error;
  }
  if (plan.monitor.console === 'interactive' && !options.quiet) {
    // Elsewhere the supervisor says it, once the guest runs: an error then stands alone.
    options.say(`Spawning container ${plan.machine} on ${options.tree.path}.`);
    options.say('Press Ctrl-] three times within 1s to kill the container.');
  }
  try {
    enterLeaf(plan);
    return supervisePlan(plan, {
      ...options,
      ...lock,
      tree: options.tree.path,
      env: monitorEnvironment(plan),
    });
  } catch (error) {
    releaseLock(lock);
    throw error;
  }
}

// Who PID 1 is, whether that is a boot, and how it is asked to go.

import { TreeError } from '../errors';
import type { InitKind, TreeFacts } from '../facts';
import { SIGNAL_HALT, SIGPWR, SIGUSR2 } from '../signals';
import type { ContainerSpec } from '../spec';
import type { PayloadView } from './model';

/** Where a boot looks for an init, in this order. */
export const INIT_CANDIDATES = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd', '/sbin/init'] as const;

/**
 * A COMMAND of one of these names is a boot too: whoever types /sbin/init wants an orderly shutdown and the environment of an
 * init, whether -b was said or not.
 */
const INIT_COMMANDS: readonly string[] = [...INIT_CANDIDATES, '/usr/sbin/init', '/bin/init'];

/** Whether an init is to run: only then does it matter which one the tree has. */
export function boots(spec: ContainerSpec): boolean {
  const [command] = spec.command;
  return spec.start === 'boot' || (spec.start === 'pid1' && command !== undefined && INIT_COMMANDS.includes(command));
}

/** The payload of a container. */
export function payloadOf(spec: ContainerSpec, tree: TreeFacts): PayloadView {
  const [command, ...args] = spec.command;
  const common = {
    stub: spec.start === 'pid2',
    user: spec.user ?? 'root',
    ...(spec.chdir === undefined ? {} : { directory: spec.chdir }),
  };
  if (spec.start === 'boot') {
    if (tree.init === 'none') {
      throw new TreeError(`the tree ${tree.path} has no init`, {
        path: tree.path,
        option: '--boot',
        hint: `looked for ${INIT_CANDIDATES.join(', ')}; without --boot a shell is started`,
      });
    }
    const candidates = INIT_CANDIDATES.map((path) => ({ path }));
    return { kind: 'boot', candidates, userShell: false, args: spec.command, ...inRoot(common), init: tree.init };
  }
  if (command === undefined) {
    const candidates = [
      { path: '/bin/bash', argv0: '-bash' },
      { path: '/bin/sh', argv0: '-sh' },
    ];
    return { kind: 'shell', candidates, userShell: true, args: [], ...common };
  }
  const single = { candidates: [{ path: command }], userShell: false, args, ...inRoot(common) };
  if (boots(spec)) return { kind: 'boot', ...single, init: tree.init };
  return { kind: 'command', ...single };
}

/** Only a login shell starts in the user's home; everything else in / when nothing was said. */
function inRoot<T extends { readonly directory?: string }>(common: T): T & { readonly directory: string } {
  return { ...common, directory: common.directory ?? '/' };
}

/** The signal that asks PID 1 to shut down; 0 for a payload that is no init and is killed instead. */
export function killSignalOf(spec: ContainerSpec, payload: PayloadView): number {
  if (spec.killSignal !== undefined) return spec.killSignal;
  return payload.kind === 'boot' ? shutdownSignal(payload.init ?? 'unknown') : 0;
}

/** The shutdown signal that an init understands; that of systemd where nothing is known. */
function shutdownSignal(init: InitKind): number {
  switch (init) {
    case 'busybox':
      return SIGUSR2;
    case 'sysvinit':
      return SIGPWR;
    default:
      return SIGNAL_HALT;
  }
}

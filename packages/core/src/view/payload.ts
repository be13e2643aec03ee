// Who PID 1 is, whether that is a boot, and how it is asked to go.

import { TreeError, UsageError } from '../errors';
import type { HostFacts, InitKind, TreeFacts } from '../facts';
import { SIGINT, SIGNAL_HALT, SIGNAL_POWER_OFF, SIGNAL_REBOOT, SIGPWR, SIGTERM, SIGUSR2 } from '../signals';
import type { ContainerSpec, FakeId } from '../spec';
import type { InitSignals, PayloadView } from './model';

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

/** Where the system lies, for messages: the tree, or the directory of it that --pivot-root makes the root. */
export function systemPath({ pivotRoot }: ContainerSpec, { path }: TreeFacts): string {
  return pivotRoot === undefined ? path : path.replace(/\/$/, '') + pivotRoot.newRoot;
}

/** The payload of a container. */
export function payloadOf(spec: ContainerSpec, tree: TreeFacts): PayloadView {
  const [command, ...args] = spec.command;
  const common = {
    stub: spec.start === 'pid2',
    user: spec.user ?? 'root',
    ...(spec.groups === undefined ? {} : { groups: spec.groups }),
    ...(spec.chdir === undefined ? {} : { directory: spec.chdir }),
  };
  if (spec.start === 'boot') {
    if (tree.init === 'none') {
      throw new TreeError(`the tree ${systemPath(spec, tree)} has no init`, {
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

/** Whether the payload keeps the caller's own ids: what it makes belongs to the caller then, and shows so. Root is root anyway. */
function keepsOwnIds(spec: ContainerSpec, { euid }: Pick<HostFacts, 'euid'>): boolean {
  const { shareHost, fakeId, user } = spec;
  return euid !== 0 && shareHost.length > 0 && fakeId === undefined && user === undefined && !boots(spec);
}

/** The ids that --fake-id asks for, or that the caller has and keeps: nobody has to have them in the guest's files. */
export function askedIds(
  spec: ContainerSpec,
  host: HostFacts,
): Pick<PayloadView, 'account' | 'keepsIds'> & { user?: string } {
  const { fakeId } = spec;
  const account = (ids: FakeId, home: string) => ({ ...ids, home, shell: '', groups: [] });
  if (fakeId?.uid === 0 && fakeId.gid === 0) return { user: 'root' };
  if (fakeId !== undefined) return { user: String(fakeId.uid), account: account(fakeId, '/') };
  if (!keepsOwnIds(spec, host)) return {};
  if (spec.procReadOnly) throw refusal('--proc', '--proc=read-only', 'the ids of its user namespace are written there');
  if (spec.ambientCapabilities.length > 0)
    throw refusal(
      '--ambient-capability',
      '--ambient-capability',
      'who keeps the own ids has no power over the container',
    );
  const { name, ...ids } = host.caller;
  const home = spec.shareHost.includes('home') ? (host.env.HOME ?? '/') : '/';
  return { user: name, account: account(ids, home), keepsIds: true };
}

function refusal(option: string, asked: string, reason: string): UsageError {
  return new UsageError(`${asked} cannot go with --share-host of an ordinary user: ${reason}`, {
    option,
    hint: 'with --fake-root it can',
  });
}

/** Only a login shell starts in the user's home; everything else in / when nothing was said. */
function inRoot<T extends { readonly directory?: string }>(common: T): T & { readonly directory: string } {
  return { ...common, directory: common.directory ?? '/' };
}

/** Those of systemd, which also a program that is no init may know. */
const SYSTEMD: InitSignals = { shutdown: SIGNAL_HALT, powerOff: SIGNAL_POWER_OFF, reboot: SIGNAL_REBOOT };

/** The signals of the payload; `--kill-signal` is how it shuts down, on a key as well. */
export function signalsOf(spec: ContainerSpec, payload: PayloadView, tree: TreeFacts): InitSignals {
  const own = payload.kind === 'boot' ? initSignals(payload.init ?? 'unknown', tree) : { ...SYSTEMD, shutdown: 0 };
  const { killSignal = own.shutdown } = spec;
  return { ...own, shutdown: killSignal, powerOff: killSignal === own.shutdown ? own.powerOff : killSignal };
}

/** The signals that an init understands; those of systemd where nothing is known. */
function initSignals(init: InitKind, tree: TreeFacts): InitSignals {
  switch (init) {
    case 'busybox':
      return { shutdown: SIGUSR2, powerOff: SIGUSR2, reboot: SIGTERM };
    case 'sysvinit': {
      // Without a line for SIGPWR it would do nothing. Ctrl-alt-del shuts down too, and the monitor does not start it again.
      const shutdown = tree.powerfail === true ? SIGPWR : SIGINT;
      return { shutdown, powerOff: shutdown, reboot: SIGINT };
    }
    case 'openrc':
      // newer ones know those of systemd as well
      return { shutdown: SIGTERM, powerOff: SIGTERM, reboot: SIGINT };
    default:
      return SYSTEMD;
  }
}

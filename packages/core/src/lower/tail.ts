// The tail of a launch: session, limits, user, privileges, exec. The same for a new guest and for an exec into a running one.

import type { MonitorPlan, Step } from '../plan';
import type { ContainerView } from '../view/model';

/**
 * The steps from the session to the exec.
 *
 * Order: limits and the oom score need capabilities that identity takes away; the working directory is entered as the
 * payload's user; a filter comes last, as it may forbid anything before it, and only the exec is left to pass it.
 *
 * @param uuid the machine id, dashed
 * @param limits what lowerLimits() gave, or what stands for it where the monitor sets them
 */
export function lowerTail(view: ContainerView, uuid: string, limits: readonly Step[]): Step[] {
  const { payload, privileges } = view;
  const { bounding, ambient, noNewPrivileges } = privileges;
  const who = {
    op: 'lookupUser',
    user: payload.user,
    ...(payload.groups === undefined ? {} : { groups: payload.groups }),
    ...(payload.account === undefined ? {} : { account: payload.account }),
  } as const;
  return [
    { op: 'session' },
    ...(view.console === 'pipe' ? [] : [{ op: 'console', controlling: payload.kind !== 'boot' } as const]),
    ...limits,
    ...(view.personality === undefined ? [] : [{ op: 'personality', persona: view.personality } as const]),
    ...(view.cpuAffinity === undefined ? [] : [{ op: 'cpuAffinity', cpus: view.cpuAffinity } as const]),
    who,
    // before it takes the identity, which it may have to emulate
    ...(view.users?.remember === undefined ? [] : [{ op: 'fakeRoot', ...view.users.remember } as const]),
    payload.keepsIds === true
      ? { op: 'keepIds', uid: payload.account?.uid ?? 0, gid: payload.account?.gid ?? 0, noNewPrivileges }
      : { op: 'identity', bounding, ambient, noNewPrivileges },
    payload.directory === undefined ? { op: 'chdir' } : { op: 'chdir', path: payload.directory },
    ...(privileges.label === undefined ? [] : [{ op: 'execLabel', label: privileges.label } as const]),
    // the limits, the oom score and the label are written to /proc
    ...(view.procReadOnly ? [{ op: 'remount', target: '/proc', flags: ['ro'] } as const] : []),
    ...privileges.filters.map((filter): Step => ({ op: 'seccomp', ...filter })),
    {
      op: 'exec',
      candidates: payload.candidates,
      ...(payload.userShell ? { userShell: true } : {}),
      args: payload.args,
      env: view.environment.map(({ name, value }) => `${name}=${typeof value === 'string' ? value : uuid}`),
    },
  ];
}

/** Resource limits and the oom score: last of what the host's root does, since they also hold for whoever sets them. */
export function lowerLimits(view: ContainerView): Step[] {
  return [
    ...view.limits.map((limit): Step => ({ op: 'rlimit', ...limit })),
    ...(view.oomScoreAdjust === undefined ? [] : [{ op: 'oomScoreAdjust', value: view.oomScoreAdjust } as const]),
  ];
}

/** What the monitor does while the guest runs: the same in both engines. */
export function lowerMonitor(view: ContainerView): MonitorPlan {
  return {
    console: view.console,
    ...(view.background === undefined ? {} : { background: view.background }),
    killSignal: view.signals.shutdown,
    keySignals: { powerOff: view.signals.powerOff, reboot: view.signals.reboot },
    restart: view.restart,
    notifyReady: view.notifyReady,
  };
}

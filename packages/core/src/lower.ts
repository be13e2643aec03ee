// lower(): view → plan for the namespaces engine. The order of a launch is written here, once.

import type { HostFacts } from './facts';
import { lowerCgroup } from './lower/cgroup';
import { lowerEntries, type RunVariables } from './lower/filesystem';
import { lowerNetwork } from './lower/network';
import { lowerRoot, ROOT } from './lower/root';
import { lowerLimits, lowerMonitor, lowerTail } from './lower/tail';
import { lowerUsers, RANGE_LOCK } from './lower/users';
import type { LaunchPlan, Namespace, Step } from './plan';
import type { ContainerView } from './view/model';
import { dashed } from './view/names';

/** The guest's own cgroups belong to its root, who is not the host's. */
function delegate(steps: readonly Step[], owner: number): Step[] {
  return steps.flatMap((step): Step[] =>
    step.op === 'cgroup' && step.into ? [{ op: 'delegateCgroup', from: step.as, owner }] : [],
  );
}

/** The step with the SELinux label for what it mounts: on the file systems that are the guest's own and keep labels. */
function labelled(step: Step, label: string | undefined): Step {
  if (label === undefined || (step.op !== 'mount' && step.op !== 'newMount')) return step;
  if (step.fs !== 'tmpfs' && step.fs !== 'devpts') return step;
  // quoted: the categories of a label are parted by commas
  return { ...step, data: [...(step.data === '' ? [] : [step.data]), `context="${label}"`].join(',') };
}

/** The monitor's last step, in the host's mount namespace: from then on others may come to see the guest. */
function register({ machine, unit, root }: ContainerView, uuid: string): Step[] {
  if (unit === undefined || unit.register === false) return [];
  const step: Step = {
    op: 'register',
    program: '/usr/bin/busctl',
    machine,
    id: uuid.replaceAll('-', ''),
    root: root.base.kind === 'image' ? '' : root.base.source,
  };
  return [unit.register === 'auto' ? { ...step, optional: true } : step];
}

/**
 * The plan that makes this view real with namespaces.
 *
 * The monitor is PID 1 of a PID namespace of its own, so that the kernel kills the whole guest when the monitor dies, whatever
 * the payload did to its user id or its parent-death signal. It ends up in the host's mount namespace: all that it opens there
 * are detached mounts, which are gone when it is. For overlays, and for a guest with a user namespace, it works in a mount
 * namespace of its own for a while.
 */
export function lower(view: ContainerView, host: HostFacts, run: RunVariables): LaunchPlan {
  const uuid = dashed(view.uuid ?? run.uuid);
  const unique = `tsnspawn-${view.machine}-${run.pid}`;
  const cgroup = lowerCgroup(view.cgroup, view.resources, host.cgroup, unique);
  const network = lowerNetwork(view.network, unique);
  const ownNetwork = view.network.namespace === 'new';
  const filesystem = lowerEntries(view.entries, uuid, view.users, ownNetwork, view.root.changes);
  const root = lowerRoot(view.root, view.users);
  const users = view.users && lowerUsers(view.users, ownNetwork, network.host, filesystem.own);
  const limits = lowerLimits(view);
  const shares = (name: 'ipc' | 'uts'): boolean => view.sharedNamespaces.includes(name);
  const namespaces: Namespace[] = [
    'mnt',
    'pid',
    ...(['uts', 'ipc'] as const).filter((name) => !shares(name)),
    ...(ownNetwork ? (['net'] as const) : []),
  ];
  // mounts of the host below the tree or a bind still arrive; ours are not shared yet, since a bind of a shared mount is its
  // peer, and each mount below the one would appear a second time below the other
  const enter: readonly Step[] = [{ op: 'pivotRoot', from: ROOT, propagation: 'slave' }, ...root.entered];
  // so that mounts made in the guest reach the mount namespaces of its own services
  const share: Step = { op: 'propagation', mode: 'shared' };
  const inside = (own?: boolean): Step[] =>
    filesystem.inside.filter((one) => own === undefined || one.own === own).map(({ step }) => step);
  const around = view.users?.around;
  const byUser = { userXattr: true, ...(host.fuseOverlay === undefined ? {} : { program: host.fuseOverlay }) };
  const overlays = [...root.overlay, ...filesystem.overlay].map(
    (step): Step => (step.op === 'overlay' && around !== undefined ? { ...step, ...byUser } : step),
  );
  const outer: Step[] = [
    ...cgroup.host,
    ...(view.users === undefined ? [] : delegate(cgroup.host, view.users.base)),
    ...(users?.open ?? []),
    ...network.outer,
    ...root.open,
    ...filesystem.open,
    ...(users === undefined && overlays.length === 0 ? [] : [{ op: 'unshareMounts' } as const]),
    ...(view.users === undefined ? [] : [{ op: 'actAs', uid: view.users.base, gid: view.users.base } as const]),
    ...overlays,
    // The monitor does all it can for a guest with a user namespace: what it mounts is locked there, and it may make device nodes.
    ...(users === undefined
      ? overlays.length === 0
        ? []
        : [{ op: 'returnToHost' } as const]
      : [...enter, ...inside(false), ...users.visible, share]),
  ];
  const inner: Step[] = [
    ...(users?.begin ?? []),
    // after the placement by the host side: the namespace's root is the cgroup that its maker is in
    ...cgroup.unshare,
    // before any other mount, or it would show on the host
    ...(users === undefined ? [{ op: 'propagation', mode: 'private' } as const, ...enter, ...inside()] : inside(true)),
    ...cgroup.mounts,
    share,
    ...(shares('uts') ? [] : [{ op: 'hostname', name: view.hostname } as const]),
    ...(ownNetwork ? [{ op: 'loopback' } as const] : []),
    { op: 'requireNamespacedReboot' },
    // hard limits are raised by the host's root only
    ...lowerTail(view, uuid, users === undefined ? limits : [{ op: 'await' }]),
  ];
  return {
    engine: 'namespaces',
    machine: view.machine,
    ...(cgroup.leaf === undefined ? {} : { leaf: cgroup.leaf }),
    clone: {
      monitor:
        around === undefined ? ['pid'] : [...(around.maps === undefined ? [] : (['user'] as const)), 'mnt', 'pid'],
      ...(around?.maps === undefined ? {} : { maps: around.maps }),
      guest: users === undefined ? namespaces : ['user', ...namespaces],
    },
    stub: view.payload.stub,
    handed: outer.flatMap((step) => (step.op === 'mountDevice' ? [step.from] : [])),
    ...(view.users?.picked === true ? { locks: [RANGE_LOCK] } : {}),
    listen: view.listen,
    outer: outer.map((step) => labelled(step, view.apiLabel)),
    host: users?.host ?? [...network.host, ...register(view, uuid)],
    inner: inner.map((step) => labelled(step, view.apiLabel)),
    late: users === undefined ? [] : [...users.late, ...limits, ...register(view, uuid)],
    monitor: lowerMonitor(view),
  };
}

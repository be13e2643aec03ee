// lower(): view → plan for the namespaces engine. The order of a launch is written here, once.

import type { HostFacts } from './facts';
import { lowerCgroup } from './lower/cgroup';
import { lowerEntries, mountDevice, type RunVariables } from './lower/filesystem';
import { lowerTail } from './lower/tail';
import { type LaunchPlan, type Namespace, type Step, TREE_SLOT } from './plan';
import type { ContainerView, RootView } from './view/model';
import { dashed } from './view/names';

function openRoot(root: RootView): Step {
  if (root.kind === 'image') return mountDevice(root, ROOT);
  // the locked directory, not its path: what lies there at a reboot of the guest may be another one
  const source = { from: TREE_SLOT, path: root.source };
  return { op: 'openTree', source, recursive: true, flags: root.readOnly ? ['ro'] : [], as: ROOT };
}

/** Slot of the tree's detached mount. */
const ROOT = 'root';

/** The step with the SELinux label for what it mounts: on the file systems that are the guest's own and keep labels. */
function labelled(step: Step, label: string | undefined): Step {
  if (label === undefined || step.op !== 'mount' || !['tmpfs', 'devpts'].includes(step.fs)) return step;
  // quoted: the categories of a label are parted by commas
  return { ...step, data: [...(step.data === '' ? [] : [step.data]), `context="${label}"`].join(',') };
}

/**
 * The plan that makes this view real with namespaces.
 *
 * The monitor is PID 1 of a PID namespace of its own, so that the kernel kills the whole guest when the monitor dies, whatever
 * the payload did to its user id or its parent-death signal. It stays in the host's mount namespace: all that it opens there
 * are detached mounts, which are gone when it is.
 */
export function lower(view: ContainerView, host: HostFacts, run: RunVariables): LaunchPlan {
  const uuid = dashed(view.uuid ?? run.uuid);
  const cgroup = lowerCgroup(view.cgroup, host.cgroup, `tsnspawn-${view.machine}-${run.pid}`);
  const filesystem = lowerEntries(view.entries, uuid);
  const shares = (name: 'ipc' | 'uts'): boolean => view.sharedNamespaces.includes(name);
  const guest: Namespace[] = [
    'mnt',
    'pid',
    ...(['uts', 'ipc'] as const).filter((name) => !shares(name)),
    ...(view.privateNetwork ? (['net'] as const) : []),
  ];
  const outer = [openRoot(view.root), ...filesystem.outer, ...cgroup.host];
  const inner: Step[] = [
    // after the placement by the host side: the namespace's root is the cgroup that its maker is in
    ...cgroup.unshare,
    // before any other mount, or it would show on the host
    { op: 'propagation', mode: 'private' },
    // mounts of the host below the tree or a bind still arrive; ours are not shared yet, since a bind of a shared mount is
    // its peer, and each mount below the one would appear a second time below the other
    { op: 'pivotRoot', from: ROOT, propagation: 'slave' },
    ...filesystem.inner,
    ...cgroup.mounts,
    // so that mounts made in the guest reach the mount namespaces of its own services
    { op: 'propagation', mode: 'shared' },
    ...(shares('uts') ? [] : [{ op: 'hostname', name: view.hostname } as const]),
    ...(view.privateNetwork ? [{ op: 'loopback' } as const] : []),
    { op: 'requireNamespacedReboot' },
    ...lowerTail(view, uuid),
  ];
  return {
    engine: 'namespaces',
    machine: view.machine,
    clone: { monitor: ['pid'], guest },
    stub: view.payload.stub,
    handed: outer.flatMap((step) => (step.op === 'mountDevice' ? [step.from] : [])),
    listen: view.listen,
    outer,
    host: [],
    late: [],
    inner: inner.map((step) => labelled(step, view.apiLabel)),
    monitor: {
      console: view.console,
      killSignal: view.killSignal,
      restart: view.restart,
      notifyReady: view.notifyReady,
    },
  };
}

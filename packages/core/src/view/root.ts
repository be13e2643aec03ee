// What the guest's root is made of: the tree, what takes the changes to it, and what else stands in its place.

import type { HostFacts, TreeFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import { imageRoot } from './image';
import type { Entry, RootView } from './model';

/** What stands in for parts of the tree, as large as systemd-nspawn makes it. */
const VOLATILE_DATA = 'mode=0755,size=25%,nr_inodes=1m';

/** The root. What was asked to be forgotten goes into an overlay: in memory, or on the disk beside the tree. */
export function rootView(spec: ContainerSpec, host: HostFacts, tree: TreeFacts, machine: string): RootView {
  // --read-only is about the tree, which a volatile layer keeps as it is
  const asked = spec.readOnly && spec.volatile !== 'overlay';
  const readOnly = asked || spec.volatile === 'state' || (!tree.writable && !isOverlaid(spec));
  return {
    base: imageRoot(spec, tree) ?? { kind: 'directory', source: tree.path },
    readOnly,
    shared: readOnly || keepsTree(spec),
    ...(spec.volatile === 'yes' ? { usrOnly: { data: VOLATILE_DATA } } : {}),
    ...(isOverlaid(spec) ? { changes: changesOf(spec, host, tree, machine) } : {}),
    ...(spec.pivotRoot === undefined ? {} : { pivot: spec.pivotRoot }),
  };
}

/** True when the changes of this run go into an overlay. */
export function isOverlaid(spec: ContainerSpec): boolean {
  return spec.ephemeral || spec.volatile === 'overlay';
}

/** True when nothing of this run is written to the tree itself: others may have it at the same time. */
export function keepsTree(spec: ContainerSpec): boolean {
  return spec.readOnly || spec.ephemeral || spec.volatile !== 'no';
}

function changesOf(
  spec: ContainerSpec,
  host: HostFacts,
  tree: TreeFacts,
  machine: string,
): NonNullable<RootView['changes']> {
  if (spec.volatile === 'overlay' || tree.besides === undefined) return { kind: 'memory', data: VOLATILE_DATA };
  return { kind: 'directory', path: `${tree.besides}/${temporaryName(machine, host)}` };
}

/** Name of a directory that goes with the machine. A later start removes those whose machine was killed. */
export function temporaryName(machine: string, host: HostFacts): string {
  return `${TEMPORARY_PREFIX}${machine.endsWith(host.runId) ? machine : `${machine}-${host.runId}`}`;
}

export const TEMPORARY_PREFIX = '.#tsnspawn.';
/** Where the temporary directories of mounts lie: on a disk, since nobody said how much will be in them. */
export const TEMPORARY_PLACE = '/var/tmp';

/** What stands first in the root: the links of an empty one into its /usr, and the empty /var. */
export function rootEntries(spec: ContainerSpec, tree: TreeFacts): Entry[] {
  switch (spec.volatile) {
    case 'yes':
      return [
        ...Object.entries(tree.usrLinks ?? {}).map(([path, target]): Entry => ({ kind: 'link', path, target })),
        { kind: 'directory', path: '/etc', mode: 0o755 },
        { kind: 'directory', path: '/var', mode: 0o755 },
        { kind: 'directory', path: '/root', mode: 0o750 },
      ];
    case 'state':
      return [{ kind: 'filesystem', path: '/var', type: 'tmpfs', flags: ['strictatime'], data: VOLATILE_DATA }];
    default:
      return [];
  }
}

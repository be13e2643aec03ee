// The guest's own cgroup: a leaf below the launcher's, in each hierarchy that the guest may write. The guest is placed in it
// from outside and then unshares its cgroup namespace, so that the leaf is the root of what it can see.

import type { CgroupFacts } from '../facts';
import type { Step } from '../plan';
import type { CgroupLayout } from '../view/model';

export interface CgroupSteps {
  readonly host: readonly Step[];
  readonly unshare: readonly Step[];
  readonly mounts: readonly Step[];
}

/** @param name of the leaf, unique on this host */
export function lowerCgroup(layout: CgroupLayout, facts: CgroupFacts, name: string): CgroupSteps {
  switch (layout.kind) {
    case 'none':
      return { host: [], unshare: [], mounts: [] };
    case 'unified':
      return {
        host: [leaf(facts.unifiedMount ?? '/sys/fs/cgroup', facts.unifiedPath ?? '/', name, 'cgroup')],
        unshare: [{ op: 'unshareCgroup' }],
        mounts: [
          {
            op: 'mount',
            fs: 'cgroup2',
            target: '/sys/fs/cgroup',
            flags: ['nosuid', 'nodev', 'noexec'],
            data: '',
            ...(layout.optional ? { optional: true } : {}),
          },
        ],
      };
    case 'host':
      return lowerHost(facts, name);
    case 'legacy':
      return lowerLegacy(layout, facts, name);
  }
}

/**
 * All of the host's cgroup2, read-only, and the guest's own cgroup in it. These are mounts of the host: a new mount of cgroup2
 * outside of a cgroup namespace would set the options of the host's own one (nsdelegate) as well.
 */
function lowerHost(facts: CgroupFacts, name: string): CgroupSteps {
  const mount = facts.unifiedMount ?? '/sys/fs/cgroup';
  const own = leaf(mount, facts.unifiedPath ?? '/', name, 'cgroup');
  const flags = ['nosuid', 'nodev', 'noexec'] as const;
  const target = '/sys/fs/cgroup';
  return {
    host: [
      own,
      { op: 'openTree', source: mount, recursive: false, flags: ['ro', ...flags], as: 'all cgroups' },
      { op: 'openTree', source: mount + own.path, recursive: false, flags, as: 'own cgroup' },
    ],
    unshare: [],
    mounts: [
      { op: 'bind', source: { from: 'all cgroups' }, target, recursive: false, flags: [] },
      { op: 'bind', source: { from: 'own cgroup' }, target: target + own.path, recursive: false, flags: [] },
    ],
  };
}

function leaf(mount: string, own: string, name: string, as: string): Extract<Step, { op: 'cgroup' }> {
  return { op: 'cgroup', mount, path: `${own === '/' ? '' : own}/${name}`, as, into: true };
}

function lowerLegacy(layout: Extract<CgroupLayout, { kind: 'legacy' }>, facts: CgroupFacts, name: string): CgroupSteps {
  const host: Step[] = [];
  const mounts: Step[] = [
    {
      op: 'mount',
      fs: 'tmpfs',
      target: '/sys/fs/cgroup',
      flags: ['nosuid', 'nodev', 'noexec', 'strictatime'],
      data: 'mode=0755,size=4m,nr_inodes=1k',
    },
  ];
  for (const hierarchy of layout.hierarchies) {
    const own = facts.v1.find((candidate) => candidate.name === hierarchy.name);
    if (!hierarchy.readOnly && own !== undefined)
      host.push(leaf(own.mount, own.path, name, `cgroup ${hierarchy.name}`));
    mounts.push({
      op: 'mount',
      fs: 'cgroup',
      target: hierarchy.path,
      flags: [...(hierarchy.readOnly ? (['ro'] as const) : []), 'nosuid', 'nodev', 'noexec'],
      data: hierarchy.name.startsWith('name=') ? `none,${hierarchy.name}` : hierarchy.name,
    });
    const controllers = hierarchy.name.split(',');
    if (controllers.length > 1) {
      for (const controller of controllers) {
        mounts.push({ op: 'symlink', path: `/sys/fs/cgroup/${controller}`, target: hierarchy.name });
      }
    }
  }
  mounts.push({ op: 'remount', target: '/sys/fs/cgroup', flags: ['ro', 'nosuid', 'nodev', 'noexec'] });
  return { host, unshare: [{ op: 'unshareCgroup' }], mounts };
}

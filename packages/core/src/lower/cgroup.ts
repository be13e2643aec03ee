// The guest's own cgroup: a leaf below the launcher's, in each hierarchy that the guest may write. The guest is placed in it
// from outside and then unshares its cgroup namespace, so that the leaf is the root of what it can see. Limits lie on a cgroup
// between the two: the root of a namespace can be written from inside, what is above it cannot even be seen.

import type { CgroupFacts, CgroupHierarchy } from '../facts';
import type { Step } from '../plan';
import type { CgroupLayout, ResourceView, UnifiedPlace } from '../view/model';

export interface CgroupSteps {
  readonly host: readonly Step[];
  readonly unshare: readonly Step[];
  readonly mounts: readonly Step[];
  /** the cgroup that the launcher itself goes into before it starts the monitor */
  readonly leaf?: string;
}

const PAYLOAD = 'payload';

/** @param name of the machine's cgroup, unique on this host */
export function lowerCgroup(
  layout: CgroupLayout,
  resources: ResourceView | undefined,
  facts: CgroupFacts,
  name: string,
): CgroupSteps {
  const bounded = (hierarchy: CgroupHierarchy): boolean =>
    resources?.settings.some((setting) => setting.hierarchy === hierarchy.name) === true;
  const legacy = facts.v1.filter((hierarchy) => bounded(hierarchy) || writes(layout, hierarchy));
  const { unifiedMount = '/sys/fs/cgroup', unifiedPath = '/' } = facts;
  const anew = layout.kind === 'unified' && layout.anew === true;
  const unified = layout.kind === 'unified' || layout.kind === 'host' || resources?.unified?.bounded === true;
  const host = [
    ...(anew ? anewSteps(unifiedMount) : []),
    ...(unified ? unifiedSteps(unifiedMount, anew ? '/' : unifiedPath, resources, name) : []),
    ...legacy.flatMap((hierarchy) => legacySteps(hierarchy, bounded(hierarchy), resources, name)),
  ];
  const place = resources?.unified;
  const shown = layout.kind === 'host' ? hostSteps(facts, host) : { opened: [], mounts: mountSteps(layout) };
  return {
    host: [...host, ...shown.opened],
    unshare: layout.kind === 'host' || host.length === 0 ? [] : [{ op: 'unshareCgroup' }],
    mounts: shown.mounts,
    ...(unified && place?.leaf ? { leaf: `${unifiedMount}${join(place.base, 'supervisor')}` } : {}),
  };
}

/**
 * The host's mount is read-only, or covered, and the cgroup that the launcher is in is the caller's: in a cgroup namespace of the
 * monitor it is the root of a new mount. That goes onto a tmpfs, because the kernel refuses a file system on top of itself.
 */
function anewSteps(target: string): Step[] {
  const flags = ['nosuid', 'nodev', 'noexec'] as const;
  return [
    { op: 'unshareCgroup' },
    { op: 'mount', fs: 'tmpfs', target, flags, data: '' },
    { op: 'mount', fs: 'cgroup2', target, flags, data: '' },
  ];
}

function join(directory: string, name: string): string {
  return `${directory === '/' ? '' : directory}/${name}`;
}

function writes(layout: CgroupLayout, { name }: CgroupHierarchy): boolean {
  return layout.kind === 'legacy' && layout.hierarchies.some((shown) => shown.name === name && !shown.readOnly);
}

function unifiedSteps(mount: string, own: string, resources: ResourceView | undefined, name: string): Step[] {
  const place = resources?.unified;
  const base = place?.base ?? own;
  const bounded = place?.bounded === true;
  // in a unit that is all the launcher's own there is no other to tell it from
  const path = join(base, place?.leaf && !bounded ? PAYLOAD : name);
  const guest: Step = { op: 'cgroup', mount, path: bounded ? join(path, PAYLOAD) : path, as: 'cgroup', into: true };
  const enable = enableSteps(mount, base, place?.enable ?? [], resources);
  if (!bounded || resources === undefined) return [...enable, guest];
  return [
    ...enable,
    { op: 'cgroup', mount, path, as: 'limits', into: false },
    ...writeSteps(resources, 'unified', 'limits'),
    ...deviceSteps(resources),
    ...enableSteps(mount, path, place?.handed ?? [], resources),
    guest,
  ];
}

/** Written each time: a controller that is enabled already stays so, and the steps of a plan do not depend on it. */
function enableSteps(
  mount: string,
  path: string,
  controllers: UnifiedPlace['enable'],
  resources: ResourceView | undefined,
): Step[] {
  if (controllers.length === 0) return [];
  const file = { name: 'cgroup.subtree_control', value: controllers.map((name) => `+${name}`).join(' ') };
  const property = resources?.settings.find(({ hierarchy }) => hierarchy === 'unified')?.property ?? 'Delegate=yes';
  return [{ op: 'cgroupWrite', cgroup: { mount, path }, files: [file], property }];
}

function writeSteps(resources: ResourceView, hierarchy: string, cgroup: string): Step[] {
  return resources.settings
    .filter((setting) => setting.hierarchy === hierarchy)
    .map(({ files, property }) => ({ op: 'cgroupWrite', cgroup, files, property }));
}

function deviceSteps({ devices }: ResourceView): Step[] {
  return devices === undefined ? [] : [{ op: 'cgroupDevices', cgroup: 'limits', ...devices }];
}

function legacySteps(
  { name: hierarchy, mount, path: own }: CgroupHierarchy,
  bounded: boolean,
  resources: ResourceView | undefined,
  name: string,
): Step[] {
  const path = join(own, name);
  const as = `cgroup ${hierarchy}`;
  if (!bounded || resources === undefined) {
    return [{ op: 'cgroup', mount, path, as, into: true }];
  }
  const limits = `limits ${hierarchy}`;
  const fill = (cgroup: string): Step[] =>
    hierarchy.split(',').includes('cpuset')
      ? [{ op: 'cgroupWrite', cgroup, files: cpusetFiles(resources), property: 'AllowedCPUs' }]
      : [];
  return [
    { op: 'cgroup', mount, path, as: limits, into: false },
    ...fill(limits),
    ...writeSteps(resources, hierarchy, limits),
    { op: 'cgroup', mount, path: join(path, PAYLOAD), as, into: true },
    ...fill(as),
  ];
}

function cpusetFiles({ cpuset }: ResourceView) {
  return [
    { name: 'cpuset.cpus', value: cpuset.cpus },
    { name: 'cpuset.mems', value: cpuset.mems },
  ];
}

/**
 * All of the host's cgroup2, read-only, and the guest's own cgroup in it. These are mounts of the host: a new mount of cgroup2
 * outside of a cgroup namespace would set the options of the host's own one (nsdelegate) as well.
 */
function hostSteps(facts: CgroupFacts, made: readonly Step[]): { readonly opened: Step[]; readonly mounts: Step[] } {
  const mount = facts.unifiedMount ?? '/sys/fs/cgroup';
  const guest = made.find((step) => step.op === 'cgroup' && step.into && step.mount === mount);
  const own = guest?.op === 'cgroup' ? guest.path : '';
  const flags = ['nosuid', 'nodev', 'noexec'] as const;
  const target = '/sys/fs/cgroup';
  return {
    opened: [
      { op: 'openTree', source: mount, recursive: false, flags: ['ro', ...flags], as: 'all cgroups' },
      { op: 'openTree', source: mount + own, recursive: false, flags, as: 'own cgroup' },
    ],
    mounts: [
      { op: 'bind', source: { from: 'all cgroups' }, target, recursive: false, flags: [] },
      { op: 'bind', source: { from: 'own cgroup' }, target: target + own, recursive: false, flags: [] },
    ],
  };
}

function mountSteps(layout: Exclude<CgroupLayout, { kind: 'host' }>): Step[] {
  switch (layout.kind) {
    case 'none':
      return [];
    case 'unified':
      return [
        {
          op: 'mount',
          fs: 'cgroup2',
          target: '/sys/fs/cgroup',
          flags: ['nosuid', 'nodev', 'noexec'],
          data: '',
          ...(layout.optional ? { optional: true } : {}),
        },
      ];
    case 'legacy':
      return legacyMounts(layout);
  }
}

function legacyMounts(layout: Extract<CgroupLayout, { kind: 'legacy' }>): Step[] {
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
  return mounts;
}

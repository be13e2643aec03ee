// Which cgroup layout the guest gets. An init decides by what is mounted at /sys/fs/cgroup: systemd 233 and newer take
// cgroup2 alone, 258 and newer refuse anything else, older ones know the legacy hierarchies only. The host decides what can be
// given: a cgroup2 mount serves on a v2 and on a hybrid host, legacy hierarchies exist on a v1 and on a hybrid one.

import { CgroupError } from '../errors';
import type { HostFacts, TreeFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import type { CgroupLayout, PayloadView } from './model';

/** First systemd that is at home in cgroup2 alone. */
const FIRST_UNIFIED = 233;
/** First systemd without support for the legacy hierarchies. */
const FIRST_WITHOUT_LEGACY = 258;

/**
 * The layout for this guest on this host. Only a systemd that is booted needs cgroups: everything else starts without.
 *
 * @throws CgroupError when a systemd that is booted cannot live with what the host has, or when the layout that was asked for
 *   by name is not there
 */
export function cgroupLayout(
  spec: ContainerSpec,
  host: HostFacts,
  tree: TreeFacts,
  payload: PayloadView,
): CgroupLayout {
  const needed = payload.kind === 'boot' && tree.init === 'systemd';
  const version = tree.init === 'systemd' ? tree.systemdVersion : undefined;
  const { cgroup } = host;
  if (!spec.cgroupNamespace) return hostLayout(spec, host);
  // without a cgroup namespace the guest would see, and could write, the host's whole hierarchy
  const usable = cgroup.namespace !== false;
  const unified = usable && cgroup.unifiedMount !== undefined && cgroup.unifiedWritable !== false;
  const named = cgroup.v1.some(({ name, writable }) => name === 'name=systemd' && writable !== false);
  // to mount them without a cgroup of its own takes root of the host
  const legacy = usable && cgroup.v1.length > 0 && (named || (!needed && host.rootless === undefined));

  if (spec.unifiedCgroup === true) {
    if (unified) return { kind: 'unified', optional: false };
    throw new CgroupError('the host has no writable cgroup2 mount', { hint: 'unset SYSTEMD_NSPAWN_UNIFIED_HIERARCHY' });
  }
  if (spec.unifiedCgroup === false) {
    if (needed && version !== undefined && version >= FIRST_WITHOUT_LEGACY) {
      throw new CgroupError(`systemd ${version} in the tree refuses legacy cgroups`, {
        hint: 'unset SYSTEMD_NSPAWN_UNIFIED_HIERARCHY',
      });
    }
    if (legacy) return legacyLayout(host);
    throw new CgroupError('the host has no legacy cgroup hierarchies', { hint: mountHint(host) });
  }

  const old = version !== undefined && version < FIRST_UNIFIED;
  if (needed && old) {
    if (legacy) return legacyLayout(host);
    throw new CgroupError(`systemd ${version} in the tree needs legacy cgroups, and the host has none`, {
      hint: mountHint(host),
    });
  }
  if (old && legacy) return legacyLayout(host);
  if (unified) return { kind: 'unified', optional: !needed };
  if (needed && legacy && version !== undefined && version >= FIRST_WITHOUT_LEGACY) {
    throw new CgroupError(`systemd ${version} in the tree needs cgroup2, and the host has none`, {
      hint: 'mount it beside the legacy ones: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified',
    });
  }
  if (legacy) return legacyLayout(host);
  if (needed) {
    throw new CgroupError('the host has no cgroups that systemd could use', {
      hint: usable
        ? 'mount them writable: mount -t cgroup2 cgroup2 /sys/fs/cgroup'
        : 'cgroup namespaces are needed: Linux 4.6 or newer',
    });
  }
  return { kind: 'none' };
}

/** The guest in the host's cgroup namespace (SYSTEMD_NSPAWN_USE_CGNS=0). */
function hostLayout(spec: ContainerSpec, host: HostFacts): CgroupLayout {
  const { unifiedMount, unifiedWritable } = host.cgroup;
  if (spec.unifiedCgroup !== false && unifiedMount !== undefined && unifiedWritable !== false) return { kind: 'host' };
  throw new CgroupError('without a cgroup namespace the guest needs cgroup2 of the host, writable', {
    hint: 'unset SYSTEMD_NSPAWN_USE_CGNS',
  });
}

/** name=systemd first, as the one the guest may write; the controllers stay the host's and are shown read-only. */
function legacyLayout(host: HostFacts): CgroupLayout {
  const hierarchies = host.cgroup.v1
    .filter(({ name }) => name !== '')
    .map(({ name, writable }) => ({
      name,
      path: `/sys/fs/cgroup/${name.replace(/^name=/, '')}`,
      readOnly: name !== 'name=systemd' || writable === false,
    }))
    .sort((a, b) => Number(a.readOnly) - Number(b.readOnly));
  return { kind: 'legacy', hierarchies };
}

function mountHint(host: HostFacts): string {
  const at = host.cgroup.kind === 'v2' ? '/run/cgroup-systemd' : '/sys/fs/cgroup/systemd';
  return `mount one on the host: mkdir -p ${at} && mount -t cgroup -o none,name=systemd cgroup ${at}`;
}

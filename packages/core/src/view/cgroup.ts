// Which cgroup layout the guest gets. An init decides by what is mounted at /sys/fs/cgroup: systemd 233 and newer take
// cgroup2 alone, 258 and newer refuse anything else, older ones know the legacy hierarchies only. The host decides what can be
// given: a cgroup2 mount serves on a v2 and on a hybrid host, legacy hierarchies exist on a v1 and on a hybrid one. And who is not
// root of the host has only what is delegated to it.

import { CgroupError } from '../errors';
import type { HostFacts, TreeFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import { delegationHint } from './delegation';
import type { CgroupLayout, PayloadView, UnitView } from './model';

/** First systemd that is at home in cgroup2 alone. */
const FIRST_UNIFIED = 233;
/** First systemd without support for the legacy hierarchies. */
const FIRST_WITHOUT_LEGACY = 258;

const UNSET = 'unset SYSTEMD_NSPAWN_UNIFIED_HIERARCHY';

/**
 * The layout for this guest on this host. Only a systemd that is booted needs cgroups: everything else starts without.
 *
 * @param unit a scope that the launch will be in: systemd delegates it
 * @throws CgroupError when a systemd that is booted cannot live with what the host has, or when the layout that was asked for
 *   by name is not there
 */
export function cgroupLayout(
  spec: ContainerSpec,
  host: HostFacts,
  tree: TreeFacts,
  payload: PayloadView,
  unit?: UnitView,
): CgroupLayout {
  if (!spec.cgroupNamespace) return hostLayout(spec, host);
  const needed = payload.kind === 'boot' && tree.init === 'systemd';
  const version = tree.init === 'systemd' ? tree.systemdVersion : undefined;
  const { unified, legacy } = given(host, needed, unit);
  const ofAge = version !== undefined && version >= FIRST_WITHOUT_LEGACY;
  const old = version !== undefined && version < FIRST_UNIFIED;

  if (spec.unifiedCgroup === true) {
    if (unified) return { kind: 'unified', optional: false };
    throw missing('cgroup2 is asked for', host, 'unified', UNSET);
  }
  if (spec.unifiedCgroup === false) {
    if (needed && ofAge) {
      throw new CgroupError(`systemd ${version} in the tree refuses legacy cgroups`, { hint: UNSET });
    }
    if (legacy) return legacyLayout(host);
    throw missing('legacy cgroups are asked for', host, 'legacy', mountHint(host));
  }
  if (needed && old && !legacy) {
    throw missing(`systemd ${version} in the tree needs legacy cgroups`, host, 'legacy', mountHint(host));
  }
  if (old && legacy) return legacyLayout(host);
  if (unified) return { kind: 'unified', optional: !needed };
  if (needed && host.cgroup.namespace !== false && host.cgroup.unifiedAnew === true) {
    return { kind: 'unified', optional: false, anew: true };
  }
  if (needed && ofAge)
    throw missing(`systemd ${version} in the tree needs cgroup2`, host, 'unified', mountHint(host, true));
  if (legacy) return legacyLayout(host);
  if (!needed) return { kind: 'none' };
  const kind = host.cgroup.unifiedMount === undefined && host.cgroup.v1.length > 0 ? 'legacy' : 'unified';
  throw missing('systemd in the tree needs a cgroup of its own', host, kind, mountHint(host, true));
}

/** What can be given. Without a cgroup namespace the guest would see, and could write, the host's whole hierarchy. */
function given({ cgroup, rootless }: HostFacts, needed: boolean, unit: UnitView | undefined) {
  const usable = cgroup.namespace !== false;
  const scope = unit?.scope?.manager === 'user' && cgroup.unifiedObstacle === 'foreign';
  const named = cgroup.v1.some(({ name, writable }) => name === 'name=systemd' && writable !== false);
  return {
    unified: usable && cgroup.unifiedMount !== undefined && (cgroup.unifiedWritable !== false || scope),
    // to mount them without a cgroup of its own takes root of the host
    legacy: usable && cgroup.v1.length > 0 && (named || (!needed && rootless === undefined)),
  };
}

/**
 * The refusal: the host does not have it, or does not let this user have it.
 *
 * @param what is wanted, and by whom
 * @param hint how root gets it
 */
function missing(what: string, host: HostFacts, kind: 'unified' | 'legacy', hint: string): CgroupError {
  const { cgroup, rootless } = host;
  const there =
    kind === 'legacy' ? cgroup.v1.some(({ name }) => name === 'name=systemd') : cgroup.unifiedMount !== undefined;
  if (cgroup.namespace === false) {
    return new CgroupError(`${what}, and the host has no cgroup namespaces`, {
      hint: 'they need Linux 4.6 or newer, and user.max_cgroup_namespaces above 0',
    });
  }
  if (rootless === undefined || !there)
    return new CgroupError(`${what}, and the host has none that can be written`, { hint });
  return new CgroupError(`${what}, and this user may make none`, { hint: delegationHint(host, [], kind) });
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

/** How root mounts what is missing. */
function mountHint({ cgroup }: HostFacts, unified = false): string {
  if (unified) {
    return cgroup.v1.length > 0
      ? 'mount it beside the legacy ones: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified'
      : 'mount them writable: mount -t cgroup2 cgroup2 /sys/fs/cgroup';
  }
  const at = cgroup.kind === 'v2' ? '/run/cgroup-systemd' : '/sys/fs/cgroup/systemd';
  return `mount one on the host: mkdir -p ${at} && mount -t cgroup -o none,name=systemd cgroup ${at}`;
}

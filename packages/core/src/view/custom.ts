// The mounts that were asked for: --bind, --bind-ro, --tmpfs.

import { UsageError } from '../errors';
import type { HostFacts } from '../facts';
import { absolute, components, hasDotDot, simplify } from '../paths';
import type { MountFlag } from '../plan';
import type { BindMount, ContainerSpec, TmpfsMount } from '../spec';
import type { Entry } from './model';

/** Custom mounts by destination, parents before what lies below them; of two at the same place the later one is on top. */
export function customEntries(spec: ContainerSpec, host: HostFacts): Entry[] {
  return spec.mounts
    .map((mount) => (mount.kind === 'tmpfs' ? tmpfsEntry(mount) : bindEntry(mount, host)))
    .sort((a, b) => compare(components(a.path), components(b.path)));
}

function bindEntry(mount: BindMount, host: HostFacts): Entry {
  const { recursive } = mount;
  const flags: readonly MountFlag[] = mount.readOnly ? ['ro'] : [];
  if (mount.inTree) {
    const path = mount.destination ?? simplify(mount.source);
    return { kind: 'guest', path, source: simplify(mount.source), recursive, flags };
  }
  const source = absolute(mount.source, host.cwd);
  return { kind: 'host', path: mount.destination ?? sameAs(source, mount), source, recursive, flags };
}

/** The destination of a relative source that names none: where it is on the host. */
function sameAs(source: string, mount: BindMount): string {
  const path = simplify(source);
  if (!hasDotDot(source) && path !== '/') return path;
  throw new UsageError(`the bind of ${mount.source} needs a destination`, {
    option: mount.readOnly ? '--bind-ro' : '--bind',
    hint: `write ${mount.source}:/path/in/the/container`,
  });
}

/** Generic mount options and the flag that each sets, or takes back. */
const GENERIC: { readonly [word: string]: { readonly set?: MountFlag; readonly clear?: readonly MountFlag[] } } = {
  ro: { set: 'ro' },
  rw: { clear: ['ro'] },
  nosuid: { set: 'nosuid' },
  suid: { clear: ['nosuid'] },
  nodev: { set: 'nodev' },
  dev: {},
  noexec: { set: 'noexec' },
  exec: { clear: ['noexec'] },
  noatime: { set: 'noatime', clear: ['relatime', 'strictatime'] },
  relatime: { set: 'relatime', clear: ['noatime', 'strictatime'] },
  strictatime: { set: 'strictatime', clear: ['noatime', 'relatime'] },
  nodiratime: { set: 'nodiratime' },
  nosymfollow: { set: 'nosymfollow' },
  defaults: {},
};

function tmpfsEntry(mount: TmpfsMount): Entry {
  // nodev cannot be taken back: device nodes belong into /dev
  const flags = new Set<MountFlag>(['nodev', 'strictatime']);
  const data: string[] = [];
  for (const option of (mount.options ?? 'mode=0755').split(',').filter((word) => word !== '')) {
    const generic = Object.hasOwn(GENERIC, option) ? GENERIC[option] : undefined;
    if (generic === undefined) data.push(option);
    for (const flag of generic?.clear ?? []) flags.delete(flag);
    if (generic?.set !== undefined) flags.add(generic.set);
  }
  return { kind: 'filesystem', path: mount.destination, type: 'tmpfs', flags: [...flags], data: data.join(',') };
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const [left = '', right = ''] = [a[i], b[i]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

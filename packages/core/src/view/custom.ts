// The mounts that were asked for: --bind, --bind-ro, --tmpfs.

import { UnsupportedError, UsageError } from '../errors';
import type { HostFacts } from '../facts';
import { absolute, components, hasDotDot, simplify } from '../paths';
import type { MountFlag } from '../plan';
import type { BindMount, ContainerSpec, CustomMount, TmpfsMount } from '../spec';
import type { Entry } from './model';

/** Custom mounts by destination, parents before what lies below them; of two at the same place the later one is on top. */
export function customEntries(spec: ContainerSpec, host: HostFacts): Entry[] {
  return spec.mounts
    .map((mount) => entryOf(mount, host))
    .sort((a, b) => compare(components(a.path), components(b.path)));
}

function entryOf(mount: CustomMount, host: HostFacts): Entry {
  switch (mount.kind) {
    case 'tmpfs':
      return tmpfsEntry(mount);
    case 'bind':
      return bindEntry(mount, host);
    default:
      throw new UnsupportedError(`--${mount.kind} does not work yet`, { option: `--${mount.kind}` });
  }
}

function bindEntry(mount: BindMount, host: HostFacts): Entry {
  const { recursive } = mount;
  if (mount.source === 'temporary' || mount.ids !== 'none') {
    throw new UnsupportedError('a bind of this kind does not work yet', { option: '--bind' });
  }
  const flags: readonly MountFlag[] = mount.readOnly ? ['ro'] : [];
  if (mount.source.inTree) {
    const inside = simplify(mount.source.path);
    return { kind: 'guest', path: mount.destination ?? inside, source: inside, recursive, flags };
  }
  const source = absolute(mount.source.path, host.cwd);
  const path = mount.destination ?? sameAs(source, mount.source.path, mount.readOnly);
  return { kind: 'host', path, source, recursive, flags };
}

/** The destination of a relative source that names none: where it is on the host. */
function sameAs(source: string, given: string, readOnly: boolean): string {
  const path = simplify(source);
  if (!hasDotDot(source) && path !== '/') return path;
  throw new UsageError(`the bind of ${given} needs a destination`, {
    option: readOnly ? '--bind-ro' : '--bind',
    hint: `write ${given}:/path/in/the/container`,
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

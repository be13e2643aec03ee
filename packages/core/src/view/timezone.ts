// /etc/localtime: the time zone.

import type { HostFacts, TreeFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import type { Entry } from './model';
import { boundFile, type FileSetting, isMounted, leftAlone } from './resolver';

export const LOCALTIME = '/etc/localtime';

const ZONES = '/usr/share/zoneinfo/';

/** `Europe/Berlin`, when the host's /etc/localtime is a link that says so. */
function zoneOf({ localtime }: HostFacts): string | undefined {
  const link = localtime?.link?.replace(/^\.\.\//, '/');
  return link?.startsWith(ZONES) ? link.slice(ZONES.length) : undefined;
}

/** The zone that the tree is to be asked for. */
export function wantedZone(spec: ContainerSpec, host: HostFacts): string | undefined {
  return spec.timezone === 'auto' || spec.timezone === 'symlink' ? zoneOf(host) : undefined;
}

/** What becomes of the tree's file. What nobody asked for by name may fail. */
export function timezoneEntries(setting: FileSetting, tree: TreeFacts): Entry[] {
  const { spec, host, writable, warn } = setting;
  const path = LOCALTIME;
  const auto = spec.timezone === 'auto';
  if (auto && isMounted(spec, path)) return [];
  const mode = spec.timezone === 'auto' ? automatic(host, writable) : spec.timezone;
  const may = auto ? ({ try: true } as const) : {};
  // a link of the tree that leads nowhere would make nothing of what was asked for
  const bound = boundFile(path, path, auto ? may : { coverLink: true });
  const option = `--timezone=${mode}`;
  if (mode === 'off') return [];
  if (!auto && mode !== 'bind' && !writable) return leftAlone(warn, option, path);
  if (mode === 'delete') return [{ kind: 'removed', path, ...may }];
  const content = (): string | undefined => host.localtime?.content;
  if (mode === 'symlink') {
    const zone = zoneOf(host);
    if (zone === undefined) {
      warn(`${option}: ${path} of the host is no link to a time zone, so that of the container stays as it is`);
      return [];
    }
    // a tree without this zone gets the host's
    if (tree.hasZone !== true) return [bound];
    return [{ kind: 'link', path, target: `..${ZONES}${zone}`, replace: true, ...may }];
  }
  if (mode === 'bind' && host.localtime !== undefined) return [bound];
  const bytes = content();
  if (bytes === undefined) {
    warn(`${option}: ${path} of the host cannot be read, so that of the container stays as it is`);
    return [];
  }
  return [{ kind: 'put', path, mode: 0o644, content: bytes, replace: true, ...may }];
}

function automatic(host: HostFacts, writable: boolean): Exclude<ContainerSpec['timezone'], 'auto'> {
  const { localtime } = host;
  if (localtime === undefined) return writable ? 'delete' : 'off';
  if (!writable) return 'bind';
  return zoneOf(host) === undefined ? 'copy' : 'symlink';
}

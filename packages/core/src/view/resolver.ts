// /etc/resolv.conf: which name servers the guest asks.

import type { HostFacts, ResolverFile } from '../facts';
import type { ContainerSpec } from '../spec';
import type { Entry, HelperView } from './model';

export const RESOLV_CONF = '/etc/resolv.conf';

/** The host's files: its own, and those of systemd-resolved with a fixed content, with the servers it asks, with itself. */
export const RESOLVER_FILES: Readonly<Record<ResolverFile, string>> = {
  host: RESOLV_CONF,
  static: '/usr/lib/systemd/resolv.conf',
  uplink: '/run/systemd/resolve/resolv.conf',
  stub: '/run/systemd/resolve/stub-resolv.conf',
};

/** How files of the host come into the tree. */
export interface FileSetting {
  readonly spec: ContainerSpec;
  readonly host: HostFacts;
  /** what gives the guest its network */
  readonly helper?: HelperView | undefined;
  /** the guest boots systemd, which may bring its own resolver */
  readonly resolved: boolean;
  /** /etc of the guest can be written to */
  readonly writable: boolean;
  readonly warn: (text: string) => void;
}

/** What becomes of the tree's file. What nobody asked for by name may fail. */
export function resolverEntries(setting: FileSetting): Entry[] {
  const { spec, host, writable, warn } = setting;
  const path = RESOLV_CONF;
  const auto = spec.resolvConf === 'auto';
  if (auto && isMounted(spec, path)) return [];
  if (auto && setting.helper !== undefined) return helperEntries(setting, setting.helper);
  const mode = auto ? automatic(spec, host, writable) : spec.resolvConf;
  const may = auto ? ({ try: true } as const) : {};
  const option = `--resolv-conf=${mode}`;
  if (mode === 'off') return [];
  if (mode === 'delete') {
    if (!auto && !writable) return leftAlone(warn, option, path);
    return [{ kind: 'removed', path, ...may }];
  }
  const [act, what] = mode.split('-') as ['copy' | 'replace' | 'bind', ResolverFile];
  const source = RESOLVER_FILES[what];
  const content = host.resolver?.[what];
  if (content === undefined) {
    warn(`${option}: ${source} of the host cannot be read, so ${path} of the container stays as it is`);
    return [];
  }
  if (act === 'bind') return [boundFile(path, source, auto ? { nofollow: true, try: true } : { coverLink: true })];
  if (!auto && !writable) return leftAlone(warn, option, path);
  return [{ kind: 'put', path, mode: 0o644, content, ...(act === 'replace' ? { replace: true } : {}), ...may }];
}

/** A copy of the host's, with servers that the guest can reach. */
function helperEntries({ writable, resolved }: FileSetting, { resolver: content }: HelperView): Entry[] {
  if (content === '') return [];
  const [path, mode] = [RESOLV_CONF, 0o644];
  const source = '/run/host/resolv.conf';
  return [
    ...(resolved ? resolvedEntries(content) : []),
    ...(writable
      ? [{ kind: 'put', path, mode, content, try: true } as const]
      : [
          { kind: 'file', path: source, mode, content: { bytes: content } } as const,
          // a link is left alone: it leads to the file of a program in the guest
          {
            kind: 'guest',
            path,
            source,
            recursive: false,
            flags: ['ro', 'nosuid', 'nodev'],
            nofollow: true,
            try: true,
          } as const,
        ]),
  ];
}

/** The same servers for systemd-resolved, which is not asked by way of the file but writes it: resolved.conf(5). */
function resolvedEntries(content: string): Entry[] {
  const words = (key: string): string =>
    [...content.matchAll(new RegExp(`^\\s*${key}\\s+(.*)$`, 'gm'))].map(([, value = '']) => value.trim()).join(' ');
  const directories = ['/run/systemd', '/run/systemd/resolved.conf.d'];
  return [
    ...directories.map((path): Entry => ({ kind: 'directory', path, mode: 0o755 })),
    {
      kind: 'file',
      path: `${directories[1]}/host.conf`,
      mode: 0o644,
      content: { bytes: `[Resolve]\nDNS=${words('nameserver')}\nDomains=${words('search')}\n` },
    },
  ];
}

/** What systemd-nspawn does when nothing was said. */
function automatic(
  spec: ContainerSpec,
  { resolver }: HostFacts,
  writable: boolean,
): Exclude<ContainerSpec['resolvConf'], 'auto'> {
  // it reaches other name servers, or none
  if (spec.network.private) return 'off';
  const act = writable ? 'copy' : 'bind';
  if (resolver?.stub !== undefined && resolver.stubListens === true) return `${act}-stub`;
  if (resolver?.host !== undefined) return `${act}-host`;
  return writable ? 'delete' : 'off';
}

/** Whether the user has put something there: a file, or a directory of the host that is not to be written to. */
export function isMounted(spec: ContainerSpec, path: string): boolean {
  return spec.mounts.some((mount) => {
    const given = mount.kind === 'bind' && mount.source !== 'temporary' ? mount.source.path : '';
    const at = mount.destination ?? given;
    return at === path || (mount.kind === 'bind' && path.startsWith(`${at}/`));
  });
}

/** The host's file as it is, also after it has changed there. */
export function boundFile(
  path: string,
  source: string,
  how: { readonly coverLink?: true; readonly nofollow?: true; readonly try?: true },
): Entry {
  return { kind: 'host', path, source, recursive: false, flags: ['ro', 'nosuid', 'nodev'], ...how };
}

export function leftAlone(warn: (text: string) => void, option: string, path: string): Entry[] {
  warn(`${option}: the tree is read-only, so ${path} stays as it is`);
  return [];
}

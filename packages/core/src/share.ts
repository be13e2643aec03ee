// --share-host: a tree's programs at work on the caller's own things. It says in one word what several binds would.

import type { HostFacts } from './facts';
import type { BindMount, ContainerSpec, EnvAssignment, SharePart } from './spec';

/** What a display and a session are reached by. */
const SESSION = ['DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'];

/**
 * The spec with what the parts stand for. What the host does not have is left out, and what was asked for by name wins.
 *
 * @param exists whether the host has something at a path
 */
export function withShare(spec: ContainerSpec, host: HostFacts, exists: (path: string) => boolean): ContainerSpec {
  if (spec.shareHost.length === 0) return spec;
  const shares = (part: SharePart): boolean => spec.shareHost.includes(part);
  const { HOME: home = '/' } = host.env;
  const paths = (part: SharePart, ...all: readonly string[]): string[] =>
    shares(part) ? all.filter((path) => path.startsWith('/') && path !== '/' && exists(path)) : [];
  const writable = [
    ...paths('home', home),
    ...paths('cwd', host.cwd),
    ...paths('tmp', '/tmp'),
    ...paths('display', '/tmp/.X11-unix', host.env.XDG_RUNTIME_DIR ?? ''),
  ];
  const readOnly = [
    ...paths('users', '/etc/passwd', '/etc/group'),
    ...paths('network', '/etc/resolv.conf', '/etc/hosts'),
    ...paths('timezone', '/etc/localtime'),
  ];
  const names = [...(shares('home') ? ['HOME'] : []), ...(shares('display') ? SESSION : [])];
  const set = names.filter((name) => host.env[name] !== undefined).map((name): EnvAssignment => ({ name }));
  const asked = new Set(spec.mounts.map(destinationOf));
  const binds = [...bindsOf(writable, false), ...bindsOf(readOnly, true)].filter(
    (bind) => !asked.has(destinationOf(bind)),
  );
  return {
    ...spec,
    mounts: [...binds, ...spec.mounts],
    env: [...set, ...spec.env],
    ...(shares('cwd') && spec.chdir === undefined && host.cwd !== '/' ? { chdir: host.cwd } : {}),
    ...(shares('network') ? { resolvConf: 'off' } : {}),
    ...(shares('timezone') ? { timezone: 'off' } : {}),
  };
}

function bindsOf(paths: readonly string[], readOnly: boolean): BindMount[] {
  return [...new Set(paths)].map((path) => ({
    kind: 'bind',
    source: { path, inTree: false },
    destination: path,
    readOnly,
    recursive: true,
    ids: 'none',
  }));
}

function destinationOf(mount: ContainerSpec['mounts'][number]): string | undefined {
  if (mount.destination !== undefined) return mount.destination;
  return mount.kind === 'bind' && mount.source !== 'temporary' ? mount.source.path : undefined;
}

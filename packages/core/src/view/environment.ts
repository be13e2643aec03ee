// The environment of PID 1. Nothing of the caller's goes in unless it is in this list or was asked for with --setenv.

import { UsageError } from '../errors';
import type { HostFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import { CREDENTIALS } from './credentials';
import type { PayloadView, Variable } from './model';

/** Searched for the payload by the runner, inside the guest. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What tells the guest which kind of container it is in (systemd's container interface, $container). */
export function containerManager(spec: ContainerSpec): string {
  return spec.manager ?? 'tsnspawn';
}

/** Where the guest's PID 1 says READY=1. */
export const NOTIFY_SOCKET = '/run/host/notify';

/** Variables in order, each name once; HOME, USER and LOGNAME are added by lookupUser where they are not here. */
export function environmentOf(spec: ContainerSpec, host: HostFacts, payload: PayloadView): Variable[] {
  const variables = new Map<string, Variable['value']>();
  const set = (name: string, value: Variable['value'] | undefined) => {
    if (value !== undefined) variables.set(name, value);
  };
  set('PATH', PATH);
  set('container', containerManager(spec));
  set('TERM', host.env.TERM);
  set('COLORTERM', host.env.COLORTERM);
  set('NO_COLOR', host.env.NO_COLOR);
  set('container_uuid', { variable: 'uuid' });
  if (host.listenFds !== undefined) {
    set('LISTEN_FDS', String(host.listenFds));
    // sd_listen_fds(3) takes them for another process's when this is not its own number
    set('LISTEN_PID', payload.stub ? '2' : '1');
    set('LISTEN_FDNAMES', host.env.LISTEN_FDNAMES);
  }
  set('NOTIFY_SOCKET', NOTIFY_SOCKET);
  if (spec.credentials.length > 0) set('CREDENTIALS_DIRECTORY', CREDENTIALS);
  // an init reads /etc/locale.conf and hands LANG down; one from outside would win over it
  if (payload.kind !== 'boot') set('LANG', 'C.UTF-8');
  set('container_host_id', host.osRelease.id);
  set('container_host_version_id', host.osRelease.versionId);
  set('container_host_build_id', host.osRelease.buildId);
  set('container_host_variant_id', host.osRelease.variantId);
  for (const { name, value } of spec.env) set(name, value ?? copied(name, host));
  return [...variables].map(([name, value]) => ({ name, value }));
}

/** The caller's value. Node has put U+FFFD in the place of bytes that are no UTF-8, and what they were cannot be told. */
function copied(name: string, host: HostFacts): string {
  const value = host.env[name] ?? '';
  if (!value.includes('\ufffd')) return value;
  throw new UsageError(`the caller's value for --setenv=${name} is not UTF-8`, {
    option: '--setenv',
    hint: `write --setenv=${name}=VALUE`,
  });
}

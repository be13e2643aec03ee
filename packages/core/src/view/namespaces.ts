// Namespaces that the guest does without: SYSTEMD_NSPAWN_SHARE_NS_IPC, _PID and _UTS of systemd-nspawn.

import { UnsupportedError, UsageError } from '../errors';
import type { ContainerSpec } from '../spec';
import type { PayloadView } from './model';

/**
 * The namespaces of the host that the guest stays in.
 *
 * @throws UnsupportedError for the PID namespace: the kernel ends a guest with its monitor by way of it
 * @throws UsageError for an init, or a host name of its own, in the host's UTS namespace
 */
export function sharedNamespaces(spec: ContainerSpec, payload: PayloadView): ('ipc' | 'uts')[] {
  const shared = spec.sharedNamespaces;
  if (shared.includes('pid')) {
    throw new UnsupportedError("SYSTEMD_NSPAWN_SHARE_NS_PID: the guest cannot be in the host's PID namespace", {
      option: 'SYSTEMD_NSPAWN_SHARE_NS_PID',
      hint: 'its own one is what ends all of its processes with the launcher',
    });
  }
  if (shared.includes('uts')) {
    const boots = payload.kind === 'boot';
    if (boots || spec.hostname !== undefined) {
      const option = 'SYSTEMD_NSPAWN_SHARE_NS_UTS';
      const what = boots ? 'an init' : '--hostname';
      throw new UsageError(`${option}: ${what} would rename the host`, { option, hint: `unset ${option}` });
    }
  }
  return shared.filter((name) => name !== 'pid');
}

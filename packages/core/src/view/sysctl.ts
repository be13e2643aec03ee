// Kernel parameters that belong to a namespace of the guest: all others would be the host's.

import { UsageError } from '../errors';
import type { ContainerSpec } from '../spec';
import type { Entry } from './model';

/** Parameters by the namespace that has them; a name that ends in a dot stands for all below it. Source: ipc(7) namespaces, and
 *  ipc_namespaces(7), network_namespaces(7), uts_namespaces(7). */
const NAMESPACED: { readonly [namespace in 'ipc' | 'uts' | 'network']: readonly string[] } = {
  ipc: [
    ...[
      'msgmax',
      'msgmnb',
      'msgmni',
      'msg_next_id',
      'sem',
      'sem_next_id',
      'shmall',
      'shmmax',
      'shmmni',
      'shm_next_id',
    ].map((name) => `kernel.${name}`),
    'kernel.shm_rmid_forced',
    'fs.mqueue.',
  ],
  uts: ['kernel.hostname', 'kernel.domainname'],
  network: ['net.'],
};

/** @throws UsageError for a parameter that is not the guest's own */
export function sysctlEntries(spec: ContainerSpec): Entry[] {
  const { network, sharedNamespaces } = spec;
  const own = [
    ...(sharedNamespaces.includes('ipc') ? [] : NAMESPACED.ipc),
    ...(sharedNamespaces.includes('uts') ? [] : NAMESPACED.uts),
    ...(network.private || network.namespacePath !== undefined ? NAMESPACED.network : []),
  ];
  return spec.sysctl.map(({ key, value }) => {
    if (!own.some((name) => (name.endsWith('.') ? key.startsWith(name) : key === name))) {
      throw new UsageError(`the kernel parameter ${key} is not one of the container's own namespaces`, {
        hint: 'it would be changed for the whole host',
      });
    }
    return { kind: 'sysctl', path: `/proc/sys/${key}`, key, value };
  });
}

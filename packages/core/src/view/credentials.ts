// Credentials for PID 1 (systemd.exec(5), "CREDENTIALS"): files in memory that is never swapped out.

import type { ContainerSpec } from '../spec';
import type { Entry, PayloadView } from './model';

/** Where they are: $CREDENTIALS_DIRECTORY. */
export const CREDENTIALS = '/run/host/credentials';

/** Of one credential, as for the units of systemd. */
export const MOST_CREDENTIAL_BYTES = 1024 * 1024;
/** Of all of them together: they stay in memory for as long as the container runs. */
export const MOST_CREDENTIALS_BYTES = 16 * 1024 * 1024;

/** A ramfs that only root can read; a user too where it is the only one that there ever can be. */
export function credentialEntries(spec: ContainerSpec, payload: PayloadView): Entry[] {
  if (spec.credentials.length === 0) return [];
  const open = spec.noNewPrivileges && payload.kind !== 'boot' && !payload.stub && !isRoot(payload.user);
  const flags = ['nosuid', 'nodev', 'noexec'] as const;
  return [
    { kind: 'filesystem', path: CREDENTIALS, type: 'ramfs', flags, data: open ? 'mode=0555' : 'mode=0500' },
    ...spec.credentials.flatMap((credential): Entry[] =>
      'value' in credential
        ? [
            {
              kind: 'file',
              path: `${CREDENTIALS}/${credential.id}`,
              mode: open ? 0o444 : 0o400,
              content: { bytes: credential.value },
            },
          ]
        : [],
    ),
    { kind: 'flags', path: CREDENTIALS, flags: ['ro', ...flags] },
  ];
}

function isRoot(user: string): boolean {
  return user === 'root' || user === '0';
}

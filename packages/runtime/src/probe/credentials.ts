// The content of --load-credential: a file, what a socket says, or a credential that the launcher's own service was given.

import { statSync } from 'node:fs';
import {
  absolute,
  BindError,
  type ContainerSpec,
  type Credential,
  describeErrno,
  type HostFacts,
  MOST_CREDENTIAL_BYTES,
  MOST_CREDENTIALS_BYTES,
  pathOf,
  UsageError,
} from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

/**
 * The spec with the content of its credentials in the place of their paths.
 *
 * @throws BindError for one that cannot be read
 * @throws UsageError for more than is good for the memory of the host
 */
export function loadCredentials(spec: ContainerSpec, host: HostFacts): ContainerSpec {
  if (spec.credentials.length === 0) return spec;
  const credentials = spec.credentials.map((credential) =>
    'value' in credential ? credential : { id: credential.id, value: load(credential, host) },
  );
  let total = 0;
  for (const { id, value } of credentials) {
    total += value.length;
    if (value.length <= MOST_CREDENTIAL_BYTES && total <= MOST_CREDENTIALS_BYTES) continue;
    const most = value.length > MOST_CREDENTIAL_BYTES ? MOST_CREDENTIAL_BYTES : MOST_CREDENTIALS_BYTES;
    throw new UsageError(`the credential ${id} is too large: ${value.length} bytes, with ${most} in all`, {
      option: '--set-credential',
    });
  }
  return { ...spec, credentials };
}

function load({ id, path }: Extract<Credential, { readonly path: string }>, host: HostFacts): string {
  const place = placeOf(id, path, host);
  const socket = statSync(pathOf(place), { throwIfNoEntry: false })?.isSocket() === true;
  const content = socket
    ? addon().readSocket(place, MOST_CREDENTIAL_BYTES)
    : addon().readFile(place, MOST_CREDENTIAL_BYTES);
  if (typeof content !== 'number') return content.toString('latin1');
  const { name, text } = describeErrno(content);
  throw refusal(id, path, name === 'EINVAL' ? 'it is neither a file nor a socket' : text, name);
}

/** A path has a slash; anything else is the name of a credential of the launcher's own service. */
function placeOf(id: string, path: string, { cwd, env }: HostFacts): string {
  if (path.includes('/')) return absolute(path, cwd);
  const directory = env.CREDENTIALS_DIRECTORY;
  if (directory?.startsWith('/')) return `${directory}/${path}`;
  throw refusal(id, path, 'the launcher itself has no credentials', 'ENXIO', `for a file write ./${path}`);
}

function refusal(id: string, path: string, reason: string, code: string, hint?: string): BindError {
  return new BindError(`cannot load the credential ${id} from ${path}: ${reason}`, {
    code,
    path,
    option: '--load-credential',
    ...(hint === undefined ? {} : { hint }),
  });
}

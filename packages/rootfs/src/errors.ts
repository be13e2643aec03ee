// The one error class of this package. A message is one line, lower case, without a full stop: it names the thing and the
// reason. What the reader can do about it goes into `hint`; the command line prints it on a line of its own.
import { TsnspawnError } from '@tsnspawn/core';

/** What went wrong, for programs; a code never changes its meaning. */
export type BootstrapErrorCode =
  | 'ARCHIVE_INVALID'
  | 'CANCELLED'
  | 'DEPENDENCY'
  | 'DISK_FULL'
  | 'FETCH_FAILED'
  | 'HASH_MISMATCH'
  | 'KEYRING_MISSING'
  | 'MIRROR_UNREACHABLE'
  | 'NO_MIRROR'
  | 'OPTION_INVALID'
  | 'READ_FAILED'
  | 'RELEASE_EXPIRED'
  | 'RELEASE_INVALID'
  | 'SCRIPT_FAILED'
  | 'SIGNATURE_INVALID'
  | 'SUITE_UNKNOWN'
  | 'TARGET_INVALID'
  | 'TOOL_MISSING'
  | 'WRITE_FAILED';

export interface BootstrapErrorDetails {
  readonly path?: string | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** A failure of a bootstrap that a user can read and, often, act upon. */
export class BootstrapError extends TsnspawnError {
  declare readonly code: BootstrapErrorCode;

  constructor(code: BootstrapErrorCode, message: string, details: BootstrapErrorDetails = {}) {
    super(message, {
      code,
      ...(details.path !== undefined && { path: details.path }),
      ...(details.hint !== undefined && { hint: details.hint }),
    });
    if (details.cause !== undefined) this.cause = details.cause;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EAI_AGAIN: 'the name cannot be resolved at the moment',
  EBUSY: 'it is in use',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to the host',
  EISDIR: 'it is a directory',
  ENETUNREACH: 'the network is unreachable',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on the device',
  ENOTDIR: 'not a directory',
  ENOTFOUND: 'the host name is unknown',
  EDQUOT: 'the disk quota is used up',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ETIMEDOUT: 'timed out',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
  UND_ERR_CONNECT_TIMEOUT: 'timed out while connecting',
  UND_ERR_HEADERS_TIMEOUT: 'the server did not answer in time',
  UND_ERR_SOCKET: 'the connection was closed',
};

/** The errno-like code of an unknown value, looking through the causes that network libraries wrap around it. */
export function errorCode(error: unknown): string | undefined {
  for (let current: unknown = error, depth = 0; current && depth < 5; depth++) {
    if (typeof current !== 'object') return undefined;
    const { code, cause, errors } = current as { code?: unknown; cause?: unknown; errors?: unknown };
    if (typeof code === 'string') return code;
    current = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
  return undefined;
}

/** The reason of a failed call in a few words, without the name of the call and without paths. */
export function reasonOf(error: unknown): string {
  const code = errorCode(error);
  if (code !== undefined && REASONS[code] !== undefined) return REASONS[code];
  if (error instanceof Error) return error.message.split('\n')[0]?.replace(/\.$/, '') ?? error.name;
  return String(error);
}

/** A path of a tree for messages: a name of a hostile tree may hold what a terminal obeys. */
export function printable(path: string): string {
  return /^[^\p{C}]+$/u.test(path) ? path : JSON.stringify(path);
}

/** Turn a failure to write below `what` into an error that names it; one that already is readable passes through. */
export function writeFailure(error: unknown, what: string): BootstrapError {
  if (error instanceof BootstrapError) return error;
  const full = errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT';
  return new BootstrapError(full ? 'DISK_FULL' : 'WRITE_FAILED', `cannot write ${what}: ${reasonOf(error)}`, {
    path: what,
    hint: full ? 'make room on that file system, or choose a directory on another one' : undefined,
    cause: error,
  });
}

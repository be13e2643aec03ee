// A program as root of a user namespace of its own.

import { describeErrno, PermissionError, StepError, type UserMaps } from '@tsnspawn/core';
import { addon } from './addon';
import { nativeMaps } from './machine';

/**
 * Runs a program as root of a new user namespace with these ids, on the standard descriptors of this process, and waits for its end.
 * Signals that ask for the end are passed on.
 *
 * @param argv its path and arguments
 * @returns its exit status; 128 and its number for a signal
 * @throws PermissionError when the kernel makes no such namespace, StepError when it takes no such ids
 */
export function runInNamespace(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  maps: UserMaps,
): number {
  const variables = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  try {
    return addon().runInNamespace({ argv, env: variables, maps: nativeMaps(maps) });
  } catch (error) {
    const { errno, syscall, about } = error as { errno?: number; syscall?: string; about?: string };
    if (errno === undefined || syscall === undefined) throw error;
    if (syscall === 'map') throw new StepError({ op: 'map', ...maps }, errno, about);
    const { name, text } = describeErrno(errno);
    const what = syscall === 'exec' ? `start ${argv[0]} in` : 'make';
    throw new PermissionError(`cannot ${what} a user namespace: ${text}`, {
      code: name,
      ...(syscall === 'exec' ? {} : { syscall }),
      hint: HINTS[name] ?? USUAL_HINT,
    });
  }
}

const USUAL_HINT = 'tsnspawn doctor says what this host allows';
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'see /proc/sys/user/max_user_namespaces',
  EUSERS: 'there are too many of them, one in the other',
};

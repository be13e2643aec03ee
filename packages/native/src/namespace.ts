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
 * @throws StepError of the step `clone` when the kernel makes no such namespace, of the step `map` when the ids are refused
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
    if (syscall === 'clone') throw new StepError({ op: 'clone', namespaces: ['user', 'mnt'] }, errno);
    const { name, text } = describeErrno(errno);
    throw new PermissionError(`cannot start ${argv[0]} in a user namespace: ${text}`, { code: name });
  }
}

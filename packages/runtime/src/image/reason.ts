// An errno in words.

import { describeErrno, type ErrnoText } from '@tsnspawn/core';

/** @param error -errno, or an error of Node's file functions */
export function reasonOf(error: unknown): ErrnoText {
  const errno = typeof error === 'number' ? error : (error as NodeJS.ErrnoException).errno;
  if (errno === undefined) throw error;
  return describeErrno(errno);
}

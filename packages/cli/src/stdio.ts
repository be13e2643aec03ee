// Standard output and error by plain write(2). process.stdout and process.stdin stay untouched on the launch path: creating
// them costs milliseconds and may switch the descriptors, which the payload shares, to non-blocking.

import { fstatSync, writeSync } from 'node:fs';
import { TsnspawnError } from '@tsnspawn/core';

/** Where the texts of a command go. */
export interface Output {
  /** data: what was asked for */
  out(text: string): void;
  /** everything else */
  err(text: string): void;
  /** width of the terminal that data goes to, where it is one */
  readonly columns?: number | undefined;
}

/** The real descriptors 1 and 2. */
export const STDIO: Output = {
  out(text) {
    const code = writeAll(1, text);
    if (code !== undefined && code !== 'EPIPE') {
      throw new TsnspawnError(`cannot write to standard output: ${code}`, { code });
    }
  },
  err: (text) => void writeAll(2, text),
  get columns() {
    // not asked of a pipe: the stream would make it non-blocking for all who share it
    return fstatSync(1).isCharacterDevice() ? process.stdout.columns : undefined;
  },
};

/** Writes all of it; the code of the error that stopped it. A reader that went away (EPIPE) is nobody's failure. */
function writeAll(fd: number, text: string): string | undefined {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      // someone else made a shared terminal or pipe non-blocking: wait a moment for room
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') return code;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  return undefined;
}

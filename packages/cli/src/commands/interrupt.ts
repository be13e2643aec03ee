// What a verb does that may take its time, until it is done or a signal ends it in order.

import { BootstrapError } from '@tsnspawn/rootfs';

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Ending = keyof typeof SIGNALS;

/**
 * Run something that a signal can end.
 *
 * @param interrupted the error that a signal ends it with
 * @param failed tells a failure; the exit status, unless it was a signal
 * @returns the exit status
 */
export async function interruptible(
  interrupted: (signal: Ending) => BootstrapError,
  run: (signal: AbortSignal) => Promise<number>,
  failed: (error: BootstrapError) => number,
): Promise<number> {
  const abort = new AbortController();
  let ended: number | undefined;
  const onSignal = (signal: Ending): void => {
    ended = SIGNALS[signal];
    abort.abort(interrupted(signal));
  };
  const signals = Object.keys(SIGNALS) as Ending[];
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await run(abort.signal);
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    const status = failed(error);
    return ended ?? status;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

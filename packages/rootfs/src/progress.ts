// What the user sees while it takes its time: one line that is rewritten, on standard error, and only when that is a terminal.

export interface Progress {
  /** A new stage begins; `total` in whatever the stage counts. */
  stage(name: string, total?: number): void;
  /** So much more of the stage is done. */
  advance(amount?: number): void;
  /** Take the line away. */
  end(): void;
}

/** A progress that is not shown. */
export const silentProgress: Progress = { stage: () => undefined, advance: () => undefined, end: () => undefined };

const WIDTH = 24;
const INTERVAL = 80;

/** A bar on a terminal, nothing elsewhere. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY || process.env.TERM === 'dumb') return silentProgress;
  const color = process.env.NO_COLOR === undefined || process.env.NO_COLOR === '';
  let name = '';
  let total = 0;
  let done = 0;
  let drawn = 0;
  const draw = (force = false): void => {
    const now = Date.now();
    if (!force && now - drawn < INTERVAL) return;
    drawn = now;
    const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
    const filled = Math.round(share * WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
    const text =
      total > 0
        ? `${name.padEnd(14)} ${color ? `\x1b[36m${bar}\x1b[0m` : bar} ${String(Math.round(share * 100)).padStart(3)} %`
        : name;
    stream.write(`\r\x1b[K${text}`);
  };
  return {
    stage(next, amount = 0) {
      name = next;
      total = amount;
      done = 0;
      draw(true);
    },
    advance(amount = 1) {
      done += amount;
      draw();
    },
    end() {
      stream.write('\r\x1b[K');
    },
  };
}

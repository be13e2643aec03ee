// Debug output, DEBUG=tsnspawn:*. The package is loaded only when something is to be shown: the launch path counts
// milliseconds.

/** Writes a line for `DEBUG=tsnspawn:TOPIC`; the format is that of the debug package (%s, %d, %o). */
export function debug(topic: string, format: string, ...values: readonly unknown[]): void {
  if (process.env.DEBUG === undefined) return;
  const createDebug = require('debug') as typeof import('debug');
  createDebug(`tsnspawn:${topic}`)(format, ...values);
}

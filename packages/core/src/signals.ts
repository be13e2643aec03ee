// Signal names and numbers, for --kill-signal and for messages about how a guest ended. Numbers are those of Linux on every
// architecture that Node runs on but MIPS; SIGRTMIN is glibc's 34 (the kernel's 32 and 33 belong to the threads library),
// because it is the guest's systemd that has to agree about SIGRTMIN+3.

import { parseInteger } from './values/quantities';

const NAMES =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ ' +
  'VTALRM PROF WINCH IO PWR SYS';
const ALIASES: { readonly [name: string]: number } = { IOT: 6, CLD: 17, POLL: 29 };

/** glibc's SIGRTMIN and SIGRTMAX on Linux. */
export const RTMIN = 34;
export const RTMAX = 64;

/** systemd's PID 1 halts on SIGRTMIN+3, and powers off on +4 (systemd(1), SIGNALS). */
export const SIGNAL_HALT = RTMIN + 3;
export const SIGNAL_POWER_OFF = RTMIN + 4;
export const SIGNAL_REBOOT = RTMIN + 5;
/** sysvinit runs the ctrlaltdel line of its inittab on SIGINT: everywhere a shutdown for a reboot. */
export const SIGINT = 2;
/** busybox init powers off on SIGUSR2, and reboots on SIGTERM (init/init.c). */
export const SIGUSR2 = 12;
export const SIGTERM = 15;
/** sysvinit runs the powerwait and powerfail lines of its inittab on SIGPWR, if it has any. */
export const SIGPWR = 30;

/**
 * Number of a signal written as a name with or without SIG (`TERM`, `SIGTERM`), a number (`15`), or relative to the real-time
 * range (`RTMIN+3`, `SIGRTMAX-2`). Case does not count. Undefined when there is no such signal.
 */
export function signalNumber(text: string): number | undefined {
  const given = parseInteger(text);
  if (given !== undefined) return given >= 1 && given <= RTMAX ? given : undefined;
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime !== null) {
    const [, base, sign, digits] = realtime;
    const offset = Number(digits ?? 0);
    // RTMIN-1 or RTMAX+1 would leave the range, and RTMIN-0 is only a confusing way to write RTMIN
    if (sign !== undefined && sign !== (base === 'MIN' ? '+' : '-')) return undefined;
    const number = base === 'MIN' ? RTMIN + offset : RTMAX - offset;
    return number >= RTMIN && number <= RTMAX ? number : undefined;
  }
  const index = NAMES.split(' ').indexOf(name);
  return index >= 0 ? index + 1 : ALIASES[name];
}

/** `15` → `SIGTERM`, `37` → `SIGRTMIN+3`; a number without a name is given back as digits. */
export function signalName(number: number): string {
  if (number >= RTMIN && number <= RTMAX) return number === RTMIN ? 'SIGRTMIN' : `SIGRTMIN+${number - RTMIN}`;
  const name = NAMES.split(' ')[number - 1];
  return name === undefined ? String(number) : `SIG${name}`;
}

/** All names in the order of their numbers, for `--kill-signal=help`. */
export function signalNames(): string[] {
  const realtime = Array.from({ length: RTMAX - RTMIN + 1 }, (_, offset) => signalName(RTMIN + offset));
  return [...NAMES.split(' ').map((name) => `SIG${name}`), ...realtime];
}

// Trees to test with. Each kind is made once for a checkout, by the project's own bootstrapper; a test works on a copy of
// its own, because a machine has its tree for itself.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TSNSPAWN } from './launcher';
import { debianArchive } from './needs';

export type Kind = 'busybox' | 'host' | 'bookworm' | 'trixie' | 'sid' | 'i386' | 'sysvinit' | 'machined' | 'debuggers';

const HOME = join(process.cwd(), 'build/trees');

const ARGUMENTS: Readonly<Record<Kind, readonly string[]>> = {
  busybox: ['--variant=busybox', 'stable'],
  host: ['--variant=host', 'host'],
  bookworm: ['--autologin', 'bookworm'],
  trixie: ['--autologin', 'trixie'],
  sid: ['--autologin', 'sid'],
  i386: ['--arch=i386', '--autologin', 'bookworm'],
  debuggers: ['--variant=minbase', '--include=strace,gdb', 'bookworm'],
  sysvinit: ['--init=sysvinit', '--autologin', 'bookworm'],
  // a host for machines: with systemd-machined, a systemd for each user, and what Node needs
  machined: ['--include=systemd-container,dbus-user-session,libpam-systemd,uidmap,libstdc++6', 'bookworm'],
};

/** The tree of this kind that all tests share: to be looked at, or copied. Made at the first call. */
export function sharedTree(kind: Kind): string {
  const path = join(HOME, kind);
  mkdirSync(HOME, { recursive: true });
  if (existsSync(path)) return path;
  const [last, ...options] = [...ARGUMENTS[kind]].reverse();
  // flock(1): test files run side by side and want the same tree.
  // the main archive alone: mirrors of the others often leave the second architecture behind
  const mirror = kind === 'i386' ? (debianArchive()?.uri ?? '') : '';
  const words = [...options.reverse(), last, `'${path}'`, mirror].join(' ');
  const make = `test -e '${path}' || exec '${TSNSPAWN}' bootstrap ${words}`;
  const { status, stderr } = spawnSync('flock', [`${path}.lock`, 'sh', '-c', make], { timeout: 300_000 });
  if (status !== 0) throw new Error(`cannot make the ${kind} tree: ${stderr}`);
  return path;
}

/** A copy that belongs to the calling test file; it goes when the process ends. */
export function ownTree(kind: Kind, name: string = kind): string {
  const shared = sharedTree(kind);
  const home = mkdtempSync(join(HOME, `.${kind}-`));
  process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  const path = join(home, name);
  execFileSync('cp', ['-a', '--reflink=auto', shared, path]);
  return path;
}

// The busybox variant: one static program under two hundred names. It boots in a blink, holds nothing to break, and needs no
// privileges to be made, as nothing of it runs while it is made.
import { Buffer } from 'node:buffer';
import { loadUniverse, type OpenedArchive } from '../apt/repository';
import { openDeb } from '../archive/ar';
import { readData } from '../archive/deb';
import type { Context } from '../context';
import { fetchPackage } from '../debian';
import { packageText } from '../dpkg/unpack';
import { BootstrapError } from '../errors';
import { hostArchitecture } from '../mirror';
import { addNotifyHelper, finishSmallTree, inittab, link, smallTree } from './skeleton';

const PACKAGE = 'busybox-static';
const SIZE_LIMIT = 64 << 20;

/** Make a tree around the archive's static busybox. */
export async function makeBusyboxTree(
  context: Context,
  tree: string,
  archives: readonly OpenedArchive[],
): Promise<void> {
  const { options, progress } = context;
  progress.stage('reading indices');
  const universe = await loadUniverse(archives, context);
  const one = universe.candidate(PACKAGE);
  if (one === undefined)
    throw new BootstrapError(
      'DEPENDENCY',
      `cannot make a busybox tree of ${options.suite}: it has no package ${PACKAGE}`,
    );
  progress.stage('unpacking');
  const what = packageText(one);
  const program = await readProgram(await fetchPackage(context, one), what);
  const names = appletNames(program);
  if (!names.includes('init') || !names.includes('sh'))
    throw new BootstrapError('ARCHIVE_INVALID', `cannot use ${what}: its busybox has no init or no shell`);

  const release = archives[0]?.release;
  const writer = smallTree(tree, {
    NAME: 'BusyBox',
    ID: 'busybox',
    VERSION_ID: one.version,
    PRETTY_NAME: `BusyBox ${one.version} (${[release?.origin, release?.codename ?? options.suite].filter((word) => word !== undefined).join(' ')})`,
  });
  writer.write('usr/bin/busybox', program, 0o755);
  // The helper is a program of the host; a tree for another machine does without.
  const notify = addNotifyHelper(
    writer,
    options.architecture === hostArchitecture() ? options.notifyHelper : undefined,
  );
  for (const name of names)
    link(
      writer,
      `${SYSTEM.has(name) ? 'usr/sbin' : 'usr/bin'}/${name}`,
      SYSTEM.has(name) ? '../bin/busybox' : 'busybox',
    );
  writer.write('etc/inittab', inittab(notify));
  finishSmallTree(writer);
}

/** Applets that everybody looks for in sbin; scripts that name the full path exist. */
const SYSTEM: ReadonlySet<string> = new Set([
  'adjtimex',
  'chroot',
  'depmod',
  'fdisk',
  'fsck',
  'getty',
  'halt',
  'hwclock',
  'ifconfig',
  'ifdown',
  'ifup',
  'init',
  'insmod',
  'ip',
  'klogd',
  'losetup',
  'lsmod',
  'mdev',
  'mkfs',
  'mkswap',
  'modprobe',
  'nologin',
  'pivot_root',
  'poweroff',
  'reboot',
  'rmmod',
  'route',
  'run-init',
  'runlevel',
  'start-stop-daemon',
  'sulogin',
  'swapoff',
  'swapon',
  'switch_root',
  'sysctl',
  'syslogd',
  'udhcpc',
  'udhcpd',
  'vconfig',
  'watchdog',
]);

async function readProgram(file: string, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await readData(openDeb(file, what), what, (entry) => {
    if (entry.kind !== 'file' || !entry.name.endsWith('/bin/busybox')) return undefined;
    if (entry.size > SIZE_LIMIT)
      throw new BootstrapError('ARCHIVE_INVALID', `cannot use ${what}: its busybox has ${entry.size} bytes`);
    return { write: (chunk) => void chunks.push(Buffer.from(chunk)), end: () => undefined, abort: () => undefined };
  });
  if (chunks.length === 0) throw new BootstrapError('ARCHIVE_INVALID', `cannot use ${what}: it holds no busybox`);
  return Buffer.concat(chunks);
}

/**
 * The names a busybox answers to. They stand in the program as one sorted run of strings that begins with `[` and ends with an
 * empty one; reading them there works for every architecture, and without running the program on the host.
 */
export function appletNames(program: Buffer): string[] {
  const start = program.indexOf('[\0[[\0', 0, 'latin1');
  if (start < 0) return [];
  const end = program.indexOf('\0\0', start, 'latin1');
  return program
    .toString('latin1', start, end)
    .split('\0')
    .filter((name) => /^[a-z0-9[][a-z0-9_.+[-]*$/.test(name));
}

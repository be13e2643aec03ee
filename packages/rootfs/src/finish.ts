// What turns a set of configured packages into a system that is ready to boot: its own package sources, no identity of its
// own yet, and, when asked for, a console that logs root in.
import * as fs from 'node:fs';
import type { OpenedArchive } from './apt/repository';
import type { TreeWriter } from './archive/tree-writer';
import { BootstrapError, reasonOf } from './errors';
import { displayUrl } from './fetch/transport';

/** Keyrings that a tree may have of its own, to verify its archives with. */
const TREE_KEYRINGS = [
  'usr/share/keyrings/debian-archive-keyring.pgp',
  'usr/share/keyrings/debian-archive-keyring.gpg',
  'usr/share/keyrings/ubuntu-archive-keyring.gpg',
] as const;

/** Tell the tree's APT where it came from. Credentials of a mirror stay out of the tree. */
export function writeSources(writer: TreeWriter, archives: readonly OpenedArchive[]): void {
  const keyring = TREE_KEYRINGS.find((name) => writer.has(name));
  const paragraphs: string[] = [];
  const grouped = new Map<string, OpenedArchive[]>();
  for (const archive of archives) {
    const key = `${displayUrl(archive.uri)}\n${archive.components.join(' ')}`;
    grouped.set(key, [...(grouped.get(key) ?? []), archive]);
  }
  for (const group of grouped.values()) {
    const first = group[0] as OpenedArchive;
    const lines = [
      'Types: deb',
      `URIs: ${displayUrl(first.uri)}`,
      `Suites: ${group.map((one) => one.suite).join(' ')}`,
      `Components: ${first.components.join(' ')}`,
    ];
    if (keyring !== undefined) lines.push(`Signed-By: /${keyring}`);
    paragraphs.push(`${lines.join('\n')}\n`);
  }
  writer.directory('etc/apt/sources.list.d');
  writer.remove('etc/apt/sources.list');
  const name = (archives[0]?.release.origin ?? 'archive').toLowerCase().replace(/[^a-z0-9-]+/g, '-');
  writer.write(`etc/apt/sources.list.d/${name}.sources`, paragraphs.join('\n'));
}

/** Note which packages came only as dependencies, so that APT may remove them when nothing needs them any more. */
export function writeExtendedStates(
  writer: TreeWriter,
  automatic: ReadonlyArray<{ readonly name: string; readonly architecture: string }>,
  architecture: string,
): void {
  writer.directory('var/lib/apt');
  const text = automatic
    .map(
      (one) =>
        `Package: ${one.name}\nArchitecture: ${one.architecture === 'all' ? architecture : one.architecture}\nAuto-Installed: 1\n`,
    )
    .join('\n');
  writer.write('var/lib/apt/extended_states', text);
}

/** Logs and leftovers of the making, which no two runs have alike and nobody needs. */
const LEFTOVERS = [
  'var/log/dpkg.log',
  'var/log/alternatives.log',
  'var/log/bootstrap.log',
  'var/cache/ldconfig/aux-cache',
  'var/lib/dbus/machine-id',
  'var/lib/dpkg/lock',
  'var/lib/dpkg/lock-frontend',
  'var/lib/dpkg/triggers/Lock',
  'var/cache/debconf/config.dat-old',
  'var/cache/debconf/templates.dat-old',
] as const;

/** Take away what belongs to the making and not to the system. */
export function tidy(writer: TreeWriter): void {
  for (const name of LEFTOVERS) writer.remove(name);
  // Empty, not absent: systemd then makes up an id at the first boot, and does not take it for a first boot to be configured.
  writer.remove('etc/machine-id');
  writer.write('etc/machine-id', '', 0o444);
  // A guest uses the host's network unless told otherwise, and so its name servers.
  if (!writer.has('etc/resolv.conf')) writer.write('etc/resolv.conf', hostResolvConf());
  // /var/lock leads here; what the launcher mounts over /run in a guest hides it, a chroot needs it.
  writer.directory('run/lock');
  writer.directoryAttributes('run/lock', { mode: 0o1777, uid: 0, gid: 0, mtime: Math.floor(Date.now() / 1000) });
}

function hostResolvConf(): string {
  try {
    return fs.readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return ''; // the host has none either
  }
}

/** The units that may run a login on a console of a container. */
const GETTYS = [
  'console-getty.service',
  'container-getty@.service',
  'serial-getty@.service',
  'getty@.service',
] as const;

/** A shell that is born while the system goes down has missed its SIGHUP and ignores SIGTERM: systemd would wait 90 s for it. */
const STOP_SOON = 'TimeoutStopSec=2\n';

/** Log root in on every console, without a password: of systemd by drop-ins, which can be deleted to go back. False when there is no such console. */
export function enableAutologin(writer: TreeWriter): boolean {
  let enabled = loginFromInittab(writer);
  for (const unit of GETTYS) {
    const text = writer.read(`usr/lib/systemd/system/${unit}`)?.toString('utf8');
    const match = text && /^ExecStart=(-?\S*agetty)\s+(.*)$/m.exec(text);
    if (!match) continue;
    // The arguments differ between releases; of them only -o must go, which would give login(1) no -f to skip the password.
    const args = (match[2] as string).replace(/-o\s+'[^']*'\s*/, '');
    const directory = `etc/systemd/system/${unit}.d`;
    writer.directory(directory);
    writer.write(
      `${directory}/autologin.conf`,
      `# Made with --autologin: root needs no password on this console.\n[Service]\nExecStart=\nExecStart=${match[1]} --autologin root ${args}\n${STOP_SOON}`,
    );
    enabled = true;
  }
  return enabled;
}

/** sysvinit's terminals are those of a machine with a screen; a container has its console. */
function loginFromInittab(writer: TreeWriter): boolean {
  const inittab = writer.read('etc/inittab')?.toString('utf8');
  if (inittab === undefined) return false;
  const screens = /^(?=[^#:]*:[^:]*:respawn:\S*getty\s.*\btty\d+$)/gm;
  const line = 'co:2345:respawn:/sbin/agetty --autologin root --noclear --keep-baud console 38400 linux\n';
  const why = '# Made with --autologin: root needs no password on the console.\n';
  writer.write('etc/inittab', `${inittab.replace(screens, '#')}\n${why}${line}`);
  return true;
}

/** The program that says that a guest is up, which the build made. */
export function readHelper(helper: string): Buffer {
  try {
    return fs.readFileSync(helper);
  } catch (error) {
    throw new BootstrapError('TOOL_MISSING', `cannot read the helper ${helper}: ${reasonOf(error)}`, {
      path: helper,
      hint: 'build it first: npm run build',
      cause: error,
    });
  }
}

/** Where an administrator's own programs go: no package owns it. */
const NOTIFY = 'usr/local/sbin/tsnspawn-notify';

/** sysvinit does not say that it is up, as systemd does: its last act of a boot is then to run the program that does. */
export function announceReadiness(writer: TreeWriter, helper: string | undefined): void {
  const inittab = writer.read('etc/inittab')?.toString('utf8');
  if (inittab === undefined || helper === undefined) return;
  writer.directory('usr/local/sbin');
  writer.write(NOTIFY, readHelper(helper), 0o755);
  const why = '# Tells tsnspawn that the system is up, once the scripts of the runlevel have run.';
  writer.write('etc/inittab', `${inittab}\n${why}\nup:2345:wait:/${NOTIFY} READY=1\n`);
}

const POLICY = 'usr/sbin/policy-rc.d';

/** While packages are configured no service is to be started: the documented way to say so is this script. */
export function forbidServices(writer: TreeWriter): void {
  writer.directory('usr/sbin');
  writer.write(POLICY, '#!/bin/sh\nexit 101\n', 0o755);
}

export function allowServices(writer: TreeWriter): void {
  writer.remove(POLICY);
}

const HOSTNAME = 'etc/hostname';

/** Some scripts want to know what the system is called, and write it into their configuration. */
export function nameSystem(writer: TreeWriter, name: string): void {
  if (name !== '' && !writer.has(HOSTNAME)) writer.write(HOSTNAME, `${name}\n`);
}

/** A machine has the name that its start gives it: one in the tree would take precedence. */
export function unnameSystem(writer: TreeWriter, name: string): void {
  if (writer.read(HOSTNAME)?.toString('latin1') === `${name}\n`) writer.remove(HOSTNAME);
}

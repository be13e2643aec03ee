// The host variant: a small tree out of the host's own programs and their libraries. No network, no mirror, no root: what
// `npm start` falls back to, and what lets every test of the launcher run anywhere.
import * as fs from 'node:fs';
import * as path from 'node:path';
import createDebug from 'debug';
import type { TreeWriter } from '../archive/tree-writer';
import type { BootstrapOptions } from '../context';
import { libraryClosure } from '../elf/closure';
import { parseElf } from '../elf/elf';
import { BootstrapError } from '../errors';
import { osRelease } from '../mirror';
import { appletNames } from './busybox';
import { addNotifyHelper, finishSmallTree, inittab, link, smallTree } from './skeleton';

const debug = createDebug('tsnspawn:bootstrap');

const PROGRAMS =
  'sh bash [ awk base64 basename cat chgrp chmod chown chroot clear cmp cp cut date dd df diff dirname dmesg du echo env ' +
  'expr false find findmnt free getent grep gzip head hostname id ip kill less ln ls lsblk md5sum mkdir mkfifo mknod mktemp more ' +
  'mount mountpoint mv nproc nsenter od pgrep pkill printf ps pwd readlink realpath rm rmdir sed seq setpriv setsid sha256sum ' +
  'sleep sort stat stty sync tail tar tee test top touch tr true tty umount uname uniq unshare wc which whoami xargs yes busybox';

const SEARCH = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
/** Loaded by the C library at run time, so that no program names them: who is root, and what is a host's address. */
const LOADED_LATE = ['libnss_files.so.2', 'libnss_dns.so.2'];

/** Make a tree of the host's own programs. */
export async function makeHostTree(options: BootstrapOptions, tree: string): Promise<void> {
  const programs = new Map<string, string>();
  for (const name of PROGRAMS.split(' ')) {
    const found = SEARCH.map((directory) => path.join(directory, name)).find((file) => isProgram(file));
    if (found !== undefined) programs.set(name, found);
  }
  if (!programs.has('sh'))
    throw new BootstrapError('TOOL_MISSING', 'cannot make a tree of the host’s programs: it has no shell');
  const closure = libraryClosure([...programs.values()]);
  for (const [name, by] of closure.missing) debug('%s needs %s, which was not found', by, name);
  const libraries = new Set(closure.files);
  for (const file of closure.files) {
    for (const name of LOADED_LATE)
      if (fs.existsSync(path.join(path.dirname(file), name))) libraries.add(path.join(path.dirname(file), name));
  }

  const host = osRelease();
  const writer = smallTree(tree, {
    NAME: 'Programs of the host',
    ID: 'tsnspawn-host',
    PRETTY_NAME: `programs of ${host.PRETTY_NAME ?? 'the host'}`,
  });
  const places = new Map<string, string>();
  for (const [name, file] of programs) copyOnce(writer, places, file, `usr/bin/${name}`);
  for (const file of libraries) copyOnce(writer, new Map(), file, inTree(file));
  // Where the loader looks first; entries for libraries that did not come along do no harm.
  if (fs.existsSync('/etc/ld.so.cache')) writer.write('etc/ld.so.cache', fs.readFileSync('/etc/ld.so.cache'));
  copyTerminals(writer);
  addInit(writer, programs, addNotifyHelper(writer, options.notifyHelper));
  finishSmallTree(writer);
}

/** Only programs that run by themselves are taken: a script may need anything. */
function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.R_OK | fs.constants.X_OK);
    return fs.statSync(file).isFile() && parseElf(fs.readFileSync(file)) !== undefined;
  } catch {
    return false;
  }
}

/** A path of the host in a tree with merged /usr. */
function inTree(file: string): string {
  const name = file.slice(1);
  return /^(bin|sbin|lib[^/]*)\//.test(name) ? `usr/${name}` : name;
}

/** Copy a file, or link to the copy when the same file was copied under another name (sh and dash, awk and mawk). */
function copyOnce(writer: TreeWriter, places: Map<string, string>, file: string, name: string): void {
  const real = fs.realpathSync(file);
  const known = places.get(real);
  if (known !== undefined && path.dirname(known) === path.dirname(name)) {
    link(writer, name, path.basename(known));
    return;
  }
  if (writer.has(name)) return;
  places.set(real, name);
  // Set-id bits stay behind: the copy may belong to somebody else.
  writer.write(name, fs.readFileSync(real), fs.statSync(real).mode & 0o111 ? 0o755 : 0o644);
}

/** Descriptions of common terminals, for programs that draw. */
function copyTerminals(writer: TreeWriter): void {
  for (const base of ['/usr/share/terminfo', '/lib/terminfo', '/usr/lib/terminfo', '/etc/terminfo']) {
    for (const terminal of [
      'l/linux',
      'x/xterm',
      'x/xterm-256color',
      'v/vt100',
      'v/vt220',
      'd/dumb',
      's/screen',
      't/tmux',
    ]) {
      const file = path.join(base, terminal);
      if (fs.existsSync(file)) copyOnce(writer, new Map(), file, `usr/share/terminfo/${terminal}`);
    }
  }
}

const ENDINGS: Readonly<Record<string, string>> = { poweroff: 'USR2', halt: 'USR1', reboot: 'TERM' };

// Signals 37 to 39 are SIGRTMIN+3 to +5 of glibc, by which systemd is asked to halt, power off and restart; the others are
// busybox's. The shell runs in the background because traps wait for what runs in the foreground; and a shell gives what it
// runs there /dev/null as input, which is why the console is kept under another number.
const INIT = `#!/bin/sh
# PID 1 of a tree made of the host's own programs: it says that it is up, keeps a shell on the console, and ends in order.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd /root
exec 3<&0
finish() {
  trap '' USR1 USR2 TERM INT 37 38 39
  kill -TERM -1 2>/dev/null
  sleep 0.1
  kill -KILL -1 2>/dev/null
  exec tsnspawn-notify "--$1"
}
trap 'finish poweroff' USR2 38
trap 'finish halt' USR1 37
trap 'finish reboot' TERM INT 39
tsnspawn-notify READY=1
while :; do
  if [ -t 0 ] && command -v setsid >/dev/null; then
    setsid -c /bin/sh -l <&3 3<&- &
  else
    /bin/sh -l <&3 3<&- &
  fi
  wait $!
  sleep 1 &
  wait $!
done
`;

/** busybox's init where the host has one, else a shell script that behaves like it. */
function addInit(writer: TreeWriter, programs: ReadonlyMap<string, string>, notify: boolean): void {
  const busybox = programs.get('busybox');
  const applets = busybox === undefined ? [] : appletNames(fs.readFileSync(busybox));
  if (applets.includes('init')) {
    for (const name of ['init', ...Object.keys(ENDINGS)])
      if (applets.includes(name)) link(writer, `usr/sbin/${name}`, '../bin/busybox');
    writer.write('etc/inittab', inittab(notify));
    return;
  }
  if (!notify)
    throw new BootstrapError(
      'TOOL_MISSING',
      'cannot make an init for the tree: the host has no busybox, and the helper tsnspawn-notify was not built',
      { hint: 'build it first: npm run build' },
    );
  writer.write('usr/sbin/init', INIT, 0o755);
  for (const [name, signal] of Object.entries(ENDINGS))
    writer.write(`usr/sbin/${name}`, `#!/bin/sh\nexec kill -${signal} 1\n`, 0o755);
}

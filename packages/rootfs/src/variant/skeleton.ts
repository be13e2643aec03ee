// What the two small trees have in common: merged /usr, the few files in /etc without which programs complain, and the
// configuration of busybox's init.
import { TreeWriter } from '../archive/tree-writer';
import { readHelper } from '../finish';
import { ownersHere } from '../owners/keep';

const DIRECTORIES: ReadonlyArray<readonly [name: string, mode: number]> = [
  ['usr/bin', 0o755],
  ['usr/sbin', 0o755],
  ['usr/lib', 0o755],
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755],
  ['mnt', 0o755],
  ['opt', 0o755],
  ['proc', 0o755],
  ['root', 0o700],
  ['run', 0o755],
  ['srv', 0o755],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['var/cache', 0o755],
  ['var/lib', 0o755],
  ['var/log', 0o755],
  ['var/tmp', 0o1777],
];

const LINKS: Readonly<Record<string, string>> = {
  bin: 'usr/bin',
  sbin: 'usr/sbin',
  lib: 'usr/lib',
  lib64: 'usr/lib64',
  'etc/mtab': '../proc/self/mounts',
  'etc/os-release': '../usr/lib/os-release',
  'var/run': '../run',
  'var/lock': '../run/lock',
};

const FILES: Readonly<Record<string, string>> = {
  'etc/passwd': 'root::0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost ip6-localhost\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
  'etc/shells': '/bin/sh\n',
  'etc/resolv.conf': '',
  'etc/profile': "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PS1='\\h:\\w\\$ '\n",
};

/** Where the program that says that the guest is up lies in a tree. */
const NOTIFY = 'usr/bin/tsnspawn-notify';

/** What busybox's init does: say that it is up, then keep a shell on the console. No login: a small tree has no passwords. */
export function inittab(notify: boolean): string {
  return [
    '# Read by init of busybox. SIGUSR2 powers off, SIGUSR1 halts, SIGTERM and ctrl-alt-del restart.',
    ...(notify ? ['::wait:/usr/bin/tsnspawn-notify READY=1'] : []),
    '::respawn:-/bin/sh',
    '::restart:/sbin/init',
    '::ctrlaltdel:/sbin/reboot',
    '',
  ].join('\n');
}

/** A writer for a small tree; owners are set only where the caller can. */
export function smallTree(tree: string, osRelease: Readonly<Record<string, string>>): TreeWriter {
  const writer = new TreeWriter(tree, { owners: ownersHere() === 'given' ? 'given' : 'caller' });
  const mtime = Math.floor(Date.now() / 1000);
  for (const [name] of DIRECTORIES) writer.directory(name);
  for (const [name, target] of Object.entries(LINKS))
    writer.symlink(name, target, { mode: 0o777, uid: 0, gid: 0, mtime });
  writer.directory('usr/lib64');
  for (const [name, content] of Object.entries(FILES)) writer.write(name, content);
  writer.write('etc/machine-id', '', 0o444);
  const fields = Object.entries(osRelease).map(([name, value]) => `${name}="${value.replace(/["$`\\]/g, '\\$&')}"\n`);
  writer.write('usr/lib/os-release', fields.join(''));
  return writer;
}

/** Modes of the directories, set when nothing more is written into them; then the writer is done. */
export function finishSmallTree(writer: TreeWriter): void {
  const mtime = Math.floor(Date.now() / 1000);
  for (const [name, mode] of DIRECTORIES) writer.directoryAttributes(name, { mode, uid: 0, gid: 0, mtime });
  writer.close();
}

/** Copy the helper that says that the guest is up; false when there is none to copy. */
export function addNotifyHelper(writer: TreeWriter, helper: string | undefined): boolean {
  if (helper === undefined) return false;
  writer.write(NOTIFY, readHelper(helper), 0o755);
  return true;
}

/** Make a link to a program, unless something has that name. */
export function link(writer: TreeWriter, name: string, target: string): void {
  if (writer.has(name)) return;
  writer.symlink(name, target, { mode: 0o777, uid: 0, gid: 0, mtime: Math.floor(Date.now() / 1000) });
}

// Loads the addon, and gives its functions types. Errors of the addon itself are numbers (-errno) or carry `errno`.

import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The running monitor process. */
export interface NativeMonitor {
  readonly pid: number;
  /** Sends a signal to the guest's PID 1; false when the monitor has gone. */
  signal(number: number): boolean;
}

export type NativeCallback = (kind: number, a: number, b: number, c: number, text: string) => void;

export interface NativeLaunch {
  readonly plan: Uint8Array;
  /** descriptor of the locked tree; the monitor holds a copy, and with it the lock */
  readonly lockFd: number;
  /** further descriptors for the monitor: for the plan's slots in their order, then lock files, then those for the payload */
  readonly handed: readonly number[];
  /** descriptor that becomes the standard output of the monitor and, where it has no console, of the payload */
  readonly stdout: number;
  /** name of the monitor in process listings */
  readonly name: string;
  /** what /proc/PID/environ of the monitor shows */
  readonly env: readonly string[];
  /** CLONE_NEW* flags */
  readonly namespaces: number;
  /** of the user namespace among them */
  readonly maps?: NativeMaps;
}

/** Lines of uid_map and gid_map, and who writes them: native/src/addon/spawn.hh, UserMaps. */
export interface NativeMaps {
  readonly uids: string;
  readonly gids: string;
  readonly newuidmap: string | undefined;
  readonly newgidmap: string | undefined;
  readonly denySetgroups: boolean;
}

/** What the supervisor takes over from Node. */
export interface NativeSupervision extends NativeLaunch {
  readonly machine: string;
  readonly tree: string;
  /** $NOTIFY_SOCKET of the service manager */
  readonly manager: string | undefined;
  readonly quiet: boolean;
  readonly notifyReady: boolean;
  readonly interactive: boolean;
  /** the launcher's own command line, from the path of Node on */
  readonly argv: readonly string[];
}

export interface OpenedTree {
  readonly fd: number;
  /** links resolved */
  readonly path: string;
  /** device and inode */
  readonly identity: string;
  /** the file system is mounted read-only */
  readonly readOnly: boolean;
  readonly uid: number;
  readonly gid: number;
}

export interface OpenedImage {
  readonly fd: number;
  /** links resolved */
  readonly path: string;
  /** device and inode */
  readonly identity: string;
  readonly kind: 'file' | 'block' | 'other';
  /** bytes */
  readonly size: number;
  /** bytes, of a block device; 512 of a file */
  readonly sectorSize: number;
  /** it could be opened for reading only, or was asked to be */
  readonly readOnly: boolean;
}

/** A file as statx(2) shows it. */
export interface FileFacts {
  /** type and permissions, as in st_mode */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  /** seconds since 1970 */
  readonly modified: number;
  /** of a device node */
  readonly major: number;
  readonly minor: number;
  /** which mount it lies in; 0 before Linux 5.8 */
  readonly mount: number;
  /** the file system, and the file's number in it */
  readonly device: string;
  readonly inode: string;
  /** SECONDS.NANOSECONDS; `0.0` where the file system does not know */
  readonly birth: string;
  /** the text of a link */
  readonly target?: Buffer;
}

/** What native/src/addon/binding.cc, image-binding.cc and files-binding.cc export. */
export interface Addon {
  launch(options: NativeLaunch, callback: NativeCallback): NativeMonitor;
  supervise(options: NativeSupervision): never;
  /** Runs a program as root of a user namespace, and waits for its end: the exit status. */
  runInNamespace(options: {
    readonly argv: readonly string[];
    readonly env: readonly string[];
    readonly maps: NativeMaps;
  }): number;
  /** Removes the directory at `path`, of which `fd` is a descriptor, and what is in it, whoever renames parts of it meanwhile. */
  removeDirectory(fd: number, path: string): void;
  lockTree(path: string, exclusive: boolean, identity: string): number;
  /** the descriptors of systemd-nspawn's lock files for this tree or image, or -errno */
  takeLockFiles(path: string, exclusive: boolean): readonly number[] | number;
  releaseLockFile(fd: number): void;
  /** a negative number is -errno */
  openTree(path: string): number | OpenedTree;
  /** Opens a disk image or block device, for reading only where writing is refused; a negative number is -errno. */
  openImage(path: string, writable: boolean): number | OpenedImage;
  /** flock(2): 0 or -errno, at once. */
  lockFile(fd: number, exclusive: boolean): number;
  /** A loop device for a part of a file (`size` 0: to its end). The kernel frees it when its last user is gone. */
  attachLoop(
    fd: number,
    options: { offset: number; size: number; readOnly: boolean },
  ): number | { readonly fd: number; readonly path: string };
  hasFileSystem(type: string): boolean;
  /** Mounts a block device for a look at it, attached nowhere; options of its type. A descriptor, or -errno. */
  mountReadOnly(device: number, type: string, options: readonly string[]): number;
  extendedAttribute(fd: number, name: string): string | undefined;
  /** permitted and bounding set, each as bits 0 to 31 and 32 to 63 */
  capabilities(): readonly [readonly [number, number], readonly [number, number]];
  readInTree(tree: number, path: string, most: number): Buffer | undefined;
  /** confined: links are not followed out of the directory; a negative number is -errno */
  readBeside(directory: string, name: string, most: number, confined: boolean): Buffer | number | undefined;
  resolveInTree(tree: number, path: string): string | undefined;
  readText(path: string): string | undefined;
  /** a negative number is -errno: EINVAL for what is no regular file, EFBIG for one of more than `most` bytes */
  readFile(path: string, most: number): Buffer | number;
  /** the same of what a listening stream socket says until it hangs up; ETIMEDOUT when it does not */
  readSocket(path: string, most: number): Buffer | number;
  /** locks the ids from `base` on against systemd-nspawn and others: a descriptor, or -EBUSY where somebody has some of them */
  lockIds(base: number, size: number): number;
  /** whether the file system of a directory can show other owners than it has */
  /** the caller's own cgroup of cgroup2 can be written by a mount of its own */
  ownsCgroup(): boolean;
  mapsOwners(fd: number): boolean;
  /** bytes that are no UTF-8 as lone surrogates */
  commandLine(): readonly string[];
  closeFd(fd: number): void;
  /** of an open file, also one that is open with O_PATH, and a link by itself; a negative number is -errno */
  inspect(fd: number): FileFacts | number;
  /** its extended attributes, as far as the caller may see them; a negative number is -errno */
  attributes(fd: number): ReadonlyArray<readonly [name: string, value: Buffer]> | number;
  setAttribute(fd: number, name: string, value: Uint8Array): number;
  removeAttribute(fd: number, name: string): number;
  exit(status: number): never;
  isTerminal(fd: number): boolean;
  canOpen(path: string): boolean;
  refusedProcessors(numbers: readonly number[]): readonly number[];
  limits(pid: number): readonly number[];
  interfaceName(name: string): string | undefined;
  networkNamespace(path: string): 'network' | 'missing' | 'denied' | 'other';
  /** whether this process's network namespace belongs to its user namespace */
  ownsNetwork(): boolean;
  /** whether reboot(2) in a PID namespace is that of the host; for root */
  rebootsHost(): boolean;
  saveTerminal(): void;
  restoreTerminal(): void;
  seccompFilter(name: string): Buffer;
}

let loaded: Addon | undefined;

/**
 * The addon, loaded at the first call.
 * @throws Error that names every place that was tried and the command that builds it
 */
export function addon(): Addon {
  if (loaded === undefined) loaded = load();
  return loaded;
}

/**
 * Ends the process with this status, without the milliseconds that Node takes to give its memory back. All output must have
 * been written synchronously.
 */
export function exitNow(status: number): never {
  if (loaded === undefined) process.exit(status);
  return loaded.exit(status);
}

/**
 * The arguments of the command with every byte that the caller gave; Node has altered those that are no UTF-8. process.argv,
 * with which Node may be started again, is put right, too.
 *
 * @param argv the last words of process.argv
 */
export function exactArguments(argv: readonly string[]): readonly string[] {
  if (!argv.some((word) => word.includes('\ufffd'))) return argv;
  const exact = addon().commandLine().slice(-argv.length);
  process.argv.splice(-argv.length, argv.length, ...exact);
  return exact;
}

/**
 * The words of a command line that start this Node again, up to those for a script. Of the portable archive Node is started by a loader
 * of its own (ld.so(8)), and process.execPath is that loader.
 */
export function nodeCommand(): [program: string, ...words: string[]] {
  if (!basename(process.execPath).startsWith('ld-')) return [process.execPath, ...process.execArgv];
  const words = addon().commandLine();
  const node = words.indexOf(process.argv0, 1);
  return [process.execPath, ...words.slice(1, node + 1), ...process.execArgv];
}

/** Where build outputs lie: seen from this package, and from the command's bundle beside it. */
function buildDirectories(): string[] {
  return [join(__dirname, '../build'), join(__dirname, '../../native/build')];
}

/**
 * A file of the native build.
 * @throws Error when it has not been built
 */
export function builtFile(name: string): string {
  const places = buildDirectories().map((directory) => join(directory, name));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw notBuilt(name, places);
  return found;
}

function load(): Addon {
  const file = builtFile('tsnspawn.node');
  // Not require(): a bundle's require is resolved when it is made.
  const module = { exports: {} };
  process.dlopen(module, file);
  return module.exports as Addon;
}

function notBuilt(name: string, places: readonly string[]): Error {
  return new Error(`${name} has not been built; looked for ${places.join(', ')}; build it with: npm run build`);
}

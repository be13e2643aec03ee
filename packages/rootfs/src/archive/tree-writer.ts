// Writes the members of an archive into a tree, and nowhere else, whatever their names are and wherever their links point.
//
// Every directory on the way to a member is opened component by component with O_NOFOLLOW, and the last component is then
// addressed as /proc/self/fd/N/NAME, so no path that an archive chose is ever resolved by the kernel as a whole. A symlink to a
// directory is followed by hand, with the tree as its root, because merged /usr needs that: /bin/sh is a member, /bin a link.
// String checks on paths are not enough for this; five years of advisories about tar libraries say so.

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { BootstrapError, errorCode } from '../errors';
import { O_PATH } from '../linux';
import { noteOwner, rememberDevice, rememberOwner } from '../owners/keep';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;
/** Descriptors of directories kept open at a time. */
const OPEN_DIRECTORIES = 256;
const LINK_LIMIT = 40;

export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

export interface Attributes extends Ownership {
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/**
 * What becomes of the owners that an archive names: files are `given` to them; all belong to the `caller`; or all belong to the
 * caller and the owners are `remembered`, together with device nodes (owners/remembered.ts).
 */
export type OwnerKeeping = 'given' | 'caller' | 'remembered';

export interface TreeWriterOptions {
  readonly owners: OwnerKeeping;
  /** Top-level directories that are made as links into usr/ (merged /usr) when the archive has them as directories. */
  readonly merged?: ReadonlySet<string>;
}

export class TreeWriter {
  readonly root: string;
  readonly #options: TreeWriterOptions;
  readonly #rootDescriptor: number;
  /** Real path inside the tree → descriptor, least recently used first. */
  readonly #open = new Map<string, number>();
  /** Path as written → real path, for directories; dropped whenever a link is replaced. */
  readonly #resolved = new Map<string, string>();

  constructor(root: string, options: TreeWriterOptions) {
    this.root = root;
    this.#options = options;
    this.#rootDescriptor = fs.openSync(root, O_PATH | O_DIRECTORY);
  }

  close(): void {
    for (const descriptor of this.#open.values()) fs.closeSync(descriptor);
    this.#open.clear();
    fs.closeSync(this.#rootDescriptor);
  }

  /** Make a directory, if there is none. Its attributes are set later, by `attributes`, since writing into it changes them. */
  directory(name: string): void {
    const components = splitMember(name);
    if (components.length === 0) return;
    if (components.length === 1 && this.#options.merged?.has(components[0] as string))
      this.#merge(components[0] as string);
    this.#directoryOf(components, true);
  }

  /** Set what belongs to a directory; one that meanwhile is a link keeps what its target has. */
  directoryAttributes(name: string, attributes: Attributes): void {
    const components = splitMember(name);
    const path = components.length === 0 ? this.#base('') : this.#path(components, false).path;
    if (!fs.lstatSync(components.length === 0 ? `${path}/.` : path).isDirectory()) return;
    const target = components.length === 0 ? `${path}/.` : path;
    this.#own(target, attributes);
    fs.chmodSync(target, attributes.mode & 0o7777);
    fs.lutimesSync(target, attributes.mtime, attributes.mtime);
  }

  /** Begin a regular file, in place of whatever non-directory has that name. */
  file(name: string, attributes: Attributes): FileSink {
    const { path } = this.#path(splitMember(name), true);
    const descriptor = this.#replacing(name, path, () =>
      fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
    );
    return new FileSink(descriptor, attributes, (uid, gid) => {
      if (this.#options.owners === 'given') fs.fchownSync(descriptor, uid, gid);
      if (this.#options.owners === 'remembered') rememberOwner(descriptor, { uid, gid });
    });
  }

  symlink(name: string, target: string, attributes: Attributes): void {
    const components = splitMember(name);
    const { path } = this.#path(components, true);
    try {
      fs.symlinkSync(target, path);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      const existing = fs.lstatSync(path);
      // As dpkg does it: a directory that is there stays, the link is dropped.
      if (existing.isDirectory()) return;
      if (existing.isSymbolicLink() && fs.readlinkSync(path) === target) return;
      this.#resolved.clear();
      fs.unlinkSync(path);
      fs.symlinkSync(target, path);
    }
    this.#own(path, attributes);
    fs.lutimesSync(path, attributes.mtime, attributes.mtime);
  }

  /** Make a hard link to another member of the tree. */
  hardlink(name: string, target: string): void {
    const from = this.#path(splitMember(target), false).path;
    const { path } = this.#path(splitMember(name), true);
    if (fs.lstatSync(from).isDirectory()) throw hostile(name, 'it is a hard link to a directory');
    this.#replacing(name, path, () => fs.linkSync(from, path));
  }

  /** Make a device node or a FIFO. Node has no mknod(2), so the program does it, inside the directory that was opened. */
  node(name: string, kind: 'b' | 'c' | 'p', major: number, minor: number, attributes: Attributes): void {
    if (kind !== 'p' && this.#options.owners === 'remembered') {
      this.#placeholder(name, kind, major, minor, attributes);
      return;
    }
    const { path, parent, last } = this.#path(splitMember(name), true);
    this.#replacing(name, path, () => {
      if (fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined)
        throw Object.assign(new Error('exists'), { code: 'EEXIST' });
      const device = kind === 'p' ? [] : [String(major), String(minor)];
      const made = spawnSync('mknod', ['--', last, kind, ...device], {
        cwd: `/proc/${process.pid}/fd/${parent}/`,
        encoding: 'utf8',
      });
      if (made.error !== undefined) throw made.error;
      if (made.status !== 0) throw new Error(made.stderr.trim().split('\n')[0] ?? 'mknod failed');
    });
    this.#own(path, attributes);
    fs.chmodSync(path, attributes.mode & 0o7777);
    fs.lutimesSync(path, attributes.mtime, attributes.mtime);
  }

  /** Read a small regular file of the tree, following links inside the tree only; undefined when there is none. */
  read(name: string): Buffer | undefined {
    for (let components = splitMember(name), links = 0; links < LINK_LIMIT; links++) {
      let place: { path: string };
      try {
        place = this.#path(components, false);
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
      }
      const stat = fs.lstatSync(place.path, { throwIfNoEntry: false });
      if (stat?.isFile()) return fs.readFileSync(place.path);
      if (!stat?.isSymbolicLink()) return undefined;
      const target = fs.readlinkSync(place.path);
      components = normalize(
        target.startsWith('/') ? target.split('/') : [...components.slice(0, -1), ...target.split('/')],
      );
      if (components.length === 0) return undefined;
    }
    return undefined;
  }

  /** Write a small file of our own: an archive's member by another name. */
  write(name: string, content: string | Buffer, mode = 0o644): void {
    const sink = this.file(name, { mode, uid: 0, gid: 0, mtime: Math.floor(Date.now() / 1000) });
    sink.write(Buffer.from(content));
    sink.end();
  }

  /** Remove a non-directory, if it is there. */
  remove(name: string): void {
    try {
      fs.unlinkSync(this.#path(splitMember(name), false).path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }

  /** Whether a regular file is at that path; a link to one is not. */
  isFile(name: string): boolean {
    return fs.lstatSync(this.#path(splitMember(name), false).path, { throwIfNoEntry: false })?.isFile() ?? false;
  }

  /** Whether something is at that path; a link counts by itself. */
  has(name: string): boolean {
    try {
      return fs.lstatSync(this.#path(splitMember(name), false).path, { throwIfNoEntry: false }) !== undefined;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** The owner of what is no regular file. Before its mode is set, which may forbid to remember anything. */
  #own(path: string, { uid, gid }: Ownership): void {
    if (this.#options.owners === 'given') fs.lchownSync(path, uid, gid);
    if (this.#options.owners !== 'remembered') return;
    const descriptor = fs.openSync(path, path.endsWith('/.') ? O_PATH : O_PATH | O_NOFOLLOW);
    try {
      if (fs.fstatSync(descriptor).isDirectory()) rememberOwner(descriptor, { uid, gid }, path.endsWith('/.'));
      else noteOwner(this.root, descriptor, { uid, gid });
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** A file that stands for a device, which only root of the host can make. */
  #placeholder(name: string, kind: 'b' | 'c', major: number, minor: number, attributes: Attributes): void {
    const sink = this.file(name, attributes);
    rememberDevice(sink.descriptor, kind, major, minor);
    sink.end();
  }

  #replacing<T>(name: string, path: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    const existing = fs.lstatSync(path);
    if (existing.isDirectory()) throw hostile(name, 'it is to replace a directory');
    if (existing.isSymbolicLink()) this.#resolved.clear();
    fs.unlinkSync(path);
    return make();
  }

  #merge(top: string): void {
    this.#directoryOf(['usr', top], true);
    const path = `${this.#base('')}/${top}`;
    if (fs.lstatSync(path, { throwIfNoEntry: false }) === undefined) fs.symlinkSync(`usr/${top}`, path);
  }

  /** The way to address a member: its directory is opened, its last component is not looked at. */
  #path(components: readonly string[], create: boolean): { path: string; parent: number; last: string } {
    const last = components.at(-1);
    if (last === undefined) throw hostile('.', 'it is the root of the tree');
    const directory = this.#directoryOf(components.slice(0, -1), create);
    const parent = this.#descriptor(directory);
    return { path: `/proc/self/fd/${parent}/${last}`, parent, last };
  }

  /** The real path inside the tree of a directory given as written, links followed inside the tree. */
  #directoryOf(components: readonly string[], create: boolean): string {
    const key = components.join('/');
    const known = this.#resolved.get(key);
    if (known !== undefined) return known;
    const real: string[] = [];
    let todo = [...components];
    for (let links = 0; todo.length > 0; ) {
      const next = todo.shift() as string;
      if (next === '' || next === '.') continue;
      if (next === '..') {
        real.pop(); // The parent of the root is the root, as for every process.
        continue;
      }
      const path = `${this.#base(real.join('/'))}/${next}`;
      try {
        this.#remember([...real, next].join('/'), path);
        real.push(next);
      } catch (error) {
        const code = errorCode(error);
        if (code === 'ENOENT' && create) {
          fs.mkdirSync(path, 0o755);
          todo.unshift(next);
          continue;
        }
        if (code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
        let target: string;
        try {
          target = fs.readlinkSync(path);
        } catch {
          throw hostile(key, `${[...real, next].join('/')} is not a directory`);
        }
        if (++links > LINK_LIMIT) throw hostile(key, 'too many links on the way to it');
        if (target.startsWith('/')) real.length = 0;
        todo = [...target.split('/'), ...todo];
      }
    }
    const result = real.join('/');
    this.#resolved.set(key, result);
    return result;
  }

  #base(real: string): string {
    return `/proc/self/fd/${this.#descriptor(real)}`;
  }

  #descriptor(real: string): number {
    if (real === '') return this.#rootDescriptor;
    const known = this.#open.get(real);
    if (known !== undefined) {
      this.#open.delete(real);
      this.#open.set(real, known);
      return known;
    }
    const slash = real.lastIndexOf('/');
    const parent = this.#base(slash < 0 ? '' : real.slice(0, slash));
    return this.#remember(real, `${parent}/${real.slice(slash + 1)}`);
  }

  #remember(real: string, path: string): number {
    const known = this.#open.get(real);
    if (known !== undefined) return known;
    const descriptor = fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    this.#open.set(real, descriptor);
    if (this.#open.size > OPEN_DIRECTORIES) {
      const [oldest, stale] = this.#open.entries().next().value as [string, number];
      this.#open.delete(oldest);
      fs.closeSync(stale);
    }
    return descriptor;
  }
}

/** A file that is being written; its owner, mode and time are set at the end, in the order that keeps set-id bits. */
export class FileSink {
  readonly descriptor: number;
  readonly #attributes: Attributes;
  readonly #own: (uid: number, gid: number) => void;

  constructor(descriptor: number, attributes: Attributes, own: (uid: number, gid: number) => void) {
    this.descriptor = descriptor;
    this.#attributes = attributes;
    this.#own = own;
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) at += fs.writeSync(this.descriptor, chunk, at);
  }

  end(): void {
    const { uid, gid, mode, mtime } = this.#attributes;
    try {
      this.#own(uid, gid);
      fs.fchmodSync(this.descriptor, mode & 0o7777);
      fs.futimesSync(this.descriptor, mtime, mtime);
    } finally {
      fs.closeSync(this.descriptor);
    }
  }

  abort(): void {
    fs.closeSync(this.descriptor);
  }
}

/** An archive that tries, or would need, to leave its tree. */
export function hostile(name: string, reason: string): BootstrapError {
  return new BootstrapError('ARCHIVE_INVALID', `refusing the archive member ${JSON.stringify(name)}: ${reason}`);
}

/** The components of a member's name; names that are absolute or climb are refused, not repaired. */
export function splitMember(name: string): string[] {
  if (name.startsWith('/')) throw hostile(name, 'its name is absolute');
  if (name.includes('\0')) throw hostile(name, 'its name holds a null byte');
  const components = name.split('/').filter((part) => part !== '' && part !== '.');
  if (components.includes('..')) throw hostile(name, 'its name climbs out of the tree');
  return components;
}

function normalize(parts: readonly string[]): string[] {
  const result: string[] = [];
  for (const part of parts) {
    if (part === '..') result.pop();
    else if (part !== '' && part !== '.') result.push(part);
  }
  return result;
}

// Files that were verified once, kept under the SHA256 of their content. The name is a promise that is checked again at each
// use: somebody else may have written into the directory, a disk may have failed, a run may have been cut short.
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { errorCode } from '../errors';

/** Index files that no run asked for in this time are removed: they change daily and are large. */
const INDEX_LIFETIME = 7 * 24 * 60 * 60 * 1000;

export type CacheShelf = 'deb' | 'index';

export class Cache {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    for (const shelf of ['deb', 'index'] as const) makeDirectory(path.join(directory, shelf));
    fs.accessSync(path.join(directory, 'deb'), fs.constants.W_OK | fs.constants.X_OK);
  }

  /** Where a file with this sum lives. The sum comes out of a parsed index, so its form is checked before it names a path. */
  path(shelf: CacheShelf, sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new TypeError('not a SHA256 sum');
    return path.join(this.directory, shelf, sha256);
  }

  /** The path of a kept file, if it is there and still what its name says. A damaged one is removed. */
  async find(shelf: CacheShelf, sha256: string, size: number): Promise<string | undefined> {
    const file = this.path(shelf, sha256);
    try {
      const stat = await fs.promises.lstat(file);
      if (stat.isFile() && stat.size === size && hashFile(file) === sha256) {
        if (shelf === 'index') await fs.promises.utimes(file, new Date(), new Date()).catch(() => undefined);
        return file;
      }
      await fs.promises.rm(file, { force: true });
    } catch {
      // Not there, or not readable: fetch it.
    }
    return undefined;
  }

  /** A name beside the final ones to write to; `keep` gives the file its place in one step. */
  temporary(shelf: CacheShelf): string {
    return path.join(this.directory, shelf, `.${process.pid}.${crypto.randomBytes(6).toString('hex')}`);
  }

  keep(temporary: string, shelf: CacheShelf, sha256: string): string {
    const file = this.path(shelf, sha256);
    fs.renameSync(temporary, file);
    return file;
  }

  /** Remove indices that went out of use and what killed runs left behind. */
  prune(now: number): void {
    for (const shelf of ['deb', 'index'] as const) {
      for (const name of fs.readdirSync(path.join(this.directory, shelf))) {
        const file = path.join(this.directory, shelf, name);
        if (shelf === 'deb' && !name.startsWith('.')) continue;
        try {
          if (fs.lstatSync(file).mtimeMs < now - INDEX_LIFETIME) fs.unlinkSync(file);
        } catch {
          // Another run was faster.
        }
      }
    }
  }
}

/** Make a directory and its parents. Node's own recursive mkdir never returns where a parent cannot be made, as in /proc. */
function makeDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' && fs.statSync(directory).isDirectory()) return;
    const parent = path.dirname(directory);
    if (code !== 'ENOENT' || fs.existsSync(parent)) throw error;
    makeDirectory(parent);
    fs.mkdirSync(directory);
  }
}

/** The SHA256 of a file, read in pieces. */
function hashFile(file: string): string {
  const hash = crypto.createHash('sha256');
  const descriptor = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1 << 18);
    for (let got = fs.readSync(descriptor, buffer); got > 0; got = fs.readSync(descriptor, buffer))
      hash.update(buffer.subarray(0, got));
  } finally {
    fs.closeSync(descriptor);
  }
  return hash.digest('hex');
}

/** Where downloads are kept unless told otherwise: the system's cache for root, the user's own for everybody else. */
export function defaultCacheDirectory(): string {
  const own = process.env.XDG_CACHE_HOME;
  if (own?.startsWith('/')) return path.join(own, 'tsnspawn');
  return isSystemRoot() ? '/var/cache/tsnspawn' : path.join(os.homedir(), '.cache', 'tsnspawn');
}

/** Root of a user namespace is root by its id, and still an ordinary user to the files of the host. */
function isSystemRoot(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    fs.accessSync('/var/cache', fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

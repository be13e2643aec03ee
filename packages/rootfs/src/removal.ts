// Removing directories with all that is in them: from the descriptor of each directory, so that no link leads out, whatever is
// exchanged meanwhile. What the caller owns goes whatever its mode is.
import * as fs from 'node:fs';
import { addon } from '@tsnspawn/native';
import { BootstrapError, errorCode, printable, reasonOf } from './errors';
import { O_PATH } from './linux';

const { O_DIRECTORY, O_NOFOLLOW, S_IRWXU } = fs.constants;

interface Level {
  readonly descriptor: number;
  /** for messages */
  readonly path: string;
  /** how its parent reaches it */
  readonly entry: Buffer;
  readonly entries: fs.Dirent<Buffer>[];
}

/**
 * Remove a directory. One that is not there is no failure.
 *
 * @throws BootstrapError that names the first thing that stays, and why
 */
export function removeDirectory(path: string): void {
  if (fs.lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    throw stays(path, error);
  }
  try {
    removeContents(descriptor, path);
  } finally {
    fs.closeSync(descriptor);
  }
  attempt(path, () => fs.rmdirSync(path));
}

/**
 * Remove what is in a directory; `path` is its name in messages.
 *
 * @throws as removeDirectory
 */
export function removeContents(directory: number, path: string): void {
  const levels: Level[] = [];
  const enter = (entry: Buffer, shown: string): void => {
    let descriptor: number | undefined;
    try {
      descriptor = fs.openSync(entry, O_PATH | O_DIRECTORY | O_NOFOLLOW);
      requireSameMount(descriptor, directory, shown);
      levels.push({ descriptor, path: shown, entry, entries: listOf(descriptor) });
    } catch (error) {
      if (descriptor !== undefined) fs.closeSync(descriptor);
      throw stays(shown, error);
    }
  };
  try {
    enter(Buffer.from(`/proc/self/fd/${directory}/.`), path);
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const next = level.entries.pop();
      if (next === undefined) {
        const done = levels.pop() as Level;
        fs.closeSync(done.descriptor);
        if (levels.length > 0) attempt(done.path, () => fs.rmdirSync(done.entry));
        continue;
      }
      const entry = Buffer.concat([Buffer.from(`/proc/self/fd/${level.descriptor}/`), next.name]);
      const shown = `${level.path}/${next.name}`;
      if (next.isDirectory()) enter(entry, shown);
      else attempt(shown, () => fs.unlinkSync(entry));
    }
  } finally {
    for (const { descriptor } of levels) fs.closeSync(descriptor);
  }
}

function listOf(directory: number): fs.Dirent<Buffer>[] {
  const place = `/proc/self/fd/${directory}`;
  const { mode } = fs.fstatSync(directory);
  // Root's capabilities make do without.
  if ((mode & S_IRWXU) !== S_IRWXU && process.geteuid?.() !== 0) fs.chmodSync(place, mode | S_IRWXU);
  return fs.readdirSync(place, { withFileTypes: true, encoding: 'buffer' });
}

function requireSameMount(descriptor: number, root: number, shown: string): void {
  const mountOf = (one: number): number => {
    const facts = addon().inspect(one);
    return typeof facts === 'number' ? 0 : facts.mount;
  };
  if (mountOf(descriptor) === mountOf(root)) return;
  throw new BootstrapError('WRITE_FAILED', `cannot remove ${printable(shown)}: something is mounted there`);
}

function attempt(shown: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw stays(shown, error);
  }
}

function stays(shown: string, error: unknown): BootstrapError {
  if (error instanceof BootstrapError) return error;
  const hint = errorCode(error) === 'EPERM' ? 'it may be immutable: see lsattr(1)' : undefined;
  return new BootstrapError('WRITE_FAILED', `cannot remove ${printable(shown)}: ${reasonOf(error)}`, {
    path: shown,
    hint,
  });
}

// Where a tree is made: in a directory `.NAME.XXXXXX` beside its final place, so that the last act is one rename and a
// failure leaves nothing that looks like a tree. The directory says who works in it; what a killed run left behind is removed
// by the next one.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { BootstrapError, errorCode, reasonOf, writeFailure } from './errors';
import { storeBeside } from './owners/store';
import { removeDirectory } from './removal';

export class Workspace {
  /** The final place, symlinks resolved. */
  readonly target: string;
  readonly directory: string;
  /** The tree being made. */
  readonly tree: string;
  #done = false;

  private constructor(target: string, directory: string) {
    this.target = target;
    this.directory = directory;
    this.tree = path.join(directory, 'tree');
  }

  /** Check the target, before anything is fetched, and make the directory beside it. */
  static open(wanted: string): Workspace {
    const target = checkTarget(wanted);
    const parent = path.dirname(target);
    const stem = `.${path.basename(target)}.`;
    try {
      removeAbandoned(parent, stem);
      const directory = fs.mkdtempSync(path.join(parent, stem));
      const workspace = new Workspace(target, directory);
      fs.writeFileSync(path.join(directory, 'owner'), ownerText());
      fs.mkdirSync(workspace.tree, 0o755);
      fs.chmodSync(workspace.tree, 0o755);
      return workspace;
    } catch (error) {
      const code = errorCode(error);
      throw code === 'ENOSPC' || code === 'EDQUOT'
        ? writeFailure(error, parent)
        : new BootstrapError('TARGET_INVALID', `cannot make ${wanted}: ${explain(error, parent)}`, {
            path: parent,
            cause: error,
          });
    }
  }

  /** Put the finished tree into its place, and before it what is remembered beside it: a tree that is there is a whole one. */
  finish(): void {
    const store = storeBeside(this.target);
    try {
      if (fs.existsSync(storeBeside(this.tree))) fs.renameSync(storeBeside(this.tree), store);
      // of a tree that is no more
      else fs.rmSync(store, { force: true });
      fs.renameSync(this.tree, this.target);
    } catch (error) {
      fs.rmSync(store, { force: true });
      const code = errorCode(error);
      const reason =
        code === 'ENOTEMPTY' || code === 'EEXIST' ? 'something else was put there meanwhile' : reasonOf(error);
      throw new BootstrapError('TARGET_INVALID', `cannot move the tree to ${this.target}: ${reason}`, {
        path: this.target,
        cause: error,
      });
    }
    this.#done = true;
    this.remove();
  }

  /** Remove everything that was made; after `finish` only what is not the tree. */
  remove(): void {
    removeDirectory(this.directory);
  }

  get finished(): boolean {
    return this.#done;
  }
}

function explain(error: unknown, parent: string): string {
  if (errorCode(error) !== 'ENOENT') return `${parent}: ${reasonOf(error)}`;
  return fs.existsSync(parent) ? `${parent} cannot hold directories` : `there is no directory ${parent}`;
}

function checkTarget(wanted: string): string {
  const refuse = (reason: string, hint?: string): BootstrapError =>
    new BootstrapError('TARGET_INVALID', `cannot make ${wanted}: ${reason}`, { path: wanted, hint });
  const absolute = path.resolve(wanted);
  if (absolute === '/') throw refuse('it is the root directory');
  let target = absolute;
  try {
    target = fs.realpathSync(absolute);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw refuse(reasonOf(error));
    if (fs.lstatSync(absolute, { throwIfNoEntry: false }) !== undefined)
      throw refuse('it is a link that leads nowhere');
  }
  const stat = fs.statSync(target, { throwIfNoEntry: false });
  if (stat === undefined) return target;
  if (!stat.isDirectory()) throw refuse('there is a file of that name');
  let names: string[];
  try {
    names = fs.readdirSync(target);
  } catch (error) {
    throw refuse(reasonOf(error));
  }
  if (names.length > 0)
    throw refuse('the directory is not empty', 'choose another directory, or remove that one first');
  if (stat.dev !== fs.statSync(path.dirname(target)).dev)
    throw refuse('it is a mount point', 'choose a directory below it');
  return target;
}

/** Process id, start time and boot id: together they name one process for good. */
function ownerText(pid = process.pid): string {
  const boot = readText('/proc/sys/kernel/random/boot_id').trim();
  // Field 22 of stat; the command's name before it may hold spaces and parentheses.
  const start = readText(`/proc/${pid}/stat`).replace(/^.*\)/s, '').trim().split(' ')[19] ?? '';
  return `${pid} ${start} ${boot}\n`;
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function removeAbandoned(parent: string, stem: string): void {
  for (const name of fs.readdirSync(parent)) {
    if (!name.startsWith(stem) || name.length !== stem.length + 6) continue;
    const directory = path.join(parent, name);
    const stat = fs.lstatSync(directory, { throwIfNoEntry: false });
    // In a directory for all, others may have put something there.
    if (!stat?.isDirectory() || stat.uid !== process.geteuid?.()) continue;
    const owner = readText(path.join(directory, 'owner'));
    const pid = Number(/^(\d+) /.exec(owner)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || owner === ownerText(pid)) continue;
    removeDirectory(directory);
  }
}

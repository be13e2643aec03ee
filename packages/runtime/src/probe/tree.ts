// What stands in a tree, found without leaving it: the tree may be hostile, and the launcher looks at it as root.

import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describeErrno, INIT_CANDIDATES, type InitKind, TreeError, type TreeFacts } from '@tsnspawn/core';
import { addon, type OpenedTree } from '@tsnspawn/native';
import { parseOsRelease } from './os-release';
import { accountsOf } from './users';

/** More than any os-release or machine-id has. */
const MOST_BYTES = 65536;

/** What only some launches ask of a tree. */
export interface TreeQuestions {
  /** is this time zone there? `Europe/Berlin` */
  readonly zone?: string | undefined;
  /** which users and groups does it have? */
  readonly accounts?: boolean;
  /** the directory of the tree that the system lies in, which is to become the root. Default: the tree itself */
  readonly root?: string | undefined;
}

/**
 * Facts about the tree at `directory`, a path of the host.
 *
 * @param boots an init is to run: only then is it looked for which one, and for os-release
 * @throws TreeError when there is no such directory
 */
export function probeTree(directory: string, boots: boolean, questions: TreeQuestions = {}): TreeFacts {
  const opened = addon().openTree(directory);
  if (typeof opened === 'number') throw cannotOpen(directory, opened);
  try {
    return probeOpened(opened, boots, questions);
  } finally {
    addon().closeFd(opened.fd);
  }
}

/**
 * The same about a tree that is open.
 * @param usr descriptor of the directory that will be mounted on /usr
 */
export function probeOpened(
  opened: Omit<OpenedTree, 'uid' | 'gid'>,
  boots: boolean,
  questions: TreeQuestions,
  usr?: number,
): TreeFacts {
  const whole = new Tree(opened.fd, usr);
  if (questions.root === undefined) return probeSystem(whole, opened, boots, questions);
  const root = whole.open(questions.root);
  if (root === undefined) {
    const { path } = opened;
    throw new TreeError(`there is no directory ${questions.root} in ${path}`, { path, option: '--pivot-root' });
  }
  try {
    return probeSystem(new Tree(root, undefined), opened, boots, questions);
  } finally {
    addon().closeFd(root);
  }
}

/** What of the facts is that of the system: `tree` is what becomes its root. */
function probeSystem(
  tree: Tree,
  opened: Omit<OpenedTree, 'uid' | 'gid'>,
  boots: boolean,
  { zone, accounts }: TreeQuestions,
): TreeFacts {
  const release = boots ? (tree.read('/etc/os-release') ?? tree.read('/usr/lib/os-release')) : undefined;
  const init = boots ? initKind(tree) : 'unknown';
  const machineId = tree.read('/etc/machine-id')?.trim().replaceAll('-', '').toLowerCase();
  return {
    path: opened.path,
    identity: opened.identity,
    ...(opened.path === '/' ? { hostname: addon().readText('/proc/sys/kernel/hostname')?.trim() } : {}),
    isDirectory: true,
    hasUsr: tree.resolve('/usr') !== undefined,
    osRelease: release === undefined ? undefined : parseOsRelease(release),
    init,
    powerfail: init === 'sysvinit' && hasPowerfail(tree),
    systemdVersion: init === 'systemd' ? systemdVersion(tree) : undefined,
    machineId: machineId !== undefined && /^(?!0{32})[0-9a-f]{32}$/.test(machineId) ? machineId : undefined,
    writable: !opened.readOnly,
    ...(accounts === true ? { accounts: accountsOf(tree.read('/etc/passwd'), tree.read('/etc/group')) } : {}),
    ...(zone === undefined ? {} : { hasZone: tree.resolve(`/usr/share/zoneinfo/${zone}`) !== undefined }),
  };
}

/** An open tree, and perhaps what will be mounted on its /usr. */
class Tree {
  readonly #root: number;
  readonly #usr: number | undefined;

  constructor(root: number, usr: number | undefined) {
    this.#root = root;
    this.#usr = usr;
  }

  read(path: string): string | undefined {
    return addon()
      .readInTree(...this.#at(path), MOST_BYTES)
      ?.toString('utf8');
  }

  /** Where the path ends when links are followed, inside the file system that it begins in. */
  resolve(path: string): string | undefined {
    return addon().resolveInTree(...this.#at(path));
  }

  /** Descriptor of a directory of the tree, to be closed; undefined where there is none. */
  open(path: string): number | undefined {
    const [fd, inside] = this.#at(path);
    const resolved = addon().resolveInTree(fd, inside);
    const opened = resolved === undefined ? undefined : addon().openTree(`/proc/self/fd/${fd}${resolved}`);
    return typeof opened === 'object' ? opened.fd : undefined;
  }

  #at(path: string): [fd: number, path: string] {
    if (this.#usr === undefined || !`${path}/`.startsWith('/usr/')) return [this.#root, path];
    return [this.#usr, path.slice('/usr'.length) || '/'];
  }

  /** Names in a directory of the tree. */
  list(path: string): string[] {
    const [fd, inside] = this.#at(path);
    const resolved = addon().resolveInTree(fd, inside);
    if (resolved === undefined) return [];
    try {
      // not by the tree's path: a file system of an image has none on the host
      return readdirSync(`/proc/self/fd/${fd}${resolved}`);
    } catch {
      return [];
    }
  }
}

function cannotOpen(directory: string, error: number): TreeError {
  const { name, text } = describeErrno(error);
  const hints: { readonly [name: string]: string } = {
    ENOENT: `make one: tsnspawn bootstrap SUITE ${directory}`,
    EACCES: 'reading it takes root: sudo tsnspawn ...',
  };
  const reason = name === 'ENOENT' ? 'no such directory' : text.toLowerCase();
  const hint = hints[name];
  return new TreeError(`cannot use ${directory} as the tree: ${reason}`, {
    path: directory,
    ...(hint === undefined ? {} : { hint }),
  });
}

function initKind(tree: Tree): InitKind {
  const init = INIT_CANDIDATES.map((path) => tree.resolve(path)).find((path) => path !== undefined);
  if (init === undefined) return 'none';
  switch (basename(init)) {
    case 'systemd':
      return 'systemd';
    case 'busybox':
      return 'busybox';
    case 'openrc-init':
      return 'openrc';
    default:
      return tree.resolve('/etc/inittab') === undefined ? 'unknown' : 'sysvinit';
  }
}

/**
 * Whether the inittab of a sysvinit has something to do on SIGPWR. Debian's has lines for it, but the script that they name
 * is in no package.
 */
function hasPowerfail(tree: Tree): boolean {
  const lines = tree.read('/etc/inittab')?.split('\n') ?? [];
  return lines.some((line) => {
    const program = /^[^#:]*:[^:]*:(?:powerfail|powerwait):[+@]?(\S+)/.exec(line)?.[1];
    return program !== undefined && tree.resolve(program) !== undefined;
  });
}

/** systemd links its programs to a library that carries the version in its name. */
function systemdVersion(tree: Tree): number | undefined {
  const triplets = tree.list('/usr/lib').filter((name) => name.includes('-linux-'));
  const directories = [
    '/usr/lib/systemd',
    ...triplets.map((name) => `/usr/lib/${name}/systemd`),
    '/usr/lib64/systemd',
    '/lib/systemd',
  ];
  for (const directory of directories) {
    for (const name of tree.list(directory)) {
      const version = /^libsystemd-shared-(\d+)/.exec(name)?.[1];
      if (version !== undefined) return Number(version);
    }
  }
  return undefined;
}

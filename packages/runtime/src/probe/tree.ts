// What stands in a tree, found without leaving it: the tree may be hostile, and the launcher looks at it as root.

import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describeErrno, INIT_CANDIDATES, type InitKind, TreeError, type TreeFacts } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { parseOsRelease } from './os-release';

/** More than any os-release or machine-id has. */
const MOST_BYTES = 65536;

/**
 * Facts about the tree at `directory`, a path of the host.
 *
 * @param boots an init is to run: only then is it looked for which one, and for os-release
 * @throws TreeError when there is no such directory
 */
export function probeTree(directory: string, boots: boolean): TreeFacts {
  const tree = new Tree(directory);
  try {
    const release = boots ? (tree.read('/etc/os-release') ?? tree.read('/usr/lib/os-release')) : undefined;
    const init = boots ? initKind(tree) : 'unknown';
    const machineId = tree.read('/etc/machine-id')?.trim().replaceAll('-', '').toLowerCase();
    return {
      path: tree.path,
      identity: tree.identity,
      isDirectory: true,
      hasUsr: tree.resolve('/usr') !== undefined,
      osRelease: release === undefined ? undefined : parseOsRelease(release),
      init,
      systemdVersion: init === 'systemd' ? systemdVersion(tree) : undefined,
      machineId: machineId !== undefined && /^(?!0{32})[0-9a-f]{32}$/.test(machineId) ? machineId : undefined,
      writable: tree.writable,
    };
  } finally {
    addon().closeFd(tree.fd);
  }
}

/** An open tree. */
class Tree {
  readonly fd: number;
  /** links resolved */
  readonly path: string;
  readonly identity: string;
  readonly writable: boolean;

  constructor(directory: string) {
    const opened = addon().openTree(directory);
    if (typeof opened === 'number') throw cannotOpen(directory, opened);
    this.fd = opened.fd;
    this.path = opened.path;
    this.identity = opened.identity;
    this.writable = !opened.readOnly;
  }

  read(path: string): string | undefined {
    return addon().readInTree(this.fd, path, MOST_BYTES)?.toString('utf8');
  }

  resolve(path: string): string | undefined {
    return addon().resolveInTree(this.fd, path);
  }

  /** Names in a directory of the tree. */
  list(path: string): string[] {
    const resolved = this.resolve(path);
    if (resolved === undefined) return [];
    try {
      return readdirSync(join(this.path, resolved));
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

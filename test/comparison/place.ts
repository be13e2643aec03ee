// The directory that one launcher gets for one case: a tree of its own under the same name, and room for the case's files.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { sharedTree } from '../support/trees';
import type { Case } from './case';

/** As much of getent(1) as systemd-nspawn asks the guest for: busybox has none. */
const GETENT = `#!/bin/sh
case $1 in
  passwd) grep -E "^($2:|[^:]*:[^:]*:$2:)" /etc/passwd ;;
  initgroups) grep -q "^$2:" /etc/passwd && echo "$2 $(sed -nE "s/^[^:]*:[^:]*:([^:]*):(.*,)?$2(,.*)?$/\\1/p" /etc/group | tr '\\n' ' ')" ;;
esac
`;
const PASSWD = 'joe:x:1000:1000:Joe:/home/joe:/bin/sh\n';
const GROUP = 'joe:x:1000:\nusers:x:100:joe\naudio:x:29:root,joe\n';

export class Place {
  /** the working directory of the launcher */
  readonly path: string;
  readonly tree: string;
  readonly #kind: NonNullable<Case['tree']>;

  constructor(path: string, kind: NonNullable<Case['tree']>, probe: string) {
    this.path = path;
    this.tree = join(path, 'guest');
    this.#kind = kind;
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    execFileSync('cp', ['-a', '--reflink=auto', sharedTree(kind), this.tree]);
    if (kind !== 'busybox') return;
    copyFileSync(probe, join(this.tree, 'probe'));
    chmodSync(join(this.tree, 'probe'), 0o755);
    this.write('guest/usr/bin/getent', GETENT, 0o755);
    this.write('guest/etc/passwd', `${this.read('guest/etc/passwd')}${PASSWD}`);
    this.write('guest/etc/group', `${this.read('guest/etc/group')}${GROUP}`);
    this.directory('guest/home/joe');
  }

  /** Writes a file below the place, with the directories above it. */
  write(name: string, text: string, mode = 0o644): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode });
    chmodSync(path, mode);
  }

  directory(name: string): void {
    mkdirSync(join(this.path, name), { recursive: true });
  }

  read(name: string): string {
    return execFileSync('cat', [join(this.path, name)], { encoding: 'utf8' });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** What lies in the place, one line each: what a run has left behind. Of a big tree only what is near its root. */
  listing(): Map<string, string> {
    const lines = new Map<string, string>();
    const deepest = this.#kind === 'busybox' ? 9 : 3;
    const visit = (path: string, depth: number): void => {
      const stat = lstatSync(path);
      const target = stat.isSymbolicLink() ? ` -> ${readlinkSync(path)}` : '';
      const mode = (stat.mode & 0o7777).toString(8);
      const type = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : stat.isFile() ? 'file' : 'node';
      lines.set(relative(this.path, path), `${type} ${mode} ${stat.uid}:${stat.gid}${target}`);
      if (!stat.isDirectory() || depth === 0) return;
      for (const name of readdirSync(path)) visit(join(path, name), depth - 1);
    };
    for (const name of readdirSync(this.path)) visit(join(this.path, name), deepest);
    return lines;
  }
}

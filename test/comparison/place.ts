// The directory that one launcher gets for one case: a tree of its own under the same name, and room for the case's files.

import { execFile, execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { sharedTree } from '../support/trees';

/** As much of getent(1) as systemd-nspawn asks the guest for: busybox has none. */
const GETENT = `#!/bin/sh
case $1 in
  passwd) grep -E "^($2:|[^:]*:[^:]*:$2:)" /etc/passwd ;;
  initgroups) echo "$2 $(sed -nE "s/^[^:]*:[^:]*:([^:]*):(.*,)?$2(,.*)?$/\\1/p" /etc/group | tr '\\n' ' ')" ;;
esac
`;
const PASSWD = 'joe:x:1000:1000:Joe:/home/joe:/bin/sh\n';
const GROUP = 'joe:x:1000:\nusers:x:100:joe\naudio:x:29:root,joe\n';

/** What the payloads of the cases call; fewer names make a faster copy. */
const APPLETS = new Set(
  (
    'basename busybox cat cut dirname echo env false getent grep halt head hostname id init ip ls mkdir od poweroff printf ' +
    'readlink reboot sed sh sleep sort stat stty sync touch tr true tty tsnspawn-notify wc'
  ).split(' '),
);
const copy = promisify(execFile);

/**
 * Makes what all places are copies of: the busybox tree, with fewer programs, more users, and the probe.
 * @returns its path
 */
export function makeTemplate(home: string, probe: string): string {
  const tree = join(home, 'template');
  execFileSync('cp', ['-a', sharedTree('busybox'), tree]);
  for (const directory of ['usr/bin', 'usr/sbin'])
    for (const name of readdirSync(join(tree, directory))) if (!APPLETS.has(name)) rmSync(join(tree, directory, name));
  copyFileSync(probe, join(tree, 'probe'));
  chmodSync(join(tree, 'probe'), 0o755);
  writeFileSync(join(tree, 'usr/bin/getent'), GETENT, { mode: 0o755 });
  appendFileSync(join(tree, 'etc/passwd'), PASSWD);
  appendFileSync(join(tree, 'etc/group'), GROUP);
  mkdirSync(join(tree, 'home/joe'));
  return tree;
}

export class Place {
  /** the working directory of the launcher */
  readonly path: string;
  readonly tree: string;

  /** Makes one anew. Not while another case waits: copying is done beside it. */
  static async make(path: string, template: string): Promise<Place> {
    const place = new Place(path);
    await place.remove();
    await mkdir(path, { recursive: true });
    await copy('cp', ['-a', '--reflink=auto', template, place.tree]);
    return place;
  }

  private constructor(path: string) {
    this.path = path;
    this.tree = join(path, 'guest');
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

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  /** What lies in the place, one line each: what a run has left behind. */
  listing(): Map<string, string> {
    const lines = new Map<string, string>();
    const visit = (path: string): void => {
      const stat = lstatSync(path);
      const target = stat.isSymbolicLink() ? ` -> ${readlinkSync(path)}` : '';
      const mode = (stat.mode & 0o7777).toString(8);
      const type = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : stat.isFile() ? 'file' : 'node';
      lines.set(relative(this.path, path), `${type} ${mode} ${stat.uid}:${stat.gid}${target}`);
      if (!stat.isDirectory()) return;
      for (const name of readdirSync(path)) visit(join(path, name));
    };
    for (const name of readdirSync(this.path)) visit(join(this.path, name));
    return lines;
  }
}

// Where systemd-nspawn runs: in a cgroup of its own, since with --keep-unit it hands the one it is in to the guest, owner and
// all; and in a mount namespace whose /run is like that of a host that systemd has booted, which it expects to find things in.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Nodes to cover things with, and a sign of udev; then it waits for its end. $0 is a mount point. */
const RUN = `set -e
mount -n -t tmpfs tmpfs "$0"
mkdir -p "$0"/netns "$0"/systemd/inaccessible/dir "$0"/udev/data
mount -n --rbind /run/netns "$0"/netns
touch "$0"/udev/control
(cd "$0"/systemd/inaccessible; touch reg; mkfifo fifo; mknod chr c 0 0; mknod blk b 0 0; chmod 000 reg dir fifo chr blk)
mount -n --move "$0" /run
echo ready
exec cat`;

export class ReferenceHost {
  /** the cgroup of this program in each hierarchy that systemd-nspawn gives away */
  readonly #groups: readonly string[];
  readonly #holder: ChildProcess;
  readonly #ready: Promise<unknown>;
  readonly #sysfsWritable = / - sysfs \S+ rw/m.test(readFileSync('/proc/self/mountinfo', 'utf8'));
  #runs = 0;

  /** @param point an empty directory */
  constructor(point: string) {
    this.#groups = hierarchies().flatMap((mount) => {
      const path = join(mount, `comparison-${process.pid}`);
      mkdirSync(path, { recursive: true });
      return existsSync(join(path, 'cgroup.procs')) ? [path] : [];
    });
    // ip(8) makes /run/netns a mount of its own with the first name; made after the namespace here, it would not be seen in it
    const name = `comparison-${process.pid}`;
    for (const verb of ['add', 'del']) execFileSync('ip', ['netns', verb, name]);
    // slave: what a case mounts on the host (a named network namespace) is seen there too
    this.#holder = spawn('unshare', ['-m', '--propagation', 'slave', 'sh', '-c', RUN, point], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#ready = once(this.#holder.stdout as NodeJS.ReadableStream, 'data');
  }

  /** Words that stand in front of a command that is to run there, in the directory. */
  async enter(directory: string): Promise<string[]> {
    await this.#ready;
    this.#announceInterfaces();
    // a group for each run: that of the run before may belong to its guest by now
    const run = `run-${this.#runs++}`;
    const groups = this.#groups.map((path) => join(path, run));
    for (const group of groups) mkdirSync(group);
    const script = [...groups.map((group) => `echo $$ > '${group}/cgroup.procs'`), 'cd "$0"', 'exec "$@"'].join(' && ');
    return ['nsenter', '-t', String(this.#holder.pid), '-m', 'sh', '-c', script, directory];
  }

  async remove(): Promise<void> {
    // with a private network it makes the sysfs of the host read-only, not just its own mount
    if (this.#sysfsWritable) spawnSync('mount', ['-n', '-o', 'remount,rw', '/sys']);
    this.#holder.stdin?.end();
    await once(this.#holder, 'exit');
    for (const path of this.#groups) {
      // the last process may be a moment away from its end
      for (let attempt = 0; attempt < 50 && !removed(path); attempt++) await setTimeout(100);
    }
  }

  /** udev's word that they may be used. */
  #announceInterfaces(): void {
    for (const name of readdirSync('/sys/class/net')) {
      try {
        const index = readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8').trim();
        writeFileSync(`/proc/${this.#holder.pid}/root/run/udev/data/n${index}`, 'I:1\n');
      } catch {} // gone meanwhile
    }
  }
}

function removed(path: string): boolean {
  try {
    removeBelow(path);
    return true;
  } catch {
    return false;
  }
}

/** What is in a cgroup goes by itself, the groups below it do not. */
function removeBelow(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeBelow(join(path, entry.name));
  rmdirSync(path);
}

/** Where cgroup2 and name=systemd are mounted. */
function hierarchies(): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type, options]) => type === 'cgroup2' || (type === 'cgroup' && options?.includes('name=systemd')))
    .map(([, path = '']) => path);
}

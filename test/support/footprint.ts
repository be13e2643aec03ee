// What a running machine occupies on the host: processes, cgroups, mounts. After its end there must be nothing of it.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { childrenOf, descendantsOf, eventually, isAlive, type Running } from './launcher';

export interface Footprint {
  readonly launcher: number;
  readonly monitor: number;
  /** the guest's PID 1, as the host counts */
  readonly init: number;
  /** PID namespaces that belong to the machine */
  readonly namespaces: ReadonlySet<string>;
  readonly mounts: string;
}

/** The mounts of the host, for a comparison. */
export function hostMounts(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8');
}

export function commandLine(pid: number | string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return ''; // gone meanwhile
  }
}

/** All processes of the host, zombies left out. */
export function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(isAlive);
}

function namespaceOf(pid: number, kind: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

/** The monitor below a process; there is one as soon as the machine has started. */
export function monitorBelow(pid: number): number | undefined {
  return descendantsOf(pid).find((child) => commandLine(child).startsWith('tsnspawn-monitor: '));
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Takes the measure of a machine that has said something: its payload is running. */
export function footprintOf(running: Running): Footprint {
  const monitor = monitorBelow(running.pid);
  if (monitor === undefined)
    throw new Error(`there is no monitor below the launcher; its output was:\n${running.output}`);
  const [init, ...others] = childrenOf(monitor);
  if (init === undefined || others.length > 0) throw new Error('the monitor does not have exactly one child');
  const namespaces = [monitor, init].map((pid) => namespaceOf(pid, 'pid') as string);
  return { launcher: parentOf(monitor), monitor, init, namespaces: new Set(namespaces), mounts: hostMounts() };
}

/** Processes of the host that live in the machine, its monitor included. */
export function processesOf({ namespaces }: Footprint): number[] {
  return processes().filter((pid) => namespaces.has(namespaceOf(pid, 'pid') ?? ''));
}

/** Cgroups whose name says that they were made by a launcher of this process id. */
export function cgroupsOf(launcher: number): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path = '']) => path);
  return mounts.flatMap((mount) => directoriesBelow(mount)).filter((path) => isOf(basename(path), launcher));
}

function isOf(name: string, launcher: number): boolean {
  return name.startsWith('tsnspawn-') && name.endsWith(`-${launcher}`);
}

function directoriesBelow(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name))
      .flatMap((child) => [child, ...directoriesBelow(child)]);
  } catch {
    return []; // removed meanwhile
  }
}

/** Waits until nothing of the machine is left, and says what is. */
export async function nothingLeft(footprint: Footprint, seconds = 5): Promise<void> {
  const left = (): string[] => [
    ...processesOf(footprint).map((pid) => `process ${pid} (${commandLine(pid)})`),
    ...cgroupsOf(footprint.launcher).map((path) => `cgroup ${path}`),
    ...newMounts(footprint.mounts).map((line) => `mount ${line}`),
  ];
  await gone(left, seconds);
}

/** The same, of the processes alone: nobody is left to remove a cgroup when launcher and monitor are killed. This does it. */
export async function noProcessLeft(footprint: Footprint, seconds = 5): Promise<void> {
  await gone(() => processesOf(footprint).map((pid) => `process ${pid} (${commandLine(pid)})`), seconds);
  for (const path of cgroupsOf(footprint.launcher))
    spawnSync('find', [path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
}

/** Mounts of the host that were not there before. What other tests mount meanwhile lies in temporary directories, or is a network
 *  namespace with a name. */
export function newMounts(before: string): string[] {
  // the options of a file system itself, behind its source, may be another's doing: systemd-nspawn remounts the host's sysfs
  const place = (line: string): string => line.split(' ').slice(0, -1).join(' ');
  const known = new Set(before.split('\n').map(place));
  const ofOthers = (line: string): boolean => {
    const path = line.split(' ')[4] ?? '';
    return path.startsWith(`${tmpdir()}/`) || /^\/(var\/)?run\/netns(\/|$)/.test(path);
  };
  return hostMounts()
    .split('\n')
    .filter((line) => !known.has(place(line)) && !ofOthers(line));
}

async function gone(left: () => string[], seconds: number): Promise<void> {
  try {
    await eventually(() => left().length === 0, 'nothing left', seconds);
  } catch {
    const things = left();
    if (things.length > 0) throw new Error(`left behind after ${seconds} s:\n${things.join('\n')}`);
  }
}

// Disk images on disk, made with the tools that people make them with, from the trees that the other tests use.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { eventually } from './launcher';

const MIB = 1024 * 1024;
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };

/** Runs a tool; its output only shows when it fails. */
export function run(file: string, args: readonly string[], input = ''): string {
  return execFileSync(file, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT });
}

/** A directory for the images of a test file; it goes when the process ends. */
export function imageDirectory(): string {
  const home = mkdtempSync(join(process.cwd(), 'build/images-'));
  process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** An ext4 file system with what is in `tree`. */
export function ext4(path: string, tree: string, mebibytes: number): string {
  run('mkfs.ext4', ['-q', '-d', tree, path, `${mebibytes}M`]);
  return path;
}

export function squashfs(path: string, tree: string): string {
  run('mksquashfs', [tree, path, '-quiet', '-no-progress', '-noappend']);
  return path;
}

export interface ImagePart {
  /** as sfdisk takes it: a GUID, or two hex digits of an MBR */
  readonly type: string;
  readonly mebibytes: number;
  /** a file that is copied into it */
  readonly content?: string;
  /** sfdisk's further fields: `bootable`, `attrs="GUID:60"`, `uuid=...` */
  readonly more?: string;
}

/** A disk with partitions, from 1 MiB on. */
export function disk(path: string, label: 'gpt' | 'dos', parts: readonly ImagePart[]): string {
  const total = parts.reduce((sum, { mebibytes }) => sum + mebibytes, 2);
  writeFileSync(path, '');
  truncateSync(path, total * MIB);
  const lines = parts.map(({ type, mebibytes, more }) =>
    [`size=${mebibytes}M`, `type=${type}`, ...(more === undefined ? [] : [more])].join(', '),
  );
  run('sfdisk', ['-q', path], `label: ${label}\n${lines.join('\n')}\n`);
  let at = 1;
  for (const { mebibytes, content } of parts) {
    if (content !== undefined) copyInto(path, content, at * MIB);
    at += mebibytes;
  }
  return path;
}

function copyInto(path: string, content: string, offset: number): void {
  const [from, to] = [openSync(content, 'r'), openSync(path, 'r+')];
  const buffer = Buffer.alloc(MIB);
  for (let done = 0; ; ) {
    const got = readSync(from, buffer, 0, buffer.length, done);
    if (got === 0) break;
    // a hole stays a hole
    if (buffer.subarray(0, got).some((byte) => byte !== 0)) writeSync(to, buffer, 0, got, offset + done);
    done += got;
  }
  closeSync(from);
  closeSync(to);
}

/** Loop devices that are in use for files below a directory. */
export function loopsOf(directory: string): string[] {
  return run('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'])
    .split('\n')
    .filter((line) => line.includes(directory));
}

/** Waits until none is left: the kernel takes them back when the mounts of the guest are gone. */
export async function noLoopsLeft(directory: string, seconds = 10): Promise<void> {
  await eventually(() => loopsOf(directory).length === 0, `no loop device for ${directory}`, seconds);
}

/** Whether this kernel has a file system; one in a module that is not loaded does not count. */
export function kernelHas(type: string): boolean {
  return new RegExp(`\\b${type}$`, 'm').test(readFileSync('/proc/filesystems', 'utf8'));
}

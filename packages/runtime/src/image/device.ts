// The block devices of an image: the descriptor that is held, and what can be read through it.

import { readSync } from 'node:fs';
import { ImageDefect, type ImageReader } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { reasonOf } from './reason';

/** A block device, or the image itself. Whoever has it closes it. */
export interface Device {
  readonly fd: number;
  /** for programs that take no descriptor */
  readonly path: string;
  readonly readOnly: boolean;
}

/** A part of the image, in bytes; size 0: to its end. */
export interface Range {
  readonly offset: number;
  readonly size: number;
}

/** Reads from a descriptor at any place; what cannot be read is an error and not the end. */
export function readerOf(fd: number, size: number): ImageReader {
  return {
    size,
    read(offset, length) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = Buffer.alloc(wanted);
      let done = 0;
      while (done < wanted) {
        const got = readSync(fd, bytes, done, wanted - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return bytes.subarray(0, done);
    },
  };
}

/**
 * A loop device for a part of the image. The kernel frees it when nobody uses it any more, however that comes about.
 * @throws ImageDefect
 */
export function attachLoop(fd: number, range: Range, readOnly: boolean): Device {
  const device = addon().attachLoop(fd, { ...range, readOnly });
  if (typeof device !== 'number') return { ...device, readOnly };
  const reason = reasonOf(device);
  const hints: { readonly [name: string]: string } = {
    ENOENT: '/dev/loop-control or the loop device is missing: modprobe loop; inside a container /dev lacks them',
    ENXIO: 'this kernel has no loop devices: modprobe loop',
    ENOTTY: 'Linux 5.8 or newer is needed',
    EINVAL: 'Linux 5.8 or newer is needed',
    EPERM: 'inside another container? it must allow loop devices',
    EACCES: 'inside another container? it must allow loop devices',
  };
  throw new ImageDefect(`no loop device can be had for it: ${reason.text}`, hints[reason.name]);
}

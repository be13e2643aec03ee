// What a launch from an image holds of the host, until its monitor has copies.

import { addon } from '@tsnspawn/native';

export interface Held {
  /** the image, locked with flock(2) unless no lock is wanted */
  readonly lockFd: number;
  /** nothing is written to it: others may have it at the same time */
  readonly shared: boolean;
  /** descriptors of all devices that were made for it */
  readonly devices: readonly number[];
}

/** Lets go of the devices; the lock goes with the descriptor that holds it. */
export function releaseDevices({ devices }: Held): void {
  for (const fd of devices) addon().closeFd(fd);
}

// From a disk image to a tree that can be started: what is in it, a block device for each part that the guest gets, and a look at
// the root. Nothing is attached to the host's file system. The kernel takes all of it back with the last descriptor.

import { readdirSync } from 'node:fs';
import {
  type ContainerSpec,
  contentOf,
  defaultPolicy,
  deviceHint,
  deviceOptions,
  type HostFacts,
  ImageDefect,
  ImageError,
  type ImagePartition,
  keepsTree,
  mountPointOf,
  type Partition,
  type Slot,
  type TreeFacts,
} from '@tsnspawn/core';
import { addon, type OpenedImage } from '@tsnspawn/native';
import { debug } from '../debug';
import type { Held } from '../held';
import { probeOpened, type TreeQuestions } from '../probe/tree';
import { type Contents, contentsOf, type Part, requireInside } from './contents';
import { attachLoop, type Device, readerOf } from './device';
import { openLuks, openVerity } from './mapper';
import { reasonOf } from './reason';
import { findVerity } from './verity';

export interface ImageOptions {
  readonly spec: ContainerSpec;
  readonly host: Pick<HostFacts, 'architectures'>;
  /** an init is to run */
  readonly boots: boolean;
  readonly questions: TreeQuestions;
  /** hears what the guest has to do without */
  readonly warn: (text: string) => void;
}

/** An image as a tree, with what is held of the host until the monitor has taken it over. */
export interface OpenedMachineImage {
  readonly tree: TreeFacts;
  /** block devices for the slots that the plan wants handed on */
  readonly handed: ReadonlyMap<Slot, number>;
  readonly held: Held;
}

const DIRECTORY_HINT = 'a directory is started with -D';

/** What the parts of an image that are no file system hold, in words. */
const HOLDS = { luks: 'a second layer of encryption', verity: 'a hash tree', swap: 'swap space' } as const;

/**
 * Opens an image and locks it: for itself, or with others when it is not written to.
 * @throws ImageError that names the file
 */
export function openImage(path: string, options: ImageOptions): OpenedMachineImage {
  const opener = new Opener(path, options);
  try {
    return opener.open();
  } catch (error) {
    opener.close();
    if (!(error instanceof ImageDefect)) throw error;
    throw new ImageError(`cannot use the image ${opener.path}: ${error.message}`, {
      path: opener.path,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

class Opener {
  /** as given, until it is known where links lead */
  path: string;
  readonly #options: ImageOptions;
  #image: number | undefined;
  readonly #devices: number[] = [];

  constructor(path: string, options: ImageOptions) {
    this.path = path;
    this.#options = options;
  }

  close(): void {
    for (const fd of this.#devices.splice(0)) addon().closeFd(fd);
    if (this.#image !== undefined) addon().closeFd(this.#image);
  }

  open(): OpenedMachineImage {
    const { spec, host } = this.#options;
    const image = this.#openFile(spec);
    const contents = contentsOf(
      readerOf(image.fd, image.size),
      image.kind === 'block' ? image.sectorSize : undefined,
      host.architectures,
      spec.imagePolicy ?? defaultPolicy(),
      findVerity(spec, this.path, image.fd),
    );
    if (spec.verityData !== undefined && !contents.whole)
      throw new ImageDefect('its hash tree must be in a partition, as it has partitions', 'leave out --verity-data');
    debug('image', '%s: %o', this.path, contents.parts);
    const descriptors = new Map<Slot, number>();
    const partitions: ImagePartition[] = [];
    for (const part of contents.parts) {
      const device = this.#deviceOf(image, contents, part);
      const found = this.#filesystemOn(device, part, contents.whole);
      if (found === undefined) continue;
      partitions.push(found);
      descriptors.set(found.device, device.fd);
    }
    const tree = this.#look(image, partitions, descriptors);
    for (const slot of descriptors.keys())
      if (tree.image?.every(({ device }) => device !== slot) === true) descriptors.delete(slot);
    return { tree, handed: descriptors, held: { lockFd: image.fd, shared: image.readOnly, devices: this.#devices } };
  }

  #openFile(spec: ContainerSpec): OpenedImage {
    const image = addon().openImage(this.path, !keepsTree(spec));
    if (typeof image === 'number') {
      const { name, text } = reasonOf(image);
      if (name === 'EBUSY') throw new ImageDefect('it, or a partition of it, is mounted or in use by the host');
      const hint = name === 'EISDIR' ? DIRECTORY_HINT : undefined;
      throw new ImageDefect(name === 'ENOENT' ? 'no such file' : text.toLowerCase(), hint);
    }
    this.#image = image.fd;
    this.path = image.path;
    if (image.kind === 'other') throw new ImageDefect('it is neither a file nor a block device', DIRECTORY_HINT);
    if (spec.lock && addon().lockFile(image.fd, !image.readOnly) < 0)
      throw new ImageDefect(
        'it is busy',
        'another machine runs from it; machines that share an image need --read-only or --ephemeral',
      );
    return image;
  }

  /** The block device of a part, decrypted or checked where it is protected. */
  #deviceOf(image: OpenedImage, contents: Contents, part: Part): Device {
    const { designator, partition, protection, words } = part;
    const { verity, whole } = contents;
    const checked = protection === 'verity' || protection === 'signed';
    const readOnly = image.readOnly || partition.readOnly || checked;
    const device = this.#plainDevice(image, whole, partition, readOnly);
    // unlike those of any other launch, also of one that is ending
    const name = `tsnspawn-${process.pid}-${Date.now().toString(36)}-${designator}`;
    if (protection === 'encrypted') return this.#hold(openLuks(device, name, words, this.#options.spec.askPassword));
    if (!checked || verity === undefined) return device;
    const hashes = contents.selection.get(`${verity.data}-verity`);
    if (hashes !== undefined) requireInside(hashes, image);
    const tree = hashes === undefined ? verity.tree : this.#plainDevice(image, false, hashes, true).path;
    const material = protection === 'signed' ? verity : { ...verity, signature: undefined };
    return this.#hold(openVerity(device, tree ?? '', material, name, words));
  }

  #plainDevice(image: OpenedImage, whole: boolean, part: Partition, readOnly: boolean): Device {
    if (whole && image.kind === 'block') return { fd: image.fd, path: this.path, readOnly };
    return this.#hold(attachLoop(image.fd, { offset: part.start, size: part.size }, readOnly));
  }

  #hold(device: Device): Device {
    this.#devices.push(device.fd);
    return device;
  }

  /** The file system of a part; undefined where the guest does without it. */
  #filesystemOn(device: Device, part: Part, whole: boolean): ImagePartition | undefined {
    const { designator, partition, words } = part;
    const content = contentOf(readerOf(device.fd, partition.size));
    let reason: string | undefined;
    let hint: string | undefined;
    if (content?.kind !== 'filesystem')
      reason = `${words} holds ${content === undefined ? 'no file system that is known' : HOLDS[content.kind]}`;
    else if (!addon().hasFileSystem(content.type)) {
      reason = `${words} holds ${content.type}, which this kernel does not have`;
      hint = deviceHint(content.type, 'ENODEV');
    }
    if (reason !== undefined) {
      if (designator !== 'esp' && designator !== 'xbootldr') throw new ImageDefect(reason, hint);
      this.#leaveOut(reason);
    }
    const path = mountPointOf(designator);
    if (reason !== undefined || content?.kind !== 'filesystem' || path === undefined) return undefined;
    return {
      path,
      device: whole ? this.path : `${this.path}, partition ${partition.number} (${designator})`,
      type: content.type,
      readOnly: device.readOnly || content.readOnly,
      grow: partition.grow,
      discard: device.path.startsWith('/dev/loop'),
    };
  }

  /** A guest can do without its boot loader, but shall know. */
  #leaveOut(reason: string): void {
    this.#options.warn(`the image ${this.path} is used in part: ${reason}`);
  }

  /** What stands in the root, and in the end where the ESP goes. */
  #look(image: OpenedImage, partitions: readonly ImagePartition[], descriptors: ReadonlyMap<Slot, number>): TreeFacts {
    const mounted = (path: string): number | undefined => {
      const partition = partitions.find((candidate) => candidate.path === path);
      return partition === undefined ? undefined : this.#mount(partition, descriptors.get(partition.device) ?? -1);
    };
    const fd = mounted('/');
    const usr = mounted('/usr');
    const root = partitions[0];
    if (fd === undefined || root === undefined) throw new ImageDefect('it has no root');
    try {
      const opened = { fd, path: this.path, identity: image.identity, readOnly: root.readOnly };
      const facts = probeOpened(opened, this.#options.boots, this.#options.questions, usr);
      return { ...facts, image: partitions.flatMap((partition) => this.#placed(partition, partitions, fd)) };
    } finally {
      addon().closeFd(fd);
      if (usr !== undefined) addon().closeFd(usr);
    }
  }

  #mount(partition: ImagePartition, device: number): number {
    const { type, readOnly } = partition;
    const fd = addon().mountReadOnly(device, type, deviceOptions(type, readOnly));
    if (fd >= 0) return fd;
    const { name, text } = reasonOf(fd);
    throw new ImageDefect(`${type} cannot be mounted: ${text}`, deviceHint(type, name));
  }

  /** The ESP goes to /efi where the root has that, else to an empty /boot. None of both is made in a root that stays as it is. */
  #placed(partition: ImagePartition, partitions: readonly ImagePartition[], root: number): ImagePartition[] {
    const { path } = partition;
    if (path !== '/efi' && path !== '/boot') return [partition];
    const { spec } = this.#options;
    const has = (directory: string): boolean => addon().resolveInTree(root, directory) !== undefined;
    const taken = partitions.some((other) => other.path === '/boot');
    const place = path === '/efi' && !has('/efi') && !taken && isEmpty(root, '/boot') ? '/boot' : path;
    const kept = (spec.readOnly || partitions[0]?.readOnly === true) && !spec.ephemeral && spec.volatile === 'no';
    if (has(place) || !kept) return [{ ...partition, path: place }];
    this.#leaveOut(`there is no ${place} in it to mount a partition on`);
    return [];
  }
}

function isEmpty(root: number, directory: string): boolean {
  const resolved = addon().resolveInTree(root, directory);
  try {
    return resolved !== undefined && readdirSync(`/proc/self/fd/${root}${resolved}`).length === 0;
  } catch {
    return false;
  }
}

// The file systems of a disk image: which becomes the root, what goes below it, and with which flags. The flags and options are
// those of systemd-nspawn (partition_pick_mount_options() of systemd 254).

import type { ImagePartition, TreeFacts } from '../facts';
import type { MountFlag } from '../plan';
import type { ContainerSpec } from '../spec';
import type { DeviceFilesystem, Entry, RootView } from './model';
import { isOverlaid, keepsTree } from './root';

/** The root file system of the image, or undefined where the tree is a directory. */
export function imageRoot(spec: ContainerSpec, tree: TreeFacts): RootView['base'] | undefined {
  const root = tree.image?.find(({ path }) => path === '/');
  return root === undefined ? undefined : { kind: 'image', ...filesystem(spec, root) };
}

/** The other file systems of the image, in the order in which they are mounted. */
export function imageEntries(spec: ContainerSpec, tree: TreeFacts): Entry[] {
  return (tree.image ?? [])
    .filter(({ path }) => path !== '/')
    .map((partition) => ({
      kind: 'device',
      path: partition.path,
      ...filesystem(spec, partition),
      // the kernel lays nothing over FAT, whose names are the same in any case
      ...(isOverlaid(spec) && partition.type !== 'vfat' ? { overlaid: true } : {}),
    }));
}

function filesystem(spec: ContainerSpec, partition: ImagePartition): DeviceFilesystem {
  const { device, type, grow } = partition;
  const readOnly = keepsTree(spec) || partition.readOnly;
  return {
    device,
    type,
    flags: [...(readOnly ? (['ro'] as const) : []), ...flagsAt(partition.path)],
    data: optionsOf(partition, readOnly).join(','),
    ...(grow && !readOnly ? { grow } : {}),
  };
}

/** No device nodes but those of /dev; and what holds boot loaders, mostly FAT and never verified, needs even less. */
function flagsAt(path: string): readonly MountFlag[] {
  switch (path) {
    case '/boot':
    case '/efi':
      return ['nosuid', 'nodev', 'noexec', 'nosymfollow'];
    case '/var/tmp':
      return ['nosuid', 'nodev'];
    default:
      return ['nodev'];
  }
}

/** The options with which a file system is mounted from its device. */
export function deviceOptions(type: string, readOnly: boolean): string[] {
  const options: string[] = [];
  // read-only alone would not keep these from writing their journal back, nor let two machines share the image
  if (readOnly && (type === 'ext4' || type === 'xfs')) options.push('norecovery');
  if (readOnly && type === 'btrfs') options.push('rescue=nologreplay');
  // a copy of an image has the same id, and may be mounted at the same time
  if (type === 'xfs') options.push('nouuid');
  return options;
}

function optionsOf({ path, type, discard }: ImagePartition, readOnly: boolean): string[] {
  const options = deviceOptions(type, readOnly);
  if (type === 'vfat' && (path === '/boot' || path === '/efi')) options.push('umask=0077');
  if (!readOnly && discard && ['btrfs', 'ext4', 'f2fs', 'vfat', 'xfs'].includes(type)) options.push('discard');
  return options;
}

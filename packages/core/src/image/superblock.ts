// What lies on a device, told by the magic numbers of superblocks: enough to name it to the kernel, whose own checks follow.

import { hasBytes, type ImageReader } from './bytes';

/** What a device holds. */
export type Content =
  | { readonly kind: 'filesystem' /** the kernel's driver */; readonly type: string; readonly readOnly: boolean }
  | { readonly kind: 'luks'; readonly version: number }
  | { readonly kind: 'verity' }
  | { readonly kind: 'swap' };

/** [offset, bytes, type, can only be read]. The containers first: what they hold shows through nowhere, but stale bytes of an
 *  earlier file system may. */
const MAGICS: readonly (readonly [offset: number, bytes: string, type: string, readOnly?: boolean])[] = [
  [0, 'LUKS\xba\xbe\x00\x01', 'luks1'],
  [0, 'LUKS\xba\xbe\x00\x02', 'luks2'],
  [0, 'verity\0\0', 'verity'],
  // at the end of the first page, of 4 or 64 KiB
  [4086, 'SWAPSPACE2', 'swap'],
  [65526, 'SWAPSPACE2', 'swap'],
  [0, 'hsqs', 'squashfs', true],
  [1024, '\xe2\xe1\xf5\xe0', 'erofs', true],
  [0, 'XFSB', 'xfs'],
  [0x10040, '_BHRfS_M', 'btrfs'],
  [1024, '\x10\x20\xf5\xf2', 'f2fs'],
  // the driver of ext4 takes ext2 and ext3 as well, and is the one that kernels have
  [1080, '\x53\xef', 'ext4'],
  [82, 'FAT32   ', 'vfat'],
  [54, 'FAT16   ', 'vfat'],
  [54, 'FAT12   ', 'vfat'],
];

/** The content of a device; undefined where nothing is known. */
export function contentOf(device: ImageReader): Content | undefined {
  const found = MAGICS.find(
    ([offset, bytes, type]) => hasBytes(device, offset, bytes) && (type !== 'ext4' || plausibleExt(device)),
  );
  if (found === undefined) return undefined;
  const [, , type, readOnly = false] = found;
  switch (type) {
    case 'luks1':
    case 'luks2':
      return { kind: 'luks', version: type === 'luks1' ? 1 : 2 };
    case 'verity':
    case 'swap':
      return { kind: type };
    default:
      return { kind: 'filesystem', type, readOnly };
  }
}

/** Two bytes say little: its blocks must have one of the sizes that there are, 1 to 64 KiB. */
function plausibleExt(device: ImageReader): boolean {
  const size = device.read(1048, 4);
  return size.length === 4 && size.readUInt32LE(0) <= 6;
}

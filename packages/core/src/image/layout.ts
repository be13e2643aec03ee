// What an image is: one file system, or a partition table with several.

import { ImageDefect, type ImageReader } from './bytes';
import { type Content, contentOf } from './superblock';
import { type Partition, type PartitionTable, readGpt, readMbr } from './table';

export type Layout =
  | { readonly kind: 'whole'; readonly content: Content }
  | { readonly kind: 'table'; readonly table: PartitionTable };

/**
 * Tells a partition table from a bare file system. GPT comes first, because checksums vouch for it; an MBR must make sense,
 * because every boot sector looks like one.
 *
 * @param sectorSize of a block device; of a file it is found out
 * @throws ImageDefect
 */
export function layoutOf(image: ImageReader, sectorSize?: number): Layout {
  const gpt = readGpt(image, sectorSize === undefined ? [512, 4096, 1024, 2048] : [sectorSize]);
  if (gpt !== undefined) return { kind: 'table', table: gpt };
  const content = contentOf(image);
  const mbr = readMbr(image, sectorSize);
  // of a disk that was one file system and has been partitioned since, the superblock may still be there
  if (mbr !== undefined && (content === undefined || mbr.partitions.some((partition) => isFilled(image, partition))))
    return { kind: 'table', table: mbr };
  if (content !== undefined) return { kind: 'whole', content };
  throw new ImageDefect(
    image.size === 0 ? 'it is empty' : 'it has neither a partition table nor a file system that is known',
    'images are raw: qemu-img convert -O raw makes one of qcow2 and the like',
  );
}

function isFilled(image: ImageReader, { type, start, size }: Partition): boolean {
  return type === '83' && start > 0 && contentOf(partReader(image, start, size)) !== undefined;
}

/** The part of an image that a partition takes. */
export function partReader(image: ImageReader, start: number, size: number): ImageReader {
  return {
    size,
    read: (offset, length) =>
      offset >= size ? Buffer.alloc(0) : image.read(start + offset, Math.min(length, size - offset)),
  };
}

// What of an image the guest gets: its partitions by the policy, and how each is protected.

import {
  contentOf,
  type Designator,
  ImageDefect,
  type ImagePolicy,
  type ImageReader,
  type Layout,
  layoutOf,
  mayUse,
  type Partition,
  type Protection,
  partReader,
  ruleFor,
  type Selection,
  selectPartitions,
} from '@tsnspawn/core';
import { type VerityMaterial, verityFromPartition } from './verity';

/** A part of the image that the guest gets. */
export interface Part {
  readonly designator: Designator;
  readonly partition: Partition;
  readonly protection: Protection;
  /** in words, for messages */
  readonly words: string;
}

export interface Contents {
  /** the image is one file system */
  readonly whole: boolean;
  /** in the order in which they are mounted, the root first */
  readonly parts: readonly Part[];
  readonly selection: Selection;
  readonly verity: VerityMaterial | undefined;
}

const MOUNTED: readonly Designator[] = ['root', 'usr', 'home', 'srv', 'var', 'tmp', 'xbootldr', 'esp'];
const NOT_MOUNTED: readonly Designator[] = ['swap', 'root-verity', 'usr-verity', 'root-verity-sig', 'usr-verity-sig'];

/**
 * @param sectorSize of a block device
 * @param architectures as in HostFacts
 * @param material what is known of its root hash
 * @throws ImageDefect
 */
export function contentsOf(
  image: ImageReader,
  sectorSize: number | undefined,
  architectures: readonly string[],
  policy: ImagePolicy,
  material: VerityMaterial | undefined,
): Contents {
  const layout = layoutOf(image, sectorSize);
  const whole = layout.kind === 'whole';
  const selection = selectionOf(layout, image, architectures, material);
  const verity = material ?? embeddedVerity(image, selection, policy);
  for (const designator of NOT_MOUNTED) {
    const partition = selection.get(designator);
    mayUse(policy, designator, partition === undefined ? undefined : { protection: 'unprotected', ...partition });
  }
  const parts = MOUNTED.flatMap((designator): Part[] => {
    const partition = selection.get(designator);
    if (partition === undefined) {
      mayUse(policy, designator, undefined);
      return [];
    }
    requireInside(partition, image);
    const content = contentOf(partReader(image, partition.start, partition.size));
    const protection =
      verityOf(designator, whole, selection, policy, verity) ??
      (content?.kind === 'luks' ? 'encrypted' : 'unprotected');
    const type = content?.kind === 'filesystem' ? content.type : undefined;
    if (!mayUse(policy, designator, { ...partition, protection, type })) return [];
    return [{ designator, partition, protection, words: whole ? 'it' : `its ${designator} partition` }];
  });
  if (parts[0]?.designator !== 'root') throw new ImageDefect('the image policy leaves no root partition of it');
  return { whole, parts, selection, verity };
}

function selectionOf(
  layout: Layout,
  image: ImageReader,
  architectures: readonly string[],
  verity: VerityMaterial | undefined,
): Selection {
  if (layout.kind === 'table') return selectPartitions(layout.table, architectures, verity);
  const { size } = image;
  const flags = { bootable: false, readOnly: false, noAuto: false, grow: false, noBlockIo: false };
  return new Map([['root', { number: 0, type: '', label: '', start: 0, size, ...flags }]]);
}

/** A root hash that the image itself brings counts only with its signature. */
function embeddedVerity(image: ImageReader, selection: Selection, policy: ImagePolicy): VerityMaterial | undefined {
  for (const data of ['root', 'usr'] as const) {
    const partition = selection.get(`${data}-verity-sig`);
    if (partition === undefined || !selection.has(`${data}-verity`)) continue;
    if (!ruleFor(policy, data).uses.includes('signed')) continue;
    requireInside(partition, image);
    return verityFromPartition(data, partReader(image, partition.start, partition.size));
  }
  return undefined;
}

/** How a part is verified; undefined where it is not. What was asked for is never left out in silence. */
function verityOf(
  designator: Designator,
  whole: boolean,
  selection: Selection,
  policy: ImagePolicy,
  verity: VerityMaterial | undefined,
): 'verity' | 'signed' | undefined {
  if (verity?.data !== designator) return undefined;
  const available = whole ? verity.tree !== undefined : selection.has(`${verity.data}-verity`);
  if (!available && !verity.asked) return undefined;
  if (!available)
    throw new ImageDefect(
      'there is no hash tree to check it with',
      whole ? '--verity-data=FILE, or a file IMAGE.verity beside it' : 'it needs a verity partition for the root hash',
    );
  const { uses } = ruleFor(policy, designator);
  if (verity.signature !== undefined && uses.includes('signed')) return 'signed';
  return uses.includes('verity') || verity.asked ? 'verity' : undefined;
}

/** @throws ImageDefect for a partition that is partly missing */
export function requireInside({ number, start, size }: Partition, image: Pick<ImageReader, 'size'>): void {
  if (start + size > image.size)
    throw new ImageDefect(`partition ${number} ends beyond its end`, 'is the image truncated?');
}

// Which partitions of an image the guest gets.

import { ImageDefect } from './bytes';
import { type Designator, LINUX_GENERIC, meaningOf } from './designators';
import type { Partition, PartitionTable } from './table';

export type Selection = ReadonlyMap<Designator, Partition>;

/** A root hash as the partitions' names say it: the first half is the data's UUID, the second the hash tree's. */
export interface VerityIdentity {
  readonly data: 'root' | 'usr';
  /** hexadecimal */
  readonly hash: string;
}

/**
 * Chooses by the types and flags of the partitions.
 *
 * @param architectures of this machine, its own first, as uname -m names them
 * @param verity where a root hash is known, only the partitions that it belongs to count
 * @throws ImageDefect where there is no root, or more than one that could be it
 */
export function selectPartitions(
  table: PartitionTable,
  architectures: readonly string[],
  verity?: VerityIdentity,
): Selection {
  return table.kind === 'gpt' ? fromGpt(table.partitions, architectures, verity) : fromMbr(table.partitions);
}

/** What has an architecture is looked for on the machine's own first: [designator, partition, rank]. */
interface Candidate {
  readonly designator: Designator;
  readonly partition: Partition;
  readonly rank: number;
}

function fromGpt(
  partitions: readonly Partition[],
  architectures: readonly string[],
  verity: VerityIdentity | undefined,
): Selection {
  const selection = new Map<Designator, Partition>();
  const ranks = new Map<Designator, number>();
  const foreign = new Set<string>();
  for (const { designator, partition, rank } of candidates(partitions, architectures, foreign)) {
    if (!belongs(designator, partition, verity)) continue;
    const known = selection.get(designator);
    const knownRank = ranks.get(designator) ?? Number.POSITIVE_INFINITY;
    const newer = rank === knownRank && isVersioned(designator) && known !== undefined && isNewer(partition, known);
    if (known !== undefined && rank >= knownRank && !newer) continue;
    selection.set(designator, partition);
    ranks.set(designator, rank);
  }
  if (!selection.has('root') && verity?.data !== 'root') {
    const generic = genericRoot(partitions);
    if (generic !== undefined) selection.set('root', generic);
  }
  if (selection.has('root')) return selection;
  if (verity?.data === 'root')
    throw new ImageDefect(
      'no root partition in it belongs to the root hash',
      'the first half of the hash is the UUID of the root partition',
    );
  if (foreign.size > 0)
    throw new ImageDefect(`its root partition is for another architecture: ${[...foreign].join(', ')}`);
  throw new ImageDefect(
    'it has no root partition',
    'sfdisk --part-type gives a partition the type "Linux root" of its architecture',
  );
}

function candidates(
  partitions: readonly Partition[],
  architectures: readonly string[],
  foreign: Set<string>,
): Candidate[] {
  return partitions.flatMap((partition) => {
    const meaning = meaningOf(partition.type);
    if (meaning === undefined) return [];
    const { designator, architecture } = meaning;
    if (designator === 'esp' ? partition.noBlockIo : partition.noAuto) return [];
    const rank = architecture === undefined ? 0 : architectures.indexOf(architecture);
    if (rank < 0 && designator === 'root' && architecture !== undefined) foreign.add(architecture);
    return rank < 0 ? [] : [{ designator, partition, rank }];
  });
}

function belongs(designator: Designator, { uuid }: Partition, verity: VerityIdentity | undefined): boolean {
  if (verity === undefined) return true;
  const digits = uuid?.replaceAll('-', '');
  if (designator === verity.data) return digits === verity.hash.slice(0, 32);
  if (designator === `${verity.data}-verity`) return digits === verity.hash.slice(-32);
  return true;
}

/** Root and /usr may be there in several versions, told by their labels: an update writes the one that is not in use. */
function isVersioned(designator: Designator): boolean {
  return /^(?:root|usr)/.test(designator);
}

function isNewer(a: Partition, b: Partition): boolean {
  return a.label.localeCompare(b.label, 'en', { numeric: true }) > 0;
}

function genericRoot(partitions: readonly Partition[]): Partition | undefined {
  const generic = partitions.filter(({ type, noAuto }) => type === LINUX_GENERIC && !noAuto);
  return onlyOne(generic, 'Linux partitions without a more precise type');
}

/** One bootable Linux partition is the root. Some tools set no active flag: a single Linux partition will do. */
function fromMbr(partitions: readonly Partition[]): Selection {
  const linux = partitions.filter(({ type }) => type === '83');
  const bootable = linux.filter((partition) => partition.bootable);
  const root = onlyOne(bootable.length > 0 ? bootable : linux, 'Linux partitions');
  if (root === undefined) throw new ImageDefect('it has no Linux partition (type 83)');
  const xbootldr = partitions.find(({ type }) => type === 'ea');
  return new Map<Designator, Partition>([
    ['root', root],
    ...(xbootldr === undefined ? [] : ([['xbootldr', xbootldr]] as const)),
  ]);
}

function onlyOne(partitions: readonly Partition[], what: string): Partition | undefined {
  if (partitions.length <= 1) return partitions[0];
  const numbers = partitions.map(({ number }) => number).join(', ');
  throw new ImageDefect(
    `it has several ${what}, and none says that it is the root: ${numbers}`,
    'give the root its type, or make it the only bootable one in an MBR',
  );
}

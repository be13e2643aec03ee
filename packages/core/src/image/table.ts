// Partition tables: GPT (UEFI specification 2.10, chapter 5) and MBR.

import { crc32, guid, hasBytes, ImageDefect, type ImageReader, uint64 } from './bytes';

export interface Partition {
  /** as in the names of devices, from 1 */
  readonly number: number;
  /** GUID, or of MBR two hex digits: `83` */
  readonly type: string;
  /** of GPT */
  readonly uuid?: string;
  readonly label: string;
  /** bytes */
  readonly start: number;
  readonly size: number;
  /** of MBR: the active flag */
  readonly bootable: boolean;
  /** flags of the Discoverable Partitions Specification */
  readonly readOnly: boolean;
  readonly noAuto: boolean;
  readonly grow: boolean;
  /** the firmware shall not use it (flag of an ESP) */
  readonly noBlockIo: boolean;
}

export interface PartitionTable {
  readonly kind: 'gpt' | 'mbr';
  /** bytes */
  readonly sectorSize: number;
  readonly partitions: readonly Partition[];
}

const MBR_SIZE = 512;
const HEADER_SIZE = 92;
const ENTRY_SIZE = 128;
/** Of all entries; tables in use have 16 KiB. */
const MOST_ENTRY_BYTES = 4 * 1024 * 1024;
const PROTECTIVE = 0xee;

/**
 * The GPT of an image.
 *
 * @param sectorSizes to try, the likeliest first: nothing in the image tells beforehand
 * @returns undefined where there is none
 * @throws ImageDefect for one that is damaged beyond its backup
 */
export function readGpt(image: ImageReader, sectorSizes: readonly number[] = [512, 4096]): PartitionTable | undefined {
  // without the MBR that protects it it is a left-over of a disk that has been partitioned anew
  const entries = mbrEntries(image);
  if (entries === undefined || !entries.some(({ type }) => type === PROTECTIVE)) return undefined;
  const onlyProtective = entries.every(({ type }) => type === 0 || type === PROTECTIVE);
  let seen = false;
  for (const sectorSize of sectorSizes) {
    const last = Math.floor(image.size / sectorSize) - 1;
    for (const sector of [1, last]) {
      if (sector < 1 || !hasBytes(image, sector * sectorSize, 'EFI PART')) continue;
      seen = true;
      const partitions = gptAt(image, sectorSize, sector);
      if (partitions !== undefined) return { kind: 'gpt', sectorSize, partitions };
    }
  }
  if (!seen && !onlyProtective) return undefined;
  throw new ImageDefect(
    seen ? 'its GPT is damaged, and so is the backup' : 'its GPT is missing',
    'is the image truncated? gdisk may repair it',
  );
}

/** The partitions of the header in this sector; undefined where a checksum or a limit does not hold. */
function gptAt(image: ImageReader, sectorSize: number, sector: number): Partition[] | undefined {
  const header = image.read(sector * sectorSize, sectorSize);
  if (header.length < HEADER_SIZE) return undefined;
  const size = header.readUInt32LE(12);
  if (size < HEADER_SIZE || size > header.length) return undefined;
  const checksum = header.readUInt32LE(16);
  const zeroed = Buffer.from(header.subarray(0, size));
  zeroed.writeUInt32LE(0, 16);
  if (crc32(zeroed) !== checksum || uint64(header, 24) !== sector) return undefined;
  const first = uint64(header, 72);
  const count = header.readUInt32LE(80);
  const entrySize = header.readUInt32LE(84);
  const bytes = count * entrySize;
  if (entrySize < ENTRY_SIZE || entrySize > 4096 || entrySize % 8 !== 0 || bytes > MOST_ENTRY_BYTES) return undefined;
  if (first * sectorSize + bytes > image.size) return undefined;
  const entries = image.read(first * sectorSize, bytes);
  if (entries.length !== bytes || crc32(entries) !== header.readUInt32LE(88)) return undefined;
  const partitions: Partition[] = [];
  for (let index = 0; index < count; index += 1) {
    const entry = entries.subarray(index * entrySize, (index + 1) * entrySize);
    const partition = gptEntry(entry, index + 1, sectorSize);
    if (partition !== undefined) partitions.push(partition);
  }
  return partitions;
}

function gptEntry(entry: Buffer, number: number, sectorSize: number): Partition | undefined {
  const type = guid(entry, 0);
  if (/^[0-]+$/.test(type)) return undefined;
  const first = uint64(entry, 32);
  const last = uint64(entry, 40);
  if (last < first || !Number.isSafeInteger((last + 1) * sectorSize))
    throw new ImageDefect(`partition ${number} ends before it starts, or beyond all bounds`);
  const low = entry.readUInt32LE(48);
  const high = entry.readUInt32LE(52);
  const bit = (n: number): boolean => ((high >>> (n - 32)) & 1) === 1;
  return {
    number,
    type,
    uuid: guid(entry, 16),
    label: entry.toString('utf16le', 56, ENTRY_SIZE).replace(/\0.*$/s, ''),
    start: first * sectorSize,
    size: (last - first + 1) * sectorSize,
    bootable: false,
    readOnly: bit(60),
    noAuto: bit(63),
    grow: bit(59),
    noBlockIo: (low & 2) !== 0,
  };
}

interface MbrEntry {
  readonly type: number;
  readonly active: number;
  /** sectors */
  readonly start: number;
  readonly size: number;
}

/** The four entries; undefined where there is no MBR. */
function mbrEntries(image: ImageReader): MbrEntry[] | undefined {
  const sector = image.read(0, MBR_SIZE);
  if (sector.length < MBR_SIZE || sector.readUInt16LE(510) !== 0xaa55) return undefined;
  return [0, 1, 2, 3].map((index) => {
    const at = 446 + index * 16;
    return {
      type: sector.readUInt8(at + 4),
      active: sector.readUInt8(at),
      start: sector.readUInt32LE(at + 8),
      size: sector.readUInt32LE(at + 12),
    };
  });
}

/**
 * The primary partitions of an MBR.
 * @returns undefined where there is none: the code of a boot sector alone, as that of FAT, is no table
 */
export function readMbr(image: ImageReader, sectorSize = 512): PartitionTable | undefined {
  const entries = mbrEntries(image);
  if (entries === undefined || entries.some(({ active }) => active !== 0 && active !== 0x80)) return undefined;
  const partitions = entries.flatMap(({ type, active, start, size }, index): Partition[] =>
    type === 0 || size === 0
      ? []
      : [
          {
            number: index + 1,
            type: type.toString(16).padStart(2, '0'),
            label: '',
            start: start * sectorSize,
            size: size * sectorSize,
            bootable: active === 0x80,
            readOnly: false,
            noAuto: false,
            grow: false,
            noBlockIo: false,
          },
        ],
  );
  return partitions.length === 0 ? undefined : { kind: 'mbr', sectorSize, partitions };
}

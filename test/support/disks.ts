// Disk images in memory: the bytes that a partitioning program would write, for tests that need no program and no root.

import { crc32, type ImageReader } from '@tsnspawn/core';

/** Types of partitions (Discoverable Partitions Specification, as sfdisk names them). */
export const TYPES = {
  root: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  rootVerity: '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5',
  rootVeritySig: '41092b05-9fc8-4523-994f-2def0408b176',
  rootX86: '44479540-f297-41b2-9af7-d131d5f0458a',
  rootArm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
  usr: '8484680c-9521-48c6-9c11-b0720656f69e',
  home: '933ac7e1-2eb4-4f13-b844-0e14e2aef915',
  srv: '3b8f8425-20e0-4f3b-907f-1a25a76f98e8',
  var: '4d21b016-b534-45c2-a9fb-5c16e091fd2d',
  tmp: '7ec6f557-3bc5-4aca-b293-16ef5df639d1',
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  xbootldr: 'bc13c2ff-59e6-4262-a352-b275fd6f7172',
  swap: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  generic: '0fc63daf-8483-4772-8e79-3d69d8477de4',
} as const;

/** Bits of a GPT entry's attributes. */
export const GPT_FLAGS = { noBlockIo: 1n << 1n, grow: 1n << 59n, readOnly: 1n << 60n, noAuto: 1n << 63n } as const;

export interface DiskPartition {
  readonly type: string;
  readonly uuid?: string;
  readonly label?: string;
  readonly flags?: bigint;
  /** sectors */
  readonly sectors?: number;
  readonly content?: Buffer;
}

export function readerOf(bytes: Buffer): ImageReader {
  return { size: bytes.length, read: (offset, length) => Buffer.from(bytes.subarray(offset, offset + length)) };
}

function guidBytes(text: string): Buffer {
  const [a = '', b = '', c = '', d = '', e = ''] = text.split('-');
  const little = (hex: string): Buffer => Buffer.from(hex, 'hex').reverse();
  return Buffer.concat([little(a), little(b), little(c), Buffer.from(d + e, 'hex')]);
}

const ENTRIES = 128;
const ENTRY_SIZE = 128;

/** A disk with a GPT and its backup; the partitions lie one after the other. */
export function gptDisk(partitions: readonly DiskPartition[], sectorSize = 512): Buffer {
  const tableSectors = (ENTRIES * ENTRY_SIZE) / sectorSize;
  const firstUsable = 2 + tableSectors;
  const length = (partition: DiskPartition): number =>
    partition.sectors ?? Math.max(16, Math.ceil((partition.content?.length ?? 0) / sectorSize));
  const total = firstUsable + partitions.reduce((sum, partition) => sum + length(partition), 0) + tableSectors + 1;
  const disk = Buffer.alloc(total * sectorSize);
  const entries = Buffer.alloc(ENTRIES * ENTRY_SIZE);
  let at = firstUsable;
  partitions.forEach((partition, index) => {
    const entry = entries.subarray(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE);
    guidBytes(partition.type).copy(entry, 0);
    guidBytes(partition.uuid ?? `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`).copy(entry, 16);
    entry.writeBigUInt64LE(BigInt(at), 32);
    entry.writeBigUInt64LE(BigInt(at + length(partition) - 1), 40);
    entry.writeBigUInt64LE(partition.flags ?? 0n, 48);
    entry.write(partition.label ?? '', 56, 72, 'utf16le');
    partition.content?.copy(disk, at * sectorSize);
    at += length(partition);
  });
  const last = total - 1;
  entries.copy(disk, 2 * sectorSize);
  entries.copy(disk, (last - tableSectors) * sectorSize);
  const header = (own: number, other: number, table: number): void => {
    const bytes = disk.subarray(own * sectorSize, own * sectorSize + 92);
    bytes.write('EFI PART', 0, 'latin1');
    bytes.writeUInt32LE(0x10000, 8);
    bytes.writeUInt32LE(92, 12);
    bytes.writeBigUInt64LE(BigInt(own), 24);
    bytes.writeBigUInt64LE(BigInt(other), 32);
    bytes.writeBigUInt64LE(BigInt(firstUsable), 40);
    bytes.writeBigUInt64LE(BigInt(last - tableSectors - 1), 48);
    bytes.writeBigUInt64LE(BigInt(table), 72);
    bytes.writeUInt32LE(ENTRIES, 80);
    bytes.writeUInt32LE(ENTRY_SIZE, 84);
    bytes.writeUInt32LE(crc32(entries), 88);
    bytes.writeUInt32LE(0, 16);
    bytes.writeUInt32LE(crc32(bytes), 16);
  };
  header(1, last, 2);
  header(last, 1, last - tableSectors);
  writeMbr(disk, [{ type: 0xee, start: 1, sectors: last }]);
  return disk;
}

export interface MbrPartition {
  readonly type: number;
  readonly bootable?: boolean;
  /** sectors */
  readonly start: number;
  readonly sectors: number;
  readonly content?: Buffer;
}

function writeMbr(disk: Buffer, partitions: readonly MbrPartition[]): void {
  partitions.forEach(({ type, bootable, start, sectors, content }, index) => {
    const at = 446 + index * 16;
    disk.writeUInt8(bootable === true ? 0x80 : 0, at);
    disk.writeUInt8(type, at + 4);
    disk.writeUInt32LE(start, at + 8);
    disk.writeUInt32LE(sectors, at + 12);
    content?.copy(disk, start * 512);
  });
  disk.writeUInt16LE(0xaa55, 510);
}

export function mbrDisk(partitions: readonly MbrPartition[], sectors = 200): Buffer {
  const disk = Buffer.alloc(sectors * 512);
  writeMbr(disk, partitions);
  return disk;
}

/** What tells an ext4 file system, and no more of one. */
export function extLike(size = 8192): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt16LE(0xef53, 1080);
  bytes.writeUInt32LE(2, 1048);
  return bytes;
}

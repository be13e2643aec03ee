// Partition tables and superblocks, also those that nobody would write in good faith.

import {
  contentOf,
  crc32,
  ImageDefect,
  type Layout,
  layoutOf,
  type Partition,
  type PartitionTable,
  type Selection,
  selectPartitions,
} from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type DiskPartition, extLike, GPT_FLAGS, gptDisk, mbrDisk, readerOf, TYPES } from '../support/disks';

function tableOf(disk: Buffer): PartitionTable {
  const layout = layoutOf(readerOf(disk));
  if (layout.kind !== 'table') throw new Error('no partition table was found');
  return layout.table;
}

function selectionOf(partitions: readonly DiskPartition[], architectures = ['x86_64', 'i686']): Selection {
  return selectPartitions(tableOf(gptDisk(partitions)), architectures);
}

/** Numbers by designator. */
function numbers(selection: Selection): { readonly [designator: string]: number } {
  return Object.fromEntries([...selection].map(([designator, { number }]) => [designator, number]));
}

function defect(act: () => unknown, message: RegExp): void {
  try {
    act();
  } catch (error) {
    assert.instance(error, ImageDefect);
    assert.match((error as ImageDefect).message, message);
    return;
  }
  assert.unreachable('accepted');
}

test('crc32 is that of ISO 3309', () => {
  assert.is(crc32(Buffer.from('123456789')), 0xcbf43926);
});

for (const sectorSize of [512, 4096]) {
  test(`a GPT with sectors of ${sectorSize} bytes gives places, names and flags`, () => {
    const uuid = '01234567-89ab-4cde-8f01-23456789abcd';
    const disk = gptDisk(
      [
        { type: TYPES.root, uuid, label: 'root-ä', flags: GPT_FLAGS.readOnly | GPT_FLAGS.grow, sectors: 16 },
        { type: TYPES.home, sectors: 8 },
      ],
      sectorSize,
    );
    const table = tableOf(disk);
    assert.is(table.sectorSize, sectorSize);
    const [root, home] = table.partitions as [Partition, Partition];
    const first = 2 + (128 * 128) / sectorSize;
    assert.equal(
      { ...root },
      {
        number: 1,
        type: TYPES.root,
        uuid,
        label: 'root-ä',
        start: first * sectorSize,
        size: 16 * sectorSize,
        bootable: false,
        readOnly: true,
        noAuto: false,
        grow: true,
        noBlockIo: false,
      },
    );
    assert.equal([home.number, home.start, home.size], [2, (first + 16) * sectorSize, 8 * sectorSize]);
  });
}

test('the backup stands in for a GPT whose header or whose entries are damaged', () => {
  for (const damaged of [512 + 60, 2 * 512 + 3]) {
    const disk = gptDisk([{ type: TYPES.root, label: 'kept' }]);
    disk.writeUInt8(disk.readUInt8(damaged) ^ 0xff, damaged);
    assert.is(tableOf(disk).partitions[0]?.label, 'kept');
  }
});

test('a GPT that is damaged twice, or cut off, is an error and no empty disk', () => {
  const disk = gptDisk([{ type: TYPES.root }]);
  disk.writeUInt8(1, 512 + 60);
  disk.writeUInt8(1, disk.length - 512 + 60);
  defect(() => tableOf(disk), /GPT is damaged, and so is the backup/);
  defect(() => tableOf(gptDisk([{ type: TYPES.root }]).subarray(0, 512)), /GPT is missing/);
});

test('numbers in a GPT that would lead anywhere are refused', () => {
  const rewrite = (change: (disk: Buffer) => void): Buffer => {
    const disk = gptDisk([{ type: TYPES.root }]);
    for (const own of [512, disk.length - 512]) {
      const header = disk.subarray(own, own + 92);
      change(header);
      header.writeUInt32LE(0, 16);
      header.writeUInt32LE(crc32(header), 16);
    }
    return disk;
  };
  const changes: ((header: Buffer) => void)[] = [
    (header) => header.writeUInt32LE(0xffffffff, 80), // entries
    (header) => header.writeUInt32LE(0, 84), // bytes in each
    (header) => header.writeUInt32LE(0xffffffff, 84),
    (header) => header.writeUInt32LE(0xffffffff, 12), // size of the header
    (header) => header.writeUInt32LE(4, 12),
    (header) => header.writeBigUInt64LE(0xffff_ffffn, 72), // where the entries are
  ];
  for (const change of changes) defect(() => tableOf(rewrite(change)), /GPT is damaged/);
  defect(() => tableOf(rewrite((header) => header.writeBigUInt64LE(2n ** 63n, 72))), /too large/);
});

test('a partition that ends before it starts is refused', () => {
  const disk = gptDisk([{ type: TYPES.root }]);
  const entries = disk.subarray(2 * 512, 2 * 512 + 128 * 128);
  entries.writeBigUInt64LE(1n, 40);
  const header = disk.subarray(512, 512 + 92);
  header.writeUInt32LE(crc32(entries), 88);
  header.writeUInt32LE(0, 16);
  header.writeUInt32LE(crc32(header), 16);
  defect(() => tableOf(disk), /partition 1 ends before it starts/);
});

test('each type of the discoverable partitions has its place', () => {
  const selection = selectionOf([
    { type: TYPES.esp },
    { type: TYPES.xbootldr },
    { type: TYPES.root },
    { type: TYPES.usr },
    { type: TYPES.home },
    { type: TYPES.srv },
    { type: TYPES.var },
    { type: TYPES.tmp },
    { type: TYPES.swap },
    { type: TYPES.rootVerity },
    { type: TYPES.rootVeritySig },
  ]);
  assert.equal(numbers(selection), {
    esp: 1,
    xbootldr: 2,
    root: 3,
    usr: 4,
    home: 5,
    srv: 6,
    var: 7,
    tmp: 8,
    swap: 9,
    'root-verity': 10,
    'root-verity-sig': 11,
  });
});

test('a partition with the no-auto flag, or an ESP that the firmware shall not use, does not count', () => {
  const selection = selectionOf([
    { type: TYPES.esp, flags: GPT_FLAGS.noBlockIo },
    { type: TYPES.root, flags: GPT_FLAGS.noAuto },
    { type: TYPES.root },
    { type: TYPES.home, flags: GPT_FLAGS.noAuto },
  ]);
  assert.equal(numbers(selection), { root: 3 });
});

test("the root of the machine's own architecture comes before that of its second one", () => {
  const both = [{ type: TYPES.rootX86 }, { type: TYPES.root }];
  assert.equal(numbers(selectionOf(both)), { root: 2 });
  assert.equal(numbers(selectionOf(both, ['i686'])), { root: 1 });
  assert.equal(numbers(selectionOf([{ type: TYPES.rootX86 }])), { root: 1 });
});

test('a root for another architecture is told from no root', () => {
  defect(() => selectionOf([{ type: TYPES.rootArm64 }]), /for another architecture: aarch64/);
  assert.equal(numbers(selectionOf([{ type: TYPES.rootArm64 }], ['aarch64'])), { root: 1 });
  defect(() => selectionOf([{ type: TYPES.home }]), /no root partition/);
});

test('of two versions of the root the newer one counts, by the numbers in its label', () => {
  const selection = selectionOf([
    { type: TYPES.root, label: 'os_9' },
    { type: TYPES.root, label: 'os_10' },
    { type: TYPES.home, label: 'home_1' },
    { type: TYPES.home, label: 'home_2' },
  ]);
  assert.equal(numbers(selection), { root: 2, home: 3 });
});

test('a single Linux partition without a more precise type is the root; several are an error that names them', () => {
  assert.equal(numbers(selectionOf([{ type: TYPES.esp }, { type: TYPES.generic }])), { esp: 1, root: 2 });
  assert.equal(numbers(selectionOf([{ type: TYPES.generic }, { type: TYPES.root }])), { root: 2 });
  defect(
    () => selectionOf([{ type: TYPES.generic }, { type: TYPES.esp }, { type: TYPES.generic }]),
    /several Linux partitions.*: 1, 3/,
  );
});

test('a root hash chooses the partitions whose UUIDs are its halves', () => {
  const hash = `${'ab'.repeat(16)}${'cd'.repeat(16)}`;
  const uuid = (byte: string): string => 'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx'.replace(/xx/g, byte);
  const table = tableOf(
    gptDisk([
      { type: TYPES.root },
      { type: TYPES.root, uuid: uuid('ab') },
      { type: TYPES.rootVerity },
      { type: TYPES.rootVerity, uuid: uuid('cd') },
    ]),
  );
  assert.equal(numbers(selectPartitions(table, ['x86_64'], { data: 'root', hash })), { root: 2, 'root-verity': 4 });
  defect(
    () => selectPartitions(table, ['x86_64'], { data: 'root', hash: '00'.repeat(32) }),
    /belongs to the root hash/,
  );
});

test('an MBR gives its one bootable Linux partition, or its only one', () => {
  const select = (partitions: Parameters<typeof mbrDisk>[0]) =>
    numbers(selectPartitions(tableOf(mbrDisk(partitions)), []));
  const linux = { type: 0x83, start: 10, sectors: 20 };
  assert.equal(select([linux]), { root: 1 });
  assert.equal(select([linux, { ...linux, start: 40, bootable: true }]), { root: 2 });
  assert.equal(select([{ type: 0x0c, start: 2, sectors: 8 }, linux, { type: 0xea, start: 40, sectors: 8 }]), {
    root: 2,
    xbootldr: 3,
  });
  defect(() => select([linux, { ...linux, start: 40 }]), /several Linux partitions.*: 1, 2/);
  defect(() => select([{ type: 0x07, start: 2, sectors: 8 }]), /no Linux partition \(type 83\)/);
});

test('partitions of an MBR are where it says', () => {
  const [partition] = tableOf(mbrDisk([{ type: 0x83, start: 10, sectors: 20, bootable: true }])).partitions;
  assert.equal([partition?.start, partition?.size, partition?.bootable], [5120, 10240, true]);
});

test('a file system without partitions is found by its superblock', () => {
  const marked = (offset: number, mark: string): Buffer => {
    const bytes = Buffer.alloc(128 * 1024);
    bytes.write(mark, offset, 'latin1');
    return bytes;
  };
  const filesystems: readonly (readonly [Buffer, string, boolean])[] = [
    [extLike(), 'ext4', false],
    [marked(0, 'XFSB'), 'xfs', false],
    [marked(65600, '_BHRfS_M'), 'btrfs', false],
    [marked(1024, '\x10\x20\xf5\xf2'), 'f2fs', false],
    [marked(0, 'hsqs'), 'squashfs', true],
    [marked(1024, '\xe2\xe1\xf5\xe0'), 'erofs', true],
    [marked(82, 'FAT32   '), 'vfat', false],
    [marked(54, 'FAT16   '), 'vfat', false],
  ];
  for (const [bytes, type, readOnly] of filesystems) {
    assert.equal(contentOf(readerOf(bytes)), { kind: 'filesystem', type, readOnly }, type);
  }
  assert.equal(contentOf(readerOf(marked(0, 'LUKS\xba\xbe\0\x01'))), { kind: 'luks', version: 1 });
  assert.equal(contentOf(readerOf(marked(0, 'LUKS\xba\xbe\0\x02'))), { kind: 'luks', version: 2 });
  assert.equal(contentOf(readerOf(marked(0, 'verity\0\0'))), { kind: 'verity' });
  assert.equal(contentOf(readerOf(marked(4086, 'SWAPSPACE2'))), { kind: 'swap' });
  assert.is(contentOf(readerOf(Buffer.alloc(4096))), undefined);
});

test('an old superblock on a disk that has been partitioned since does not hide the partitions', () => {
  const disk = mbrDisk([{ type: 0x83, start: 20, sectors: 40, content: extLike() }]);
  extLike(2048).copy(disk, 1024, 1024, 2048);
  assert.is(layoutOf(readerOf(disk)).kind, 'table');
});

test('a boot sector in front of a file system is no partition table', () => {
  const bytes = extLike();
  bytes.writeUInt16LE(0xaa55, 510);
  bytes.write('code, not a partition table, but much the same place', 446, 'latin1');
  assert.equal((layoutOf(readerOf(bytes)) as Extract<Layout, { kind: 'whole' }>).kind, 'whole');
});

test('what is no image is said to be none', () => {
  defect(() => layoutOf(readerOf(Buffer.alloc(0))), /it is empty/);
  defect(() => layoutOf(readerOf(Buffer.from('just a text\n'))), /neither a partition table nor a file system/);
});

test('no image, however it was changed, leads to anything but partitions or a defect', () => {
  // a generator with a seed: what fails can be found again
  let state = 0x2545f491;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const originals = [
    gptDisk([{ type: TYPES.root, content: extLike() }, { type: TYPES.home }, { type: TYPES.esp }]),
    gptDisk([{ type: TYPES.generic }], 4096),
    mbrDisk([{ type: 0x83, start: 10, sectors: 20, bootable: true, content: extLike() }]),
    extLike(),
  ];
  for (let round = 0; round < 4000; round += 1) {
    const original = originals[round % originals.length] as Buffer;
    let disk = Buffer.from(original);
    for (let change = random(6); change >= 0; change -= 1) {
      // most of it where the tables are
      const at = random(4) === 0 ? random(disk.length) : random(Math.min(disk.length, 2048));
      disk[at] = random(3) === 0 ? 0xff : random(256);
    }
    if (round % 3 === 0) fixChecksums(disk);
    if (round % 7 === 0) disk = disk.subarray(0, random(disk.length));
    const reads: [number, number][] = [];
    const reader = {
      size: disk.length,
      read: (offset: number, length: number): Buffer => {
        reads.push([offset, length]);
        return Buffer.from(disk.subarray(offset, offset + length));
      },
    };
    try {
      const layout = layoutOf(reader);
      if (layout.kind === 'table') {
        for (const { start, size } of selectPartitions(layout.table, ['x86_64']).values())
          assert.ok(Number.isSafeInteger(start + size) && start >= 0 && size > 0, `round ${round}`);
      }
    } catch (error) {
      assert.instance(error, ImageDefect, `round ${round}: ${error}`);
    }
    for (const [offset, length] of reads)
      assert.ok(Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && length <= 4 << 20, `round ${round}`);
  }
});

/** Makes the changes of a GPT pass its checksums: behind them the values count. */
function fixChecksums(disk: Buffer): void {
  for (const sectorSize of [512, 4096]) {
    const header = disk.subarray(sectorSize, sectorSize + 92);
    if (header.toString('latin1', 0, 8) !== 'EFI PART') continue;
    const bytes = header.readUInt32LE(80) * header.readUInt32LE(84);
    if (bytes <= disk.length) {
      const table = header.readUInt32LE(72) * sectorSize;
      header.writeUInt32LE(crc32(disk.subarray(table, table + bytes)), 88);
    }
    header.writeUInt32LE(92, 12);
    header.writeUInt32LE(0, 16);
    header.writeUInt32LE(crc32(header), 16);
  }
}

test.run();

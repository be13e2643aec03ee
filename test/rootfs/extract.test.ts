// Archives, honest and hostile. Beside each tree lies a directory that nothing may touch.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { openDeb, readControls, readData, readTar, TreeWriter, writeEntry } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { ar, deb, type Member, tar } from './support/archives';
import { temporaryDirectory } from './support/repository';

interface Place {
  readonly tree: string;
  readonly outside: string;
}

function place(): Place {
  const base = temporaryDirectory();
  const result = { tree: join(base, 'tree'), outside: join(base, 'outside') };
  mkdirSync(result.tree);
  mkdirSync(result.outside);
  writeFileSync(join(result.outside, 'secret'), 'secret');
  return result;
}

async function extract(where: Place, members: readonly Member[], merged?: ReadonlySet<string>): Promise<void> {
  const writer = new TreeWriter(where.tree, { owners: 'caller', ...(merged && { merged }) });
  try {
    await readTar(Readable.from([tar(members)]), (entry) => writeEntry(writer, entry));
  } finally {
    writer.close();
  }
}

const untouched = ({ outside }: Place): void => {
  assert.equal(readdirSync(outside), ['secret']);
  assert.is(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
  assert.is(lstatSync(join(outside, 'secret')).nlink, 1);
};

async function refused(members: (outside: string) => readonly Member[], reason: RegExp): Promise<void> {
  const where = place();
  const error = await extract(where, members(where.outside)).then(
    () => undefined,
    (failure: Error) => failure,
  );
  assert.match(error?.message ?? 'it was taken', reason);
  untouched(where);
}

/** Taken, but whatever it is, it happened inside the tree. */
async function contained(members: (outside: string) => readonly Member[]): Promise<Place> {
  const where = place();
  await extract(where, members(where.outside)).catch(() => undefined);
  untouched(where);
  return where;
}

test('files, directories and links arrive with mode and time, set-id bits included', async () => {
  const where = place();
  await extract(where, [
    { name: './usr/', type: '5' },
    { name: './usr/su', content: 'x', mode: 0o4755 },
    { name: './usr/hard', type: '1', target: './usr/su' },
    { name: './usr/soft', type: '2', target: 'su' },
    { name: './deep/er/file', content: 'y' },
  ]);
  const file = lstatSync(join(where.tree, 'usr/su'));
  assert.is(file.mode & 0o7777, 0o4755);
  assert.is(file.mtimeMs, 1e12);
  assert.is(file.nlink, 2);
  assert.is(lstatSync(join(where.tree, 'usr/soft')).mtimeMs, 1e12);
  assert.is(readlinkSync(join(where.tree, 'usr/soft')), 'su');
  assert.is(readFileSync(join(where.tree, 'deep/er/file'), 'utf8'), 'y');
});

test('an absolute name is refused', () =>
  refused((outside) => [{ name: `${outside}/new`, content: 'x' }], /its name is absolute/));
test('a name that climbs is refused', () =>
  refused(() => [{ name: './a/../../outside/new', content: 'x' }], /climbs out of the tree/));
test('a hard link to a file outside is refused', () =>
  refused(() => [{ name: './steal', type: '1', target: '../outside/secret' }], /climbs out/));
test('a hard link with an absolute target is refused', () =>
  refused((outside) => [{ name: './steal', type: '1', target: `${outside}/secret` }], /absolute/));
test('a file is not written in place of a directory', () =>
  refused(
    () => [
      { name: './d/', type: '5' },
      { name: './d', content: 'x' },
    ],
    /replace a directory/,
  ));
test('a file is not a directory for another', () =>
  refused(
    () => [
      { name: './f', content: '' },
      { name: './f/x', content: '' },
    ],
    /is not a directory/,
  ));
test('links that lead in a circle are refused', () =>
  refused(
    () => [
      { name: './a', type: '2', target: 'b' },
      { name: './b', type: '2', target: 'a' },
      { name: './a/x', content: '' },
    ],
    /too many links/,
  ));
test('a type that is not known is refused', () =>
  refused(() => [{ name: './odd', type: 'S' }], /refusing the archive member/));
test('a link that carries content is refused', () =>
  refused(() => [{ name: './odd', type: '2', target: 'x', content: 'y' }], /./));

test('a link out of the tree is written through only inside the tree', async () => {
  const where = await contained((outside) => [
    { name: './link', type: '2', target: outside },
    { name: './link/new', content: 'x' },
    { name: './climb', type: '2', target: '../../../../../../../..' },
    { name: './climb/etc/new', content: 'y' },
  ]);
  assert.ok(existsSync(join(where.tree, where.outside, 'new')));
  assert.is(readFileSync(join(where.tree, 'etc/new'), 'utf8'), 'y');
});

test('a file replaces a link of its name and does not follow it', async () => {
  const where = await contained((outside) => [
    { name: './passwd', type: '2', target: `${outside}/secret` },
    { name: './passwd', content: 'x' },
  ]);
  assert.ok(lstatSync(join(where.tree, 'passwd')).isFile());
});

test('a hard link to a link gives the link, not what it leads to', async () => {
  const where = await contained((outside) => [
    { name: './link', type: '2', target: `${outside}/secret` },
    { name: './hard', type: '1', target: './link' },
    { name: './hard', content: 'overwritten' },
  ]);
  assert.ok(lstatSync(join(where.tree, 'link')).isSymbolicLink());
});

test('a directory that was resolved before a link took its place is looked at again', async () => {
  const where = await contained((outside) => [
    { name: './real/', type: '5' },
    { name: './way', type: '2', target: 'real' },
    { name: './way/one', content: '1' },
    { name: './way', type: '2', target: outside },
    { name: './way/two', content: '2' },
  ]);
  assert.equal(readdirSync(join(where.tree, 'real')), ['one']);
});

test('a mode meant for a directory does not pass through a link', async () => {
  const where = place();
  chmodSync(where.outside, 0o700);
  symlinkSync(where.outside, join(where.tree, 'd'));
  const writer = new TreeWriter(where.tree, { owners: 'caller' });
  writer.directoryAttributes('./d/', { mode: 0o777, uid: 0, gid: 0, mtime: 0 });
  writer.close();
  assert.is(lstatSync(where.outside).mode & 0o777, 0o700);
});

test('merged /usr: members of /bin and /lib arrive in /usr', async () => {
  const where = place();
  await extract(
    where,
    [
      { name: './bin/', type: '5' },
      { name: './bin/sh', content: 'x' },
      { name: './lib/', type: '5' },
      { name: './lib/a/', type: '5' },
      { name: './lib/a/b', content: 'y' },
    ],
    new Set(['bin', 'lib']),
  );
  assert.is(readlinkSync(join(where.tree, 'bin')), 'usr/bin');
  assert.is(readFileSync(join(where.tree, 'usr/bin/sh'), 'utf8'), 'x');
  assert.is(readFileSync(join(where.tree, 'usr/lib/a/b'), 'utf8'), 'y');
});

test('a file of the tree is read through links inside the tree only', async () => {
  const where = place();
  await extract(where, [
    { name: './etc/real', content: 'in' },
    { name: './etc/link', type: '2', target: '/etc/real' },
    { name: './etc/out', type: '2', target: join(where.outside, 'secret') },
  ]);
  const writer = new TreeWriter(where.tree, { owners: 'caller' });
  assert.is(writer.read('etc/link')?.toString(), 'in');
  assert.is(writer.read('etc/out'), undefined);
  writer.close();
});

only(test, needs('root', 'command:mknod'))('devices and FIFOs are made', async () => {
  const where = place();
  await extract(where, [
    { name: './dev/null', type: '3' },
    { name: './dev/fifo', type: '6' },
  ]);
  assert.ok(lstatSync(join(where.tree, 'dev/null')).isCharacterDevice());
  assert.is(lstatSync(join(where.tree, 'dev/null')).rdev, 0x103);
  assert.ok(lstatSync(join(where.tree, 'dev/fifo')).isFIFO());
});

const written = (content: Buffer): string => {
  const file = join(temporaryDirectory(), 'a.deb');
  writeFileSync(file, content);
  return file;
};

test('the parts of a package file are found, members of others passed over', async () => {
  const good = deb({ name: 'a', control: { postinst: '#!/bin/sh\n' }, files: [{ name: './x', content: 'y' }] });
  const opened = openDeb(written(good), 'a');
  assert.is(opened.data.compression, 'gz');
  const names: string[] = [];
  await readData(opened, 'a', (entry) => void names.push(entry.name));
  assert.equal(names, ['./', './x']);
  assert.equal(
    [
      ...((
        await readControls([
          { deb: opened, what: 'a' },
          { deb: opened, what: 'a' },
        ])
      )[1]?.keys() ?? []),
    ],
    ['control', 'postinst'],
  );
});

test('a damaged package file is refused with its reason', () => {
  const good = deb({ name: 'a' });
  const broken: ReadonlyArray<readonly [Buffer, RegExp]> = [
    [Buffer.from('hello'), /it is not an ar archive/],
    [good.subarray(0, 100), /ends in the middle|larger than the file/],
    [ar([['debian-binary', Buffer.from('3.0\n')]]), /its format version is not 2/],
    [ar([['control.tar.gz', Buffer.from('')]]), /its first member is not debian-binary/],
    [ar([['debian-binary', Buffer.from('2.0\n')]]), /it has no control.tar/],
    [
      ar([
        ['debian-binary', Buffer.from('2.0\n')],
        ['control.tar.lzma', Buffer.from('')],
        ['data.tar.gz', Buffer.from('')],
      ]),
      /packed as lzma/,
    ],
    [Buffer.from(good.toString('latin1').replace('100644  4 ', '100644  -4'), 'latin1'), /damaged size/],
  ];
  for (const [content, reason] of broken) assert.throws(() => openDeb(written(content), 'the package a'), reason);
});

test('data that does not decompress names the package', async () => {
  const file = written(
    ar([
      ['debian-binary', Buffer.from('2.0\n')],
      ['control.tar.gz', Buffer.from('junk')],
      ['data.tar.gz', Buffer.from('junk')],
    ]),
  );
  const error = await readData(openDeb(file, 'the package a 1'), 'the package a 1', () => undefined).then(
    () => undefined,
    (failure: Error) => failure,
  );
  assert.match(error?.message ?? '', /^cannot unpack the package a 1: cannot decompress: /);
});

test.run();

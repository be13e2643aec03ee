// Archives of trees, read back by GNU tar, whose own archive of the same tree is the reference.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { addon } from '@tsnspawn/native';
import {
  appendToStore,
  decodeOwner,
  encodeHeader,
  encodeOwner,
  endOfArchive,
  exportTree,
  OWNER_ATTRIBUTE,
  padding,
  readStore,
  readTar,
  storeBeside,
} from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startScript, TSNSPAWN, tsnspawn, tsnspawnBytes } from '../support/launcher';
import { needs, only } from '../support/needs';
import { temporaryDirectory } from './support/repository';

const asRoot = only(test, needs('root'));
const withLists = only(test, needs('root', 'command:setfacl', 'command:setcap'));

/** Runs a program; what it prints. */
function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } });
}

/** What is in an archive, as GNU tar shows it: whole seconds, one blank between columns. */
const listing = (archive: string): string =>
  run('tar', '-tvf', archive, '--numeric-owner', '--full-time')
    .replace(/(:\d\d:\d\d)\.\d+/g, '$1')
    .replace(/ +/g, ' ');

/** The same of GNU tar's own archive of a tree. */
function reference(tree: string): string {
  const archive = join(temporaryDirectory(), 'reference.tar');
  run(
    'tar',
    '-cf',
    archive,
    '--format=pax',
    '--sort=name',
    '--xattrs',
    '--xattrs-include=*',
    '--acls',
    '-C',
    tree,
    '.',
  );
  return listing(archive);
}

async function exported(tree: string, notes: string[] = []): Promise<string> {
  const file = join(temporaryDirectory(), 'tree.tar');
  await exportTree({ directory: tree, file, note: (line) => notes.push(line) });
  return file;
}

function setAttribute(path: string, name: string, value: Buffer): void {
  const descriptor = openSync(path, 'r');
  assert.is(addon().setAttribute(descriptor, name, value), 0);
  closeSync(descriptor);
}

/** All extended attributes of a file, in hexadecimal digits. */
function attributesOf(path: string): Record<string, string> {
  const descriptor = openSync(path, 'r');
  const found = addon().attributes(descriptor);
  closeSync(descriptor);
  assert.ok(typeof found !== 'number');
  return Object.fromEntries(found.map(([name, value]) => [name, value.toString('hex')] as const).sort());
}

/** A tree with what archives find hard. */
function oddTree(): string {
  const tree = join(temporaryDirectory(), 'tree');
  mkdirSync(join(tree, 'usr'), { recursive: true });
  const deep = join(tree, 'd'.repeat(90), 'e'.repeat(90), 'f'.repeat(90));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'g'.repeat(200)), 'far');
  symlinkSync('t'.repeat(300), join(tree, 'long-link'));
  symlinkSync('/etc', join(tree, 'link-out'));
  writeFileSync(join(tree, 'file'), 'x'.repeat(1500));
  linkSync(join(tree, 'file'), join(tree, 'usr/hard'));
  writeFileSync(join(tree, 'setuid'), '', { mode: 0o755 });
  run('chmod', '4755', join(tree, 'setuid'));
  run('chmod', '1777', join(tree, 'usr'));
  run('mkfifo', join(tree, 'fifo'));
  writeFileSync(join(tree, 'früh'), 'ä');
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/bytes`), Buffer.from([0xff, 0xfe])]), 'not UTF-8');
  writeFileSync(join(tree, 'old'), '');
  run('touch', '-d', '@-86400', join(tree, 'old'));
  return tree;
}

test('an archive lists as that of GNU tar: long names, links, modes, FIFOs, names of any bytes, times before 1970', async () => {
  const tree = oddTree();
  assert.is(listing(await exported(tree)), reference(tree));
});

test('the same tree gives the same bytes, in the order of names', async () => {
  const tree = oddTree();
  assert.ok(readFileSync(await exported(tree)).equals(readFileSync(await exported(tree))));
});

asRoot('devices and owners that need more than seven digits are kept', async () => {
  const tree = oddTree();
  run('mknod', join(tree, 'null'), 'c', '1', '3');
  run('mknod', join(tree, 'disk'), 'b', '8', '300');
  run('chown', '3000000:2097152', join(tree, 'file'));
  const archive = await exported(tree);
  assert.is(listing(archive), reference(tree));
  assert.match(listing(archive), /^crw.* 0\/0 +1,3 .* \.\/null$/m);
  assert.match(listing(archive), /3000000\/2097152 +1500 .* \.\/file$/m);
});

withLists('attributes of any bytes, capabilities and access control lists come out of it as they went in', async () => {
  const tree = oddTree();
  setAttribute(join(tree, 'file'), 'user.bytes', Buffer.from('00ff0a3d00', 'hex'));
  setAttribute(join(tree, 'file'), 'user.a=b%c', Buffer.from('odd'));
  run('setcap', 'cap_net_raw+ep', join(tree, 'setuid'));
  run('setfacl', '-m', 'u:1234:rw,g:4321:r', join(tree, 'file'));
  run('setfacl', '-d', '-m', 'u:77:rwx', join(tree, 'usr'));
  const archive = await exported(tree);
  const copy = join(temporaryDirectory(), 'copy');
  mkdirSync(copy);
  run('tar', '-xpf', archive, '--numeric-owner', '--xattrs', '--xattrs-include=*', '--acls', '-C', copy);
  for (const name of ['file', 'setuid', 'usr'])
    assert.equal(attributesOf(join(copy, name)), attributesOf(join(tree, name)), name);
  assert.equal(Object.keys(attributesOf(join(copy, 'file'))), ['system.posix_acl_access', 'user.a=b%c', 'user.bytes']);
  assert.match(attributesOf(join(copy, 'setuid'))['security.capability'] ?? '', /^01000002/);
});

withLists('a tree that lies in a range of ids comes out with those of the tree', async () => {
  const tree = oddTree();
  const base = 655360;
  run('chown', '-hR', `${base}:${base}`, tree);
  run('chown', `${base + 33}:${base + 42}`, join(tree, 'file'));
  run('chown', '5:5', join(tree, 'old'));
  run('setcap', '-n', String(base), 'cap_net_raw+ep', join(tree, 'setuid'));
  run('setfacl', '-m', `u:${base + 7}:rw`, join(tree, 'fifo'));
  const archive = await exported(tree);
  assert.match(listing(archive), /^d.* 0\/0 .* \.\/$/m);
  assert.match(listing(archive), / 33\/42 .* \.\/file$/m);
  assert.match(listing(archive), / 65534\/65534 .* \.\/old$/m);
  const text = readFileSync(archive, 'latin1');
  assert.match(text, 'SCHILY.acl.access=user::rw-,user:7:rw-,group::r--,mask::rw-,other::r--');
  // the second revision, which has no root of its own
  assert.ok(text.includes('SCHILY.xattr.security.capability=\x01\0\0\x02'));
});

asRoot('what cannot be read is named, and leaves no archive', () => {
  const tree = oddTree();
  const file = join(temporaryDirectory(), 'tree.tar');
  run('chmod', '755', join(tree, '..'));
  run('chmod', '600', join(tree, 'file'));
  run('chmod', '777', join(file, '..'));
  const script = `require('@tsnspawn/rootfs').exportTree({directory: '${tree}', file: '${file}', note: () => {}})`;
  const as = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const { status, stderr } = spawnSync('setpriv', [...as, process.execPath, '-e', script], { encoding: 'utf8' });
  assert.is(status, 1);
  assert.match(stderr, /cannot read file: permission denied/);
  assert.equal(readdirSync(join(file, '..')), []);
});

asRoot(
  'owners that a tree remembers are those of the archive, devices are devices, and the memory stays out',
  async () => {
    const tree = join(temporaryDirectory(), 'tree');
    mkdirSync(join(tree, 'usr'), { recursive: true });
    const remember = (name: string, attribute: string, value: Buffer): void => {
      const descriptor = openSync(join(tree, name), 'r');
      assert.is(addon().setAttribute(descriptor, attribute, value), 0);
      closeSync(descriptor);
    };
    remember('.', OWNER_ATTRIBUTE, encodeOwner({ uid: 0, gid: 0 }));
    remember('usr', OWNER_ATTRIBUTE, encodeOwner({ uid: 0, gid: 300 }));
    writeFileSync(join(tree, 'null'), '');
    remember('null', 'user.tsnspawn.device', Buffer.from('c 1 3'));
    remember('null', OWNER_ATTRIBUTE, encodeOwner({ uid: 1, gid: 2 }));
    symlinkSync('usr', join(tree, 'link'));
    const { ino, birthtimeNs } = lstatSync(join(tree, 'link'), { bigint: true });
    const key = { inode: String(ino), birth: `${birthtimeNs / 1000000000n}.${birthtimeNs % 1000000000n}` };
    appendToStore(storeBeside(tree), key, { uid: 9, gid: 9 });
    appendToStore(storeBeside(tree), key, { uid: 11, gid: 70000 });
    run('chown', '-hR', '1000:1000', tree);
    const archive = await exported(tree);
    assert.match(listing(archive), /^d.* 0\/0 .* \.\/$/m);
    assert.match(listing(archive), /^d.* 0\/300 .* \.\/usr\/$/m);
    assert.match(listing(archive), /^crw.* 1\/2 +1,3 .* \.\/null$/m);
    assert.match(listing(archive), /^l.* 11\/70000 .* \.\/link -> usr$/m);
    assert.is(/rootlesscontainers|tsnspawn/.test(readFileSync(archive, 'latin1')), false);
  },
);

test('a store forgets what is given back to root, and what is no store is empty', () => {
  const file = join(temporaryDirectory(), '.#tree.owners');
  assert.equal(readStore(file), new Map());
  appendToStore(file, { inode: '1', birth: '2.3' }, { uid: 4, gid: 5 });
  appendToStore(file, { inode: '6', birth: '0.0' }, { uid: 7, gid: 8 });
  appendToStore(file, { inode: '1', birth: '2.3' }, { uid: 0, gid: 0 });
  writeFileSync(file, 'garbage\n9 9.9 1', { flag: 'a' });
  assert.equal(readStore(file), new Map([['6 0.0', { uid: 7, gid: 8 }]]));
});

test('a remembered owner is the message of rootlesscontainers', () => {
  assert.is(encodeOwner({ uid: 1000, gid: 5 }).toString('hex'), '08e8071005');
  for (const owner of [
    { uid: 0, gid: 0 },
    { uid: 4294967294, gid: 65534 },
  ])
    assert.equal(decodeOwner(encodeOwner(owner)), owner);
  assert.equal(decodeOwner(Buffer.from('1007', 'hex')), { uid: 0, gid: 7 }, 'a field that is absent is 0');
  assert.is(decodeOwner(Buffer.from('1a01', 'hex')), undefined);
  assert.is(decodeOwner(Buffer.from('08ff', 'hex')), undefined);
});

test('sizes beyond 8 GiB are read as they were written', () => {
  const file = join(temporaryDirectory(), 'large.tar');
  const header = { name: Buffer.from('large'), kind: 'file', mode: 0o644, uid: 1, gid: 2, mtime: 3 } as const;
  writeFileSync(file, encodeHeader({ ...header, size: 9 * 2 ** 30 }));
  assert.match(spawnSync('tar', ['-tvf', file], { encoding: 'utf8' }).stdout, ' 9663676416 ');
  assert.is(padding(512).length, 0);
  assert.is(padding(513).length, 511);
  assert.is(endOfArchive().length, 1024);
});

test('our own reader takes it', async () => {
  const tree = oddTree();
  const names: string[] = [];
  const { createReadStream } = await import('node:fs');
  await readTar(createReadStream(await exported(tree)), (entry) => void names.push(entry.name));
  assert.is(names[0], './');
  assert.ok(names.includes('./früh'));
});

test('a socket is left out with a word', async () => {
  const tree = oddTree();
  const server = createServer().listen(join(tree, 'socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  const notes: string[] = [];
  const archive = await exported(tree, notes);
  server.close();
  assert.equal(notes, ['socket is a socket, which no archive can hold']);
  assert.is(listing(archive).includes('socket'), false);
});

only(test, needs('root', 'namespaces'))('what is mounted in the tree stays out, with a word', () => {
  const tree = oddTree();
  mkdirSync(join(tree, 'mnt'));
  const script = `mount -t tmpfs none ${tree}/mnt && touch ${tree}/mnt/foreign && mount --bind /etc/passwd ${tree}/old &&
    node_modules/.bin/tsnspawn export ${tree} ${tree}.tar`;
  const { stderr, status } = spawnSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  assert.match(stderr, /^tsnspawn: mnt is a mount point; .*\ntsnspawn: old is a mount point; .*\n$/);
  assert.match(listing(`${tree}.tar`), / \.\/mnt\/$/m);
  assert.is(/foreign|\.\/old/.test(listing(`${tree}.tar`)), false);
});

for (const [suffix, magic] of [
  ['tar.gz', '1f8b'],
  ['tgz', '1f8b'],
  ['tar.xz', 'fd377a585a'],
  ['tar.zst', '28b52ffd'],
] as const) {
  only(test, needs('command:xz', 'command:zstd'))(`${suffix} is compressed as the name says`, async () => {
    const tree = oddTree();
    const file = join(temporaryDirectory(), `a.${suffix}`);
    await exportTree({ directory: tree, file, note: () => undefined });
    assert.match(readFileSync(file).toString('hex'), new RegExp(`^${magic}`));
    assert.is(listing(file), listing(await exported(tree)));
  });
}

test('standard output gets it, but no terminal does', async () => {
  const tree = oddTree();
  const { stdout, status } = tsnspawnBytes(['export', tree]);
  assert.is(status, 0);
  assert.ok(stdout.equals(readFileSync(await exported(tree))));
  const packed = tsnspawnBytes(['export', tree, '-', '--compress=gzip']).stdout;
  assert.is(packed.subarray(0, 2).toString('hex'), '1f8b');
  const terminal = startScript(`node_modules/.bin/tsnspawn export ${tree}`);
  await terminal.exited;
  assert.match(terminal.output, /^tsnspawn: an archive is not written to a terminal\r\nhint: /);
});

test('a file is replaced by a complete one, and by nothing else', async () => {
  const tree = oddTree();
  const home = temporaryDirectory();
  const file = join(home, 'a.tar');
  writeFileSync(file, 'before');
  const refused = (reason: RegExp, ...args: string[]): void => {
    const { status, stdout, stderr } = tsnspawn(['export', ...args]);
    assert.equal([status, stdout], [1, '']);
    assert.match(stderr, reason);
    assert.equal(readdirSync(home), ['a.tar']);
    assert.is(readFileSync(file, 'utf8'), 'before');
  };
  refused(/^tsnspawn: cannot export \/nowhere: /, '/nowhere', file);
  refused(/^tsnspawn: cannot write .*: it is a directory\n$/, tree, home);
  refused(/^tsnspawn: cannot write .*: it would lie in the tree itself\nhint: /, tree, join(tree, 'usr/a.tar'));
  refused(
    /^tsnspawn: --compress: not a way to compress: lz4: not one of none, gzip, xz, zstd\n$/,
    tree,
    '--compress=lz4',
  );
  const bare = spawnSync(process.execPath, [TSNSPAWN, 'export', tree, join(home, 'b.tar.zst')], {
    encoding: 'utf8',
    env: { PATH: '/nowhere' },
  });
  assert.match(bare.stderr, /^tsnspawn: cannot compress with zstd: there is no zstd here\nhint: apt install zstd/);
  assert.equal(readdirSync(home), ['a.tar']);
  symlinkSync('a.tar', join(home, 'link.tar'));
  await exportTree({ directory: tree, file: join(home, 'link.tar'), note: () => undefined });
  assert.equal(readdirSync(home), ['a.tar', 'link.tar']);
  assert.ok(lstatSync(join(home, 'link.tar')).isSymbolicLink());
  assert.match(listing(file), './usr/hard link to ./file');
});

test('a device is written to, and not replaced', () => {
  assert.is(tsnspawn(['export', oddTree(), '/dev/null']).status, 0);
  assert.ok(statSync('/dev/null').isCharacterDevice());
});

test('a tree that somebody writes to is refused', () => {
  const tree = oddTree();
  const lock = addon().lockTree(tree, true, identity(tree));
  const { status, stderr } = tsnspawn(['export', tree, `${tree}.tar`]);
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: cannot use the tree .*: it is busy\nhint: /);
  assert.is(existsSync(`${tree}.tar`), false);
  addon().closeFd(lock);
  const shared = addon().lockTree(tree, false, identity(tree));
  assert.is(tsnspawn(['export', tree, `${tree}.tar`]).status, 0);
  addon().closeFd(shared);
});

function identity(tree: string): string {
  const { dev, ino } = statSync(tree, { bigint: true });
  return `${dev}:${ino}`;
}

only(test, needs('command:python3'))(
  'a directory that is exchanged for a link all the time leads nowhere',
  async () => {
    const home = temporaryDirectory();
    const tree = join(home, 'tree');
    mkdirSync(join(tree, 'usr/inner'), { recursive: true });
    mkdirSync(join(home, 'secret'));
    writeFileSync(join(home, 'secret/secret-file'), 'secret');
    symlinkSync('../../secret', join(tree, 'usr/other'));
    const script = `import ctypes,sys
libc=ctypes.CDLL(None,use_errno=True)
a,b=(p.encode() for p in sys.argv[1:])
while True: libc.renameat2(-100,a,-100,b,2)`;
    const hostile = spawn('python3', ['-c', script, join(tree, 'usr/inner'), join(tree, 'usr/other')]);
    try {
      for (let round = 0; round < 200; round++) {
        const archive = await exported(tree);
        assert.is(readFileSync(archive, 'latin1').includes('secret-file'), false);
      }
    } finally {
      hostile.kill('SIGKILL');
    }
  },
);

test.run();

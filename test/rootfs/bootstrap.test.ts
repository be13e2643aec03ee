// Whole bootstraps from archives in a temporary directory. The busybox variant runs nothing, so most promises need no root.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { BootstrapError, bootstrap } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import {
  BUSYBOX,
  type Keys,
  makeKeys,
  type RepositoryOptions,
  TestRepository,
  temporaryDirectory,
} from './support/repository';
import { fails, request } from './support/requests';

let keys: Keys;
test.before(async () => {
  keys = await makeKeys();
});

async function repository(options: RepositoryOptions = {}): Promise<TestRepository> {
  const made = new TestRepository(keys);
  await made.publish([BUSYBOX], options);
  return made;
}

test('a busybox tree has its applets, an init and a shell on the console', async () => {
  const options = request(await repository());
  await bootstrap(options);
  assert.is(readlinkSync(join(options.directory, 'usr/bin/cat')), 'busybox');
  assert.is(readlinkSync(join(options.directory, 'sbin/init')), '../bin/busybox');
  assert.is(readlinkSync(join(options.directory, 'bin')), 'usr/bin');
  assert.match(readFileSync(join(options.directory, 'etc/inittab'), 'utf8'), '::respawn:-/bin/sh');
  assert.is(lstatSync(join(options.directory, 'tmp')).mode & 0o7777, 0o1777);
  assert.equal(readdirSync(dirname(options.directory)), ['tree']);
});

test('a helper that says that the guest is up is built in', async () => {
  const helper = join(temporaryDirectory(), 'helper');
  writeFileSync(helper, 'helper');
  const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  if (architecture !== 'amd64') return;
  const options = request(await repository(), { notifyHelper: helper });
  await bootstrap(options);
  assert.match(readFileSync(join(options.directory, 'etc/inittab'), 'utf8'), '::wait:/usr/bin/tsnspawn-notify READY=1');
});

test('an empty directory is accepted, whoever else is in the way is refused before anything is fetched', async () => {
  const from = await repository();
  const options = request(from);
  mkdirSync(options.directory);
  await bootstrap(options);
  const missing = { ...options, mirror: '/nowhere' };
  const error = await fails(missing, 'TARGET_INVALID', /the directory is not empty/);
  assert.ok(error.hint);
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, '');
  await fails({ ...missing, directory: file }, 'TARGET_INVALID', /there is a file of that name/);
  await fails({ ...missing, directory: join(file, 'x') }, 'TARGET_INVALID', /not a directory/);
  await fails({ ...missing, directory: '/nowhere/at/all' }, 'TARGET_INVALID', /there is no directory \/nowhere\/at/);
  const dangling = join(dirname(file), 'dangling');
  symlinkSync('nowhere', dangling);
  await fails({ ...missing, directory: dangling }, 'TARGET_INVALID', /leads nowhere/);
});

test('a second bootstrap takes its packages from the cache', async () => {
  const from = await repository();
  const options = request(from);
  await bootstrap(options);
  rmSync(from.path(TestRepository.debName(BUSYBOX)));
  await bootstrap({ ...options, directory: `${options.directory}2` });
});

test('a damaged file in the cache is fetched again', async () => {
  const from = await repository();
  const options = request(from);
  await bootstrap(options);
  const shelf = join(options.cache as string, 'deb');
  for (const name of readdirSync(shelf))
    writeFileSync(join(shelf, name), 'x'.repeat(lstatSync(join(shelf, name)).size));
  await bootstrap({ ...options, directory: `${options.directory}2` });
});

test('a package that was changed is refused', async () => {
  const from = await repository();
  const path = from.path(TestRepository.debName(BUSYBOX));
  const content = readFileSync(path);
  content[content.length - 20] = (content.at(-20) as number) ^ 1;
  writeFileSync(path, content);
  await fails(
    request(from),
    'HASH_MISMATCH',
    /cannot trust the package busybox-static 1.0 from .*: its SHA256 is wrong/,
  );
});

test('a package that is longer or shorter than announced is refused', async () => {
  const from = await repository();
  const path = from.path(TestRepository.debName(BUSYBOX));
  const content = readFileSync(path);
  writeFileSync(path, Buffer.concat([content, Buffer.from('more')]));
  await fails(request(from), 'HASH_MISMATCH', /larger than the \d+ bytes announced/);
  writeFileSync(path, content.subarray(0, -4));
  await fails(request(from), 'HASH_MISMATCH', /it has \d+ bytes instead of \d+/);
});

test('an index that was changed is refused', async () => {
  const from = await repository();
  const path = from.path('dists/test/main/binary-amd64/Packages.gz');
  const content = readFileSync(path);
  content[12] = (content[12] as number) ^ 1;
  writeFileSync(path, content);
  await fails(request(from), 'HASH_MISMATCH', /cannot trust the index of main from /);
});

test('a Release that was changed, is unsigned, or signed by somebody else is refused', async () => {
  const from = await repository();
  const path = from.path('dists/test/InRelease');
  writeFileSync(path, readFileSync(path, 'utf8').replace('Origin: Test', 'Origin: Best'));
  await fails(request(from), 'SIGNATURE_INVALID', /cannot trust file:.*InRelease: bad signature/);
  await fails(
    request(await repository({ unsigned: true })),
    'SIGNATURE_INVALID',
    /does not begin with a signed message/,
  );
  const other = new TestRepository(await makeKeys());
  const error = await fails(
    request(await repository(), { keyring: other.keyring }),
    'SIGNATURE_INVALID',
    /holds no such key/,
  );
  assert.match(error.hint ?? '', '--keyring=FILE');
});

test('a signature in a file of its own is as good', async () => {
  await bootstrap(request(await repository({ detached: true })));
});

test('a keyring that is not there is named', async () => {
  await fails(
    request(await repository(), { keyring: '/nowhere.gpg' }),
    'KEYRING_MISSING',
    /cannot read the keyring \/nowhere.gpg: no such file/,
  );
});

test('a Release of another suite, or an expired one, is refused', async () => {
  await fails(
    request(await repository({ codename: 'other' })),
    'RELEASE_INVALID',
    /it is for the suite other or testing, not test/,
  );
  const expired = await repository({ validUntil: new Date(Date.now() - 86400_000) });
  const error = await fails(request(expired), 'RELEASE_EXPIRED', /it was valid until/);
  assert.match(error.hint ?? '', '--accept-expired');
  await bootstrap(request(expired, { acceptExpired: true }));
});

test('a suite that the mirror does not have is named with the mirror', async () => {
  const from = await repository();
  await fails(request(from, { suite: 'nosuch' }), 'SUITE_UNKNOWN', /cannot find the suite nosuch on file:/);
});

test('a mirror that cannot be reached is named with the reason', async () => {
  const from = await repository();
  const error = await fails(
    request(from, { mirror: 'http://127.0.0.1:1/debian' }),
    'MIRROR_UNREACHABLE',
    /cannot fetch http:\/\/127.0.0.1:1\/debian\/dists\/test\/InRelease: connection refused/,
  );
  assert.ok(error.hint);
  await fails(request(from, { mirror: 'ftp://host/debian' }), 'OPTION_INVALID', /http, https or file/);
  await fails(request(from, { mirror: 'somewhere' }), 'OPTION_INVALID', /neither a URL nor an absolute path/);
});

test('a password in the mirror’s address is not shown', async () => {
  const from = await repository();
  const error = await fails(
    request(from, { mirror: 'http://user:pass@127.0.0.1:1/debian' }),
    'MIRROR_UNREACHABLE',
    /refused/,
  );
  assert.is(/user|pass@/.test(`${error.message}${error.hint}`), false);
});

test('a host without APT sources is told how to name a mirror', async () => {
  const { mirror: _, ...options } = request(await repository());
  const error = await fails({ ...options, aptDirectory: '/nowhere' }, 'NO_MIRROR', /cannot choose a mirror/);
  assert.match(error.hint ?? '', 'tsnspawn bootstrap test DIR https://');
});

test('without a mirror the host’s APT sources serve, with their own key', async () => {
  const from = await repository();
  const apt = temporaryDirectory();
  writeFileSync(join(apt, 'sources.list'), `deb [signed-by=${from.keyring}] file://${from.root} test main\n`);
  const { mirror: _, keyring: __, ...options } = request(from);
  await bootstrap({ ...options, aptDirectory: apt });
});

test('over http: a busy server is asked again, a redirect is followed, and neither gets round the sum', async () => {
  const from = await repository();
  let busy = 1;
  let evil = false;
  const server = createServer((incoming, reply) => {
    const name = decodeURIComponent(incoming.url ?? '');
    if (busy-- > 0) return void reply.writeHead(503).end();
    if (name.startsWith('/a/pool')) return void reply.writeHead(302, { location: name.replace('/a/', '/b/') }).end();
    const path = from.path(name.replace(/^\/[ab]\//, ''));
    if (evil && name.startsWith('/b/')) return void reply.end('evil');
    if (!existsSync(path)) return void reply.writeHead(404).end();
    reply.end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const mirror = `http://127.0.0.1:${(server.address() as { port: number }).port}/a`;
    await bootstrap(request(from, { mirror }));
    evil = true;
    await fails(request(from, { mirror }), 'HASH_MISMATCH', /it has 4 bytes instead of/);
    await fails(request(from, { mirror, suite: 'nosuch' }), 'SUITE_UNKNOWN', /nosuch/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('a package’s path in the index may not climb out of the archive', async () => {
  const from = await repository();
  const index =
    'Package: busybox-static\nVersion: 1\nArchitecture: amd64\nFilename: ../../etc/passwd\nSize: 1\nSHA256: '.concat(
      '0'.repeat(64),
      '\n',
    );
  await from.publishIndex(index);
  await fails(request(from), 'RELEASE_INVALID', /its entry in the index is damaged/);
});

test('options that make no sense are refused', async () => {
  const from = await repository();
  for (const [options, reason] of [
    [{ variant: 'nosuch' as never }, /no variant nosuch/],
    [{ variant: 'system', init: 'upstart' as never }, /there is no init upstart/],
    [{ variant: 'minbase', init: 'systemd' }, /the variant minbase takes no --init/],
    [{ variant: 'system', include: ['sysvinit-core'] }, /sysvinit-core is not for a tree whose init is systemd/],
    [{ suite: 'host' }, /--variant=host only/],
    [{ suite: '../x' }, /not the name of a suite/],
    [{ include: ['a'] }, /takes no --include/],
    [{ components: ['a b'] }, /not the name of a component/],
  ] as const) {
    await fails(request(from, options), 'OPTION_INVALID', reason);
  }
});

test('what a killed run left behind is removed by the next', async () => {
  const options = request(await repository());
  const left = join(dirname(options.directory), `.${basename(options.directory)}.abcdef`);
  mkdirSync(join(left, 'tree/usr'), { recursive: true });
  writeFileSync(join(left, 'owner'), '999999999 1 boot\n');
  const foreign = `${left.slice(0, -6)}xxxxxx`;
  mkdirSync(foreign);
  await bootstrap(options);
  assert.equal(readdirSync(dirname(options.directory)).sort(), [basename(foreign), 'tree'].sort());
});

only(test, needs('root'))('what somebody else has put beside it is left alone', async () => {
  const options = request(await repository());
  const home = dirname(options.directory);
  const foreign = join(home, `.${basename(options.directory)}.abcdef`);
  mkdirSync(join(foreign, 'tree'), { recursive: true });
  writeFileSync(join(foreign, 'owner'), '999999999 1 boot\n');
  execFileSync('chown', ['-R', '65534', foreign]);
  symlinkSync('/etc', `${foreign.slice(0, -6)}ghijkl`);
  await bootstrap(options);
  assert.is(readdirSync(home).length, 3);
});

test('cancelled in the middle, it ends soon and leaves nothing', async () => {
  const from = await repository();
  const server = createServer(() => undefined); // takes the request and never answers
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const abort = new AbortController();
  setTimeout(() => abort.abort(new BootstrapError('CANCELLED', 'interrupted')), 100);
  try {
    await fails(
      request(from, {
        mirror: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
        signal: abort.signal,
      }),
      'CANCELLED',
      /interrupted/,
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('a host tree is made of the host’s own programs, by anybody, and they run', async () => {
  const directory = join(temporaryDirectory(), 'tree');
  const helper = join(temporaryDirectory(), 'helper');
  writeFileSync(helper, 'helper');
  await bootstrap({ suite: 'host', variant: 'host', directory, notifyHelper: helper });
  assert.ok(existsSync(join(directory, 'usr/bin/ls')));
  assert.ok(
    existsSync(join(directory, 'usr/sbin/init')) || lstatSync(join(directory, 'usr/sbin/init')).isSymbolicLink(),
  );
  if (process.geteuid?.() === 0)
    assert.is(
      execFileSync('chroot', [directory, '/bin/sh', '-c', 'ls /usr/bin/ls && cat /etc/passwd | head -n 1'], {
        encoding: 'utf8',
      }),
      '/usr/bin/ls\nroot::0:0:root:/root:/bin/sh\n',
    );
});

test.run();

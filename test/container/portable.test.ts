// The portable archive: it runs from any directory, as an ordinary user, on a kernel that knows no more than Linux 2.6.32.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { archive, OldHost } from '../support/portable';

const missing = needs('root', 'arch:x64', 'mirror', 'command:gcc', 'command:setpriv');
const it = only(test, missing);

/** Nobody has it. */
const USER = 64871;
const host = missing === undefined ? new OldHost(USER) : undefined;
const old = (): OldHost => host as OldHost;
/** Makes the same tree at each call. */
function emptyTree(): string {
  const path = join(old().home, 'empty');
  mkdirSync(join(path, 'usr'), { recursive: true });
  execFileSync('chown', ['-R', `${USER}:${USER}`, path]);
  return path;
}

it('the kernel of these tests is older than this host’s C library, or than what it has had since', () => {
  const [command = '', ...words] = old().words(
    process.execPath,
    '-p',
    'fs.openSync("/", 0x200000)', // O_PATH
  );
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  assert.is.not(status, 0);
  assert.match(stderr, 'EINVAL');
});

it('the archive runs on a 2.6.32, from a directory with a blank in its name', () => {
  assert.equal(old().run(['--version']), { status: 0, stdout: 'tsnspawn 0.1.0\n', stderr: '' });
  assert.match(old().run(['--help']).stdout, '--directory');
});

it('it shows there what it would do', () => {
  const { status, stdout, stderr } = old().run(['-D', emptyTree(), '--dry-run']);
  assert.is(status, 0, stderr);
  assert.match(stdout, 'execute');
});

it('its other commands run there', () => {
  const { stdout, stderr } = old().run(['doctor', '--json']);
  assert.is(stderr, '');
  const { checks } = JSON.parse(stdout) as { checks: { [key: string]: { answer: string; detail: string } } };
  assert.match(checks['memory-files']?.detail ?? '', 'Function not implemented');
});

it('the start script can be called by a link from another directory, and by its name from its own', () => {
  const link = join(old().home, 'tsn');
  symlinkSync('any where/tsnspawn-portable/tsnspawn', link);
  for (const [command, cwd] of [
    [link, '/'],
    ['./tsnspawn', join(old().tsnspawn, '..')],
  ] as const) {
    const { stdout, stderr } = spawnSync(command, ['--version'], { cwd, encoding: 'utf8' });
    assert.is(stdout, 'tsnspawn 0.1.0\n', stderr);
  }
});

it('it starts guests on a new kernel, and finds the words for a step that failed', () => {
  const ran = spawnSync(old().tsnspawn, ['-q', '-D', emptyTree(), '--settings=no', '/bin/nothing'], {
    encoding: 'utf8',
  });
  assert.is(ran.status, 1);
  assert.match(ran.stderr, 'tsnspawn: cannot execute /bin/nothing: No such file or directory');
});

it('the licences of all that is in it go along, and the archive says nothing of the machine that made it', () => {
  const listing = execFileSync('tar', ['-tvJf', archive()], { encoding: 'utf8' });
  for (const name of ['glibc', 'libgcc-and-libstdc++', 'node', 'libseccomp', 'npm-undici', 'npm-openpgp', 'LGPL-2.1'])
    assert.match(listing, `/licences/${name}\n`);
  const lines = listing.trimEnd().split('\n');
  assert.equal(
    lines.filter((line) => !/^[d-]\S+ 0\/0 +\d+ 2020-01-01 /.test(line)),
    [],
  );
  const names = lines.map((line) => line.replace(/^.*:\d\d /, ''));
  assert.equal(names, [...names].sort());
  assert.match(readFileSync(join(old().tsnspawn, '../licences/README'), 'utf8'), /^ {2}libc6 2\.41/m);
});

test.run();

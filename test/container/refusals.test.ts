// Bad input is refused: a status that is not 0, one line that names the thing and the reason, a hint where there is something
// to do, and nothing started, made or left.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cgroupsOf, hostMounts, newMounts } from '../support/footprint';
import { startTsnspawn, TSNSPAWN, tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const itWithSetpriv = only(test, missing ?? needs('command:setpriv'));
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-refusals-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Runs what must be refused; `reason` is about the first line. */
async function refuses(args: readonly string[], reason: RegExp, hint?: RegExp): Promise<void> {
  const mounts = hostMounts();
  const running = startTsnspawn(args, { timeout: 20 });
  running.child.stdin?.end();
  const { status } = await running.exited;
  // The line that says what is being started may come first; it goes away with --quiet.
  const [line = '', ...rest] = running.output
    .trimEnd()
    .split(/\r?\n/)
    .filter((text) => !text.startsWith('Spawning container '));
  assert.ok(status !== 0 && status !== null, `status ${status}: ${running.output}`);
  assert.ok(line.startsWith('tsnspawn: ') && reason.test(line), `not about ${reason}: ${running.output}`);
  if (hint === undefined) {
    assert.ok(rest.every((text) => text.startsWith('hint: ')) && rest.length <= 1, running.output);
  } else {
    assert.is(rest.length, 1, running.output);
    assert.match(rest[0] ?? '', /^hint: /);
    assert.match(rest[0] ?? '', hint);
  }
  assert.equal([...cgroupsOf(running.pid), ...newMounts(mounts)], []);
}

it('a tree that is not there is refused and not made', async () => {
  const path = join(scratch, 'nowhere');
  await refuses(['-D', path, 'true'], /nowhere.*no such directory/i, /bootstrap/);
  assert.not(existsSync(path));
});

it('a file as tree is refused', async () => {
  const path = join(scratch, 'file');
  writeFileSync(path, '');
  await refuses(['-D', path, 'true'], /file.*not a directory/);
});

it('a link that leads nowhere as tree is refused', async () => {
  const path = join(scratch, 'dangling');
  symlinkSync('/no/such/place', path);
  await refuses(['-D', path, 'true'], /dangling.*no such directory/i);
});

it('a tree without usr is refused, and stays empty', async () => {
  const path = join(scratch, 'empty');
  mkdirSync(path);
  await refuses(['-D', path, 'true'], /empty.*usr/, /bootstrap/);
  assert.equal(readdirSync(path), []);
});

it('a tree without os-release is not booted', async () => {
  const path = join(scratch, 'no-os');
  mkdirSync(join(path, 'usr'), { recursive: true });
  await refuses(['-b', '-D', path], /no-os.*(os-release|init)/);
  assert.equal(readdirSync(path), ['usr']);
});

it('a tree without an init is not booted', async () => {
  const path = join(scratch, 'no-init');
  mkdirSync(join(path, 'usr/lib'), { recursive: true });
  writeFileSync(join(path, 'usr/lib/os-release'), 'ID=test\n');
  await refuses(['-b', '-D', path], /no-init.*init/, /.+/);
});

it('the root of the host is refused as tree, however it is written', async () => {
  const link = join(scratch, 'link-to-root');
  symlinkSync('/', link);
  for (const path of ['/', '//', '/.', '/usr/..', '../../../../../../../..', link]) {
    await refuses(['-D', path, 'true'], /root of the host|cannot be the tree/);
  }
});

it('a tree that another machine uses is refused, and that machine goes on', () =>
  withMachine(['-q', '-D', tree, '-P', 'sh'], async (running) => {
    running.write('echo ready\n');
    await running.until(/ready/);
    await refuses(['-D', tree, 'true'], /busybox.*busy/, /read-only/);
    running.write('exit 8\n');
    assert.equal(await running.exited, { status: 8, signal: null });
  }));

it('two machines share a tree that both only read, and a writer waits outside', () =>
  withMachine(['-q', '-D', tree, '--read-only', '-P', 'sh'], async (running) => {
    running.write('echo ready\n');
    await running.until(/ready/);
    assert.is(tsnspawn(['-q', '-D', tree, '--read-only', 'true']).status, 0);
    await refuses(['-D', tree, 'true'], /busy/, /read-only/);
  }));

it('unknown and wrong options are refused by name', async () => {
  await refuses(['-D', tree, '--no-such-option', 'true'], /--no-such-option/, /--help/);
  await refuses(['-D', tree, '-X', 'true'], /-X/);
  await refuses(['-D'], /-D|--directory/);
  await refuses(['-D', tree, '--console=telepathy', 'true'], /telepathy/);
  await refuses(['-D', tree, '--machine=no/name', 'true'], /no\/name/);
  await refuses(['-D', tree, '--uuid=1', 'true'], /uuid/);
  await refuses(['-D', tree, '--rlimit=NOFILE=many', 'true'], /many|rlimit/);
  await refuses(['-D', tree, '--capability=CAP_FLY', 'true'], /CAP_FLY/i);
  await refuses(['-D', tree, '--bind=', 'true'], /bind/);
  await refuses(['-D', tree, '--tmpfs=relative', 'true'], /relative/);
  await refuses(['-D', tree, '--chdir=relative', 'true'], /relative/);
  await refuses(['-D', tree, '--setenv=1=2', 'true'], /1/);
  await refuses(['-D', tree, '-b', '-a'], /boot|pid2/);
});

it('a bind of something that is not there is refused by name', async () => {
  await refuses(['-D', tree, '--bind=/no/such/source', 'true'], /\/no\/such\/source.*No such file or directory/);
});

it('a user that the tree does not know is refused by name', async () => {
  await refuses(['-q', '-D', tree, '--user=nobody-known', 'true'], /nobody-known/);
});

it('a number that no user of the tree has is no mistake: it has the group of the same number, and / as its home', () => {
  const { status, stdout } = tsnspawn([
    '-qP',
    '-D',
    tree,
    '-u',
    '12345',
    'sh',
    '-c',
    'id -u; id -g; echo $USER $HOME; pwd',
  ]);
  assert.equal([status, stdout], [0, '12345\n12345\n12345 /\n/\n']);
});

it('a working directory that is not there is refused by name', async () => {
  await refuses(['-q', '-D', tree, '--chdir=/no/such/dir', 'true'], /\/no\/such\/dir.*No such file or directory/);
});

it('a user is not started in a directory that only root may enter', async () => {
  chmodSync(join(tree, 'root'), 0o700);
  const args = ['-q', '-D', tree, '--pipe', '--chdir=/root'];
  await refuses([...args, '--user=nobody', 'pwd'], /\/root: Permission denied/);
  assert.is(tsnspawn([...args, 'pwd']).stdout, '/root\n');
});

it('a command that is not in the tree is refused by name', async () => {
  await refuses(['-q', '-D', tree, 'no-such-command'], /no-such-command.*No such file or directory/, /.+/);
});

it('a program whose interpreter is missing is refused by name', async () => {
  writeFileSync(join(tree, 'odd'), '#!/no/such/interpreter\n', { mode: 0o755 });
  await refuses(['-q', '-D', tree, '/odd'], /\/odd/);
});

it('a program for another architecture is refused as such, and no shell reads it', async () => {
  const program = readFileSync(join(tree, 'usr/bin/busybox'));
  program.writeUInt16LE(0xfeed, 18); // e_machine of its ELF header: one that nobody has, and no emulator takes
  writeFileSync(join(tree, 'foreign'), program, { mode: 0o755 });
  await refuses(['-q', '-D', tree, '/foreign'], /\/foreign: Exec format error$/, /another architecture/);
});

it('a directory, and a file that is no program, are refused by name', async () => {
  await refuses(['-q', '-D', tree, '/etc'], /\/etc.*Permission denied/);
  await refuses(['-q', '-D', tree, '/etc/passwd'], /\/etc\/passwd.*Permission denied/);
});

itWithSetpriv('root without CAP_SYS_ADMIN starts it in a user namespace with the ids that root has', () => {
  const { status, stdout, stderr } = spawnSync(
    'setpriv',
    ['--bounding-set=-sys_admin', process.execPath, TSNSPAWN, '-qPD', tree, 'cat', '/proc/self/uid_map'],
    { encoding: 'utf8', timeout: 20_000 },
  );
  assert.equal([status, stderr], [0, '']);
  assert.equal(stdout.trim().split(/\s+/), ['0', '0', '65536']);
});

it('a tree on a read-only file system starts, or is refused with a reason', () => {
  // Mounted in a namespace of its own, which goes with the shell.
  const { status, stderr } = spawnSync(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      `mount --bind '${tree}' '${tree}' && mount -o remount,bind,ro '${tree}' && node_modules/.bin/tsnspawn -q -D '${tree}' true`,
    ],
    { encoding: 'utf8', timeout: 20_000 },
  );
  assert.is(status, 0, stderr);
});

test.run();

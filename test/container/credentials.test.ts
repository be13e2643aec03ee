// Credentials: bytes for PID 1 that are in no file of the tree and in no process listing.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const root = process.cwd();
const it = only(test, needs('root', 'namespaces'));
const tree = needs('root', 'namespaces') === undefined ? ownTree('busybox', 'secrets') : '';
const place = mkdtempSync(join(tmpdir(), 'tsnspawn-credentials-'));
process.on('exit', () => rmSync(place, { recursive: true, force: true }));

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return tsnspawn(['-q', '-D', tree, '--pipe', '--timezone=off', ...args], { env, cwd: place, timeout: 20 });
}

/** The bytes of a credential, in hexadecimal, as PID 1 finds them. */
function inside(id: string, options: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const outcome = run([...options, 'sh', '-c', `od -An -v -tx1 "$CREDENTIALS_DIRECTORY/${id}" | tr -d ' \\n'`], env);
  assert.is(outcome.status, 0, outcome.stderr);
  return outcome.stdout;
}

it('what is set arrives byte for byte', () => {
  assert.is(inside('a', ['--set-credential=a:plain']), Buffer.from('plain').toString('hex'));
  assert.is(inside('a', ['--set-credential=a:']), '');
  assert.is(inside('a', ['--set-credential=a:\\x00\\xff\\n\\u00e4:ü']), '00ff0ac3a43ac3bc');
});

it('what is loaded from a file arrives byte for byte, also by a relative path', () => {
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));
  writeFileSync(join(place, 'file'), bytes);
  assert.is(inside('b', [`--load-credential=b:${place}/file`]), bytes.toString('hex'));
  assert.is(inside('b', ['--load-credential=b:./file']), bytes.toString('hex'));
});

it('a name without a slash is a credential of the launcher itself', () => {
  writeFileSync(join(place, 'handed'), 'mine');
  assert.is(inside('c', ['--load-credential=c:handed'], { CREDENTIALS_DIRECTORY: place }), '6d696e65');
  const { status, stderr } = run(['--load-credential=c:handed', 'true']);
  assert.is(status, 1);
  assert.match(
    stderr,
    /^tsnspawn: --load-credential: cannot load the credential c from handed: .*\nhint: .*\.\/handed/,
  );
});

it('what a socket says arrives, also by a path that is longer than an address', async () => {
  const deep = mkdtempSync(join(place, `${'x'.repeat(120)}-`));
  process.chdir(deep);
  const server = createServer((socket) => socket.end('spoken'));
  await new Promise<void>((resolve) => server.listen('socket', resolve));
  process.chdir(root);
  try {
    const args = ['-q', '-D', tree, '--pipe', `--load-credential=d:${deep}/socket`, 'cat', '/run/host/credentials/d'];
    await withMachine(args, async (running) => {
      await running.exited;
      assert.is(running.output, 'spoken');
    });
  } finally {
    server.close();
  }
});

it('only root reads them, nobody writes them, and they are in memory that is not swapped out', () => {
  const script =
    'cd /run/host/credentials && stat -c "%a %u:%g" . a && grep " /run/host/credentials " /proc/self/mountinfo && { touch b 2>/dev/null || echo refused; }';
  const { stdout } = run(['--set-credential=a:one', 'sh', '-c', script]);
  assert.match(
    stdout,
    /^500 0:0\n400 0:0\n.* \/run\/host\/credentials ro,nosuid,nodev,noexec.* - ramfs .*\nrefused\n$/,
  );
  assert.match(
    run(['--private-users=pick', '--set-credential=a:one', 'sh', '-c', script]).stdout,
    /^500 0:0\n400 0:0\n.*\nrefused\n$/s,
  );
});

it('a user reads them only where there can be no other process', () => {
  const read = (...options: string[]) =>
    run(['--set-credential=a:one', '-u', '1000', ...options, 'cat', '/run/host/credentials/a']);
  assert.is(read('--no-new-privileges=yes').stdout, 'one');
  assert.is.not(read().status, 0);
  assert.is.not(read('--no-new-privileges=yes', '--as-pid2').status, 0);
});

it('without credentials there is neither a directory nor a variable', () => {
  const { stdout } = run(['sh', '-c', 'ls -d /run/host/credentials 2>/dev/null; echo "[$CREDENTIALS_DIRECTORY]"']);
  assert.is(stdout, '[]\n');
});

for (const [what, options, message] of [
  ['a missing file', ['--load-credential=a:/nowhere/x'], /from \/nowhere\/x: No such file/],
  ['a directory', ['--load-credential=a:/etc/'], /neither a file nor a socket/],
  ['a device', ['--load-credential=a:/dev/zero'], /neither a file nor a socket/],
  ['a file of more than 1 MiB', ['--load-credential=a:./large'], /from \.\/large: File too large/],
  ['a FIFO', ['--load-credential=a:./fifo'], /neither a file nor a socket/],
  ['the same name twice', ['--set-credential=a:1', '--load-credential=a:./file'], /the credential a is given twice/],
  ['no colon', ['--set-credential=a'], /--set-credential/],
  ['no name of a file', ['--set-credential=../a:1'], /--set-credential/],
] as const) {
  it(`${what} is refused before anything has begun`, () => {
    writeFileSync(join(place, 'large'), Buffer.alloc(1024 * 1024 + 1));
    if (what === 'a FIFO') execFileSync('mkfifo', [join(place, 'fifo')]);
    const { status, stderr } = run([...options, 'true']);
    assert.is(status, 1);
    assert.match(stderr, /^tsnspawn: /);
    assert.match(stderr, message);
  });
}

it('a megabyte arrives whole', () => {
  writeFileSync(join(place, 'most'), Buffer.alloc(1024 * 1024, 'm'));
  const { stdout } = run(['--load-credential=a:./most', 'sh', '-c', 'wc -c <$CREDENTIALS_DIRECTORY/a']);
  assert.is(stdout.trim(), '1048576');
});

test.run();

// --pipe hands the caller's own descriptors to the payload: every byte arrives, ends are seen, and nothing else is open.

import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf, nothingLeft } from '../support/footprint';
import { quoted, TSNSPAWN, tsnspawn, tsnspawnBytes } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-pipe-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const PIPE = ['-q', '-D', tree, '--pipe'];
const machine = [TSNSPAWN, ...PIPE].map(quoted).join(' ');

/** A shell pipeline of the host; `MACHINE` in it is the command up to the payload's own words. */
function shell(script: string): { status: number | null; stdout: Buffer; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync('/bin/sh', ['-c', script.replaceAll('MACHINE', machine)], {
    timeout: 60_000,
    maxBuffer: 16 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr: stderr.toString() };
}

it('echo hi | tsnspawn --pipe cat | cat gives hi', () => {
  const { status, stdout, stderr } = shell('echo hi | MACHINE cat | cat');
  assert.is(stdout.toString(), 'hi\n');
  assert.is(stderr, '');
  assert.is(status, 0);
});

it('every byte value passes in both directions, and none is added', () => {
  const input = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
  const { status, stdout } = tsnspawnBytes([...PIPE, 'cat'], { input });
  assert.ok(stdout.equals(input));
  assert.is(status, 0);
});

it('100 MB of random bytes pass in and out unchanged', async () => {
  const child = spawn(TSNSPAWN, [...PIPE, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'], timeout: 120_000 });
  const sent = createHash('sha256');
  const received = createHash('sha256');
  let size = 0;
  child.stdout.on('data', (data: Buffer) => {
    size += data.length;
    received.update(data);
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  for (let i = 0; i < 100; i += 1) {
    const block = randomBytes(1_000_000);
    sent.update(block);
    if (!child.stdin.write(block)) await new Promise((resolve) => child.stdin.once('drain', resolve));
  }
  child.stdin.end();
  assert.is(await closed, 0);
  assert.is(size, 100_000_000);
  assert.is(received.digest('hex'), sent.digest('hex'));
});

it('100 MB pass through a pipeline of the shell unchanged', () => {
  const { stdout } = shell(`
    mkfifo ${scratch}/sum
    sha256sum <${scratch}/sum >${scratch}/sent &
    head -c 100000000 /dev/urandom | tee ${scratch}/sum | MACHINE cat | sha256sum >${scratch}/received
    wait
    cat ${scratch}/sent ${scratch}/received`);
  const [sent, received] = stdout.toString().trim().split('\n');
  assert.match(sent ?? '', /^[0-9a-f]{64} /);
  assert.is(received, sent);
});

it('standard error stays apart from standard output', () => {
  const { stdout, stderr } = tsnspawn([...PIPE, 'sh', '-c', 'echo out; echo err >&2']);
  assert.is(stdout, 'out\n');
  assert.is(stderr, 'err\n');
});

it('files of the caller are the standard streams themselves', () => {
  const { stdout } = shell(
    `echo line >${scratch}/in; MACHINE sh -c 'cat; echo more >&2' <${scratch}/in >${scratch}/out 2>&1; cat ${scratch}/out`,
  );
  assert.is(stdout.toString(), 'line\nmore\n');
});

it('output that is appended to a file goes to its end', () => {
  const { stdout } = shell(
    `echo first >${scratch}/log; MACHINE echo second >>${scratch}/log; echo third >>${scratch}/log; cat ${scratch}/log`,
  );
  assert.is(stdout.toString(), 'first\nsecond\nthird\n');
});

it('what the payload leaves unread stays for the next command of the caller', () => {
  const { stdout } = shell(
    `printf 'one\\ntwo\\nthree\\n' >${scratch}/lines; (MACHINE sh -c 'read line; echo got $line'; cat) <${scratch}/lines`,
  );
  assert.match(stdout.toString(), /^got one\n/);
  assert.match(stdout.toString(), /two\nthree\n$/);
});

it('the end of the input is seen', () => {
  assert.is(tsnspawn([...PIPE, 'wc', '-c'], { input: '' }).stdout.trim(), '0');
  assert.is(tsnspawn([...PIPE, 'wc', '-c'], { input: 'four' }).stdout.trim(), '4');
});

it('the payload may end while its input is still open', () =>
  withMachine([...PIPE, 'sh', '-c', 'echo ready; read line; exit 4'], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.write('go\n'); // and no end of it
    assert.equal(await running.exited, { status: 4, signal: null });
    await nothingLeft(footprint);
  }));

it('a reader that goes away ends a payload that writes on', () => {
  const { stdout } = shell('(MACHINE sh -c "yes 2>/dev/null"; echo "status $?" >&3) 3>&1 | head -n 1; :');
  assert.match(stdout.toString(), /^y$/m);
});

for (const [name, redirections] of [
  ['standard input', '<&-'],
  ['standard output', '>&-'],
  ['standard error', '2>&-'],
  ['all three standard streams', '<&- >&- 2>&-'],
] as const) {
  it(`a caller with ${name} closed is served, and nothing of the launcher is in their place`, () => {
    const inside = '(ls -l /proc/1/fd >/seen); exit 5'; // of a subshell: the redirection must not be seen
    rmSync(join(tree, 'seen'), { force: true });
    const { stdout } = shell(`MACHINE sh -c ${quoted(inside)} ${redirections}; echo "status $?"`);
    assert.match(stdout.toString(), /status 5\n$/);
    const seen = readFileSync(join(tree, 'seen'), 'utf8');
    for (const [fd, word] of ['<&-', '>&-', '2>&-'].entries()) {
      const target = new RegExp(` ${fd} -> (.*)$`, 'm').exec(seen)?.[1];
      if (redirections.split(' ').includes(word)) assert.match(target ?? '/dev/null', /\/dev\/null$/);
    }
    assert.not.match(seen, / [3-9]\d* -> |memfd|anon_inode/);
  });
}

it('there is no /dev/console and no terminal', () => {
  const { stdout } = tsnspawn([
    ...PIPE,
    'sh',
    '-c',
    'ls /dev/console 2>&1; test -t 0 || test -t 1 || echo none; cut -d" " -f7 /proc/self/stat',
  ]);
  assert.match(stdout, /\/dev\/console: No such file or directory\nnone\n0\n$/);
});

it('the payload has its three standard descriptors and no other', () => {
  // and ls one more, for the directory it lists
  assert.is(tsnspawn([...PIPE, 'ls', '/proc/self/fd']).stdout, '0\n1\n2\n3\n');
});

for (const [name, options] of [
  ['', '--pipe'],
  [' below the stub', '--pipe --as-pid2'],
  [' with a terminal', '--console=read-only'],
] as const) {
  it(`further descriptors of the caller are closed in the guest${name}`, () => {
    // a directory of the host is a way out of the tree (CVE-2024-21626)
    const { stdout } = shell(`
      exec 3</etc 4</etc 5</ 6</proc 7</sys 8</dev 9</etc/passwd
      ${machine.replace(quoted('--pipe'), options)} sh -c 'for f in /proc/[0-9]*/fd/*; do readlink $f; done; echo end' </dev/null 2>&1 | cat`);
    const targets = stdout.toString().trim().split(/\r?\n/);
    assert.is(targets.pop(), 'end');
    for (const target of targets) assert.match(target, /^(pipe:|\/dev\/null$|\/dev\/pts\/0$|\/proc\/\d+\/fd$|\/proc$)/);
  });
}

it('the caller finds its descriptors blocking as before', () => {
  // Node sets O_NONBLOCK on pipes and terminals that it uses; the next command of the caller would then fail with EAGAIN.
  const script = `
    mkfifo ${scratch}/fifo; exec 8<>${scratch}/fifo
    MACHINE true <&8 >&8 2>&8
    grep ^flags /proc/self/fdinfo/8`;
  const [, flags = ''] = /flags:\s+0(\d+)/.exec(shell(script).stdout.toString()) ?? [];
  assert.is(Number.parseInt(flags, 8) & 0o4000, 0, `flags are ${flags}`);
});

it('a payload blocks on its input and output', () => {
  const { stdout } = shell("(sleep 0.2; echo late) | MACHINE sh -c 'cat; grep ^flags /proc/self/fdinfo/0'");
  assert.match(stdout.toString(), /^late\n/);
  assert.is(Number.parseInt(/flags:\s+0(\d+)/.exec(stdout.toString())?.[1] ?? '', 8) & 0o4000, 0);
});

it('a launcher that is killed takes a payload along that waits for input', () =>
  withMachine([...PIPE, 'sh', '-c', 'echo ready; exec cat'], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.child.kill('SIGKILL');
    await running.exited;
    await nothingLeft(footprint);
  }));

it('autopipe without a terminal is pipe', () => {
  const { stdout } = tsnspawn(['-q', '-D', tree, '--console=autopipe', 'cat'], { input: 'a\nb' });
  assert.is(stdout, 'a\nb');
});

test.run();

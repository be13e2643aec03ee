// Where tsnspawn itself runs below the system call filter of another container, which hides calls that it does not know, a
// guest is what it is elsewhere.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf, nothingLeft } from '../support/footprint';
import { Running, TSNSPAWN } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'command:gcc');
const it = only(test, missing);
const itInCgroup2 = only(test, missing ?? needs('cgroup2'));
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-filters-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const hides = join(scratch, 'hides');
if (missing === undefined) execFileSync('gcc', ['-static', '-O1', '-o', hides, 'test/support/hides.c']);

/** A shell script in a guest of a launcher for which these calls do not exist. */
function without(calls: string, script: string, ...options: string[]): Running {
  return new Running(hides, [calls, TSNSPAWN, '-q', '-D', tree, '--pipe', ...options, 'sh', '-c', script]);
}

async function says(running: Running, text: string): Promise<void> {
  await withRunning(running, async () => {
    assert.equal(await running.exited, { status: 0, signal: null }, running.output);
    assert.is(running.output, text);
  });
}

for (const calls of ['clone3', 'close_range', 'openat2', 'clone3,close_range,openat2']) {
  itInCgroup2(`a guest has a cgroup of its own, and sees no other, without ${calls}`, () => {
    const running = without(calls, 'grep ^0: /proc/self/cgroup; echo ready; exec sleep 1000');
    return withRunning(running, async () => {
      await running.until(/ready/);
      const footprint = footprintOf(running);
      assert.is(running.output, '0::/\nready\n');
      const outside = /^0::(.*)$/m.exec(readFileSync(`/proc/${footprint.init}/cgroup`, 'utf8'))?.[1] ?? '';
      assert.ok(outside.endsWith(`/tsnspawn-busybox-${footprint.launcher}`), outside);
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 1, signal: null });
      await nothingLeft(footprint);
    });
  });
}

it('20 starts in a row succeed without close_range', async () => {
  for (let start = 0; start < 20; start += 1) await says(without('close_range', 'echo "here $0"'), 'here sh\n');
});

for (const [whose, path, options] of [
  ['the payload', '/proc/self/fd', []],
  ['the stub init', '/proc/1/fd', ['--as-pid2']],
] as const) {
  it(`${whose} has no descriptor of the launcher without close_range`, () =>
    // the shell opens the directory itself while it lists it, and closes it before it asks what is there
    says(without('close_range', `for f in ${path}/*; do [ -e $f/. ] && echo "$f"; done; :`, ...options), ''));
}

it('links of the tree end inside it without openat2', () => {
  mkdirSync(join(tree, 'inside'));
  symlinkSync('/inside', join(tree, 'way'));
  const mounts = ['--tmpfs=/way/mounted', `--bind=${scratch}:/way/bound`];
  return says(
    without('openat2', 'ls /inside; grep -c " /inside/" /proc/self/mountinfo', ...mounts),
    'bound\nmounted\n2\n',
  );
});

test.run();

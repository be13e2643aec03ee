// What is refused changes nothing: each option with a bad value, and options that contradict each other, on command lines that
// would otherwise make a good deal: processes, mounts, cgroups, network interfaces, directories, a copy of the tree.

import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPTIONS } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BAD_VALUES, CONFLICTS } from '../support/bad-values';
import { cgroupsOf, hostMounts, newMounts } from '../support/footprint';
import { isAlive, startTsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-unchanged-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Names, modes, owners, sizes and times of all that is in a directory. */
function stateOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const { mode, uid, gid, size, mtimeMs, ctimeMs } = lstatSync(join(directory, name));
    hash.update(`${name}\0${[mode, uid, gid, size, mtimeMs, ctimeMs]}\n`);
  }
  return hash.digest('hex');
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** What the command lines of this test could leave on the host. */
function hostState(): unknown {
  return {
    tree: stateOf(tree),
    beside: entries(join(tree, '..')),
    scratch: stateOf(scratch),
    interfaces: entries('/sys/class/net').filter((name) => /^(ve|vb|vz)-unchanged/.test(name)),
    machines: entries('/var/lib/machines').filter((name) => name.includes('unchanged')),
    locks: entries('/run/systemd/nspawn/locks').filter((name) => name.includes('unchanged')),
  };
}

async function refusedInVain(lines: readonly (readonly string[])[]): Promise<void> {
  const before = hostState();
  const mounts = hostMounts();
  const pids: number[] = [];
  for (const line of lines) {
    const running = startTsnspawn(line, { timeout: 20 });
    running.child.stdin?.end();
    assert.equal(await running.exited, { status: 1, signal: null }, line.join(' '));
    assert.match(running.output, /^tsnspawn: /, line.join(' '));
    pids.push(running.pid);
  }
  assert.equal(hostState(), before);
  assert.equal(newMounts(mounts), []);
  assert.equal(pids.flatMap(cgroupsOf), []);
  assert.equal(pids.filter(isAlive), []);
}

/** All that can be made at once. */
const MUCH = [
  '-M',
  'unchanged',
  '-bn',
  '-D',
  tree,
  `--bind=${scratch}:/srv/new/place`,
  '--tmpfs=/new',
  '--overlay=/usr::/srv',
];

for (const group of new Set(OPTIONS.map((row) => row.group))) {
  it(`a bad value of an option about ${group} changes nothing`, () =>
    refusedInVain(
      OPTIONS.filter((row) => row.group === group && row.takes !== 'nothing').map((row) => {
        const values = BAD_VALUES[row.long ?? row.short ?? ''] ?? [];
        // the second one of them: the first is mostly empty
        return [...MUCH, `--${row.long}=${values[1]}`];
      }),
    ));
}

it('options that contradict each other change nothing', () =>
  refusedInVain(
    CONFLICTS.map(([, argv]) => ['-M', 'unchanged', `--bind=${scratch}:/srv/new/place`, ...argv.split(' ')]),
  ));

test.run();

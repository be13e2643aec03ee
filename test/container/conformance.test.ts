// The ptrace engine answers as a real chroot does: the cases of test/conformance run in one as root, and in the engine as an ordinary
// user, with each way to hear of the calls. Every line has to be the same.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';
import { giveTree, OrdinaryUser } from '../support/users';

const it = only(test, needs('root', 'namespaces', 'mirror', 'command:cc', 'command:setpriv', 'command:unshare'));

const CASES = 'test/conformance/cases';
/** What the set promises at least. */
const FEWEST = 120;
/** Only the host has it. */
const HOST_FILE = '/host-only';

let program: string | undefined;
/** The cases as a program that needs nothing of the tree. */
function compiled(): string {
  if (program !== undefined) return program;
  const directory = mkdtempSync(join(tmpdir(), 'conformance-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  program = join(directory, 'run');
  const sources = readdirSync(CASES).filter((name) => name.endsWith('.c'));
  const flags = ['-D_GNU_SOURCE', '-static', '-O1', '-pthread', '-w'];
  execFileSync('cc', [...flags, '-o', program, ...sources.map((name) => join(CASES, name))]);
  return program;
}

function install(tree: string): void {
  const directory = join(tree, 'conformance');
  mkdirSync(directory, { recursive: true });
  copyFileSync(compiled(), join(directory, 'run'));
  chmodSync(join(directory, 'run'), 0o755);
}

let reference: string[] | undefined;
/** What the kernel says, by the lines. */
function expected(): string[] {
  if (reference !== undefined) return reference;
  const tree = ownTree('bookworm');
  install(tree);
  // mounts and processes of its own: nothing is left behind
  const script = 'mount --bind /dev "$0/dev"; mount -t proc proc "$0/proc"; exec chroot "$0" /conformance/run';
  const { stdout } = spawnSync('unshare', ['-mpuf', 'sh', '-c', script, tree], { encoding: 'utf8', timeout: 60_000 });
  reference = stdout.split('\n');
  return reference;
}

let user: OrdinaryUser | undefined;
function ordinary(): { user: OrdinaryUser; tree: string } {
  if (user !== undefined) return { user, tree: join(user.home, 'bookworm') };
  user = new OrdinaryUser({ subordinate: false });
  const tree = user.tree('bookworm');
  install(tree);
  giveTree(join(tree, 'conformance'), user);
  return { user, tree };
}

it('the set has the cases that it promises', () => {
  assert.ok(expected().length > FEWEST, `${expected().length} lines`);
});

for (const accelerator of ['none', 'trace']) {
  it(`calls are answered as in a chroot: ${accelerator}`, () => {
    const { user, tree } = ordinary();
    writeFileSync(HOST_FILE, '');
    try {
      const { stdout, stderr } = user.tsnspawn(['--engine=ptrace', '-qPD', tree, '/conformance/run'], {
        env: { TSNSPAWN_PTRACE_ACCEL: accelerator },
        timeout: 120,
      });
      assert.is(stderr, '');
      assert.equal(stdout.split('\n'), expected());
    } finally {
      rmSync(HOST_FILE);
    }
  });
}

test.run();

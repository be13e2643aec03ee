// One machine a tree, whoever started it: the locks are those of systemd-nspawn, which is asked itself where it is installed.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Running, tsnspawn } from '../support/launcher';
import { withMachine, withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const both = only(test, missing ?? needs('command:systemd-nspawn'));
const tree = missing === undefined ? ownTree('busybox', 'locked') : '';

const BESIDE = join(dirname(tree), `.#${basename(tree)}.lck`);
const byInode = (path: string): string => {
  const { dev, ino } = statSync(path, { bigint: true });
  return `/run/systemd/nspawn/locks/inode-${dev}:${ino}`;
};
const run = (...options: string[]) => tsnspawn(['-q', '-D', tree, ...options, '--pipe', 'true']);
const NSPAWN = ['-q', '--register=no', '--keep-unit', '-D', tree];
/** Says so, and waits until its standard input ends. */
const WAIT = ['sh', '-c', 'echo up; cat'];

const busy = ({ status, stderr }: { status: number | null; stderr: string }): void => {
  assert.is(status, 1, stderr);
  assert.match(stderr, /busy/);
};
const locked = (options: readonly string[], body: () => void) =>
  withMachine(['-q', '-D', tree, '--pipe', ...options, ...WAIT], async (running) => {
    await running.until(/up/);
    body();
    running.child.stdin?.end();
    assert.is((await running.exited).status, 0);
  });

it('a tree that is written to is busy for every other machine, and free when it has ended', async () => {
  await locked([], () => {
    busy(run());
    busy(run('--read-only'));
  });
  assert.is(run().status, 0);
});

it('machines that do not write share a tree', () =>
  locked(['--read-only'], () => {
    assert.is(run('--read-only').status, 0);
    busy(run());
  }));

it('the lock files are there while the machine runs, and gone afterwards', async () => {
  const files = [BESIDE, byInode(tree)];
  await locked([], () => {
    assert.equal(files.map(existsSync), [true, true]);
    for (const file of files) assert.is(statSync(file).mode & 0o777, 0o600);
  });
  assert.equal(files.map(existsSync), [false, false]);
});

it('the last of several readers removes the lock files', async () => {
  await locked(['--read-only'], () => {
    run('--read-only');
    assert.ok(existsSync(BESIDE));
  });
  assert.not(existsSync(BESIDE));
  assert.not(existsSync(byInode(tree)));
});

it('a launch that fails leaves no lock file', () => {
  assert.is(tsnspawn(['-q', '-D', tree, '/no/such/command']).status, 1);
  assert.equal([existsSync(BESIDE), existsSync(byInode(tree))], [false, false]);
});

it('lock files that a killed machine has left are no lock', async () => {
  for (const file of [BESIDE, byInode(tree)]) writeFileSync(file, '');
  assert.is(run().status, 0);
  assert.not(existsSync(BESIDE));
});

// F_OFD_SETLK, F_WRLCK or F_RDLCK over the whole file
const HOLD = `open F, "+>>", $ARGV[0] or die "$!"; $| = 1;
  fcntl(F, 37, pack("s s x4 q q i x4", $ARGV[1], 0, 0, 0, 0)) or die "$!"; print "held\\n"; <STDIN>`;

for (const [name, file] of [
  ['beside the tree', () => BESIDE],
  ['that goes by the inode', () => byInode(tree)],
] as const) {
  it(`whoever locks the file ${name} has the tree`, async () => {
    const path = file();
    try {
      await withRunning(new Running('perl', ['-e', HOLD, path, '1']), async (holder) => {
        await holder.until(/held/);
        busy(run());
        busy(run('--read-only'));
        assert.is(tsnspawn(['-q', '-D', tree, '-P', 'true'], { env: { SYSTEMD_NSPAWN_LOCK: '0' } }).status, 0);
      });
      await withRunning(new Running('perl', ['-e', HOLD, path, '0']), async (holder) => {
        await holder.until(/held/);
        busy(run());
        assert.is(run('--read-only').status, 0);
      });
    } finally {
      rmSync(path, { force: true });
    }
  });
}

it('a tree is the same by every path that leads to it', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tsnspawn-locks-'));
  symlinkSync(tree, join(home, 'other'));
  try {
    await locked([], () => busy(tsnspawn(['-q', '-D', join(home, 'other'), 'true'])));
  } finally {
    rmSync(home, { recursive: true });
  }
});

it('a reboot of the guest keeps the lock', () =>
  withMachine(
    [
      '-q',
      '-D',
      tree,
      '--pipe',
      'sh',
      '-c',
      '[ -e /again ] && { echo up again; cat; exit; }; touch /again; reboot -f; sleep 99',
    ],
    async (running) => {
      await running.until(/up again/);
      busy(run());
      running.child.stdin?.end();
      await running.exited;
      assert.is(run().status, 0);
    },
  ));

it('SYSTEMD_NSPAWN_LOCK=0 takes no lock and looks at none', () =>
  locked([], () => {
    const env = { SYSTEMD_NSPAWN_LOCK: '0' };
    assert.is(tsnspawn(['-q', '-D', tree, '-P', 'true'], { env }).status, 0);
  }));

both('a tree that tsnspawn has is busy for systemd-nspawn', async () => {
  const nspawn = (...options: string[]) =>
    spawnSync('systemd-nspawn', [...NSPAWN, ...options, '--pipe', 'true'], { encoding: 'utf8', timeout: 30_000 });
  await locked([], () => busy(nspawn()));
  await locked(['--read-only'], () => {
    busy(nspawn());
    assert.is(nspawn('--read-only').status, 0);
  });
  assert.is(nspawn().status, 0);
});

both('a tree that systemd-nspawn has is busy for tsnspawn', async () => {
  for (const options of [[], ['--read-only']]) {
    const child = spawn('systemd-nspawn', [...NSPAWN, ...options, '--pipe', ...WAIT], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    busy(run());
    if (options.length > 0) assert.is(run('--read-only').status, 0);
    child.stdin.end();
    await new Promise((resolve) => child.once('exit', resolve));
  }
  assert.is(run().status, 0);
});

test.run();

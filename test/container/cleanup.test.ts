// --cleanup removes what a run has left whose processes were all killed at once, and nothing else.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const machine = `cleanup-${process.pid}`;
const tree = missing === undefined ? ownTree('busybox', machine) : '';

/** A process id that no process has. */
const DEAD = 4_194_303;

/** Somewhere in a hierarchy that can be written. */
function cgroupMount(): string | undefined {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
    .find((path) => {
      try {
        mkdirSync(join(path, `probe-${process.pid}`));
        rmdirSync(join(path, `probe-${process.pid}`));
        return true;
      } catch {
        return false;
      }
    });
}

it('temporary directories, lock files and cgroups of a killed run are removed, and named', () => {
  const left = [join(dirname(tree), `.#tsnspawn.${machine}-1`), join(dirname(tree), `.#${machine}.lck`)] as const;
  mkdirSync(join(left[0], 'upper'), { recursive: true });
  writeFileSync(left[1], '');
  const mount = cgroupMount();
  const cgroup = mount === undefined ? undefined : join(mount, `tsnspawn-${machine}-${DEAD}`);
  if (cgroup !== undefined) mkdirSync(join(cgroup, 'payload'), { recursive: true });
  const { status, stderr, stdout } = tsnspawn(['--cleanup', '-D', tree]);
  assert.is(status, 0, stderr);
  for (const path of [left[0], ...(cgroup === undefined ? [] : [cgroup])]) {
    assert.ok(stderr.includes(`Removed ${path}.`), stderr + stdout);
  }
  assert.equal(
    [...left, ...(cgroup === undefined ? [] : [cgroup])].filter((path) => existsSync(path)),
    [],
  );
  assert.ok(existsSync(join(tree, 'usr')));
});

it('what belongs to others stays: trees beside it, cgroups of other machines and of living launchers', () => {
  const mount = cgroupMount();
  const names = [`tsnspawn-${machine}-${process.pid}`, `tsnspawn-${machine}x-${DEAD}`, `tsnspawn-x-${machine}-${DEAD}`];
  const cgroups = mount === undefined ? [] : names.map((name) => join(mount, name));
  for (const path of cgroups) mkdirSync(path);
  const beside = join(dirname(tree), '.#tsnspawn.other');
  mkdirSync(beside);
  const holder = execFileSync('sh', ['-c', `exec 9<'${beside}'; flock 9; sleep 9 >/dev/null 2>&1 & echo $!`], {
    encoding: 'utf8',
  });
  try {
    assert.is(tsnspawn(['--cleanup', '-M', machine, '-D', tree]).status, 0);
    assert.equal(
      [...cgroups, beside].filter((path) => !existsSync(path)),
      [],
    );
  } finally {
    process.kill(Number(holder));
    for (const path of cgroups) rmdirSync(path);
    rmSync(beside, { recursive: true, force: true });
  }
});

it('a machine that runs is left alone', () =>
  withMachine(['-q', '-D', tree, '--pipe', 'sh', '-c', 'echo up; cat'], async (running) => {
    await running.until(/up/);
    const { status, stderr } = tsnspawn(['--cleanup', '-D', tree]);
    assert.is(status, 1);
    assert.match(stderr, /it is busy/);
    running.child.stdin?.end();
    assert.is((await running.exited).status, 0);
  }));

it('it needs to be told which machine, which may have no tree any more', () => {
  assert.match(tsnspawn(['--cleanup']).stderr, /^tsnspawn: --cleanup needs --machine, --directory or --image/);
  assert.match(tsnspawn(['--cleanup', '-x', '-D', tree]).stderr, /--ephemeral and --cleanup exclude each other/);
  const { status, stderr } = tsnspawn(['--cleanup', '-M', `no-tree-${process.pid}`]);
  assert.equal([status, stderr], [0, '']);
});

it('nothing is started, and with nothing left nothing is said', () => {
  const before = readdirSync(dirname(tree));
  const { status, stdout, stderr } = tsnspawn(['--cleanup', '-D', tree, 'echo', 'started']);
  assert.equal([status, stdout, stderr], [0, '', '']);
  assert.equal(readdirSync(dirname(tree)), before);
  assert.is(basename(tree), machine);
});

test.run();

// What the ptrace engine costs programs: their processor time with that of the tracer, as a ratio to the same in a chroot of the same
// tree, beside PRoot where it is installed. What each way needs to start /bin/true is taken off: that is for scripts/bench.
//   The sum is of all processes of a way: rusage of the children that bash(1) waited for.
// usage: scripts/bench-ptrace [--tree=DIR] [--only=find,stat,git,tar,exec,gcc,getppid] [--accel=inprocess,trace,none,notify] [--pairs=3] [--json] [--check]
//   --tree    a Debian; with git and gcc in it they are measured too: tsnspawn bootstrap --include=git,gcc,libc6-dev bookworm DIR
//   --check   exit status 1 when a target is missed
//   --proot=PATH,PATH   other programs to compare with than the one that is installed: what the first one needs is the most for `none`

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ordinaryUser } from './bench-users.mjs';
import { inTurns, median } from './measure.mjs';

/** The work: a program of the tree, what it needs there, and the greatest ratio by accelerator: of `none` what Debian's PRoot needs. */
const WORK = {
  find: {
    run: ['sh', '-c', 'for i in 1 2 3 4 5; do find / -xdev >/dev/null; done'],
    target: { best: 2, trace: 6.4, none: 19 },
  },
  stat: {
    run: ['perl', '-e', 'for (1 .. 20000) { stat "/usr/share/doc/bash" }'],
    target: { best: 5, trace: 25, none: 48 },
  },
  git: {
    needs: '/usr/bin/git',
    run: ['sh', '-c', 'cd /srv/bench/repository; for i in $(seq 20); do git status >/dev/null; done'],
    target: { best: 2.5, trace: 8.6, none: 15 },
  },
  tar: { run: ['sh', '-c', 'cd /srv/bench/out && tar -xf ../files.tar'], target: { best: 1.6, trace: 3.5, none: 8 } },
  exec: { run: ['perl', '-e', 'system "/bin/true" for 1 .. 300'], target: { best: 1.7, trace: 2.2, none: 3.1 } },
  gcc: {
    needs: '/usr/bin/gcc',
    run: ['sh', '-c', 'cd /srv/bench; for i in 1 2 3 4; do gcc -c program.c -o program.o; done'],
    target: { best: 1.2, trace: 1.8, none: 2.8 },
  },
  getppid: { run: ['perl', '-e', 'syscall 110 for 1 .. 200000'], target: { best: 1.2, trace: 1.2, none: 68 } },
};
const NOTHING = ['/bin/true'];

const { values: options } = parseArgs({
  options: {
    tree: { type: 'string', default: 'debian-tree' },
    only: { type: 'string', default: Object.keys(WORK).join(',') },
    accel: { type: 'string', default: 'inprocess,trace,none' },
    pairs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    proot: { type: 'string', default: 'proot' },
  },
});
function fail(message) {
  console.error(`bench-ptrace: ${message}`);
  process.exit(1);
}
if (!existsSync(options.tree)) fail(`there is no ${options.tree}: npm start makes one, --tree=DIR names another`);
const names = options.only.split(',');
for (const name of names) if (WORK[name] === undefined) fail(`there is no part ${name}`);
const installed = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

const user = ordinaryUser(options.tree, false);
const env = { ...process.env, HOME: '/root', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
delete env.NODE_EXTRA_CA_CERTS;
const engine = (accelerator) => (words) => [
  ...['env', `TSNSPAWN_PTRACE_ACCEL=${accelerator}`, ...user.command],
  ...['-q', '--engine=ptrace', '--pipe', '-D', user.tree, ...words],
];
const proot = (program) => (words) => [
  ...[program, '-0', '-r', user.tree, '-b', '/dev', '-b', '/proc', '-w', '/'],
  ...words,
];
const proots = options.proot.split(',').filter(installed);
const ways = {
  chroot: (words) => ['chroot', `--userspec=${user.uid}:${user.gid}`, user.tree, ...words],
  ...Object.fromEntries(options.accel.split(',').map((name) => [name, engine(name)])),
  ...Object.fromEntries(proots.map((program) => [program, proot(program)])),
};

/** Seconds of processor time, of the command and all that it has waited for. */
function timeOf(way, words) {
  spawnSync('rm', ['-rf', join(user.tree, 'srv/bench/out')]);
  mkdirSync(join(user.tree, 'srv/bench/out'));
  spawnSync('chown', [`${user.uid}:${user.gid}`, join(user.tree, 'srv/bench/out')]);
  // chroot(2) is root's: it becomes the user by itself
  const ids = way === 'chroot' ? {} : { uid: user.uid, gid: user.gid };
  const script = 'TIMEFORMAT="%3U %3S"; time "$@" </dev/null';
  const command = ways[way](words);
  const { status, stderr, error } = spawnSync('bash', ['-c', script, 'bash', ...command], {
    ...ids,
    env,
    cwd: user.home,
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (status !== 0) fail(`${command.join(' ')}: ${error ?? `exit status ${status}`}: ${stderr}`);
  const [own, system] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  return own + system;
}

/** What the work is done on, made in a chroot. */
function prepare() {
  // a tree has no devices of its own: what is written to /dev/null in the chroot would make a file of root's there
  const devices = 'cd "$1/dev" && rm -f null urandom && mknod -m 666 null c 1 3 && mknod -m 666 urandom c 1 9';
  const made = spawnSync('sh', ['-c', devices, 'sh', user.tree], { encoding: 'utf8' });
  if (made.status !== 0) fail(`cannot make devices in the tree: ${made.stderr}`);
  const bench = join(user.tree, 'srv/bench');
  mkdirSync(join(bench, 'out'), { recursive: true });
  const functions = Array.from({ length: 300 }, (_, i) => `int f${i}(int a) { return printf("%d", a * ${i}); }`);
  writeFileSync(join(bench, 'program.c'), `#include <stdio.h>\n#include <stdlib.h>\n${functions.join('\n')}\n`);
  const script = `cd /srv/bench
tar -cf files.tar -C / usr/share/doc usr/share/perl5 usr/lib/x86_64-linux-gnu/perl-base etc 2>/dev/null
if [ -x /usr/bin/git ]; then
  mkdir repository && cd repository && git init -q
  for d in $(seq 50); do mkdir $d; for f in $(seq 40); do echo $f >$d/$f; done; done
  git add . && git -c user.name=a -c user.email=a@b commit -qm files
fi
exit 0`;
  const { status, stderr } = spawnSync('chroot', [user.tree, 'sh', '-c', script], { env, encoding: 'utf8' });
  if (status !== 0) fail(`cannot prepare the tree: ${stderr}`);
  spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, bench]);
}
prepare();

const rows = [];
const pairs = Number(options.pairs);
const starts = await inTurns(Object.keys(ways), pairs, 1, (way) => timeOf(way, NOTHING));
for (const name of names) {
  const { run, needs, target } = WORK[name];
  if (needs !== undefined && !existsSync(join(user.tree, needs))) {
    rows.push({ name, note: `not measured: needs ${needs} in the tree` });
    continue;
  }
  const samples = await inTurns(Object.keys(ways), pairs, 1, (way) => timeOf(way, run) - median(starts[way]));
  const row = { name, seconds: median(samples.chroot), ratios: {}, targets: {} };
  for (const way of Object.keys(ways).filter((one) => one !== 'chroot')) {
    row.ratios[way] = median(samples[way].map((value, index) => value / samples.chroot[index]));
    if (!proots.includes(way)) row.targets[way] = target[way === 'notify' ? 'trace' : way] ?? target.best;
  }
  // no worse than PRoot: what that does here says more than what it did elsewhere
  if (row.targets.none !== undefined && proots.length > 0) row.targets.none = Number(row.ratios[proots[0]].toFixed(2));
  rows.push(row);
}

if (options.json) console.log(JSON.stringify({ tree: options.tree, rows }, null, 2));
else {
  const columns = Object.keys(ways).filter((one) => one !== 'chroot');
  console.log(
    `${'ratio to a chroot'.padEnd(20)}${'chroot s'.padStart(10)}${columns.map((way) => way.slice(-23).padStart(24)).join('')}`,
  );
  for (const { name, note, seconds, ratios, targets } of rows) {
    if (note !== undefined) {
      console.log(`${name.padEnd(20)}${note}`);
      continue;
    }
    const cells = columns.map((way) => {
      const limit = targets[way];
      const verdict = limit === undefined ? '' : ` (<= ${limit}${ratios[way] <= limit ? '' : ' MISSED'})`;
      return `${ratios[way].toFixed(2)}${verdict}`.padStart(24);
    });
    console.log(`${name.padEnd(20)}${seconds.toFixed(3).padStart(10)}${cells.join('')}`);
  }
  console.log(
    `to reach with the best accelerator: ${names.map((name) => `${name} ${WORK[name].target.best}`).join(', ')}`,
  );
}
const missed = rows.some(
  ({ ratios, targets }) => ratios && Object.keys(targets).some((way) => ratios[way] > targets[way]),
);
process.exitCode = options.check && missed ? 1 : 0;

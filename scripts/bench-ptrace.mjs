// Measures the ptrace engine: see scripts/bench-ptrace.
// The time of a command counts with all that it has waited for: the guest's processes, and the monitor that traces them.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const WORK = {
  find: 'for i in 1 2 3; do find / -xdev; done',
  stat: 'perl -e \'for (1..40000) { stat "/usr/share/doc" }\'',
  open: 'perl -e \'for (1..20000) { open F, "/etc/hostname"; close F }\'',
  getppid: "perl -e 'for (1..300000) { getppid }'",
  exec: 'perl -e \'for (1..300) { system {"/bin/true"} "true" }\'',
  shell: 'i=0; while [ $i -lt 100 ]; do cat /etc/passwd | sed -e s/a/b/; i=$((i+1)); done',
  git: 'cd /tmp && git init -q r && cd r && for i in $(seq 1500); do echo $i >f$i; done && git add . && for i in 1 2 3 4 5; do git status; done; rm -rf /tmp/r',
  gcc: 'cd /tmp && printf "#include <stdio.h>\\nint main() { puts(\\"x\\"); }\\n" >a.c && for i in 1 2 3 4; do gcc -O1 -c a.c; done; rm a.c a.o',
  tar: 'cd /tmp && tar -cf - /usr/share/doc /usr/share/perl 2>/dev/null | tar -xf - && rm -rf /tmp/usr',
  dpkg: 'dpkg -V base-files coreutils bash perl-base',
};
const USER = 65534;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const [tree, ...asked] = process.argv.slice(2);
if (tree === undefined || process.geteuid() !== 0) {
  console.error('usage: scripts/bench-ptrace TREE [WORK]...   as root, with a tree of user 65534');
  process.exit(1);
}
const root = resolve(tree);
const asUser = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'env', 'HOME=/root', `PATH=${PATH}`];
const traced = (how) => [
  ...[...asUser, `TSNSPAWN_PTRACE_ACCEL=${how}`, process.execPath, resolve('packages/cli/bin/tsnspawn.cjs')],
  ...['--engine=ptrace', '-qP', `--directory=${root}`, 'sh', '-c'],
];
const ENGINES = {
  chroot: ['chroot', `--userspec=${USER}:${USER}`, root, 'env', 'HOME=/root', `PATH=${PATH}`, 'sh', '-c'],
  none: traced('none'),
  trace: traced('trace'),
  proot: [...asUser, 'proot', '-0', '-r', root, '-b', '/proc', '-b', '/dev', '-w', '/', 'sh', '-c'],
};
if (spawnSync('proot', ['--version']).error !== undefined) delete ENGINES.proot;

/** Seconds of CPU time that all processes of a command take. */
function cost(engine, script) {
  const [command, ...args] = ENGINES[engine];
  const before = children();
  spawnSync(command, [...args, script], { stdio: 'ignore', cwd: '/', timeout: 300_000 });
  return children() - before;
}

/** What getrusage(2) has counted of children that have ended: Node tells only of itself. */
function children() {
  const { stdout } = spawnSync('awk', ['{ print $16 + $17 }', `/proc/${process.pid}/stat`], { encoding: 'utf8' });
  return Number(stdout) / 100;
}

const engines = Object.keys(ENGINES);
const start = Object.fromEntries(engines.map((name) => [name, Math.min(cost(name, 'true'), cost(name, 'true'))]));
console.log(['work', ...engines].map((word) => word.padEnd(14)).join(''));
for (const work of asked.length > 0 ? asked : Object.keys(WORK)) {
  const best = {};
  for (let round = 0; round < 2; round++)
    for (const name of engines) best[name] = Math.min(best[name] ?? Infinity, cost(name, WORK[work]) - start[name]);
  const cells = engines.map(
    (name) => `${best[name].toFixed(2)} (${(best[name] / Math.max(best.chroot, 0.01)).toFixed(1)})`,
  );
  console.log([work, ...cells].map((word) => word.padEnd(14)).join(''));
}

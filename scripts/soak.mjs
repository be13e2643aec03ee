// Keeps an ordinary user's guest busy with several things at once: apt, gcc and git as far as the tree has them, and always the shell.
// usage: scripts/soak [MINUTES] [--tree=DIR] [--accel=trace|none]
//   MINUTES   default 20
//   --tree    a Debian: tsnspawn bootstrap --include=git,gcc,libc6-dev bookworm DIR
// Exit status 1: something has failed, hung, or outlived the guest.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ordinaryUser } from './bench-users.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tree: { type: 'string', default: 'debian-tree' },
    accel: { type: 'string', default: 'trace' },
  },
});
const minutes = Number(positionals[0] ?? 20);
if (!(minutes > 0) || !existsSync(options.tree)) {
  console.error(`soak: ${minutes > 0 ? `there is no ${options.tree}: npm start makes one` : 'MINUTES is no number'}`);
  process.exit(1);
}

/** Each is done again and again until the time is over; a file tells that something went wrong. */
const WORK = {
  shell:
    'for i in $(seq 40); do cat /etc/passwd | sed s/root/x/ | grep -q x || exit 1; done; find /usr/share -name "*.gz" >/dev/null',
  apt: `export DEBIAN_FRONTEND=noninteractive
apt-get -qq update && apt-get -qq install --reinstall --no-install-recommends cron >/dev/null &&
dpkg -V cron base-files && apt-get -qq remove cron >/dev/null && test -z "$(dpkg --audit)"`,
  gcc: `command -v gcc >/dev/null || exit 0
d=$(mktemp -d) && cd $d && echo 'int main() { return 0; }' >a.c && gcc -O2 a.c -o a && ./a && cd / && rm -r $d`,
  git: `command -v git >/dev/null || exit 0
d=$(mktemp -d) && cd $d && git init -q && for i in $(seq 100); do echo $i >f$i; done && git add . &&
git -c user.name=a -c user.email=a@b commit -qm files && git fsck --strict 2>/dev/null >&2 && test -z "$(git status --short)" && cd / && rm -r $d`,
};
const loops = Object.entries(WORK).map(
  ([name, work]) => `( n=0; while [ $(date +%s) -lt $end ] && ! [ -e /tmp/failed ]; do
    sh -ec '${work.replaceAll("'", "'\\''")}' 2>/tmp/${name}.err || { echo "${name}: round $n failed"; cat /tmp/${name}.err; : >/tmp/failed; }
    n=$((n+1)); done; echo "${name}: $n rounds" ) &`,
);
const script = `rm -f /tmp/failed; end=$(($(date +%s) + ${Math.round(minutes * 60)}))\n${loops.join('\n')}\nwait; ! [ -e /tmp/failed ]`;

const { uid, gid, home, tree, command } = ordinaryUser(options.tree, false);
const [file, ...args] = command;
const { status, error } = spawnSync(
  file,
  [...args, '-q', '--engine=ptrace', '--pipe', '-D', tree, 'sh', '-c', script],
  {
    uid,
    gid,
    cwd: home,
    env: { ...process.env, HOME: home, TSNSPAWN_PTRACE_ACCEL: options.accel, LC_ALL: 'C' },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: (minutes + 10) * 60_000,
  },
);
if (error !== undefined) console.error(`soak: ${error.message}`);

const left = readdirSync('/proc').filter((name) => {
  try {
    return /^\d+$/.test(name) && statSync(`/proc/${name}`).uid === uid;
  } catch {
    return false; // gone meanwhile
  }
});
for (const pid of left) {
  console.error(`soak: process ${pid} of the guest is left`);
  process.kill(Number(pid), 'SIGKILL');
}
process.exitCode = status === 0 && left.length === 0 ? 0 : 1;

// Keeps guests of two ordinary users busy with 200 processes and more each. In the one, apt, gcc and git work as far as the tree has
// them, and nothing may go wrong. In the other the same runs while any process is killed at any moment: of the guest from within, and
// now and then from outside the launcher, the one that traces, or the first process. In both, programs ask all the time for what only the
// host has (scripts/soak.c).
// usage: scripts/soak [MINUTES] [--tree=DIR] [--accel=NAME]
//   MINUTES   default 20
//   --tree    a Debian: tsnspawn bootstrap --include=git,gcc,libc6-dev bookworm DIR
// Exit status 1: something has failed, hung, outlived the guest, or reached the host.

import { execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ordinaryUser } from './bench-users.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tree: { type: 'string', default: 'debian-tree' },
    accel: { type: 'string', default: '' },
  },
});
const minutes = Number(positionals[0] ?? 20);
if (!(minutes > 0) || !existsSync(options.tree)) {
  console.error(`soak: ${minutes > 0 ? `there is no ${options.tree}: npm start makes one` : 'MINUTES is no number'}`);
  process.exit(1);
}
const end = Date.now() + minutes * 60_000;
const left = () => Math.ceil((end - Date.now()) / 1000);
/** So many processes ask for what only the host has. */
const ASKING = 170;
/** What a guest may take to end by itself after the time, and to vanish when it was killed. */
const [GRACE, VANISHING] = [600_000, 20_000];

const failures = [];
function fail(text) {
  failures.push(text);
  console.error(`soak: ${text}`);
}

/** Each is done again and again until the time is over. */
const WORK = {
  shell:
    'for i in $(seq 40); do cat /etc/passwd | sed s/root/x/ | grep -q x || exit 1; done; find /usr/lib/*/perl-base -name "*.pm" >/dev/null',
  apt: `export DEBIAN_FRONTEND=noninteractive
apt-get -qq update && apt-get -qq install --reinstall --no-install-recommends cron >/dev/null &&
dpkg -V cron base-files && apt-get -qq remove cron >/dev/null && test -z "$(dpkg --audit)"`,
  gcc: `command -v gcc >/dev/null || exit 0
d=$(mktemp -d) && cd $d && echo 'int main() { return 0; }' >a.c && gcc -O2 a.c -o a && ./a && cd / && rm -r $d`,
  git: `command -v git >/dev/null || exit 0
d=$(mktemp -d) && cd $d && git init -q && for i in $(seq 100); do echo $i >f$i; done && git add . &&
git -c user.name=a -c user.email=a@b commit -qm files && git fsck --strict 2>/dev/null >&2 && test -z "$(git status --short)" && cd / && rm -r $d`,
};
const TIMES = { shell: 6, apt: 1, gcc: 4, git: 3 };
const looped = (name, i, wrong) => `( n=0; while [ $(date +%s) -lt $end ]; do
    sh -ec '${WORK[name].replaceAll("'", "'\\''")}' 2>/tmp/${name}${i}.err || { ${wrong}; }
    n=$((n+1)); done; echo "${name}: $n rounds" ) &`;
const all = (wrong) =>
  Object.entries(TIMES).flatMap(([name, times]) =>
    Array.from({ length: times }, (_, i) => looped(name, i, wrong(name, i))),
  );
const asking = (host) => `ask() { soak $((end - $(date +%s))) ${host} $1 || case $? in 99) : >/tmp/failed;; esac; }
mkdir -p ${host} && echo guest >${host}/both
for i in $(seq ${ASKING}); do ask $((i % 4 + 1)) & done`;

/** Nothing goes wrong here, or it is said. */
const steady = (host) => `rm -f /tmp/failed; end=$(($(date +%s) + ${left()}))
${asking(host)}
${all((name, i) => `echo "WRONG: ${name}, round $n"; cat /tmp/${name}${i}.err; : >/tmp/failed`).join('\n')}
( sleep ${Math.min(30, left() / 2)}; echo "processes: $(ls /proc | grep -c '^[0-9]')" ) &
wait; ! [ -e /tmp/failed ]`;

/** Here everybody is killed, and what has died is started again. */
const killed = (host, seconds) => `end=$(($(date +%s) + ${seconds})); first=$$
${asking(host)}
${all(() => ':').join('\n')}
while [ $(date +%s) -lt $end ]; do
  for i in 1 2 3 4 5; do
    pid=$(ls /proc | grep '^[0-9]' | shuf -n 1); [ "$pid" = $first ] || kill -9 $pid 2>/dev/null
  done
  for i in 1 2 3 4; do ask $i & done
  ${looped('shell', 9, ':')}
  sleep 0.3
done
kill -9 -1; wait; true`;

/** The living processes of a user. */
function processesOf(uid) {
  return readdirSync('/proc').filter((name) => {
    try {
      const status = /^\d+$/.test(name) && readFileSync(`/proc/${name}/status`, 'latin1');
      return status && new RegExp(`^Uid:\\s+${uid}\\b`, 'm').test(status) && !/^State:\s+[ZX]/m.test(status);
    } catch {
      return false; // gone meanwhile
    }
  });
}

/** What a process is, and what it waits for. */
function whereIs(pid) {
  const read = (name) => readFileSync(`/proc/${pid}/${name}`, 'utf8').trim();
  try {
    return `${read('comm')}: ${/^State:\s+(.*)$/m.exec(read('status'))?.[1]}, ${read('wchan')}, call ${read('syscall')}`;
  } catch {
    return 'has gone';
  }
}

/** Waits until nobody of a user is left. */
async function vanish(uid, what) {
  const limit = Date.now() + VANISHING;
  while (processesOf(uid).length > 0 && Date.now() < limit) await sleep(50);
  for (const pid of processesOf(uid)) {
    fail(`${what}: process ${pid} is left: ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}`);
    process.kill(Number(pid), 'SIGKILL');
  }
}

/** Runs a script in the guest of a user; undefined when it has not ended in time. */
function guest({ uid, gid, home, tree, command: [file, ...args] }, script, says) {
  const words = [...args, '-q', '--engine=ptrace', '--pipe', '-D', tree, 'bash', '-c', script];
  // whoever kills a launcher leaves its directory: it goes with the user
  const env = { ...process.env, HOME: home, TMPDIR: home, TSNSPAWN_PTRACE_ACCEL: options.accel, LC_ALL: 'C' };
  const child = spawn(file, words, { uid, gid, cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      if (says) process.stdout.write(text);
      if (/UNTRANSLATED/.test(text)) fail(text.trim());
    });
  const exited = new Promise((done) => child.once('exit', (status, signal) => done(signal ?? status)));
  return { child, exited, within: (ms) => Promise.race([exited, sleep(ms, undefined, { ref: false })]) };
}

async function runSteady(user) {
  const { child, within } = guest(user, steady(HOST), true);
  const status = await within(left() * 1000 + GRACE);
  if (status === undefined) {
    for (const pid of processesOf(user.uid)) console.error(`soak: ${pid} ${whereIs(pid)}`);
    child.kill('SIGKILL');
  }
  if (status !== 0) fail(status === undefined ? 'the guest hangs' : `the guest ended with status ${status}`);
  await vanish(user.uid, 'after the end');
}

/** Guests one after the other, each until somebody from outside kills one of its processes whose end is its own, or its time is over. */
async function runKilled(user) {
  const said = { guests: 0, killed: 0 };
  while (left() > 0) {
    const seconds = Math.min(left(), 20);
    const { child, exited, within } = guest(user, killed(HOST, seconds), false);
    said.guests++;
    let over = false;
    exited.then(() => {
      over = true;
    });
    const until = Date.now() + seconds * 1000;
    while (!over && Date.now() < until) {
      await within(500 + Math.random() * 4000);
      const victims = processesOf(user.uid);
      // the launcher and those that stand behind the guest are among the first
      const victim =
        victims[Math.floor(Math.random() * (Math.random() < 0.3 ? Math.min(4, victims.length) : victims.length))];
      if (victim === undefined) continue;
      try {
        process.kill(Number(victim), 'SIGKILL');
        said.killed++;
      } catch {} // gone meanwhile
    }
    if ((await within(GRACE)) === undefined) {
      fail('a guest in which processes are killed hangs');
      child.kill('SIGKILL');
    }
    await vanish(user.uid, 'after a kill');
  }
  console.log(`killed: ${said.killed} processes from outside, in ${said.guests} guests`);
}

// everybody on the host may do with it what he wants
const HOST = mkdtempSync('/tmp/soak-');
execFileSync('gcc', ['-O1', '-static', '-pthread', '-o', join(HOST, 'program'), 'scripts/soak.c']);
mkdirSync(join(HOST, 'only'));
writeFileSync(join(HOST, 'both'), 'host\n');
execFileSync('chmod', ['-R', 'a+rwX', HOST]);
const state = () => execFileSync('find', [HOST, '-printf', '%P %m %U %s %T@\n'], { encoding: 'utf8' });
const before = state();
try {
  const users = [0, 1].map(() => ordinaryUser(options.tree, false));
  for (const { tree } of users) copyFileSync(join(HOST, 'program'), join(tree, 'usr/bin/soak'));
  await Promise.all([runSteady(users[0]), runKilled(users[1])]);
  if (state() !== before) fail(`the guest has changed the host:\n${before}${state()}`);
} finally {
  rmSync(HOST, { recursive: true, force: true });
}
console.log(failures.length === 0 ? 'soak: nothing went wrong' : `soak: ${failures.length} failures`);
process.exitCode = failures.length === 0 ? 0 : 1;

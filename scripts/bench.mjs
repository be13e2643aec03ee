// Side by side with systemd-nspawn and bwrap, turn and turn about in one run, so that what the machine is doing meanwhile meets all alike.
//   start   from start to exit of /bin/true, without a terminal
//   options the same with twenty options
//   boot    from start until the guest says READY=1, and until it is powered off again
//   memory  what waits beside a payload that sleeps
//   users   start to exit of /bin/true as root, as a user, and as a user with one id
// usage: scripts/bench [--tree=DIR] [--only=start,options,boot,memory,users] [--pairs=20] [--boots=5] [--json] [--check]
//   --check   exit status 1 when a target is missed

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ordinaryUser } from './bench-users.mjs';
import { below, inTurns, listenForReady, look, median, now, sleep } from './measure.mjs';

const { values: options } = parseArgs({
  options: {
    tree: { type: 'string', default: 'debian-tree' },
    only: { type: 'string', default: 'start,options,boot,memory,users' },
    pairs: { type: 'string', default: '20' },
    boots: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const { tree } = options;
if (!existsSync(tree)) {
  console.error(`bench: there is no ${tree}: npm start makes one, --tree=DIR names another`);
  process.exit(1);
}

// Without its registration, which needs a running systemd, systemd-nspawn has less to do: the comparison errs in its favour.
const launchers = {
  tsnspawn: (...args) => ['node_modules/.bin/tsnspawn', '-q', '-D', tree, ...args],
  'systemd-nspawn': (...args) => ['systemd-nspawn', '-q', '--keep-unit', '--register=no', '-D', tree, ...args],
};
const installed = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
const names = Object.keys(launchers).filter((name) => name === 'tsnspawn' || installed(name));

// Reading the extra certificates costs Node 20 some 40 ms before it runs a line of anybody's program.
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS;

function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(1);
}

const rows = [];
/** One row for each name. */
function list(what, unit, samples) {
  for (const [name, values] of Object.entries(samples))
    rows.push({ what, name, unit, median: median(values), min: Math.min(...values), max: Math.max(...values) });
}

/** Rows per launcher, then the ratios: each a median over the pairs, so a slow moment of the machine weighs on both or on neither. */
function compare(what, unit, samples, target) {
  list(what, unit, samples);
  for (const other of Object.keys(samples).filter((name) => name !== 'tsnspawn')) {
    const ratio = median(samples.tsnspawn.map((value, index) => value / samples[other][index]));
    const limit = other === 'systemd-nspawn' ? target : undefined;
    rows.push({
      what,
      name: `tsnspawn / ${other}`,
      unit: '',
      median: ratio,
      target: limit,
      met: limit === undefined || ratio <= limit,
    });
  }
}

/** From start to exit of each command, in turns. */
async function startAndExit(what, commands) {
  const samples = await inTurns(Object.keys(commands), Number(options.pairs), 3, (name) => timeOf(commands[name]));
  compare(what, 'ms', samples, 0.6);
}

/** Milliseconds from start to exit. */
function timeOf([file, ...args], more = {}) {
  const begin = now();
  const { status, stderr } = spawnSync(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'], ...more });
  const took = now() - begin;
  if (status !== 0) fail(`${[file, ...args].join(' ')}: exit status ${status}: ${stderr}`);
  return took;
}

async function start() {
  const commands = Object.fromEntries(names.map((name) => [name, launchers[name]('--pipe', '/bin/true')]));
  if (installed('bwrap')) {
    commands.bwrap = ['bwrap', '--bind', tree, '/', '--dev', '/dev', '--proc', '/proc', '--unshare-all', '/bin/true'];
  }
  await startAndExit('start and exit', commands);
}

/** One of each kind that needs nothing of the host: names, mounts, limits, privileges. */
const TWENTY = [
  '--machine=bench',
  '--hostname=bench.example',
  '--uuid=0123456789abcdef0123456789abcdef',
  '--read-only',
  '--tmpfs=/var',
  '--tmpfs=/mnt:mode=0700,size=8M',
  '--bind=/usr/share:/srv',
  '--bind-ro=/usr/lib:/opt',
  '--chdir=/srv',
  '--setenv=A=1',
  '--setenv=B=2',
  '--rlimit=NOFILE=512:1024',
  '--rlimit=CORE=0',
  '--drop-capability=CAP_NET_RAW,CAP_MKNOD',
  '--no-new-privileges=yes',
  '--oom-score-adjust=300',
  '--cpu-affinity=0',
  '--kill-signal=SIGTERM',
  '--resolv-conf=off',
  '--link-journal=no',
];

async function manyOptions() {
  const commands = names.map((name) => [name, launchers[name]('--pipe', ...TWENTY, '/bin/true')]);
  await startAndExit('twenty options', Object.fromEntries(commands));
}

async function bootOnce(name) {
  const dir = mkdtempSync(join(tmpdir(), 'tsnspawn-bench-'));
  const listener = await listenForReady(join(dir, 'notify'));
  const [file, ...args] = launchers[name]('--boot', '--notify-ready=yes');
  const begin = now();
  const child = spawn(file, args, {
    env: { ...env, NOTIFY_SOCKET: join(dir, 'notify') },
    stdio: ['ignore', 'ignore', name === 'tsnspawn' ? 'inherit' : 'ignore'],
  });
  const exit = new Promise((resolve) => child.on('exit', (code) => resolve({ code, at: now() })));
  const up = await Promise.race([listener.ready, exit, sleep(120_000)]);
  child.kill(typeof up === 'number' ? 'SIGTERM' : 'SIGKILL'); // SIGTERM asks both launchers to power the guest off in order
  const { at } = await exit;
  listener.close();
  rmSync(dir, { recursive: true });
  if (typeof up !== 'number')
    fail(`${name}: the guest ${up ? `ended with status ${up.code}` : 'was not up'} before it was ready`);
  return { up: up - begin, off: at - begin };
}

async function boot() {
  if (!installed('perl')) return rows.push({ what: 'boot', name: 'not measured: needs perl' });
  const samples = await inTurns(names, Number(options.boots), 1, bootOnce);
  const pick = (key) => Object.fromEntries(names.map((name) => [name, samples[name].map((sample) => sample[key])]));
  compare('boot until up', 'ms', pick('up'), 1);
  compare('boot until off', 'ms', pick('off'));
}

async function memory() {
  const isPayload = ({ exe }) => /^(sleep|coreutils|busybox)$/.test(exe);
  for (const name of names) {
    const [file, ...args] = launchers[name]('--pipe', '/bin/sleep', '30');
    const child = spawn(file, args, { env, stdio: 'ignore' });
    const exit = new Promise((resolve) => child.on('exit', resolve));
    await sleep(1500);
    const found = below(child.pid);
    const payload = found.find(isPayload);
    if (payload === undefined) fail(`${name}: no sleeping payload to be seen`);
    // The launcher itself counts where it is not Node: it waits too.
    const waiting = [look(child.pid), ...found].filter((process) => !isPayload(process) && process.exe !== 'node');
    process.kill(payload.pid, 'SIGKILL');
    await exit;
    const sum = waiting.reduce((total, { rss }) => total + rss, 0);
    const target = name === 'tsnspawn' ? 1024 : undefined;
    rows.push({ what: 'memory', name, unit: 'KiB', median: sum, target, met: target === undefined || sum <= target });
  }
}

/** The same command line by who has less: each against root, in pairs of one run. */
async function users() {
  const what = 'start as';
  if (!installed('useradd') || !installed('newuidmap'))
    return rows.push({ what, name: 'not measured: needs useradd and newuidmap' });
  const root = { tree, command: [process.execPath, 'node_modules/.bin/tsnspawn'] };
  const callers = { root, user: ordinaryUser(tree, true), 'user with one id': ordinaryUser(tree, false) };
  const samples = await inTurns(Object.keys(callers), Number(options.pairs), 3, (name) => {
    const { command, tree: own, home, ...ids } = callers[name];
    const place = home === undefined ? {} : { cwd: home, env: { ...env, HOME: home } };
    return timeOf([...command, '-q', '-D', own, '--pipe', '/bin/true'], { ...ids, ...place });
  });
  list(what, 'ms', samples);
  for (const name of Object.keys(callers).filter((one) => one !== 'root')) {
    const ratio = median(samples[name].map((value, index) => value / samples.root[index]));
    rows.push({ what, name: `${name} / root`, unit: '', median: ratio, target: 1.3, met: ratio <= 1.3 });
  }
}

const parts = { start, options: manyOptions, boot, memory, users };
for (const part of options.only.split(',')) await (parts[part] ?? (() => fail(`there is no part ${part}`)))();

if (options.json) console.log(JSON.stringify({ tree, rows }, null, 2));
else {
  console.log(`${''.padEnd(46)}${['median', 'min', 'max'].map((word) => word.padStart(10)).join('')}`);
  const number = (value, unit) =>
    (value === undefined ? '' : value.toFixed(unit === '' ? 2 : unit === 'KiB' ? 0 : 1)).padStart(10);
  for (const { what, name, unit, median, min, max, target, met } of rows) {
    const verdict = target === undefined ? '' : `  target <= ${target}: ${met ? 'met' : 'MISSED'}`;
    console.log(
      `${what.padEnd(16)}${name.padEnd(26)}${(unit ?? '').padEnd(4)}${[median, min, max].map((value) => number(value, unit)).join('')}${verdict}`,
    );
  }
}
process.exitCode = options.check && rows.some(({ met }) => met === false) ? 1 : 0;

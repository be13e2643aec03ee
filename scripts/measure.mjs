// Tools of scripts/bench.mjs: the clock, the statistics, and two ways of looking at a container from outside.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Milliseconds of a clock that nobody sets. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

/** `once` is called for each name in turn, a few times for nothing first; returns what it returned, by name. */
export async function inTurns(names, times, warmup, once) {
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -warmup; round < times; round++) {
    for (const name of round % 2 ? names : names.toReversed()) {
      const value = await once(name);
      if (round >= 0) samples[name].push(value);
    }
  }
  return samples;
}

const receiver = `use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die "$!"; $| = 1;
  print "bound\\n"; while (defined recv(S, my $text, 4096, 0)) { print "ready\\n" if $text =~ /^READY=1$/m }`;

/** Listens on a $NOTIFY_SOCKET. Node cannot receive datagrams on a Unix socket; Perl, which every Debian has, can. */
export async function listenForReady(path) {
  const perl = spawn('perl', ['-e', receiver, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const hear = (word) =>
    new Promise((resolve) => perl.stdout.on('data', (text) => `${text}`.includes(word) && resolve(now())));
  await hear('bound');
  return { ready: hear('ready'), close: () => perl.kill() };
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}

function program(pid) {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return '';
  }
}

/** A process with the name of its program and the memory it holds, in KiB. */
export function look(pid) {
  const status = read(`/proc/${pid}/status`);
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return { pid, parent: field('PPid'), exe: program(pid), rss: field('VmRSS') };
}

/** All processes below `pid`. */
export function below(pid) {
  const all = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => look(Number(entry)));
  const children = (parent) =>
    all.filter((process) => process.parent === parent).flatMap((process) => [process, ...children(process.pid)]);
  return children(pid);
}

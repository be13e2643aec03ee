// Runs a case through both launchers and tells where they differ: status, output, what the guest sees, and what stays behind.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { quoted, TSNSPAWN } from '../support/launcher';
import type { Case } from './case';
import { EXPECTED, type Expected } from './expected';
import { makeTemplate, Place } from './place';
import { ReferenceHost } from './reference';
import { readReport } from './report';

export interface Difference {
  /** `status`, `mount /proc`, `environ container` … */
  readonly key: string;
  readonly ours: string;
  readonly theirs: string;
  /** the entry of the list that says why, when there is one */
  readonly expected?: Expected;
}

export interface Comparison {
  readonly promise: string;
  /** why it could not be made here */
  readonly skipped?: string;
  readonly differences: readonly Difference[];
  /** seconds of both together */
  readonly seconds: number;
}

interface Run {
  readonly status: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly listing: Map<string, string>;
  readonly after: string;
}

type Side = 'ours' | 'theirs';
/** No bus is asked: neither machined nor a service manager is needed. */
const ALONE = ['--register=no', '--keep-unit'] as const;
/** How many cases run at a time. */
const LANES = 2;
const DEFAULT_BASE = ['-q', '-P', '-D', 'guest'] as const;

/** What systemd-nspawn says of a caller that has not all capabilities, which is no matter of the case. */
const NOISE = /^Some capabilities will not be set .*\n/gm;

/** Version of the installed systemd-nspawn; undefined where there is none. */
export function referenceVersion(): number | undefined {
  const { stdout } = spawnSync('systemd-nspawn', ['--version'], { encoding: 'utf8' });
  const version = /^systemd (\d+)/.exec(stdout ?? '')?.[1];
  return version === undefined ? undefined : Number(version);
}

/** Where the cases run. Goes with close(). */
export class Comparer {
  readonly #home: string;
  readonly #template: string;
  readonly #version: number;
  readonly #reference: ReferenceHost;
  readonly #occurred = new Set<Expected>();

  constructor(version: number) {
    this.#version = version;
    mkdirSync('build', { recursive: true });
    this.#home = mkdtempSync(join(process.cwd(), 'build/comparison-'));
    const probe = join(this.#home, 'probe');
    execFileSync('gcc', ['-static', '-O1', '-o', probe, 'test/comparison/probe.c']);
    this.#template = makeTemplate(this.#home, probe);
    const point = join(this.#home, 'run');
    mkdirSync(point);
    this.#reference = new ReferenceHost(point);
  }

  async close(): Promise<void> {
    await this.#reference.remove();
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** Runs all cases, a few at a time; the comparisons come in the order of the cases. */
  compareAll(cases: readonly Case[]): Promise<Comparison>[] {
    const queues = {
      alone: cases.filter(({ alone }) => alone === true),
      shared: cases.filter(({ alone }) => alone !== true),
    };
    const settle = new Map<Case, (comparison: Promise<Comparison>) => void>();
    const promises = cases.map((one) => new Promise<Comparison>((resolve) => settle.set(one, resolve)));
    const lane = async (name: string, ...order: Case[][]): Promise<void> => {
      for (;;) {
        const one = order.find(({ length }) => length > 0)?.shift();
        if (one === undefined) return;
        const comparison = this.compare(one, name);
        settle.get(one)?.(comparison);
        await comparison.catch(() => {}); // told by the promise of the case
      }
    };
    for (const index of cpus().slice(0, LANES).keys())
      void lane(`lane${index}`, ...(index === 0 ? [queues.alone] : []), queues.shared);
    return promises;
  }

  /** Runs one case through both, one after the other: they share names. */
  async compare(one: Case, lane = 'lane'): Promise<Comparison> {
    const skipped = this.#lacks(one);
    if (skipped !== undefined) return { promise: one.promise, skipped, differences: [], seconds: 0 };
    const started = process.hrtime.bigint();
    const theirs = await this.#run('theirs', one, lane);
    const ours = await this.#run('ours', one, lane);
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    let differences = this.#judge(one, ours, theirs);
    // Whether the reference says the same twice: it sets up a console beside the payload, for one.
    if (differences.some(({ expected }) => expected === undefined))
      differences = this.#judge(one, ours, await this.#run('theirs', one, lane));
    return { promise: one.promise, differences, seconds };
  }

  #judge(one: Case, ours: Run, theirs: Run): Difference[] {
    return [...differencesOf(one, ours, theirs)].map((difference): Difference => {
      const expected = EXPECTED.find((entry) => applies(entry, one, difference));
      if (expected === undefined) return difference;
      this.#occurred.add(expected);
      return { ...difference, expected };
    });
  }

  /** Entries of the list that no comparison so far has met: what they tell is not true any more. */
  outdated(): readonly Expected[] {
    return EXPECTED.filter(
      (entry) =>
        !this.#occurred.has(entry) && entry.where === undefined && (entry.until ?? this.#version) >= this.#version,
    );
  }

  #lacks(one: Case): string | undefined {
    if (one.since !== undefined && one.since > this.#version)
      return `systemd-nspawn ${this.#version} does not have it, ${one.since} does`;
    return undefined;
  }

  async #run(side: Side, one: Case, lane: string): Promise<Run> {
    const place = await Place.make(join(this.#home, `${side}-${lane}`), this.#template);
    try {
      one.prepare?.(place);
      const cwd = join(place.path, one.cwd ?? '.');
      const launcher =
        side === 'ours'
          ? [...PRIVATE_LOG, TSNSPAWN]
          : [...(await this.#reference.enter(cwd)), ...PRIVATE_LOG, 'systemd-nspawn'];
      const fill = (word: string): string => word.replaceAll('{place}', place.path);
      const words = [
        ...ALONE,
        ...(one.base ?? DEFAULT_BASE),
        ...(one.options ?? []),
        ...(one.command ?? ['/probe']),
      ].map(fill);
      const env = Object.fromEntries(Object.entries(one.env ?? {}).map(([name, value]) => [name, fill(value)]));
      const { status, stdout, stderr } = await execute([...launcher, ...words], {
        ...one,
        env,
        cwd,
      });
      const hide = (text: string): string =>
        text.replaceAll('\r\n', '\n').replaceAll('^@', '').replaceAll(place.path, 'PLACE').replace(NOISE, '');
      return {
        status,
        stdout: hide(stdout),
        stderr: hide(stderr),
        listing: place.listing(),
        after: one.after === undefined ? '' : hide(one.after(place)),
      };
    } finally {
      await place.remove();
    }
  }
}

/** Links and directories in the journal of the host are made in one that goes with the command. */
const PRIVATE_LOG = [
  ...['unshare', '-m', '--propagation', 'slave', 'sh', '-c'],
  'mount -n -t tmpfs tmpfs /var/log && mkdir /var/log/journal && exec "$@"',
  'sh',
];

interface Output {
  readonly status: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. The caller's environment is a fixed one. */
function execute(plain: readonly string[], how: Case & { readonly cwd: string }): Promise<Output> {
  const [file, ...args] = how.terminal
    ? ['script', '-qefc', `stty rows 33 cols 77; ${plain.map(quoted).join(' ')}`, '/dev/null']
    : plain;
  const env = { PATH: process.env.PATH ?? '', HOME: '/root', TERM: 'xterm', SHELL: '/bin/sh', ...how.env };
  const child = spawn(file as string, args, { cwd: how.cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  let waiting = how.signal;
  const hear = (stream: keyof typeof output) => (data: Buffer) => {
    output[stream] += data.toString('latin1');
    if (waiting === undefined || !waiting[0].test(output.stdout)) return;
    child.kill(waiting[1]);
    waiting = undefined;
  };
  child.stdout.on('data', hear('stdout'));
  child.stderr.on('data', hear('stderr'));
  child.stdin.on('error', () => {}); // who does not read may end before all is written
  child.stdin.write(how.input ?? '');
  // The end of the input would be typed at a terminal, as Ctrl-D.
  if (!how.terminal) child.stdin.end();
  let late = false;
  const timer = setTimeout(
    () => {
      late = true;
      child.kill('SIGKILL');
    },
    (how.timeout ?? 20) * 1000,
  );
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ status: late ? 'never ended' : signal === null ? `${code}` : signal, ...output });
    });
  });
}

function* differencesOf(one: Case, ours: Run, theirs: Run): Generator<Difference> {
  if (ours.status !== theirs.status) {
    // whatever else differs follows from that
    yield { key: 'status', ours: `${ours.status} ${ours.stderr}`, theirs: `${theirs.status} ${theirs.stderr}` };
    return;
  }
  // Words differ. But both are silent after a success, and neither is after a failure of its own.
  const says = ({ stderr }: Run): string => (stderr === '' ? '(nothing)' : stderr.trim());
  if (theirs.stderr === '' && ours.stderr !== '') yield { key: 'stderr', ours: says(ours), theirs: says(theirs) };
  if (one.statusOnly && theirs.stderr !== '' && ours.stderr === '' && theirs.status !== '0')
    yield { key: 'stderr', ours: says(ours), theirs: says(theirs) };
  yield* differ('left', ours.listing, theirs.listing);
  if (ours.after !== theirs.after) yield { key: 'after', ours: ours.after, theirs: theirs.after };
  if (one.statusOnly) return;
  const [mine, reference] = [ours, theirs].map(({ stdout }) => splitReport(stdout));
  if (mine?.text !== reference?.text) yield { key: 'stdout', ours: mine?.text ?? '', theirs: reference?.text ?? '' };
  if (mine?.report && reference?.report) yield* differ(undefined, mine.report, reference.report);
}

/** What the payload said, and what the probe saw: its report is the end of it. */
function splitReport(stdout: string): { text: string; report?: Map<string, string> } {
  const start = stdout.search(/^@@ /m);
  const report = start < 0 ? undefined : readReport(stdout.slice(start), 'PLACE');
  return report === undefined ? { text: stdout } : { text: stdout.slice(0, start), report };
}

const NONE = '(none)';

function* differ(
  prefix: string | undefined,
  ours: Map<string, string>,
  theirs: Map<string, string>,
): Generator<Difference> {
  for (const key of new Set([...theirs.keys(), ...ours.keys()])) {
    const [mine = NONE, reference = NONE] = [ours.get(key), theirs.get(key)];
    if (mine !== reference)
      yield { key: prefix === undefined ? key : `${prefix} ${key}`, ours: mine, theirs: reference };
  }
}

function applies(entry: Expected, one: Case, { key, ours, theirs }: Difference): boolean {
  return (
    entry.key.test(key) &&
    (entry.ours?.test(ours) ?? true) &&
    (entry.theirs?.test(theirs) ?? true) &&
    (entry.promise?.test(one.promise) ?? true)
  );
}

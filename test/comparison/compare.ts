// Runs a case through both launchers and tells where they differ: status, output, what the guest sees, and what stays behind.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { quoted, TSNSPAWN } from '../support/launcher';
import type { Case } from './case';
import { EXPECTED, type Expected } from './expected';
import { Place } from './place';
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

const LAUNCHERS = { theirs: 'systemd-nspawn', ours: TSNSPAWN } as const;
type Side = keyof typeof LAUNCHERS;
/** No bus is asked: neither machined nor a service manager is needed. */
const ALONE = ['--register=no', '--keep-unit'] as const;
const DEFAULT_BASE = ['-q', '-P', '-D', 'guest'] as const;

/** Version of the installed systemd-nspawn; undefined where there is none. */
export function referenceVersion(): number | undefined {
  const { stdout } = spawnSync('systemd-nspawn', ['--version'], { encoding: 'utf8' });
  const version = /^systemd (\d+)/.exec(stdout ?? '')?.[1];
  return version === undefined ? undefined : Number(version);
}

/** Where the cases run. Goes with close(). */
export class Comparer {
  readonly #home: string;
  readonly #probe: string;
  readonly #version: number;
  readonly #occurred = new Set<Expected>();

  constructor(version: number) {
    this.#version = version;
    mkdirSync('build', { recursive: true });
    this.#home = mkdtempSync(join(process.cwd(), 'build/comparison-'));
    this.#probe = join(this.#home, 'probe');
    execFileSync('gcc', ['-static', '-O1', '-o', this.#probe, 'test/comparison/probe.c']);
  }

  close(): void {
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** Runs one case through both, one after the other: they share names of machines and interfaces. */
  async compare(one: Case): Promise<Comparison> {
    const skipped = this.#lacks(one);
    if (skipped !== undefined) return { promise: one.promise, skipped, differences: [], seconds: 0 };
    const started = process.hrtime.bigint();
    const theirs = await this.#run('theirs', one);
    const ours = await this.#run('ours', one);
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const found = [...differencesOf(one, ours, theirs)].map((difference): Difference => {
      const expected = EXPECTED.find((entry) => applies(entry, one, difference));
      if (expected === undefined) return difference;
      this.#occurred.add(expected);
      return { ...difference, expected };
    });
    return { promise: one.promise, differences: found, seconds };
  }

  /** Entries of the list that no comparison so far has met: what they tell is not true any more. */
  outdated(): readonly Expected[] {
    return EXPECTED.filter((entry) => !this.#occurred.has(entry) && (entry.until ?? this.#version) >= this.#version);
  }

  #lacks(one: Case): string | undefined {
    if (one.since !== undefined && one.since > this.#version)
      return `systemd-nspawn ${this.#version} does not have it, ${one.since} does`;
    if (one.needsSystemd && spawnSync('test', ['-S', '/run/udev/control']).status !== 0)
      return 'systemd-nspawn refuses it where udev does not run';
    return undefined;
  }

  async #run(side: Side, one: Case): Promise<Run> {
    const place = new Place(join(this.#home, side), one.tree ?? 'busybox', this.#probe);
    try {
      one.prepare?.(place);
      const fill = (word: string): string => word.replaceAll('{place}', place.path);
      const words = [
        ...ALONE,
        ...(one.base ?? DEFAULT_BASE),
        ...(one.options ?? []),
        ...(one.command ?? ['/probe']),
      ].map(fill);
      const env = Object.fromEntries(Object.entries(one.env ?? {}).map(([name, value]) => [name, fill(value)]));
      const { status, stdout, stderr } = await execute(side, words, {
        ...one,
        env,
        cwd: join(place.path, one.cwd ?? '.'),
      });
      const hide = (text: string): string => text.replaceAll('\r\n', '\n').replaceAll(place.path, 'PLACE');
      return {
        status,
        stdout: hide(stdout),
        stderr: hide(stderr),
        listing: place.listing(),
        after: one.after === undefined ? '' : hide(one.after(place)),
      };
    } finally {
      place.remove();
    }
  }
}

interface Output {
  readonly status: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a launcher to its end. The caller's environment is a fixed one. */
function execute(side: Side, words: readonly string[], how: Case & { readonly cwd: string }): Promise<Output> {
  const plain = [LAUNCHERS[side], ...words];
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
  child.stdin.end(how.input ?? '');
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
  if (ours.status !== theirs.status)
    yield { key: 'status', ours: `${ours.status} ${ours.stderr}`, theirs: `${theirs.status} ${theirs.stderr}` };
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

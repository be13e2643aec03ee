// Side by side with systemd-nspawn: the cases of test/comparison, the same command line for both, and what differs in status,
// output, what the guest sees and what stays behind. The tests make the same comparison (test/container/compare.test.ts).
// usage: scripts/compare [--only=PATTERN] [--json] [--verbose]
//   --only      cases whose promise matches the regular expression
//   --verbose   also the differences that are expected, and why
// Exit status 1: there is a difference that is not in docs/compatibility.md, or one that is and does not occur any more.

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const bundle = resolve('build/test/comparison.cjs');
mkdirSync('build/test', { recursive: true });
await build({
  entryPoints: ['test/comparison/index.ts'],
  outfile: bundle,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
});
const { CASES, Comparer, referenceVersion } = createRequire(import.meta.url)(bundle);

const version = referenceVersion();
if (version === undefined) {
  console.error('compare: there is no systemd-nspawn here (on Debian: sudo apt-get install systemd-container)');
  process.exit(1);
}
const pattern = new RegExp(options.only);
const cases = CASES.filter(({ promise }) => pattern.test(promise));
const comparer = new Comparer(version);
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, async () => {
    await comparer.close();
    process.exit(status);
  });
}
const started = process.hrtime.bigint();
const results = [];
const say = (line) => options.json || console.log(line);

function report({ promise, skipped, differences, seconds }) {
  const unexpected = differences.filter(({ expected }) => expected === undefined);
  const known = differences.length - unexpected.length;
  const verdict = skipped ? '-   ' : unexpected.length > 0 ? 'DIFF' : 'same';
  const notes =
    skipped ??
    [known > 0 && `${known} expected`, unexpected.length > 0 && `${unexpected.length} not`].filter(Boolean).join(', ');
  say(`${verdict} ${promise.padEnd(72)} ${skipped ? '      ' : `${seconds.toFixed(2).padStart(5)} s`}  ${notes}`);
  const clip = (text) =>
    (text.length > 300 ? `${text.slice(0, 300)} …` : text).replaceAll('\n', '\n                      ');
  for (const { key, ours, theirs, expected } of differences) {
    if (expected !== undefined && !options.verbose) continue;
    say(
      `       ${key}${expected === undefined ? '' : `   expected: ${expected.row}`}\n         tsnspawn:       ${clip(ours)}\n         systemd-nspawn: ${clip(theirs)}`,
    );
  }
}

try {
  for (const comparison of comparer.compareAll(cases)) {
    const result = await comparison;
    results.push(result);
    report(result);
  }
} finally {
  await comparer.close();
}
const outdated = options.only === '' ? comparer.outdated() : [];
for (const { row, key } of outdated) say(`DIFF expected, but does not occur: ${row} (${key})`);

const differ = results.filter(({ differences }) => differences.some(({ expected }) => expected === undefined));
const skipped = results.filter(({ skipped }) => skipped);
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
if (options.json) {
  const rows = results.map(({ promise, skipped, differences }) => ({
    promise,
    skipped,
    differences: differences.map(({ key, ours, theirs, expected }) => ({ key, ours, theirs, row: expected?.row })),
  }));
  console.log(JSON.stringify({ version, rows, outdated: outdated.map(({ row }) => row) }, null, 2));
} else {
  say(
    `systemd-nspawn ${version}: ${results.length - differ.length - skipped.length} the same, ${differ.length} different, ${skipped.length} not comparable here, in ${seconds.toFixed(0)} s`,
  );
}
process.exitCode = differ.length + outdated.length > 0 ? 1 : 0;

// The cases of test/conformance: what each way says otherwise than a chroot. The tests ask the same (test/container/conformance.test.ts).
// usage: scripts/conformance [--proot[=PATH]] [--old] [--accel=none,trace] [--narrow] [--only=TEXT] [--brief] [--all]
//   --proot   also by PRoot, as it is installed or of that path
//   --old     also by the portable archive on a kernel that answers as 2.6.32 does, with a chroot there as another right answer
//   --narrow  programs of 32 bits
//   --only    cases whose name has this in it
//   --brief   names alone, and the table
//   --all     also what is known to differ: test/conformance/expected.ts

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values: options } = parseArgs({
  args: process.argv.slice(2).map((word) => (word === '--proot' ? '--proot=proot' : word)),
  options: {
    proot: { type: 'string' },
    old: { type: 'boolean', default: false },
    narrow: { type: 'boolean', default: false },
    accel: { type: 'string' },
    only: { type: 'string', default: '' },
    brief: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
  },
});

const bundle = resolve('build/test/conformance.cjs');
mkdirSync('build/test', { recursive: true });
await build({
  entryPoints: ['test/conformance/index.ts'],
  outfile: bundle,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
});
const conformance = createRequire(import.meta.url)(bundle);
const { comparable, differencesOf, runAll } = conformance;
const width = options.narrow ? 'narrow' : 'native';
await conformance.makePrograms(width);

const right = runAll(conformance.reference('build/conformance/reference', false, width), options.only);
const old = options.old ? runAll(conformance.reference('build/conformance/reference', true), options.only) : undefined;
const accelerators = options.accel?.split(',').filter(Boolean) ?? conformance.ACCELERATORS;
const ways = [
  ...accelerators.map((name) => [name, () => conformance.engine(name, width)]),
  ...(options.old ? [['old', () => conformance.onOldKernel()]] : []),
  ...(options.proot ? [['proot', () => conformance.proot(options.proot)]] : []),
];

/** Lines that the one has and the other has not, in the order of the first. */
function difference(from, to) {
  const left = [...to];
  return from.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

const table = [];
for (const [name, make] of ways) {
  const started = process.hrtime.bigint();
  const way = make();
  const before = way.place.stateOfSecret();
  const results = runAll(way, options.only);
  const after = way.place.stateOfSecret();
  const untouched = after === before;
  if (!untouched)
    for (const line of difference(after.split('\n'), before.split('\n'))) console.log(`${name}: the host has ${line}`);
  way.close();
  let same = 0;
  for (const [promise, lines] of right) {
    const differs = options.all ? [] : differencesOf(promise, name, width);
    const [wanted, got] = [comparable(lines, differs), comparable(results.get(promise), differs)];
    const also = name === 'old' ? comparable(old.get(promise), differs).join('\n') : undefined;
    if (wanted.join('\n') === got.join('\n') || got.join('\n') === also) {
      same++;
      continue;
    }
    console.log(`${name}: ${promise}`);
    if (options.brief) continue;
    for (const line of difference(wanted, got)) console.log(`  - ${line.trim()}`);
    for (const line of difference(got, wanted)) console.log(`  + ${line.trim()}`);
  }
  const seconds = (Number(process.hrtime.bigint() - started) / 1e9).toFixed(1);
  const host = untouched ? '' : ', AND CHANGED THE HOST';
  table.push(`${name.padEnd(8)} ${same} of ${right.size} as in a chroot, ${seconds} s${host}`);
}
console.log(table.join('\n'));
process.exitCode = table.length > 0 ? 0 : 1;

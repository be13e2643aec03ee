// Whatever systemd-nspawn does with a command line, this launcher does: each case of test/comparison is run through both.
// Differences that are meant stand in test/comparison/expected.ts, and in docs/compatibility.md for people; that each still occurs is
// asked by `npm run compare`, as some of them are a matter of systemd-nspawn's timing.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CASES, Comparer, referenceVersion } from '../comparison';
import { needs, only } from '../support/needs';

const missing = needs('root', 'namespaces', 'command:gcc', 'command:ip', 'command:script', 'command:systemd-nspawn');
const it = only(test, missing);
const version = missing === undefined ? referenceVersion() : undefined;
const comparer = version === undefined ? undefined : new Comparer(version);
const comparisons = comparer?.compareAll(CASES) ?? [];
// Each test waits for its own; until then nobody else minds that one has failed.
for (const comparison of comparisons) comparison.catch(() => {});

for (const [index, { promise }] of CASES.entries()) {
  it(`like systemd-nspawn: ${promise}`, async () => {
    const comparison = await comparisons[index];
    const unexpected = comparison?.differences.filter(({ expected }) => expected === undefined);
    assert.equal(unexpected, []);
  });
}

test.after(() => comparer?.close());

test.run();

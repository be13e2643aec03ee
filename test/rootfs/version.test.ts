import { compareVersions, parseVersion, versionSatisfies } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** Each is older than the one behind it. */
const RISING = [
  ['1.0~~', '1.0~~a', '1.0~', '1.0-0~', '1.0', '1.0-1', '1.0a', '1.0+', '1.0.1'],
  ['0', '0a', '0.1', '00.2', '1', '2', '10', '1:0', '1:1~rc1-2', '1:1-1', '10:0'],
  ['1.2.3-1', '1.2.3-1+b1', '1.2.3-1+deb12u1', '1.2.3-1.1', '1.2.3-2~', '1.2.3-2'],
  ['2.0~beta-4', '2.0~rc1', '2.0', '2.0-0.1', '2.0-1~bpo', '2.0-1'],
  ['20240101', '20240101120000123456789012345678', '20240101120000123456789012345679'],
  ['1.0-1-2', '1.0-1-10', '1.0-2-1'],
];

test('versions are ordered as deb-version(7) says', () => {
  for (const row of RISING) {
    for (const [i, a] of row.entries()) {
      for (const [j, b] of row.entries())
        assert.is(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} against ${b}`);
    }
  }
});

test('leading zeros, an epoch of zero and an empty revision change nothing', () => {
  for (const [a, b] of [
    ['1.02', '1.2'],
    ['0:1.2', '1.2'],
    ['1.0', '1.0-0'],
    ['1.0-', '1.0'],
  ] as const)
    assert.is(compareVersions(a, b), 0, `${a} = ${b}`);
});

test('a version is taken apart at its first colon and its last dash', () => {
  assert.equal(parseVersion('2:1.0-rc1-3'), { epoch: 2, upstream: '1.0-rc1', revision: '3' });
});

test('the five relations hold where they should and nowhere else', () => {
  const holds = (operator: '<<' | '<=' | '=' | '>=' | '>>'): boolean[] =>
    ['1', '2', '3'].map((version) => versionSatisfies(version, operator, '2'));
  assert.equal(holds('<<'), [true, false, false]);
  assert.equal(holds('<='), [true, true, false]);
  assert.equal(holds('='), [false, true, false]);
  assert.equal(holds('>='), [false, true, true]);
  assert.equal(holds('>>'), [false, false, true]);
});

test.run();

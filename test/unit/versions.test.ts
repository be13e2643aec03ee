import { compareVersions, newestVersion } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const HERE = ['x86_64', 'i686'];

/** Version Format Specification of the UAPI group, section "Examples", and strverscmp_improved() of systemd. */
const ASCENDING = [
  ['~', '', 'a', '0', '1'],
  [
    '122.1',
    '123~rc1-1',
    '123',
    '123-a',
    '123-a.1',
    '123-1',
    '123-1.1',
    '123^post1',
    '123.a-1',
    '123.1-1',
    '123a-1',
    '124-1',
  ],
  ['1.0~rc1', '1.0', '1.0.1', '1.1', '1.10'],
  ['7.5.13', '7.5.14', '7.6.0', '7.7.0'],
  ['2', '10', '100000000000000000000000', '100000000000000000000001'],
];

for (const versions of ASCENDING) {
  test(`${versions.map((version) => version || '(nothing)').join(' < ')}`, () => {
    for (const [i, a] of versions.entries()) {
      for (const [j, b] of versions.entries()) assert.is(compareVersions(a, b), Math.sign(i - j) + 0, `${a} and ${b}`);
    }
  });
}

test('leading zeros and characters that are no part of a version do not count', () => {
  assert.is(compareVersions('1.02', '1.2'), 0);
  assert.is(compareVersions('1_2', '1+2'), 0);
});

test('the newest of a directory is taken, whatever the order of its entries', () => {
  const entries = ['m_7.5.13', 'm_7.5.14', 'm_7.6.0', 'm_7.10.0', 'other_9', 'm', 'm_'];
  assert.is(newestVersion(entries, 'm', '', HERE), 'm_7.10.0');
  assert.is(newestVersion([...entries].reverse(), 'm', '', HERE), 'm_7.10.0');
});

test('the example of systemd.v(7): another architecture, and no attempts left', () => {
  const entries = ['m_7.5.13.raw', 'm_7.5.14_x86-64.raw', 'm_7.6.0_arm64.raw', 'm_7.7.0_x86-64+0-5.raw'];
  assert.is(newestVersion(entries, 'm', '.raw', HERE), 'm_7.5.14_x86-64.raw');
  assert.is(newestVersion(entries, 'm', '.raw', ['aarch64']), 'm_7.6.0_arm64.raw');
});

test('one without attempts left is better than none', () => {
  assert.is(newestVersion(['m_1+0-3', 'm_2+0'], 'm', '', HERE), 'm_2+0');
  assert.is(newestVersion(['m_1+3', 'm_2+0'], 'm', '', HERE), 'm_1+3');
});

test('of the same version the native architecture is taken', () => {
  assert.is(newestVersion(['m_1_x86', 'm_1_x86-64'], 'm', '', HERE), 'm_1_x86-64');
});

test('nothing that fits is nothing', () => {
  assert.is(newestVersion([], 'm', '', HERE), undefined);
  assert.is(newestVersion(['m_1_arm64', 'x_1', 'm_arm64', 'm_x86-64'], 'm', '', HERE), undefined);
});

test.run();

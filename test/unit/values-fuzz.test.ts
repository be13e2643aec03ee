// Values made of the signs that parsers look for, from a fixed seed: each is taken or refused, and nothing else happens.

import { OPTIONS, parseArguments, UsageError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const PIECES = [
  ...[
    '',
    ':',
    '::',
    ',',
    '=',
    '-',
    '+',
    '~',
    '.',
    '..',
    '/',
    '//',
    '\\',
    '\\:',
    '\\x4',
    '%',
    ' ',
    '\n',
    '\t',
    '\x01',
    '@',
  ],
  ...[
    '0',
    '1',
    '08',
    '0x',
    '-1',
    '65535',
    '4294967295',
    '18446744073709551616',
    '9'.repeat(400),
    '1e9',
    'NaN',
    'Infinity',
  ],
  ...[
    'infinity',
    'help',
    'yes',
    'a',
    'root',
    'tcp',
    'K',
    'NOFILE',
    'RTMIN',
    'CAP_',
    'all',
    'base64',
    '/a',
    '+/a',
    '🙂',
    'ü',
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '\udcff', '\ud800', 'x'.repeat(5000)],
];

/** A linear congruential generator: the same values each time. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

for (const row of OPTIONS) {
  if (row.takes === 'nothing' || row.long === undefined) continue;
  test(`whatever --${row.long} is given, it is taken or refused with its name`, () => {
    const random = generator(row.long?.length ?? 0);
    for (let round = 0; round < 400; round += 1) {
      const value = Array.from({ length: 1 + random(5) }, () => PIECES[random(PIECES.length)]).join('');
      try {
        parseArguments([`--${row.long}=${value}`], {});
      } catch (error) {
        assert.instance(error, UsageError, `${JSON.stringify(value)}: ${error}`);
        assert.ok((error as UsageError).message.includes(`--${row.long}`), (error as UsageError).message);
      }
    }
  });
}

test.run();

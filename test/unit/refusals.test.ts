// What is refused before anything is looked at or changed: each option's bad values, and options that contradict each other.

import { OPTIONS, type OptionRow } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { launch } from '../../packages/cli/src/launch';
import { BAD_VALUES, CONFLICTS } from '../support/bad-values';
import { host, tree } from './fixtures';

interface Told {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command on a machine that must not be touched: nothing is started, and what is looked at is made up. */
async function command(...argv: string[]): Promise<Told> {
  const told = { out: '', err: '' };
  const status = await launch(
    argv,
    {},
    {
      out: (text) => {
        told.out += text;
      },
      err: (text) => {
        told.err += text;
      },
    },
    {
      probeHost: () => host(),
      probeTree: () => tree(),
      findSettings: () => undefined,
      openImage: () => {
        throw new Error('an image was opened');
      },
      supervise: () => {
        throw new Error('a machine was started');
      },
    },
  );
  return { status, ...told };
}

async function refused(argv: readonly string[], ...words: readonly string[]): Promise<void> {
  const { status, out, err } = await command(...argv);
  assert.is(status, 1, `accepted: ${argv.join(' ')}`);
  assert.is(out, '');
  const [message = '', hint, ...rest] = err.trimEnd().split(/\n(?=hint: )|\n$/);
  assert.match(message, /^tsnspawn: /);
  for (const word of words) assert.ok(message.includes(word), `'${word}' is not in: ${message}`);
  assert.ok(hint === undefined || hint.startsWith('hint: '), err);
  assert.is(rest.length, 0, err);
}

const nameOf = (row: OptionRow): string => row.long ?? row.short ?? '';

for (const row of OPTIONS) {
  const name = nameOf(row);
  const shown = row.long === undefined ? `-${row.short}` : `--${row.long}`;
  if (row.takes === 'nothing') {
    if (row.long === undefined) continue;
    test(`${shown} takes no value`, () => refused([`${shown}=yes`], shown, 'takes no value', "'yes'"));
    continue;
  }
  test(`bad values of ${shown} are refused, with the option and the value in the message`, async () => {
    const values = BAD_VALUES[name] ?? [];
    assert.ok(values.length >= 2, `no bad values are known for ${shown}`);
    for (const value of values) {
      await refused([`${shown}=${value}`], `bad value '${value}' for ${shown}: `);
      if (row.short !== undefined && value !== '')
        await refused([`-${row.short}${value}`], `'${value}' for -${row.short}`);
      if (row.takes === 'required') await refused([shown, value], `'${value}' for ${shown}: `);
    }
  });
}

test('a refusal comes before everything else that the command line asks for', () =>
  refused(['--dry-run', '-D', '/srv', '--rlimit=NOFILE=x', '--version'], '--rlimit'));

test('a new option has to be in this list', () => {
  const known = new Set(OPTIONS.map(nameOf));
  assert.equal(
    Object.keys(BAD_VALUES).filter((name) => !known.has(name)),
    [],
  );
});

for (const [promise, argv, ...words] of CONFLICTS) {
  test(`${promise}: ${argv}`, () => refused(argv.split(' '), ...words));
}

test('the same port for another protocol, and a port in a network that is joined and private, are no conflict', async () => {
  for (const argv of ['-n -p 80 -p udp:80', '--private-network --network-namespace-path=/n -p 80']) {
    const { err } = await command('--dry-run', ...argv.split(' '));
    assert.not.match(err, /exclude|twice|needs a network/);
  }
});

test.run();

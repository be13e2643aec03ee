// --background: what the guest prints stands on a colour, and the terminal has its own again afterwards.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf } from '../support/footprint';
import { quoted, type Running, TSNSPAWN, tsnspawn } from '../support/launcher';
import { withScript } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'command:script');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';

const ON = '\x1b[44m';
const OFF = '\x1b[m\x1b[J';

/** The command on a terminal that knows colours. */
function coloured(
  script: string,
  body: (running: Running) => Promise<void>,
  variables = 'TERM=xterm NO_COLOR=',
): Promise<void> {
  const words = [TSNSPAWN, '-q', '--background=44', '-D', tree, 'sh', '-c', script].map(quoted).join(' ');
  return withScript(`${variables} ${words}; echo after`, body);
}

it('the colour is set before the first output, and taken away after the last', () =>
  coloured('echo hello', async (running) => {
    await running.exited;
    assert.is(running.output, `${ON}\x1b[Khello\r\n${OFF}after\r\n`);
  }));

/** Output, and what it is on the terminal; ^ is an escape, and @ the colour. */
const SEQUENCES: readonly (readonly [promise: string, output: string, seen: string])[] = [
  ['a reset is followed by it', 'a^[mb^[0mc', 'a^[m@b^[0m@c'],
  ['a reset among others as well', '^[1;0;31ma^[0;1mb', '^[1;0;31m@a^[0;1m@b'],
  ['the default background as well', '^[41ma^[49mb', '^[41ma^[49m@b'],
  ['a background of its own is left alone', '^[41ma^[0;42mb^[100mc', '^[41ma^[0;42mb^[100mc'],
  ['numbers of a colour are no reset', '^[38;5;0ma^[48;5;0mb^[38;2;0;0;0mc', '^[38;5;0ma^[48;5;0mb^[38;2;0;0;0mc'],
  ['and what follows them may be one', '^[38;5;0;0ma^[38;2;0;0;0;49mb', '^[38;5;0;0m@a^[38;2;0;0;0;49m@b'],
  ['numbers behind a colon belong to the one before', '^[4:0ma^[48:2::0:0:0mb', '^[4:0ma^[48:2::0:0:0mb'],
  ['other sequences are passed on', '^[?25l^[>4;0m^[2J^[10;0Hx^]0;title^G', '^[?25l^[>4;0m^[2J^[10;0Hx^]0;title^G'],
  ['a full reset of the terminal is followed by it', 'a^cb^[!pc', 'a^c@b^[!p@c'],
  ['a sequence that is broken off is none', '^[3^[ma', '^[3^[m@a'],
];
const escaped = (text: string): string => text.replaceAll('^G', '\x07').replaceAll('^', '\x1b').replaceAll('@', ON);

for (const [promise, output, seen] of SEQUENCES) {
  it(promise, () =>
    coloured(`printf %s ${quoted(escaped(output))}`, async (running) => {
      await running.exited;
      assert.is(running.output, `${ON}\x1b[K${escaped(seen)}${OFF}after\r\n`);
    }),
  );
}

it('a sequence that comes in pieces is one', () =>
  coloured(
    'for piece in "\x1b" "[" "3" "8;5;0;" "0" m x; do printf %s "$piece"; usleep 20000; done',
    async (running) => {
      await running.exited;
      assert.is(running.output, `${ON}\x1b[K\x1b[38;5;0;0m${ON}x${OFF}after\r\n`);
    },
  ));

it('a large output full of resets arrives whole', () =>
  coloured('yes "\x1b[m" | head -n 40000', async (running) => {
    await running.exited;
    assert.is(running.output, `${ON}\x1b[K${`\x1b[m${ON}\r\n`.repeat(40000)}${OFF}after\r\n`);
  }));

for (const part of ['launcher', 'monitor', 'init'] as const) {
  it(`the terminal has its own colours again when the ${part} is killed`, () =>
    coloured('echo ready; exec sleep 1000', async (running) => {
      await running.until(/ready/);
      process.kill(footprintOf(running)[part], 'SIGKILL');
      await running.until(new RegExp(OFF.replaceAll('[', '\\[')));
    }));
}

it('and when Ctrl-] three times kills the guest', () =>
  coloured('echo ready; exec sleep 1000', async (running) => {
    await running.until(/ready/);
    running.write('\x1d\x1d\x1d');
    await running.exited;
    assert.ok(running.output.endsWith(`${OFF}after\r\n`), running.output);
  }));

for (const [reason, variables] of [
  ['nobody wants colours', 'TERM=xterm NO_COLOR=1'],
  ['the terminal knows none', 'TERM=dumb'],
  ['the terminal is not known', 'TERM='],
] as const) {
  it(`nothing is coloured where ${reason}`, () =>
    coloured(
      'echo hello',
      async (running) => {
        await running.exited;
        assert.is(running.output, 'hello\r\nafter\r\n');
      },
      variables,
    ));
}

it('nothing is coloured where there is no terminal', () => {
  const { stdout } = tsnspawn(['-q', '-D', tree, '--background=44', 'echo', 'hello'], { env: { TERM: 'xterm' } });
  assert.is(stdout, 'hello\r\n');
});

it('by default, and with an empty value, nothing is coloured', () =>
  withScript(
    `TERM=xterm ${[TSNSPAWN, '-q', '--background=', '-D', tree, 'echo', 'hello'].map(quoted).join(' ')}`,
    async (running) => {
      await running.exited;
      assert.is(running.output, 'hello\r\n');
    },
  ));

test.run();

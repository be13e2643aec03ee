// --help: every option, within the width that there is.

import { spawnSync } from 'node:child_process';
import { OPTIONS } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderHelp, renderList, synopsis } from '../../packages/cli/src/render/help';
import { quoted, TSNSPAWN } from '../support/launcher';
import { needs, only } from '../support/needs';

const itOnTerminal = only(test, needs('command:script'));

test('every option stands in --help once, with all of its text', () => {
  for (const width of [40, 80, 120]) {
    const words = renderHelp(width).replace(/\s+/g, ' ');
    for (const row of OPTIONS.filter(({ hidden }) => hidden !== true)) {
      const entry = `${synopsis(row).trim()} ${row.help}`;
      assert.is(words.split(entry).length, 2, `${entry} at ${width} columns`);
    }
  }
});

test('another spelling of an option does not stand there', () => {
  assert.not.match(renderHelp(80), /--private-users-chown/);
});

test('no line is wider than the terminal, unless it is one word', () => {
  for (const width of [40, 60, 80, 100, 120]) {
    for (const line of renderHelp(width).split('\n').slice(5)) {
      assert.ok(
        line.length <= width || !line.trim().includes(' ') || /^ {2}(tsnspawn|Ctrl|-.| {4}--)/.test(line),
        `${width}: ${line}`,
      );
    }
  }
});

itOnTerminal('--help fits the terminal, $COLUMNS, or 80 columns', () => {
  const command = `${quoted(TSNSPAWN)} --help`;
  const widest = (script: string): number => {
    const { stdout } = spawnSync('script', ['-qefc', script, '/dev/null'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH },
    });
    return Math.max(...stdout.split('\r\n').map((line) => line.length));
  };
  const within = (width: number, most: number): void =>
    assert.ok(width <= most && width > most - 8, `${width}, not ${most}`);
  within(widest(`stty cols 110; ${command}`), 110);
  within(widest(`stty cols 110; ${command} | cat`), 80);
  within(widest(`stty cols 110; COLUMNS=100 ${command}`), 100);
});

test('a terminal that is wider than a book or narrower than a stamp gets lines that can be read', () => {
  assert.is(renderHelp(500), renderHelp(120));
  assert.is(renderHelp(1), renderHelp(40));
});

test('the explanations stand below each other', () => {
  const columns = new Set(
    renderHelp(80)
      .split('\n')
      .filter((line) => /^ {2,6}-/.test(line))
      .map((line) => / {2,}(?=[^ ]+( |$))/.exec(line.slice(6))?.index)
      .filter((index) => index !== undefined),
  );
  assert.ok(columns.size > 0);
  for (const line of renderHelp(80)
    .split('\n')
    .filter((text) => /^ {10,}\S/.test(text))) {
    assert.is(line.search(/\S/), 29, line);
  }
});

test('what help as a value prints are values that the option takes', () => {
  assert.match(renderList('consoles'), /^interactive\n(.*\n)*autopipe\n$/);
  assert.match(renderList('signals'), /^SIGHUP\n(.*\n)*SIGRTMIN\+30\n$/);
  assert.match(renderList('capabilities'), /^chown\n(.*\n)*checkpoint_restore\n$/);
  assert.match(renderList('resolv-conf'), /^off\n(.*\n)*bind-stub\n$/);
  assert.match(renderList('timezone'), /^off\n(.*\n)*auto\n$/);
});

test.run();

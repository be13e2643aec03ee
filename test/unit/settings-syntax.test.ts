// The syntax of systemd's configuration files, as systemd-nspawn 252 was seen to read it, and what garbage does to the parser.

import { readSettings, readSyntax, splitWords, UsageError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { random } from '../support/random';

function values(text: string): string[] {
  return readSyntax(text, 'file').assignments.map(({ section, key, value }) => `${section}.${key}=${value}`);
}

test('comments start with # or ;, blanks around names and values do not count', () => {
  assert.equal(values('# a\n; b\n[S]\n  Key  =  value here  \n\t# c\nB=x # no comment\n'), [
    'S.Key=value here',
    'S.B=x # no comment',
  ]);
});

test('a backslash at the end of a line goes on with the next, comments in between left out', () => {
  assert.equal(values('[S]\nA=1 \\\n# comment\n; another\n  2\\\n3\nB=4\n'), ['S.A=1    2 3', 'S.B=4']);
});

test('two backslashes at the end of a line are no continuation', () => {
  assert.equal(values('[S]\nA=1\\\\\nB=2\n'), ['S.A=1\\\\', 'S.B=2']);
});

test('a continued last line counts', () => {
  assert.equal(values('[S]\nA=1\\'), ['S.A=1\\']);
  assert.equal(values('[S]\nA=1\\\n'), ['S.A=1']);
});

test('lines may end as on Windows, and the file may start with a byte order mark', () => {
  assert.equal(values('\ufeff[S]\r\nA=1\r\nB=2\r\n'), ['S.A=1', 'S.B=2']);
});

test('the line of an assignment is its first', () => {
  const { assignments } = readSyntax('[S]\n\nA=1 \\\n2\nB=3\n', 'file');
  assert.equal(
    assignments.map(({ line }) => line),
    [3, 5],
  );
});

test('lines that say nothing are told: before a section, without =, without a key', () => {
  assert.equal(readSyntax('A=1\n[S]\nword here\n=x\n', 'f').warnings, [
    'f:1: A stands before the first section: ignored',
    'f:3: word is no assignment, it has no =: ignored',
    'f:4: an assignment without a key: ignored',
  ]);
});

test('a section header without its end is an error', () => {
  assert.throws(() => readSyntax('[Exec\nBoot=1\n', 'f'), /^.*f:1: the section header \[Exec does not end in \]/);
});

test('words are parted by blanks, quotes keep them together, a backslash is a character', () => {
  assert.equal(splitWords(`A=1  "B=x y"\t'C=z w' D=a\\\\b E=x"y z"w ""`), [
    'A=1',
    'B=x y',
    'C=z w',
    'D=a\\\\b',
    'E=xy zw',
    '',
  ]);
  assert.equal(splitWords(''), []);
  assert.is(splitWords('"open'), undefined);
  assert.is(splitWords(`it's`), undefined);
});

test('four thousand mutations of a file give settings or a UsageError, quickly', () => {
  const seed =
    '[Exec]\nBoot=yes\nEnvironment="A=1 2" B=\\\n C=3\nLimitNOFILE=1:2\nUser=joe\nSystemCallFilter=~@swap\n[Files]\n' +
    'Bind=/a\\:b:/c:norbind\nTemporaryFileSystem=/t:mode=1777\nOverlay=+/a::/b\n[Network]\nPort=tcp:80:8080\nZone=z\n';
  const next = random(42);
  const pieces = [
    '=',
    '\\',
    '\n',
    '[',
    ']',
    '"',
    "'",
    ':',
    ';',
    '#',
    '\0',
    '\ufeff',
    '/..',
    '__proto__',
    '%n',
    '\r',
    ' ',
    '9'.repeat(30),
  ];
  const started = process.cpuUsage();
  for (let round = 0; round < 4000; round += 1) {
    let text = seed;
    for (let edits = next(6); edits >= 0; edits -= 1) {
      const at = next(text.length + 1);
      const piece = next(3) === 0 ? String.fromCharCode(next(256)) : (pieces[next(pieces.length)] ?? '');
      text = text.slice(0, at) + (next(3) === 0 ? '' : piece) + text.slice(at + next(4));
    }
    try {
      const { settings, warnings } = readSettings({ path: 'f', text, trusted: next(2) === 0 });
      assert.ok(Object.getPrototypeOf(settings) === Object.prototype);
      assert.ok(warnings.every((warning) => !warning.includes('\n')));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
  assert.ok(process.cpuUsage(started).user < 10e6);
});

test('a megabyte of one line, of quotes or of backslashes is read in no time', () => {
  const started = process.cpuUsage();
  for (const part of ['a', '"', "'", '\\', '\\\n', '[', '\n', ' ', '=', 'A=1\n', ';\n']) {
    try {
      readSettings({
        path: 'f',
        text: `[Exec]\nEnvironment=A=${part.repeat((1024 * 1024) / part.length)}`,
        trusted: true,
      });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
  assert.ok(process.cpuUsage(started).user < 10e6);
});

test.run();

// The manual: every option has an entry, and man(1) has nothing to complain about.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileKeys, OPTIONS } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { entryName, MANUAL, paragraphs } from '../../packages/cli/src/manual';
import { tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';

const itWithGroff = only(test, needs('command:groff'));
const itWithMan = only(test, needs('command:man'));

const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-manual-'));
process.on('exit', () => rmSync(directory, { recursive: true }));
const written = tsnspawn(['man', `--output=${directory}`]);
const pages = readdirSync(directory).map((name) => join(directory, name));

test('every option has an entry in the manual, and every entry an option', () => {
  for (const row of OPTIONS) assert.ok(paragraphs(row).every((text) => text.length > 0));
  const names = new Set(OPTIONS.map(entryName));
  assert.equal(
    Object.keys(MANUAL).filter((name) => !names.has(name)),
    [],
  );
});

test('an option that is named in the manual exists', () => {
  const names = new Set(OPTIONS.flatMap(({ long, also = [] }) => [long, ...also]));
  for (const [entry, text] of Object.entries(MANUAL)) {
    for (const [, name] of text.matchAll(/`--([a-z-]+)/g)) assert.ok(names.has(name), `--${name} in ${entry}`);
  }
});

test('there is a page about the launch, and one about each verb', () => {
  assert.is(written.status, 0, written.stderr);
  assert.equal(readdirSync(directory).sort(), [
    'tsnspawn-boot-check.1',
    'tsnspawn-bootstrap.1',
    'tsnspawn-completion.1',
    'tsnspawn-doctor.1',
    'tsnspawn-export.1',
    'tsnspawn-man.1',
    'tsnspawn-remove.1',
    'tsnspawn.1',
  ]);
});

test('the page about the launch has all sections, all options, and all keys of settings files', () => {
  const page = readFileSync(join(directory, 'tsnspawn.1'), 'utf8');
  const sections = [...page.matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title);
  assert.equal(sections, [
    ...[
      'NAME',
      'SYNOPSIS',
      'DESCRIPTION',
      'OPTIONS',
      'VERBS',
      'KEYS',
      'SIGNALS',
      'EXIT STATUS',
      'ENVIRONMENT',
      'FILES',
    ],
    ...['SETTINGS FILES', 'EXAMPLES', 'SEE ALSO'],
  ]);
  const plain = page.replaceAll('\\-', '-').replace(/\\f[BIR]/g, '');
  for (const row of OPTIONS)
    if (row.hidden !== true) assert.ok(plain.includes(row.long ? `--${row.long}` : `\n-${row.short}\n`));
  for (const name of fileKeys().keys()) assert.ok(plain.includes(`\n${name.split('.')[1]}=`), name);
});

itWithGroff('roff has no warnings about any page', () => {
  for (const page of pages) {
    const { stderr, status } = spawnSync('groff', ['-ww', '-z', '-man', '-Tutf8', page], { encoding: 'utf8' });
    assert.equal([status, stderr], [0, ''], page);
  }
});

itWithMan('man(1) shows a page as it is meant', () => {
  const { stdout, stderr } = spawnSync('man', ['--warnings', '-l', join(directory, 'tsnspawn.1')], {
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: '', GROFF_NO_SGR: '1' },
  });
  assert.is(stderr, '');
  assert.match(stdout, /^ +-M NAME, --machine=NAME$/m);
  assert.match(stdout, /^ +--volatile\[=MODE\]$/m);
  assert.match(stdout, /\$container_uuid and in \/run\/host\/container-uuid/);
});

test('man prints the page of a verb, and refuses one that there is not', () => {
  assert.match(tsnspawn(['man', 'bootstrap']).stdout, /^\.TH TSNSPAWN\\-BOOTSTRAP 1/);
  assert.is(tsnspawn(['man', 'tsnspawn']).stdout, tsnspawn(['man']).stdout);
  const { status, stderr } = tsnspawn(['man', 'nonsense']);
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: no page of the manual is called nonsense\nhint: .*tsnspawn-bootstrap/);
});

test.run();

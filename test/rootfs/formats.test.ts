// The text formats of an archive: deb822, relations, Release, APT's sources.

import {
  chooseSources,
  parseDeb822,
  parseRelations,
  parseRelease,
  parseSourcesDeb822,
  parseSourcesList,
} from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('a paragraph gives its fields whatever the case of their names', () => {
  const [first, second, ...rest] = parseDeb822(
    'Package: a\nDescription: short\n long\n .\n more\n\n# remark\nPACKAGE: b\n',
  );
  assert.is(first?.get('package'), 'a');
  assert.is(first?.get('Description'), 'short\nlong\n.\nmore');
  assert.is(second?.get('Package'), 'b');
  assert.is(rest.length, 0);
  assert.is(first?.toString(), 'Package: a\nDescription: short\n long\n .\n more\n');
});

test('what is no paragraph is refused with its line', () => {
  for (const text of ['nonsense\n', ' continues nothing\n', 'A: 1\nA: 2\n', ': empty\n', 'a b: c\n'])
    assert.throws(() => parseDeb822(text), /line \d/);
});

test('relations keep alternatives, versions and qualifiers apart', () => {
  assert.equal(parseRelations('a (>= 1:2~) | b:any, c [amd64] , d [!amd64], e (= 1), perl:any', 'amd64'), [
    [
      { name: 'a', operator: '>=', version: '1:2~' },
      { name: 'b', qualifier: 'any' },
    ],
    [{ name: 'c' }],
    [{ name: 'e', operator: '=', version: '1' }],
    [{ name: 'perl', qualifier: 'any' }],
  ]);
  assert.throws(() => parseRelations('a (>= )'), /not a relation/);
});

const SUM = 'a'.repeat(64);
const release = (lines: string, what: { suite?: string; now?: string; acceptExpired?: boolean } = {}) =>
  parseRelease(
    `Suite: stable\nCodename: name\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nArchitectures: amd64\nComponents: updates/main\n${lines}SHA256:\n ${SUM} 12 main/binary-amd64/Packages.xz\n`,
    {
      suite: what.suite ?? 'name',
      architecture: 'amd64',
      now: new Date(what.now ?? '2022-01-02'),
      acceptExpired: what.acceptExpired ?? false,
      what: 'InRelease',
    },
  );

test('a Release counts by its suite and by its codename', () => {
  assert.is(release('', { suite: 'stable' }).files.get('main/binary-amd64/Packages.xz')?.size, 12);
  assert.equal(release('').components, ['main']);
  assert.throws(() => release('', { suite: 'other' }), /it is for the suite name or stable, not other/);
});

test('a Release past its Valid-Until is refused, naming the option that takes it', () => {
  const line = 'Valid-Until: Sat, 08 Jan 2022 00:00:00 UTC\n';
  release(line);
  try {
    release(line, { now: '2022-01-09' });
    assert.unreachable();
  } catch (error) {
    assert.match((error as { hint: string }).hint, '--accept-expired');
  }
  release(line, { now: '2022-01-09', acceptExpired: true });
});

test('a Release from the future, without a date, or with damaged sums is refused', () => {
  assert.throws(() => release('', { now: '2021-01-01' }), /future/);
  assert.throws(() => release('X: y\nDate: again\n'), /repeats/);
  assert.throws(
    () =>
      parseRelease('Suite: a\n', {
        suite: 'a',
        architecture: 'amd64',
        now: new Date(),
        acceptExpired: false,
        what: 'r',
      }),
    /no date/,
  );
  assert.throws(() => release(`SHA512:\n x\nMD5Sum:\n y\nFoo: bar\n\nSecond: paragraph\n`), /not one paragraph/);
});

const HOST = [
  ...parseSourcesList(
    '# remark\ndeb [arch=amd64 signed-by=/k.gpg] https://example.org/deb/ one main contrib # end\ndeb-src http://x y z\ndeb http://example.org/tool flat/\n',
    'a.list',
  ),
  ...parseSourcesDeb822(
    'Types: deb deb-src\nURIs: http://example.net/debian\nSuites: two two-updates\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n\nTypes: deb\nEnabled: no\nURIs: http://off\nSuites: off\nComponents: main\n\nTypes: deb\nURIs: http://example.net/security\nSuites: two-security\nComponents: main\n',
    'b.sources',
  ),
];

test('both forms of APT’s sources are read, options and embedded keys included', () => {
  assert.equal(
    HOST.map(({ uri, suite }) => `${uri} ${suite}`),
    [
      'https://example.org/deb one',
      'http://example.org/tool flat/',
      'http://example.net/debian two',
      'http://example.net/debian two-updates',
      'http://example.net/security two-security',
    ],
  );
  assert.equal(HOST[0]?.components, ['main', 'contrib']);
  assert.is(HOST[0]?.signedBy, '/k.gpg');
  assert.is(HOST[2]?.signedBy, '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----');
});

test('a suite the host uses comes from its own archive, with updates and security', () => {
  const chosen = chooseSources(HOST, 'two', 'two');
  assert.is(chosen.main[0]?.uri, 'http://example.net/debian');
  assert.is(chosen.security?.suite, 'two-security');
  assert.is(chosen.updates?.suite, 'two-updates');
});

test('another suite is looked for first where the host’s own release comes from', () => {
  const chosen = chooseSources(HOST, 'three', 'two');
  assert.equal(
    chosen.main.map(({ uri, suite }) => `${uri} ${suite}`),
    ['http://example.net/debian three', 'https://example.org/deb three'],
  );
  assert.is(chosen.security?.suite, 'three-security');
  assert.is(chosen.security?.uri, 'http://example.net/security');
});

test('a host without sources has nothing to choose from', () => {
  assert.is(chooseSources([], 'two').main.length, 0);
});

test.run();

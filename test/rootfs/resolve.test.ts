// Which packages make up a tree. The index is written as text, as an archive has it.

import { PackageUniverse, resolve } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

type Fields = Readonly<Record<string, string>>;

function universe(...packages: ReadonlyArray<readonly [name: string, fields?: Fields]>): PackageUniverse {
  const result = new PackageUniverse('amd64');
  result.add(packages.map(([name, fields]) => text(name, fields)).join('\n'), 'file:///archive');
  return result;
}

function text(name: string, fields: Fields = {}): string {
  const all = {
    Package: name,
    Version: '1',
    Architecture: 'amd64',
    Priority: 'optional',
    Filename: `${name}.deb`,
    Size: '1',
    SHA256: '0'.repeat(64),
    ...fields,
  };
  return Object.entries(all)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join('');
}

const names = (packages: ReadonlyArray<{ readonly name: string }>): string[] => packages.map(({ name }) => name).sort();
const added = (from: PackageUniverse, ...include: string[]): string[] => names(resolve(from, include).others);

test('essential packages and what they need come first, required ones after them', () => {
  const result = resolve(
    universe(
      ['base', { Essential: 'yes', 'Pre-Depends': 'lib' }],
      ['lib'],
      ['apt', { Priority: 'required', Depends: 'keys' }],
      ['keys'],
      ['game'],
    ),
    [],
  );
  assert.equal(names(result.essential), ['base', 'lib']);
  assert.equal(names(result.others), ['apt', 'keys']);
  assert.equal([...result.automatic], ['keys']);
});

test('dependencies stand before what needs them', () => {
  const { others } = resolve(universe(['a', { Depends: 'b' }], ['b', { Depends: 'c' }], ['c']), ['a']);
  assert.equal(
    others.map(({ name }) => name),
    ['c', 'b', 'a'],
  );
});

test('packages that need each other are both taken', () => {
  assert.equal(added(universe(['a', { Depends: 'b' }], ['b', { Depends: 'a' }]), 'a'), ['a', 'b']);
});

test('of alternatives the first that can be had is taken', () => {
  assert.equal(added(universe(['a', { Depends: 'gone | b | c' }], ['b'], ['c']), 'a'), ['a', 'b']);
});

test('an alternative that is there already wins over the first', () => {
  assert.equal(added(universe(['a', { Depends: 'b | c' }], ['b'], ['c']), 'a', 'c'), ['a', 'c']);
});

test('a version that is too old satisfies nothing', () => {
  assert.equal(added(universe(['a', { Depends: 'b (>= 2) | c' }], ['b'], ['c']), 'a'), ['a', 'c']);
  assert.throws(
    () => added(universe(['a', { Depends: 'b (>= 2)' }], ['b']), 'a'),
    'cannot install a: nothing satisfies its dependency b (>= 2)',
  );
});

test('a virtual package is provided by the one of highest priority', () => {
  assert.equal(
    added(
      universe(
        ['a', { Depends: 'awk' }],
        ['gawk', { Provides: 'awk' }],
        ['mawk', { Provides: 'awk', Priority: 'standard' }],
      ),
      'a',
    ),
    ['a', 'mawk'],
  );
});

test('a versioned dependency takes only a provider with a version', () => {
  assert.equal(
    added(universe(['a', { Depends: 'v (>= 2)' }], ['x', { Provides: 'v' }], ['y', { Provides: 'v (= 2)' }]), 'a'),
    ['a', 'y'],
  );
});

test('a real package goes before those that provide its name', () => {
  assert.equal(
    added(universe(['a', { Depends: 'v' }], ['other', { Provides: 'v', Priority: 'required' }], ['v']), 'a'),
    ['a', 'other'],
  );
  assert.equal(added(universe(['a', { Depends: 'v' }], ['other', { Provides: 'v' }], ['v']), 'a'), ['a', 'v']);
});

test('an alternative that conflicts with what is there is passed over', () => {
  assert.equal(added(universe(['a', { Depends: 'b | c' }], ['b', { Conflicts: 'x' }], ['c'], ['x']), 'x', 'a'), [
    'a',
    'c',
    'x',
  ]);
  assert.equal(added(universe(['a', { Depends: 'b | c' }], ['b'], ['c'], ['x', { Breaks: 'b (<< 2)' }]), 'x', 'a'), [
    'a',
    'c',
    'x',
  ]);
});

test('packages that were asked for and conflict are an error that names both', () => {
  assert.throws(
    () => added(universe(['a', { Conflicts: 'mta' }], ['b', { Provides: 'mta' }]), 'a', 'b'),
    'cannot install a together with b: they conflict',
  );
});

test('a package may conflict with a name that it provides itself', () => {
  assert.equal(added(universe(['a', { Provides: 'mta', Conflicts: 'mta' }]), 'a'), ['a']);
});

test('of two archives the newer version counts, whichever was read first', () => {
  const both = universe(['a', { Version: '1' }]);
  both.add(text('a', { Version: '1+deb1' }), 'file:///security');
  assert.equal(
    resolve(both, ['a']).others.map(({ version, archive }) => `${version} ${archive}`),
    ['1+deb1 file:///security'],
  );
});

test('name:any needs a package that allows it, name:amd64 the package itself', () => {
  assert.equal(added(universe(['a', { Depends: 'perl:any' }], ['perl', { 'Multi-Arch': 'allowed' }]), 'a'), [
    'a',
    'perl',
  ]);
  assert.throws(() => added(universe(['a', { Depends: 'perl:any' }], ['perl']), 'a'), 'nothing satisfies');
  assert.equal(added(universe(['perl']), 'perl:amd64'), ['perl']);
});

test('packages of another architecture are not seen', () => {
  assert.throws(() => added(universe(['a', { Architecture: 'arm64' }]), 'a'), 'the archive has no such package');
  assert.equal(added(universe(['a', { Architecture: 'all' }]), 'a'), ['a']);
});

test('a misspelled name is answered with the right one', () => {
  try {
    added(universe(['systemd-sysv']), 'systemd-sysvv');
    assert.unreachable();
  } catch (error) {
    assert.is((error as { hint: string }).hint, 'packages with a similar name: systemd-sysv');
  }
});

test('a name that several packages provide must be made clear', () => {
  const several = universe(['exim', { Provides: 'mta' }], ['postfix', { Provides: 'mta' }]);
  assert.throws(() => added(several, 'mta'), 'several packages provide it');
  assert.equal(added(universe(['exim', { Provides: 'mta' }]), 'mta'), ['exim']);
});

test.run();

// The order in which packages meet their scripts.

import { divertsOnUnpack, PackageUniverse, planSteps, resolve, type Step, scriptOf } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

type Spec = Readonly<Record<string, string>>;

const script = { content: Buffer.from('#!/bin/sh\n'), executable: true };

/** Steps for packages given as fields; `scripts` lists their maintainer scripts. */
function steps(specs: readonly Spec[], include: readonly string[], handedOver: readonly string[] = []): string[] {
  const universe = new PackageUniverse('amd64');
  universe.add(
    specs
      .map((spec) =>
        Object.entries({ Version: '1', Architecture: 'amd64', ...spec })
          .filter(([name]) => name !== 'scripts')
          .map(([name, value]) => `${name}: ${value}\n`)
          .join(''),
      )
      .join('\n'),
    'file:///',
  );
  const { essential, others } = resolve(universe, include);
  const unpacked = (one: (typeof essential)[number]) => ({
    package: one,
    deb: undefined as never,
    paths: [],
    control: new Map(
      (specs.find((spec) => spec.Package === one.name)?.scripts ?? '').split(' ').map((name) => [name, script]),
    ),
  });
  const planned = planSteps(
    essential.map(unpacked),
    others.map(unpacked),
    new Set(others.filter(({ name }) => handedOver.includes(name))),
  );
  return planned.map(words);
}

const words = (step: Step): string =>
  step.do === 'configure'
    ? `configure ${step.packages === 'all' ? 'all' : step.packages.map(({ name }) => name).join(' ')}`
    : `${step.do} ${step.package.name}`;

test('essential packages are configured before the scripts of any other run', () => {
  assert.equal(
    steps(
      [
        { Package: 'base', Essential: 'yes', scripts: 'preinst' },
        { Package: 'x', scripts: 'preinst postinst' },
      ],
      ['x'],
    ),
    ['preinst base', 'configure base', 'preinst x', 'configure all'],
  );
});

test('a preinst waits for what its package pre-depends on, with all that needs', () => {
  const specs = [
    { Package: 'x', 'Pre-Depends': 'y', scripts: 'preinst' },
    { Package: 'y', Depends: 'z', scripts: 'postinst' },
    { Package: 'z', scripts: 'preinst' },
  ];
  assert.equal(steps(specs, ['x']), ['preinst z', 'configure y z', 'preinst x', 'configure all']);
});

test('nothing waits for a package without scripts', () => {
  assert.equal(steps([{ Package: 'x', 'Pre-Depends': 'y', scripts: 'preinst' }, { Package: 'y' }], ['x']), [
    'preinst x',
    'configure all',
  ]);
});

test('a package that is handed over is unpacked in its turn', () => {
  assert.equal(steps([{ Package: 'x', scripts: 'preinst' }], ['x'], ['x']), ['unpack x', 'configure all']);
});

test('a preinst that diverts is told from one that only asks', () => {
  const diverts = (text: string) =>
    divertsOnUnpack(new Map([['preinst', { content: Buffer.from(text), executable: true }]]));
  assert.ok(diverts('dpkg-divert --package x --add --rename --divert /a /b'));
  assert.ok(diverts('dpkg-divert --package x \\\n  --divert /a /b'));
  assert.not(diverts('dpkg-divert --listpackage /bin/sh; dpkg-divert --truename /bin/sh'));
  assert.not(divertsOnUnpack(new Map()));
});

test('the script stops at the first failure and keeps services from starting chroot-minded', () => {
  const text = scriptOf([{ do: 'configure', packages: 'all' }], '1.22');
  assert.match(text, /^set -e\n/);
  assert.match(text, 'DEBIAN_FRONTEND=noninteractive');
});

test.run();

// The ptrace engine gives an ordinary user what a real chroot gives root: each case of test/conformance says the same in both, whatever
// way the engine hears of the calls.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ACCELERATORS,
  comparable,
  differencesOf,
  engine,
  listCases,
  makePrograms,
  onOldKernel,
  type Results,
  reference,
  runAll,
} from '../conformance';
import { needs, only } from '../support/needs';

const missing = needs('root', 'namespaces', 'arch:x64', 'command:gcc', 'command:setpriv');
const it = only(test, missing);

async function main(): Promise<void> {
  if (missing === undefined) await makePrograms();
  const names = missing === undefined ? listCases() : [];
  let right: Results | undefined;

  it('there are at least 120 cases, and all end in a chroot', () => {
    right = runAll(reference('build/conformance/reference'));
    assert.ok(names.length >= 120, `${names.length} cases`);
    assert.equal([...right.keys()], names);
    const ended = [...right].filter(([, lines]) => lines.some((line) => /the (case|run) ended/.test(line)));
    assert.equal(ended, []);
  });

  for (const accelerator of ACCELERATORS) {
    let results: Results = new Map();
    it(`${accelerator}: nothing outside of the tree is changed`, () => {
      const way = engine(accelerator);
      const before = way.place.stateOfSecret();
      results = runAll(way);
      assert.is(way.place.stateOfSecret(), before);
      way.close();
    });
    for (const name of names) {
      it(`${accelerator}: ${name}`, () => {
        const differs = differencesOf(name, accelerator);
        assert.equal(comparable(results.get(name), differs), comparable(right?.get(name), differs));
      });
    }
  }

  // Programs of 32 bits: the same cases, with the calls and structures of i386.
  const missingNarrow = missing ?? needs('narrow');
  if (missingNarrow === undefined) await makePrograms('narrow');
  let rightOfNarrow: Results | undefined;
  for (const accelerator of ['none', 'trace'] as const) {
    const itOfNarrow = only(test, missingNarrow);
    let results: Results = new Map();
    itOfNarrow(`32 bits, ${accelerator}: nothing outside of the tree is changed`, () => {
      rightOfNarrow ??= runAll(reference('build/conformance/reference', false, 'narrow'));
      const way = engine(accelerator, 'narrow');
      const before = way.place.stateOfSecret();
      results = runAll(way);
      assert.is(way.place.stateOfSecret(), before);
      way.close();
    });
    for (const name of missingNarrow === undefined ? listCases('narrow') : []) {
      itOfNarrow(`32 bits, ${accelerator}: ${name}`, () => {
        const differs = differencesOf(name, accelerator, 'narrow');
        assert.equal(comparable(results.get(name), differs), comparable(rightOfNarrow?.get(name), differs));
      });
    }
  }

  const itOnOld = only(test, missing ?? needs('mirror'));
  let old: Results = new Map();
  let rightThere: Results = new Map();
  itOnOld('2.6.32: nothing outside of the tree is changed', () => {
    rightThere = runAll(reference('build/conformance/reference', true));
    const way = onOldKernel();
    const before = way.place.stateOfSecret();
    old = runAll(way);
    assert.is(way.place.stateOfSecret(), before);
  });
  // What the kernel does not have a chroot does not have there either; what it lacks may be made good.
  for (const name of names) {
    itOnOld(`2.6.32: ${name}`, () => {
      const differs = differencesOf(name, 'old');
      const got = comparable(old.get(name), differs);
      const there = comparable(rightThere.get(name), differs);
      assert.equal(got, got.join('\n') === there.join('\n') ? there : comparable(right?.get(name), differs));
    });
  }
  test.run();
}

void main();

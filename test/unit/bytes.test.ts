import { latin1Of, pathOf } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('a text becomes its bytes, one character each', () => {
  for (const text of ['', 'plain', 'ü€😀', '\ufffd']) assert.is(latin1Of(text), Buffer.from(text).toString('latin1'));
});

test('a lone surrogate is the byte that it stands for, and one of a pair is not', () => {
  assert.is(latin1Of('a\udcffb\udc80'), 'a\xffb\x80');
  assert.is(latin1Of('ü\udcff😀'), `${Buffer.from('ü').toString('latin1')}\xff${Buffer.from('😀').toString('latin1')}`);
  // U+1F4FF: its second half alone would be such a surrogate
  assert.is(latin1Of('\ud83d\udcff'), Buffer.from('\ud83d\udcff').toString('latin1'));
});

test('a path stays a string where node:fs can take it', () => {
  assert.is(pathOf('/ü'), '/ü');
  assert.equal(pathOf('/a\udcff'), Buffer.from('/a\xff', 'latin1'));
});

test.run();

// --image-policy: what systemd.image-policy(7) says.

import { defaultPolicy, type FoundPartition, ImageDefect, mayUse, parseImagePolicy, ruleFor } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spec } from './fixtures';

const PLAIN: FoundPartition = { protection: 'unprotected', readOnly: false, grow: false, type: 'ext4' };

function may(policy: string, ...[designator, found]: [Parameters<typeof mayUse>[1], FoundPartition | undefined]) {
  return mayUse(parseImagePolicy(policy), designator, found);
}

function refused(
  policy: string,
  designator: Parameters<typeof mayUse>[1],
  found: FoundPartition | undefined,
  words: RegExp,
) {
  try {
    may(policy, designator, found);
  } catch (error) {
    assert.instance(error, ImageDefect);
    assert.match((error as ImageDefect).message, words);
    return;
  }
  assert.unreachable(`${policy} lets ${designator} pass`);
}

test('by default all partitions but swap may be used, and all but the root be absent', () => {
  const policy = defaultPolicy();
  for (const designator of ['root', 'usr', 'home', 'srv', 'var', 'tmp', 'esp', 'xbootldr'] as const) {
    assert.is(mayUse(policy, designator, PLAIN), true, designator);
    assert.is(mayUse(policy, designator, undefined), false, designator);
  }
  assert.is(mayUse(policy, 'root', { ...PLAIN, protection: 'signed' }), true);
  assert.is(mayUse(policy, 'home', { ...PLAIN, protection: 'encrypted' }), true);
  assert.is(mayUse(policy, 'swap', PLAIN), false);
});

test('a partition that is not protected as the policy wants is refused, not left out', () => {
  refused('root=signed', 'root', PLAIN, /root partition is unprotected/);
  refused('root=verity+signed', 'root', { ...PLAIN, protection: 'encrypted' }, /is encrypted/);
  refused('root=encrypted', 'root', { ...PLAIN, protection: 'verity' }, /is verity/);
  assert.is(may('root=verity+signed', 'root', { ...PLAIN, protection: 'verity' }), true);
});

test('absent forbids a partition, and what is neither absent nor unused must be there', () => {
  refused('home=absent', 'home', PLAIN, /home partition is there/);
  refused('home=unprotected', 'home', undefined, /home partition is missing/);
  assert.is(may('home=unused', 'home', PLAIN), false);
  refused('home=unused', 'home', undefined, /missing/);
});

test('the rule without a name is for all that have none, and without one they are ignored', () => {
  assert.is(may('root=unprotected:=open', 'home', PLAIN), true);
  assert.is(may('root=unprotected:=ignore', 'home', PLAIN), false);
  assert.is(may('root=unprotected', 'home', PLAIN), false);
  refused('root=unprotected:=absent', 'home', PLAIN, /is there/);
});

test('* allows everything, - uses nothing, ~ allows nothing', () => {
  assert.is(may('*', 'root', { ...PLAIN, protection: 'encrypted' }), true);
  assert.is(may('-', 'root', PLAIN), false);
  assert.is(may('-', 'root', undefined), false);
  refused('~', 'root', PLAIN, /is there/);
  assert.is(may('~', 'root', undefined), false);
});

test('flags of the partition and types of its file system can be asked for', () => {
  assert.is(may('root=unprotected+read-only-on', 'root', { ...PLAIN, readOnly: true }), true);
  refused('root=unprotected+read-only-on', 'root', PLAIN, /lacks the read-only flag/);
  refused('root=unprotected+growfs-off', 'root', { ...PLAIN, grow: true }, /has the growfs flag/);
  assert.is(may('root=unprotected+growfs-off+growfs-on', 'root', { ...PLAIN, grow: true }), true);
  assert.is(may('root=squashfs+erofs', 'root', { ...PLAIN, type: 'erofs' }), true);
  refused('root=squashfs+erofs', 'root', PLAIN, /holds ext4/);
  // flags alone leave the use open
  assert.is(may('root=read-only-off', 'root', { ...PLAIN, protection: 'encrypted' }), true);
});

test('what vouches for a partition follows the rule of that partition', () => {
  assert.is(may('root=verity', 'root-verity', PLAIN), true);
  assert.is(may('root=verity', 'root-verity-sig', PLAIN), false);
  assert.is(may('root=signed', 'root-verity-sig', PLAIN), true);
  assert.is(may('root=unprotected', 'root-verity', PLAIN), false);
  refused('root=open:root-verity=absent', 'root-verity', PLAIN, /is there/);
});

test('only root and usr can be verified', () => {
  assert.equal(ruleFor(parseImagePolicy('=verity+encrypted'), 'home').uses, ['encrypted']);
  assert.equal(ruleFor(parseImagePolicy('=verity+encrypted'), 'usr').uses, ['verity', 'encrypted']);
});

for (const [policy, words] of [
  ['root', /root is not of the form/],
  ['rot=open', /unknown partition rot/],
  ['root=opened', /unknown use opened/],
  ['root=verity+', /unknown use \(empty\)/],
  ['root=open:root=open', /two rules for the partition root/],
  ['=open:=open', /two rules for all other partitions/],
  ['root=open:', /an empty rule/],
] as const) {
  test(`--image-policy=${policy} is refused with its reason`, () => {
    try {
      spec('-i', 'x.raw', `--image-policy=${policy}`);
    } catch (error) {
      assert.match((error as Error).message, /--image-policy/);
      assert.match((error as Error).message, words);
      return;
    }
    assert.unreachable('accepted');
  });
}

test.run();

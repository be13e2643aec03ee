// What an image becomes in the plan.

import type { ImagePartition, TreeFacts } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, stepsOf, tree, viewOf } from './fixtures';

function partition(path: string, changes: Partial<ImagePartition> = {}): ImagePartition {
  return {
    path,
    device: `disk.raw (${path})`,
    type: 'ext4',
    readOnly: false,
    grow: false,
    discard: true,
    ...changes,
  };
}

function image(...partitions: ImagePartition[]): TreeFacts {
  return tree({ path: '/srv/disk.raw', image: partitions });
}

const argv = ['-i', '/srv/disk.raw'];

test('the root file system of an image is mounted from its device into the slot that becomes the root', () => {
  const plan = planOf(argv, host(), image(partition('/')));
  const [mount] = stepsOf(plan.outer, 'mountDevice');
  assert.equal(mount, {
    op: 'mountDevice',
    from: 'disk.raw (/)',
    fs: 'ext4',
    flags: ['nodev'],
    data: 'discard',
    as: stepsOf(plan.inner, 'pivotRoot')[0]?.from,
  });
  assert.equal(plan.handed, ['disk.raw (/)']);
});

test('the other partitions come below it, before anything else is mounted', () => {
  const plan = planOf(argv, host(), image(partition('/'), partition('/usr'), partition('/home')));
  assert.equal(plan.handed, ['disk.raw (/)', 'disk.raw (/usr)', 'disk.raw (/home)']);
  const mounts = plan.inner.filter((step) => step.op === 'bind' || step.op === 'mount');
  assert.equal(
    mounts.slice(0, 3).map(({ target }) => target),
    ['/usr', '/home', '/proc'],
  );
});

test('no partition brings device nodes, and what boots the machine brings no programs either', () => {
  const plan = planOf(argv, host(), image(partition('/'), partition('/efi', { type: 'vfat' }), partition('/var/tmp')));
  const [root, efi, tmp] = stepsOf(plan.outer, 'mountDevice');
  assert.equal(root?.flags, ['nodev']);
  assert.equal(efi?.flags, ['nosuid', 'nodev', 'noexec', 'nosymfollow']);
  assert.match(efi?.data ?? '', /umask=0077/);
  assert.equal(tmp?.flags, ['nosuid', 'nodev']);
});

test('--read-only mounts every partition read-only, without a recovery of its journal', () => {
  const plan = planOf([...argv, '--read-only'], host(), image(partition('/'), partition('/home', { type: 'xfs' })));
  const [root, home] = stepsOf(plan.outer, 'mountDevice');
  assert.equal([root?.flags, root?.data], [['ro', 'nodev'], 'norecovery']);
  assert.equal([home?.flags, home?.data], [['ro', 'nodev'], 'norecovery,nouuid']);
});

test('a partition that is read-only makes only itself read-only', () => {
  const facts = image(partition('/'), partition('/usr', { type: 'erofs', readOnly: true }));
  const [root, usr] = stepsOf(planOf(argv, host(), facts).outer, 'mountDevice');
  assert.equal([root?.flags, usr?.flags], [['nodev'], ['ro', 'nodev']]);
});

test('a partition that asks for it grows, unless it is not written to', () => {
  const facts = image(partition('/', { grow: true }));
  assert.is(stepsOf(planOf(argv, host(), facts).outer, 'mountDevice')[0]?.grow, true);
  assert.is(stepsOf(planOf([...argv, '--read-only'], host(), facts).outer, 'mountDevice')[0]?.grow, undefined);
});

test('the machine has the name of the image without .raw', () => {
  assert.is(viewOf(argv, host(), image(partition('/'))).machine, 'disk');
});

test.run();

// What the root is made of, and the mounts that were asked for, in view and plan.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, stepsOf, tree, viewOf } from './fixtures';

const BESIDE = tree({ besides: '/srv' });

test('--ephemeral lays a directory beside the tree over it, under a name of its own', () => {
  const { machine, root } = viewOf(['-x'], host(), BESIDE);
  assert.is(machine, 'debian-tree-0123456789abcdef');
  assert.equal(root.changes, { kind: 'directory', path: '/srv/.#tsnspawn.debian-tree-0123456789abcdef' });
  assert.is(viewOf(['-x', '-M', 'web'], host(), BESIDE).machine, 'web');
});

test('--ephemeral keeps the changes in memory where no disk takes them', () => {
  assert.is(viewOf(['-x'], host(), tree()).root.changes?.kind, 'memory');
});

test('the layers of an overlay are opened as descriptors, and laid together where nobody sees them', () => {
  const { outer } = planOf(['-x'], host(), BESIDE);
  const ops = outer.map(({ op }) => op);
  const [overlay] = stepsOf(outer, 'overlay');
  assert.equal(overlay, {
    op: 'overlay',
    lower: ['tree as it is'],
    upper: { from: 'changes', directory: 'upper', work: 'work' },
    flags: [],
    as: 'root',
  });
  assert.ok(
    ops.indexOf('unshareMounts') < ops.indexOf('overlay') && ops.indexOf('overlay') < ops.indexOf('returnToHost'),
  );
});

test('a run that keeps the tree as it is shares it with others', () => {
  const shared = (...options: string[]) => viewOf(options, host(), BESIDE).root.shared;
  assert.is(shared(), false);
  for (const option of ['--read-only', '-x', '--volatile', '--volatile=state', '--volatile=overlay'])
    assert.is(shared(option), true, option);
});

test('--volatile shows nothing of the tree but /usr, read-only, and the links into it', () => {
  const t = tree({ usrLinks: { '/bin': 'usr/bin', '/lib': 'usr/lib' } });
  const { outer, inner } = planOf(['--volatile'], host(), t);
  const [usr] = stepsOf(outer, 'openTree');
  assert.equal([usr?.source, usr?.flags], [{ from: 'tree', path: '/srv/debian-tree', inside: '/usr' }, ['ro']]);
  assert.is(stepsOf(outer, 'newMount').find(({ as }) => as === 'root')?.fs, 'tmpfs');
  assert.ok(stepsOf(inner, 'symlink').some(({ path, target }) => path === '/bin' && target === 'usr/bin'));
});

test('--read-only is about the tree: what --volatile=overlay lays over it can be written to', () => {
  assert.is(viewOf(['--read-only', '--volatile=overlay']).root.readOnly, false);
  assert.is(viewOf(['--read-only', '-x']).root.readOnly, true);
});

test('--volatile=state is a read-only tree with an empty /var', () => {
  const { outer, inner } = planOf(['--volatile=state']);
  assert.equal(stepsOf(outer, 'openTree')[0]?.flags, ['ro']);
  assert.is(stepsOf(inner, 'mount').find(({ target }) => target === '/var')?.fs, 'tmpfs');
});

test('--pivot-root enters the tree first, so that its directory is looked up inside', () => {
  const { inner } = planOf(['--pivot-root=/new:/old']);
  const ops = inner.map(({ op }) => op);
  assert.equal(
    stepsOf(inner, 'pivotRoot').map(({ from }) => from),
    ['root', 'new root'],
  );
  assert.ok(ops.indexOf('openTree') > ops.indexOf('pivotRoot'));
  assert.equal(stepsOf(inner, 'bind')[0]?.target, '/old');
  assert.equal(stepsOf(planOf(['--pivot-root=/new']).inner, 'pivotRoot').length, 2);
});

test('an overlay has its layers in the order given, the last one on top', () => {
  const overlay = (option: string) => stepsOf(planOf([option]).outer, 'overlay')[0];
  const opened = (option: string) =>
    stepsOf(planOf([option]).outer, 'openTree')
      .filter(({ as }) => as.includes(' of /d '))
      .map(({ source, flags }) => [source, flags.join()]);
  assert.equal(opened('--overlay=/a:/b:/c:/d'), [
    ['/a', 'ro'],
    ['/b', 'ro'],
    ['/', ''],
  ]);
  assert.is(overlay('--overlay=/a:/b:/c:/d')?.upper?.directory, 'c');
  assert.is(overlay('--overlay=/a:/b:/c:/d')?.upper?.work, '.#c.work');
  assert.is(overlay('--overlay-ro=/a:/b:/d')?.upper, undefined);
  assert.equal(opened('--overlay=+/a::/d')[0], [{ from: 'tree', path: '/a', inside: '/a' }, 'ro']);
  assert.is(stepsOf(planOf(['--overlay=/a::/d']).outer, 'tempDirectory').length, 1);
});

test('a bind without a source is a new directory', () => {
  const [step] = stepsOf(planOf(['--bind=:/data']).outer, 'tempDirectory');
  assert.match(step?.path ?? '', /^\/var\/tmp\/\.#tsnspawn\.debian-tree/);
  assert.equal(step?.inner, { name: 'files', mode: 0o755, owner: 0 });
});

test.run();

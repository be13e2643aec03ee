// The user namespace in view and plan: which ids, how the tree's owners come to them, and who does what.

import { PermissionError, type Step, TreeError, UnsupportedError, UsageError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, stepsOf, tree, viewOf } from './fixtures';

const PICKED = host({ freeRange: 655360 });
const ops = (steps: readonly Step[]): string[] => steps.map(({ op }) => op);

test('without --private-users there is no user namespace, and the monitor stays among the mounts of the host', () => {
  const plan = planOf([]);
  assert.is(viewOf([]).users, undefined);
  assert.not(plan.clone.guest.includes('user'));
  assert.not(ops(plan.outer).includes('unshareMounts'));
  assert.equal([plan.host, plan.late], [[], []]);
});

test('each form of --private-users says which ids of the host the guest has', () => {
  const range = (option: string, facts = host(), owner = { uid: 0, gid: 0 }) => {
    const users = viewOf([option], facts, tree({ owner })).users;
    return users && [users.base, users.size];
  };
  assert.equal(range('--private-users=no'), undefined);
  assert.equal(range('--private-users=identity'), [0, 65536]);
  assert.equal(range('--private-users=1000000'), [1000000, 65536]);
  assert.equal(range('--private-users=1000000:10'), [1000000, 10]);
  assert.equal(range('--private-users', host(), { uid: 131072, gid: 131072 }), [131072, 65536]);
  assert.equal(range('--private-users=pick', PICKED), [655360, 65536]);
  assert.equal(range('-U', PICKED), [655360, 65536]);
});

test('a tree whose owner is not the first of a range is refused where the range is to be its own', () => {
  for (const owner of [
    { uid: 1000, gid: 1000 },
    { uid: 131072, gid: 0 },
  ]) {
    assert.throws(
      () => viewOf(['--private-users'], host(), tree({ owner })),
      (error: Error) => error instanceof TreeError,
    );
  }
});

test('on a kernel without user namespaces -U goes without, and what names one is refused', () => {
  const without = host({ userNamespaces: false });
  assert.is(viewOf(['-U'], without).users, undefined);
  for (const option of [
    '--private-users=pick',
    '--private-users',
    '--private-users=identity',
    '--private-users=65536',
  ]) {
    assert.throws(
      () => viewOf([option], without),
      (error: Error) => error instanceof UnsupportedError,
    );
  }
});

test('when no range is free it is said, not shared with somebody', () => {
  assert.throws(
    () => viewOf(['--private-users=pick']),
    (error: Error) => error instanceof PermissionError,
  );
});

test('a picked range stays locked for as long as the monitor lives', () => {
  assert.equal(planOf(['-U'], PICKED).locks, ['lock of the range of ids']);
  assert.equal(planOf(['--private-users=65536']).locks, undefined);
});

test('owners are mapped where the file system can, changed where it cannot, and left alone where they are right', () => {
  const how = (options: readonly string[], facts: Parameters<typeof tree>[0]) =>
    viewOf(options, PICKED, tree(facts)).users?.tree;
  assert.is(how(['-U'], {}), 'map');
  assert.is(how(['-U'], { mapsOwners: false }), 'shift');
  assert.is(how(['-U'], { owner: { uid: 655360, gid: 655360 } }), 'as-is');
  assert.is(how(['--private-users=65536'], {}), 'as-is');
  assert.is(how(['--private-users=65536', '--private-users-ownership=auto'], {}), 'map');
  assert.is(how(['--private-users=65536', '--private-users-ownership=chown'], {}), 'shift');
  assert.is(how(['-U', '--private-users-ownership=off'], {}), 'as-is');
  assert.is(how(['-U'], { mapsOwners: false }), 'shift');
  assert.throws(
    () => how(['-U', '--private-users-ownership=map'], { mapsOwners: false }),
    (error: Error) => error instanceof UnsupportedError && /cannot show other owners/.test(error.message),
  );
});

test('a tree that lies in another range is mapped from there', () => {
  const outside = (owner: { uid: number; gid: number }) => {
    const plan = planOf(['-U'], PICKED, tree({ owner }));
    return stepsOf(plan.outer, 'userNamespace').map(({ uids }) => uids);
  };
  assert.equal(outside({ uid: 1879048192, gid: 1879048192 }), [[{ inside: 1879048192, outside: 655360, size: 65536 }]]);
  assert.equal(outside({ uid: 100000, gid: 100000 }), [[{ inside: 100000, outside: 655360, size: 65536 }]]);
  assert.equal(outside({ uid: 1000, gid: 1000 }), [[{ inside: 0, outside: 655360, size: 65536 }]]);
});

test('owneridmap knows the owner of the place as the guest does, wherever the ids of the tree begin', () => {
  const shown = (options: readonly string[], id: number, owner: number) => {
    const facts = tree({ owner: { uid: owner, gid: owner }, owners: { '/srv': { uid: id, gid: id } } });
    const { entries } = viewOf([...options, '--bind=/data:/srv:owneridmap'], PICKED, facts);
    const bind = entries.find((entry) => entry.kind === 'host' && entry.path === '/srv');
    return bind?.kind === 'host' ? bind.uids?.[0]?.outside : undefined;
  };
  assert.is(shown(['-U'], 33, 0), 655360 + 33);
  assert.is(shown(['-U'], 655360 + 33, 655360), 655360 + 33);
  assert.is(shown(['-U'], 100033, 100000), 655360 + 33);
  assert.is(shown([], 33, 0), 33);
  assert.throws(() => shown(['-U'], 33, 100000), /the owner 33:33 of \/srv in the tree is no user of the container/);
});

test('owners on the disk are changed to whole ranges only, and not in a tree that is not written to', () => {
  const refuses = (...options: string[]) =>
    assert.throws(
      () => viewOf([...options, '--private-users-ownership=chown'], PICKED),
      (error: Error) => error instanceof UsageError,
    );
  refuses('--private-users=65537');
  refuses('--private-users=65536:10');
  refuses('-U', '--read-only');
  refuses('-U', '--volatile=state');
});

test('the maps are written while the first process waits, and it becomes root before it does anything', () => {
  const plan = planOf(['--private-users=65536']);
  const ids = [{ inside: 0, outside: 65536, size: 65536 }];
  assert.equal(plan.host, [{ op: 'idMap', uids: ids, gids: ids }]);
  assert.is(plan.inner[0]?.op, 'becomeRoot');
  assert.ok(plan.clone.guest.includes('user'));
});

test('what may not be undone is mounted by the monitor, what is the namespace’s own by its first process', () => {
  const { outer, inner } = planOf(['--private-users=65536', '--read-only', '--bind-ro=/data', '--inaccessible=/srv']);
  const targets = (steps: readonly Step[]) => [
    ...stepsOf(steps, 'mount').map(({ target }) => target),
    ...stepsOf(steps, 'bind').map(({ target }) => target),
    ...stepsOf(steps, 'cover').map(({ path }) => path),
  ];
  for (const path of ['/dev', '/run', '/data', '/srv', '/sys']) assert.ok(targets(outer).includes(path), path);
  for (const path of ['/proc', '/dev/pts', '/dev/mqueue', '/proc/sys', '/sys/fs/cgroup'])
    assert.ok(targets(inner).includes(path), path);
  assert.ok(ops(outer).indexOf('unshareMounts') < ops(outer).indexOf('pivotRoot'));
  assert.equal(stepsOf(outer, 'mknod').filter(({ path }) => path === '/dev/null').length, 1);
});

test('hard limits are raised by the monitor, last of what it does', () => {
  const { inner, late } = planOf(['--private-users=65536', '--oom-score-adjust=-5', '--rlimit=NOFILE=7']);
  assert.equal(stepsOf(inner, 'rlimit'), []);
  const resume = ops(late).indexOf('resume');
  assert.ok(ops(late).indexOf('returnToHost') < resume && ops(late).indexOf('rlimit') > resume);
  assert.is(late.at(-1)?.op, 'oomScoreAdjust');
  assert.is(ops(inner).filter((op) => op === 'await').length, 2);
});

test('the cgroup of the guest belongs to its root', () => {
  const { outer } = planOf(['-b', '--private-users=65536']);
  assert.equal(
    stepsOf(outer, 'delegateCgroup').map(({ owner }) => owner),
    [65536],
  );
});

test('a bind with idmap, rootidmap or owneridmap maps owners; without, they show as they are', () => {
  const facts = host({ owners: { '/data': { uid: 1000, gid: 100 } } });
  const maps = (options: string) => {
    const t = tree({ owners: { '/srv': { uid: 33, gid: 34 } } });
    const { outer } = planOf(['--private-users=65536', `--bind=/data:/srv${options}`], facts, t);
    return stepsOf(outer, 'userNamespace')
      .filter(({ as }) => as !== 'ids')
      .map(({ uids, gids }) => [uids, gids]);
  };
  const whole = [{ inside: 0, outside: 65536, size: 65536 }];
  assert.equal(maps(''), []);
  assert.equal(maps(':idmap'), [[whole, whole]]);
  assert.equal(maps(':rootidmap'), [
    [[{ inside: 1000, outside: 65536, size: 1 }], [{ inside: 100, outside: 65536, size: 1 }]],
  ]);
  assert.equal(maps(':owneridmap'), [
    [[{ inside: 1000, outside: 65569, size: 1 }], [{ inside: 100, outside: 65570, size: 1 }]],
  ]);
});

test.run();

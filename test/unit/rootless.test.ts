// A launch by who is not root of the host: what view() and lower() make of it.

import { hintFor, PermissionError, stepInWords } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loneUser, planOf, tree, user, viewOf } from './fixtures';

/** Beside the tree of the fixtures. */
const STORE = '/srv/.#debian-tree.owners';
const OWN = { uid: 1000, gid: 1000 };

test('the monitor is root of a user namespace in which the caller is root and the subordinate ids follow', () => {
  const { clone } = planOf(['true'], user());
  assert.equal(clone.monitor, ['user', 'mnt', 'pid']);
  assert.equal(clone.maps?.uids, [
    { inside: 0, outside: 1000, size: 1 },
    { inside: 1, outside: 100000, size: 65535 },
  ]);
  assert.equal(clone.maps?.programs?.uids, '/usr/bin/newuidmap');
});

test('the guest has a user namespace of its own in it, with the same ids, so that it cannot undo the mounts of the monitor', () => {
  const { clone, host, outer } = planOf(['--bind-ro=/srv', 'true'], user());
  assert.ok(clone.guest.includes('user'));
  const map = host.find((step) => step.op === 'idMap');
  // a range of a map lies in one range of the map around it: user_namespaces(7)
  assert.equal(map?.op === 'idMap' && map.uids, [
    { inside: 0, outside: 0, size: 1 },
    { inside: 1, outside: 1, size: 65535 },
  ]);
  assert.ok(outer.some((step) => step.op === 'bind' && step.target === '/srv'));
});

test('without subordinate ids it is the one id of the caller, and no program is needed to map it', () => {
  const { clone } = planOf(['true'], loneUser());
  assert.equal(clone.maps?.uids, [{ inside: 0, outside: 1000, size: 1 }]);
  assert.is(clone.maps?.programs, undefined);
  assert.is(clone.maps?.denySetgroups, true);
});

test('terminals have no group tty where there is none', () => {
  const data = (facts = user()): string =>
    viewOf([], facts).entries.flatMap((entry) =>
      entry.kind === 'filesystem' && entry.type === 'devpts' ? [entry.data] : [],
    )[0] ?? '';
  assert.match(data(), /gid=5/);
  assert.not.match(data(loneUser()), /gid=/);
});

test('a tree that remembers its owners is run with one id by those who have more, too', () => {
  const { users } = viewOf(['true'], user(), tree({ remembers: true, owner: OWN }));
  assert.is(users?.size, 1);
  assert.equal(users?.around?.maps?.uids, [{ inside: 0, outside: 1000, size: 1 }]);
});

test('with one id users are emulated before the payload becomes one, and owners kept beside the tree', () => {
  const emulated = (words: string[], facts = loneUser()) => {
    const { inner } = planOf([...words, 'true'], facts);
    const at = inner.findIndex(({ op }) => op === 'fakeRoot');
    assert.ok(at < inner.findIndex(({ op }) => op === 'identity'), 'before the identity');
    return inner[at];
  };
  const store = emulated([]);
  assert.is(store?.op === 'fakeRoot' && store.store, STORE);
  assert.equal(store, { op: 'fakeRoot', store: STORE, kept: true });
  for (const option of ['-x', '--read-only', '--volatile=overlay'])
    assert.equal(emulated([option]), { op: 'fakeRoot', store: STORE, kept: false }, option);
  assert.is(emulated([], user()), undefined);
  assert.is(planOf(['--private-users=1000000:1', 'true']).inner.filter(({ op }) => op === 'fakeRoot').length, 1);
  assert.is(planOf(['--private-users=1000000', 'true']).inner.filter(({ op }) => op === 'fakeRoot').length, 0);
});

test('a launch whose calls somebody else serves says so', () => {
  assert.match(hintFor({ op: 'fakeRoot', kept: false }, 'EBUSY') ?? '', /a container around this one/);
  assert.match(hintFor({ op: 'fakeRoot', kept: false }, 'EINVAL') ?? '', /CONFIG_SECCOMP_FILTER/);
  assert.is(
    stepInWords({ op: 'fakeRoot', store: '/t', kept: true }),
    'emulate users and remember owners, of links in /t',
  );
});

test('the limit that carries emulated users cannot be set', () => {
  for (const words of [['--rlimit=LOCKS=5'], ['--rlimit=LOCKS=5:infinity']])
    assert.throws(() => viewOf([...words, 'true'], loneUser()), /the limit LOCKS has to be infinite/);
  assert.ok(
    viewOf(['--rlimit=LOCKS=5', 'true'], user()).limits.some(({ name, soft }) => name === 'LOCKS' && soft === 5),
  );
});

test('root of a user namespace makes none for the monitor', () => {
  const first = [{ first: 0, size: 65536 }];
  const { clone } = planOf(['true'], user({ euid: 0, rootless: { size: 65536, uids: first, gids: first } }));
  assert.equal(clone.monitor, ['mnt', 'pid']);
  assert.is(clone.maps, undefined);
});

test('no file system of the host is shown with other owners', () => {
  const { outer } = planOf(['-b'], user());
  assert.not.ok(outer.some(({ op }) => op === 'mapOwners' || op === 'shiftOwners' || op === 'userNamespace'));
  for (const option of ['idmap', 'rootidmap', 'owneridmap']) {
    assert.throws(() => viewOf([`--bind=/srv:/srv:${option}`], user()), /--bind: only root can show files/);
  }
});

test('the ids of the guest are not chosen', () => {
  for (const option of ['--private-users=524288', '--private-users=yes', '--private-users=managed']) {
    assert.throws(
      () => viewOf([option], user()),
      (error: unknown) => error instanceof PermissionError && error.message.startsWith(option),
    );
  }
  for (const option of ['chown', 'map', 'foreign']) {
    assert.throws(() => viewOf(['-U', `--private-users-ownership=${option}`], user()), /only root can do that/);
  }
  // asked for is what there is anyway
  for (const option of ['-U', '--private-users=pick', '--private-users=identity']) viewOf([option], user());
});

test('a tree of somebody else is told about', () => {
  assert.equal(viewOf([], user(), tree({ owner: OWN })).warnings, []);
  const [warning] = viewOf([], user(), tree({ owner: { uid: 0, gid: 0 } })).warnings;
  assert.match(warning ?? '', /belongs to user 0/);
});

test("without a network of its own the guest has the host's sysfs, read-only with all that is mounted in it", () => {
  const shown = viewOf([], user()).entries.find(({ path }) => path === '/sys');
  assert.equal(shown?.kind === 'host' && [shown.source, shown.recursive, shown.flags.includes('ro')], [
    '/sys',
    true,
    true,
  ]);
  assert.is(viewOf(['--private-network'], user()).entries.find(({ path }) => path === '/sys')?.kind, 'filesystem');
});

test('overlays mark what is hidden with attributes that a user may set', () => {
  const overlays = planOf(['-x', '--overlay=/a:/b:/c'], user()).outer.filter(({ op }) => op === 'overlay');
  assert.is(overlays.length, 2);
  assert.ok(overlays.every((step) => step.op === 'overlay' && step.userXattr === true));
});

test('no hard limit is raised', () => {
  const { limits } = viewOf([], user({ hardLimits: { NOFILE: 4096 } }));
  assert.is(limits.find(({ name }) => name === 'NOFILE')?.hard, 4096);
});

test.run();

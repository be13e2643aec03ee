import { CgroupError, type CgroupFacts, lower, type TreeFacts, view } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, planOf, RUN, specIn, stepsOf, tree, viewOf } from './fixtures';

const NAMED = { name: 'name=systemd', mount: '/sys/fs/cgroup/systemd', path: '/user.slice', writable: true };
const CPU = { name: 'cpu,cpuacct', mount: '/sys/fs/cgroup/cpu,cpuacct', path: '/' };
const V2: CgroupFacts = { kind: 'v2', unifiedMount: '/sys/fs/cgroup', unifiedPath: '/', v1: [] };
const V1: CgroupFacts = { kind: 'v1', v1: [CPU, NAMED] };
const HYBRID: CgroupFacts = {
  kind: 'hybrid',
  unifiedMount: '/sys/fs/cgroup/unified',
  unifiedPath: '/user.slice',
  v1: [CPU, NAMED],
};
const NONE: CgroupFacts = { kind: 'none', v1: [] };

function boot(cgroup: CgroupFacts, systemdVersion: number | undefined): string {
  return viewOf(['-b'], host({ cgroup }), tree({ systemdVersion })).cgroup.kind;
}

function refused(cgroup: CgroupFacts, systemdVersion: number, message: RegExp): void {
  try {
    boot(cgroup, systemdVersion);
  } catch (error) {
    assert.instance(error, CgroupError);
    assert.match((error as CgroupError).message, message);
    assert.ok((error as CgroupError).hint);
    return;
  }
  assert.unreachable();
}

test('systemd 233 and newer gets cgroup2 alone wherever cgroup2 is mounted', () => {
  for (const version of [233, 252, 258]) {
    assert.is(boot(V2, version), 'unified');
    assert.is(boot(HYBRID, version), 'unified');
  }
  assert.is(boot(HYBRID, undefined), 'unified');
});

test('an older systemd gets the legacy hierarchies, and a clear error where there are none', () => {
  assert.is(boot(HYBRID, 219), 'legacy');
  assert.is(boot(V1, 219), 'legacy');
  refused(V2, 219, /systemd 219 in the tree needs legacy cgroups/);
});

test('on a host with v1 only, systemd up to 257 boots and 258 is refused', () => {
  assert.is(boot(V1, 257), 'legacy');
  refused(V1, 258, /systemd 258 in the tree needs cgroup2/);
});

test('only a systemd that is booted needs cgroups', () => {
  refused(NONE, 252, /systemd in the tree needs a cgroup of its own, and the host has none/);
  assert.is(viewOf(['true'], host({ cgroup: NONE })).cgroup.kind, 'none');
  assert.is(viewOf(['-b'], host({ cgroup: NONE }), tree({ init: 'busybox' })).cgroup.kind, 'none');
  assert.is(viewOf(['true'], host({ cgroup: V1 }), tree({ systemdVersion: 258 })).cgroup.kind, 'legacy');
  assert.equal(viewOf(['true']).cgroup, { kind: 'unified', optional: true });
});

test('a read-only mount, or a kernel without cgroup namespaces, is as good as none', () => {
  refused({ ...V2, unifiedWritable: false }, 252, /the host has none that can be written/);
  refused({ ...V2, namespace: false }, 252, /the host has no cgroup namespaces/);
  refused({ kind: 'v1', v1: [CPU, { ...NAMED, writable: false }] }, 252, /the host has none that can be written/);
});

test('the layout that was asked for by name is given or refused', () => {
  const asked = (value: string, cgroup: CgroupFacts, changes: Partial<TreeFacts> = {}) =>
    view(specIn({ SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: value }, '-b'), host({ cgroup }), tree(changes)).cgroup.kind;
  assert.is(asked('0', HYBRID), 'legacy');
  assert.throws(() => asked('0', V2), /legacy cgroups are asked for, and the host has none/);
  assert.throws(() => asked('0', HYBRID, { systemdVersion: 258 }), /refuses legacy cgroups/);
  assert.throws(() => asked('1', V1), /cgroup2 is asked for, and the host has none/);
});

test("the guest's own cgroup lies below the launcher's, by machine and process id", () => {
  const { outer, inner } = planOf(['-b'], host({ cgroup: HYBRID }));
  assert.equal(stepsOf(outer, 'cgroup'), [
    {
      op: 'cgroup',
      mount: '/sys/fs/cgroup/unified',
      path: '/user.slice/tsnspawn-debian-tree-77',
      as: 'cgroup',
      into: true,
    },
  ]);
  assert.is(inner[0]?.op, 'unshareCgroup');
  assert.equal(
    stepsOf(inner, 'mount').filter(({ target }) => target.startsWith('/sys/fs/cgroup')),
    [{ op: 'mount', fs: 'cgroup2', target: '/sys/fs/cgroup', flags: ['nosuid', 'nodev', 'noexec'], data: '' }],
  );
});

test('a launcher in the root cgroup gives a path with a single slash', () => {
  const [step] = stepsOf(planOf(['-b'], host({ cgroup: V2 })).outer, 'cgroup');
  assert.is(step?.path, '/tsnspawn-debian-tree-77');
});

test('in the legacy layout only name=systemd is written, and the tmpfs is closed at the end', () => {
  const facts = host({ cgroup: V1 });
  const plan = lower(viewOf(['-b'], facts), facts, RUN);
  assert.equal(
    stepsOf(plan.outer, 'cgroup').map(({ mount, path }) => mount + path),
    ['/sys/fs/cgroup/systemd/user.slice/tsnspawn-debian-tree-77'],
  );
  const mounts = stepsOf(plan.inner, 'mount').filter(({ fs }) => fs === 'cgroup');
  assert.equal(
    mounts.map(({ target, data, flags }) => [target, data, flags.includes('ro')]),
    [
      ['/sys/fs/cgroup/systemd', 'none,name=systemd', false],
      ['/sys/fs/cgroup/cpu,cpuacct', 'cpu,cpuacct', true],
    ],
  );
  assert.ok(
    stepsOf(plan.inner, 'symlink').some(
      ({ path, target }) => path === '/sys/fs/cgroup/cpu' && target === 'cpu,cpuacct',
    ),
  );
  const closed = plan.inner.findIndex((step) => step.op === 'remount' && step.target === '/sys/fs/cgroup');
  assert.ok(closed > plan.inner.findLastIndex((step) => step.op === 'mount' && step.fs === 'cgroup'));
});

test('without cgroups there is neither a cgroup nor a namespace for one', () => {
  const plan = planOf(['true'], host({ cgroup: NONE }));
  assert.equal(stepsOf(plan.outer, 'cgroup'), []);
  assert.is(stepsOf(plan.inner, 'unshareCgroup').length, 0);
});

test.run();

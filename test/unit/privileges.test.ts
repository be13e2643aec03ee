// What a payload may do, as the view and the plan say it; that the kernel does it too is tested with guests.

import { lower, parseArguments, refuseConflicts, UnsupportedError, UsageError, view } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderPlan } from '../../packages/cli/src/render/plan';
import { host, planOf, RUN, specIn, stepsOf, tree, viewOf } from './fixtures';

const filters = (...argv: string[]) => viewOf(argv).privileges.filters;
/** Those that decide by the call. */
const callFilters = (...argv: string[]) => filters(...argv).slice(1);

/** The plan of a command line with variables in the caller's environment. */
function planIn(env: { readonly [name: string]: string }, ...argv: string[]) {
  const facts = host();
  return lower(view(specIn(env, ...argv), facts, tree()), facts, RUN);
}

function refused(kind: typeof UsageError | typeof UnsupportedError, option: string, what: () => unknown): void {
  assert.throws(what, (error: unknown) => error instanceof kind && error.option === option && error.hint !== undefined);
}

test('a launch that asks for nothing gets the built-in filters', () => {
  assert.equal(filters(), [{ filter: 'arguments' }, { filter: 'default' }]);
});

test('--suppress-sync is loaded before the filter that could forbid it', () => {
  assert.equal(
    filters('--suppress-sync=yes').map(({ filter }) => filter),
    ['suppress-sync', 'arguments', 'default'],
  );
});

test('a capability that opens no calls changes no filter', () => {
  assert.equal(callFilters('--capability=wake_alarm,net_admin', '--drop-capability=mknod'), [{ filter: 'default' }]);
  assert.equal(callFilters('--capability=sys_time', '--drop-capability=sys_time'), [{ filter: 'default' }]);
});

test('with other capabilities the calls of all are open, and those of the ones that are lacking closed', () => {
  assert.equal(callFilters('--capability=all'), [{ filter: 'privileged' }]);
  assert.equal(callFilters('--capability=all', '--drop-capability=sys_time,sys_boot'), [
    { filter: 'privileged' },
    { filter: 'closed', capabilities: ['sys_boot', 'sys_time'], names: [] },
  ]);
  assert.equal(callFilters('--drop-capability=sys_ptrace,sys_boot,sys_tty_config').at(-1), {
    filter: 'closed',
    capabilities: [
      ...['ipc_lock', 'sys_boot', 'sys_module', 'sys_pacct', 'sys_ptrace'],
      ...['sys_rawio', 'sys_time', 'sys_tty_config', 'syslog'],
    ],
    names: [],
  });
});

test('the rules of --system-call-filter stand in the plan by name: what opens, and after it what closes', () => {
  assert.equal(callFilters('--system-call-filter=@keyring bpf', '--system-call-filter=~@mount'), [
    { filter: 'opened', capabilities: ['sys_boot', 'sys_ptrace', 'sys_tty_config'], names: ['@keyring', 'bpf'] },
    { filter: 'closed', capabilities: [], names: ['@mount'] },
  ]);
  assert.equal(callFilters('--system-call-filter=~@mount', '--system-call-filter=~swapon'), [
    { filter: 'default' },
    { filter: 'closed', capabilities: [], names: ['@mount', 'swapon'] },
  ]);
  assert.equal(callFilters('--capability=sys_time', '--system-call-filter=bpf'), [
    { filter: 'opened', capabilities: ['sys_boot', 'sys_ptrace', 'sys_time', 'sys_tty_config'], names: ['bpf'] },
  ]);
});

test('--dry-run shows what filters open and close', () => {
  const text = renderPlan(planOf(['--system-call-filter=~@mount swapon', '--ambient-capability=net_raw', 'true']));
  assert.match(text, 'load the closed system call filter\n');
  assert.match(text, ' calls: @mount swapon\n');
  assert.match(text, 'ambient: net_raw\n');
  assert.match(renderPlan(planOf(['--capability=sys_time'])), 'calls of the capabilities: ipc_lock sys_module');
});

test('filters are the last thing before the exec: nothing has to pass them but that', () => {
  const ops = planOf(['--suppress-sync=yes', '--system-call-filter=~@mount', 'true']).inner.map(({ op }) => op);
  assert.equal(ops.slice(-5), ['seccomp', 'seccomp', 'seccomp', 'seccomp', 'exec']);
});

test('SYSTEMD_SECCOMP=0 loads no filter, and what only a filter can do is then refused', () => {
  assert.equal(stepsOf(planIn({ SYSTEMD_SECCOMP: '0' }, 'true').inner, 'seccomp'), []);
  for (const option of ['--system-call-filter=~@mount', '--suppress-sync=yes']) {
    refused(UsageError, option.replace(/=.*/, ''), () => refuseConflicts(specIn({ SYSTEMD_SECCOMP: '0' }, option)));
  }
});

test('ambient capabilities are in the plan, and must be among the retained ones', () => {
  const ambient = (...argv: string[]) => viewOf(argv).privileges.ambient;
  assert.equal(ambient('--ambient-capability=net_raw,CAP_CHOWN'), ['chown', 'net_raw']);
  assert.equal(ambient('--capability=sys_time', '--ambient-capability=sys_time'), ['sys_time']);
  assert.equal(ambient('--private-network', '--ambient-capability=net_admin'), ['net_admin']);
  refused(UsageError, '--ambient-capability', () => ambient('--ambient-capability=sys_time'));
  refused(UsageError, '--ambient-capability', () => ambient('--ambient-capability=chown', '--drop-capability=chown'));
  refused(UsageError, '--ambient-capability', () => ambient('--ambient-capability=chown', '--drop-capability=all'));
  refused(UsageError, '--ambient-capability', () =>
    refuseConflicts(specIn({}, '--boot', '--ambient-capability=net_raw')),
  );
});

test('a capability that the caller does not have cannot become ambient', () => {
  const few = host({ capabilities: { permitted: ['sys_admin', 'chown'], bounding: ['sys_admin', 'chown'] } });
  assert.throws(() => viewOf(['--ambient-capability=net_raw'], few), /net_raw cannot be given/);
});

test('processors are taken before the identity, and limits stand as they were asked for', () => {
  const { inner } = planOf(['--cpu-affinity=0-2,5', '--oom-score-adjust=500', 'true']);
  assert.equal(stepsOf(inner, 'cpuAffinity'), [{ op: 'cpuAffinity', cpus: [0, 1, 2, 5] }]);
  const ops = inner.map(({ op }) => op);
  assert.ok(ops.indexOf('cpuAffinity') < ops.indexOf('identity'));
  assert.ok(ops.indexOf('oomScoreAdjust') < ops.indexOf('identity'));
});

const SELINUX = host({ selinuxMount: '/sys/fs/selinux' });

test('an SELinux label is refused on a host without SELinux', () => {
  refused(UnsupportedError, '--selinux-context', () => viewOf(['-Z', 'system_u:system_r:svirt_lxc_net_t:s0']));
  refused(UnsupportedError, '--selinux-apifs-context', () => viewOf(['-L', 'system_u:object_r:svirt_file_t:s0']));
});

test('with SELinux the payload takes its label after its identity, and before the filters', () => {
  const { inner } = planOf(['-Z', 'u:r:t:s0:c1,c2', 'true'], SELINUX);
  const at = inner.findIndex((step) => step.op === 'execLabel' && step.label === 'u:r:t:s0:c1,c2');
  assert.ok(at > inner.findIndex(({ op }) => op === 'identity'));
  assert.ok(at >= 0 && at < inner.findIndex(({ op }) => op === 'seccomp'));
});

test('with SELinux every tmpfs, and the terminals, have the label of the API file systems', () => {
  const { inner } = planOf(['-L', 'u:r:t:s0:c1,c2', '--tmpfs=/data', 'true'], SELINUX);
  const mounts = stepsOf(inner, 'mount');
  const labelled = mounts.filter(({ data }) => data.endsWith(',context="u:r:t:s0:c1,c2"')).map(({ target }) => target);
  assert.equal(
    labelled,
    mounts.filter(({ fs }) => fs === 'tmpfs' || fs === 'devpts').map(({ target }) => target),
  );
  for (const path of ['/dev', '/dev/pts', '/run', '/data']) assert.ok(labelled.includes(path), path);
  const [root] = stepsOf(planOf(['-L', 'u:r:t:s0', '--volatile', 'true'], SELINUX).outer, 'newMount');
  assert.match(root?.data ?? '', /context="u:r:t:s0"$/);
});

test('SYSTEMD_NSPAWN_SHARE_NS_IPC and _UTS leave the guest in these namespaces of the host', () => {
  const namespaces = (env: { readonly [name: string]: string }) => planIn(env, 'true').clone.guest;
  assert.equal(namespaces({}), ['mnt', 'pid', 'uts', 'ipc']);
  assert.equal(namespaces({ SYSTEMD_NSPAWN_SHARE_NS_IPC: '1' }), ['mnt', 'pid', 'uts']);
  assert.equal(namespaces({ SYSTEMD_NSPAWN_SHARE_NS_UTS: 'yes' }), ['mnt', 'pid', 'ipc']);
});

test("in the host's UTS namespace the host keeps its name", () => {
  const env = { SYSTEMD_NSPAWN_SHARE_NS_UTS: '1' };
  assert.equal(stepsOf(planIn(env, 'true').inner, 'hostname'), []);
  for (const argv of [['-b'], ['/sbin/init'], ['--hostname=other', 'true']]) {
    refused(UsageError, 'SYSTEMD_NSPAWN_SHARE_NS_UTS', () => planIn(env, ...argv));
  }
});

test("the host's PID namespace is refused: nothing would end the guest with its launcher", () => {
  for (const name of ['SYSTEMD_NSPAWN_SHARE_NS_PID', 'SYSTEMD_NSPAWN_SHARE_SYSTEM']) {
    refused(UnsupportedError, 'SYSTEMD_NSPAWN_SHARE_NS_PID', () => planIn({ [name]: '1' }, 'true'));
  }
});

test('SYSTEMD_NSPAWN_USE_CGNS=0 shows the cgroups of the host read-only, and the own one writable', () => {
  const plan = planIn({ SYSTEMD_NSPAWN_USE_CGNS: '0' }, 'true');
  assert.equal(stepsOf(plan.inner, 'unshareCgroup'), []);
  assert.equal(
    stepsOf(plan.inner, 'mount').filter(({ fs }) => fs === 'cgroup2'),
    [],
  );
  const [all, own] = stepsOf(plan.outer, 'openTree').filter(
    ({ as }) => as.endsWith('cgroup') || as.endsWith('cgroups'),
  );
  assert.equal([all?.source, all?.flags.includes('ro')], ['/sys/fs/cgroup', true]);
  assert.equal([own?.source, own?.flags.includes('ro')], ['/sys/fs/cgroup/user.slice/tsnspawn-debian-tree-77', false]);
  const binds = stepsOf(plan.inner, 'bind').slice(-2);
  assert.equal(
    binds.map(({ target }) => target),
    ['/sys/fs/cgroup', '/sys/fs/cgroup/user.slice/tsnspawn-debian-tree-77'],
  );
});

test('a variable that says neither yes nor no is refused by its name', () => {
  for (const name of ['SYSTEMD_SECCOMP', 'SYSTEMD_NSPAWN_USE_CGNS', 'SYSTEMD_NSPAWN_SHARE_NS_IPC']) {
    assert.throws(() => parseArguments(['true'], { [name]: 'perhaps' }), new RegExp(`variable ${name}`));
  }
});

test.run();

// An ordinary user of a host that systemd manages: the guest is a scope of the user's own systemd.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { COMMAND, SystemdHost } from '../support/systemd-host';
import { type Kind, ownTree } from '../support/trees';
import { giveTree } from '../support/users';

const missing = needs('root', 'namespaces', 'cgroup2', 'mirror', 'command:nsenter');
const it = only(test, missing);

/** The first user of a Debian, with the first subordinate ids. */
const ANN = { uid: 1000, gid: 1000, first: { uid: 100000, gid: 100000 } };

let host: SystemdHost;

test.before(async () => {
  if (missing !== undefined) return;
  const tree = (kind: Kind): string => {
    const path = ownTree(kind);
    giveTree(path, ANN);
    return path;
  };
  // /proc of the host must be as open as that of a machine
  host = await SystemdHost.boot([`--bind=${tree('busybox')}:/srv/small`, `--bind=${tree('bookworm')}:/srv/debian`], {
    SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'yes',
  });
  assert.is(host.run('umount', '/proc/kmsg', '/proc/sys/kernel/random/boot_id').status, 0);
  assert.is(host.run('useradd', '--create-home', '--uid', String(ANN.uid), 'ann').status, 0);
});

test.after(() => host?.stop());

const AS_ANN = ['setpriv', '--reuid=ann', '--regid=ann', '--init-groups', 'env', 'XDG_RUNTIME_DIR=/run/user/1000'];
const asAnn = (...command: string[]) => host.run(...AS_ANN, ...command);
const userctl = (...args: string[]) => asAnn('systemctl', '--user', ...args);
const show = (property: string, unit: string): string => userctl('show', '-P', property, unit).stdout;
const scopes = (): string => userctl('list-units', '--all', '--no-legend', 'machine-*.scope').stdout;
const cgroupsOf = (scope: string): string => show('ControlGroup', scope);

/** The words of a service of the user's. */
const service = (...args: string[]) => ['systemd-run', '--user', '--quiet', '--collect', '--wait', '--pipe', ...args];
/** A service of the host that is the user: it is not told where the user's systemd listens. */
const ofHost = (...args: string[]) => ['systemd-run', '-q', '--collect', '--wait', '--pipe', '-p', 'User=ann', ...args];

const launch = (...args: string[]) => asAnn(...service(...COMMAND, ...args));

const SLEEP = ['sh', '-c', 'echo ready; exec sleep 1000'];

it('without a systemd of the user a Debian is refused, with the command that gives the user one', async () => {
  const boot = () => host.run(...ofHost(...COMMAND, '-bD', '/srv/debian'));
  const { status, stderr } = boot();
  assert.is(status, 1);
  assert.match(stderr, /needs a cgroup of its own, and this user may make none/);
  assert.match(
    host.run(...ofHost(...COMMAND, '-D', '/srv/small', '--slice=work', 'true')).stderr,
    /--slice=work\.slice needs/,
  );
  const [, command = 'false'] = /^hint: .*: sudo (loginctl enable-linger \d+)/m.exec(stderr) ?? [];
  assert.is(host.run(...command.split(' ')).status, 0);
  await eventually(() => host.run('test', '-S', '/run/user/1000/bus').status === 0, 'the bus of the user');
});

it('a Debian of a user is a scope of its systemd, comes up, and goes down in order with the scope', () =>
  withRunning(host.start(...ofHost(...COMMAND, '-M', 'deb', '--slice=work', '-bD', '/srv/debian')), async (running) => {
    await running.until(/root@deb/);
    const scope = 'machine-deb.scope';
    assert.equal(
      ['ActiveState', 'Slice', 'Delegate', 'KillSignal'].map((property) => show(property, scope)),
      ['active', 'work.slice', 'yes', '23'],
    );
    const cgroup = `/sys/fs/cgroup${cgroupsOf(scope)}`;
    assert.match(cgroup, /user@1000\.service\/work\.slice\/machine-deb\.scope$/);
    assert.is(host.run('cat', `${cgroup}/supervisor/cgroup.procs`).stdout.split('\n').length, 2);
    const init = host.run('cat', `${cgroup}/payload/init.scope/cgroup.procs`).stdout;
    const state = host.run('nsenter', '-t', init, '-a', 'systemctl', 'is-system-running', '--wait');
    assert.is(state.stdout, 'running');
    assert.is(host.run('machinectl', 'list', '--no-legend').stdout, '', 'machined is not bothered');
    assert.is(userctl('stop', scope).status, 0);
    assert.equal(await running.exited, { status: 0, signal: null });
    assert.match(running.output, /Container deb has been shut down\./);
    assert.is(scopes(), '');
  }));

it('boot-check of a user boots in such a scope', () => {
  const { status, stdout, stderr } = host.run(...ofHost(...COMMAND, 'boot-check', '-D', '/srv/debian'));
  assert.is(status, 0, stderr);
  assert.match(stdout, /booted with systemd as PID 1/);
  assert.is(scopes(), '');
});

it('limits are properties of the scope where the user’s systemd has the controller, and refused by its name elsewhere', () => {
  const controllers = host.run('cat', '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers');
  const hog = '(dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null); echo hog $?';
  const { status, stdout, stderr } = launch('-qPD', '/srv/small', '--property=MemoryMax=48M', 'sh', '-c', hog);
  if (controllers.stdout.split(' ').includes('memory')) assert.match(stdout, /^hog (?!0$)\d+$/m);
  else {
    assert.equal([status, stdout], [1, '']);
    assert.match(stderr, /--property=MemoryMax=48M cannot be given: the systemd of this user has no memory controller/);
  }
  const words = ['-qPD', '/srv/small', '--property=Description=a test of ann', ...SLEEP];
  return withRunning(host.start(...AS_ANN, ...service(...COMMAND, ...words)), async (running) => {
    await running.until(/ready/);
    assert.is(show('Description', 'machine-small.scope'), 'a test of ann');
    const [launcher] = host
      .run('cat', `/sys/fs/cgroup${cgroupsOf('machine-small.scope')}/supervisor/cgroup.procs`)
      .stdout.split('\n');
    assert.is(host.run('sh', '-c', `kill -9 ${launcher}`).status, 0);
    await running.exited;
    await eventually(() => scopes() === '', 'the scope goes with its launcher');
  });
});

it('machined listens to root: --register=yes fails with what it says', () => {
  const { status, stderr } = launch('-D', '/srv/small', '--register=yes', '--pipe', 'true');
  assert.is(status, 1);
  assert.match(stderr, /Access denied[\s\S]*cannot register the machine small with systemd-machined/);
  assert.is(scopes(), '');
});

it('--keep-unit divides a unit that the user has delegated', () => {
  const words = [...COMMAND, '-qD', '/srv/small', '--keep-unit', ...SLEEP];
  return withRunning(
    host.start(...AS_ANN, ...service('-p', 'Delegate=yes', '--unit=kept', ...words)),
    async (running) => {
      await running.until(/ready/);
      assert.is(scopes(), '');
      const below = host.run('ls', `/sys/fs/cgroup${cgroupsOf('kept.service')}`).stdout.split('\n');
      assert.ok(below.includes('supervisor') && below.includes('payload'), below.join(' '));
      assert.is(userctl('kill', '--kill-whom=main', '--signal=KILL', 'kept.service').status, 0);
      await running.exited;
    },
  );
});

test.run();

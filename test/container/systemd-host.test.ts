// A host that systemd manages: scopes, limits as properties, machinectl.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Running } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { COMMAND, SystemdHost } from '../support/systemd-host';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'cgroup2', 'command:nsenter');
const it = only(test, missing);

let host: SystemdHost;

test.before(async () => {
  if (missing !== undefined) return;
  host = await SystemdHost.boot([
    `--bind=${ownTree('busybox')}:/srv/small`,
    `--bind=${ownTree('bookworm')}:/srv/debian`,
  ]);
});

test.after(() => host?.stop());

const onHost = (...command: string[]) => host.run(...command);
const start = (...command: string[]) => host.start(...command);

const show = (unit: string, property: string): string => onHost('systemctl', 'show', '-P', property, unit).stdout;
const machines = (): string => onHost('machinectl', 'list', '--no-legend').stdout;
const leader = (name: string): string => onHost('machinectl', 'show', '--value', '-p', 'Leader', name).stdout;
const cgroupOf = (pid: string): string => onHost('cat', `/proc/${pid}/cgroup`).stdout;
const scopes = (): string => onHost('systemctl', 'list-units', '--all', '--no-legend', 'machine-*.scope').stdout;

/** As a service, as everything on such a host is one, or part of a session. */
const service = (...args: string[]): string[] => ['systemd-run', '--quiet', '--collect', '--wait', '--pipe', ...args];

const run = (...args: string[]) => onHost(...service(...COMMAND, ...args));

let services = 0;
/** A launch as a service, which is gone at the end of the test. */
function withLaunch(args: readonly string[], body: (running: Running) => Promise<void>, unit = `launch-${services++}`) {
  const properties = ['--property=Delegate=yes', `--unit=${unit}`];
  return withRunning(start(...service(...properties, ...COMMAND, ...args)), async (running) => {
    try {
      await body(running);
    } finally {
      // its descriptors are the test's: systemd-run alone would go and leave it there
      onHost('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', unit);
    }
  });
}

const SLEEP = ['sh', '-c', 'echo ready; exec sleep 1000'];

it('a machine has a scope with its slice and limits, and machined knows it by its PID 1', () => {
  const limits = ['--property=MemoryMax=300M', '--property=TasksMax=50', '--property=Description=a test'];
  const argv = ['-D', '/srv/small', '-M', 'web-1', '--slice=work', ...limits, ...SLEEP];
  return withLaunch(argv, async (running) => {
    await running.until(/ready/);
    const unit = 'machine-web\\x2d1.scope';
    assert.equal(
      ['ActiveState', 'Slice', 'MemoryMax', 'TasksMax', 'Delegate', 'DevicePolicy', 'Description'].map((p) =>
        show(unit, p),
      ),
      ['active', 'work.slice', '314572800', '50', 'yes', 'closed', 'a test'],
    );
    assert.match(machines(), /^web-1\s+container\s+tsnspawn\b/m);
    const guest = leader('web-1');
    assert.is(onHost('cat', `/proc/${guest}/comm`).stdout, 'sleep');
    assert.match(cgroupOf(guest), /^0::\/work\.slice\/machine-web\\x2d1\.scope\/payload$/m);
    const supervisors = onHost('cat', `/sys/fs/cgroup/work.slice/${unit}/supervisor/cgroup.procs`).stdout.split('\n');
    assert.is(supervisors.length, 2, 'launcher and monitor are apart from the guest');
    assert.match(onHost('machinectl', 'status', '--no-pager', 'web-1').stdout, /Root: \/srv\/small/);

    assert.is(onHost('sh', '-c', `kill -9 ${supervisors[0]}`).status, 0);
    await running.exited;
    assert.is(machines(), '');
    assert.is(scopes(), '');
  });
});

it('machinectl reboots a Debian, which stays the same machine, lets programs in, and powers it off', () =>
  withLaunch(['-D', '/srv/debian', '-M', 'deb', '-b'], async (running) => {
    await running.until(/root@deb/);
    const first = leader('deb');
    assert.match(machines(), /^deb\s+container\s+tsnspawn\s+debian\s+12/m);
    const inside = ['systemd-run', '--machine=deb', '--quiet', '--wait', '--pipe', 'hostname'];
    assert.is(onHost(...inside).stdout, 'deb');
    assert.is(onHost('machinectl', 'reboot', 'deb').status, 0);
    await running.until(/is being rebooted[\s\S]*root@deb/);
    assert.not.equal(leader('deb'), first);
    assert.is(onHost('cat', `/proc/${leader('deb')}/comm`).stdout, 'systemd');
    assert.is(onHost('machinectl', 'poweroff', 'deb').status, 0);
    assert.equal(await running.exited, { status: 0, signal: null });
    assert.match(running.output, /Container deb has been shut down\./);
    assert.is(machines(), '');
  }));

it('a scope that is stopped shuts its guest down in order', () =>
  withLaunch(['-D', '/srv/small', '-M', 'small', '-b'], async (running) => {
    await running.until(/:\/# /);
    assert.is(onHost('systemctl', 'stop', 'machine-small.scope').status, 0);
    assert.equal(await running.exited, { status: 0, signal: null });
    assert.match(running.output, /has been shut down\./);
  }));

it('of two machines of one name the second is refused, and one after the other they start at once', () =>
  withLaunch(['-D', '/srv/small', ...SLEEP], async (running) => {
    await running.until(/ready/);
    const { status, stderr } = run('-D', '/srv/debian', '-M', 'small', '--pipe', 'true');
    assert.is(status, 1);
    assert.match(stderr, /cannot make the scope machine-small\.scope[\s\S]*give this one another with --machine/);
    assert.is(onHost('machinectl', 'terminate', 'small').status, 0);
    await running.exited;
    const words = [...COMMAND, '-qD', '/srv/small', '--pipe', 'true'].join(' ');
    assert.equal(onHost(...service('sh', '-c', `${words} && ${words} && ${words}`)), {
      status: 0,
      stdout: '',
      stderr: '',
    });
  }));

it('--keep-unit divides the unit of the caller, and registers the machine with it', () => {
  const body = async (running: Running): Promise<void> => {
    await running.until(/ready/);
    assert.is(scopes(), '');
    assert.match(cgroupOf(leader('small')), /^0::\/system\.slice\/kept\.service\/payload$/m);
    assert.match(cgroupOf(show('kept.service', 'MainPID')), /^0::\/system\.slice\/kept\.service\/supervisor$/m);
    assert.is(onHost('machinectl', 'show', '--value', '-p', 'Unit', 'small').stdout, 'kept.service');
    assert.is(onHost('machinectl', 'kill', '-s', 'KILL', '--kill-whom=leader', 'small').status, 0);
    await running.exited;
    assert.is(machines(), '');
  };
  return withLaunch(['-qD', '/srv/small', '--keep-unit', ...SLEEP], body, 'kept');
});

it('--register=no makes a scope and no entry; with --keep-unit there is neither', () => {
  const look = (...args: string[]): string => {
    const words = ['-qD', '/srv/small', '--pipe', '--register=no', ...args, ...SLEEP]
      .map((word) => `'${word}'`)
      .join(' ');
    const script = `${COMMAND.join(' ')} ${words} > /run/out & until grep -q ready /run/out; do :; done
      machinectl list --no-legend; systemctl list-units --no-legend 'machine-*.scope' | cut -d' ' -f3; kill -9 $!`;
    return onHost(...service('sh', '-c', script)).stdout;
  };
  assert.is(look(), 'machine-small.scope');
  assert.is(look('--keep-unit'), '');
});

it('a step that fails is explained as elsewhere, and its scope goes', () => {
  const { status, stderr } = run('-D', '/srv/small', '-M', 'broken', '--pipe', '/no/such/command');
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: cannot execute \/no\/such\/command: No such file or directory$/m);
  assert.is(scopes(), '');
});

it('a value that the host refuses ends the launch with what systemd says', () => {
  const { status, stderr } = run('-qD', '/srv/small', '--property=After=not a unit', '--pipe', 'true');
  assert.is(status, 1);
  assert.match(stderr, /cannot make the scope machine-small\.scope: /);
});

/** A launch without the help of systemd-run, which needs the bus itself: in a cgroup of the host, made by hand. */
function direct(...args: string[]) {
  const script = 'mkdir -p /sys/fs/cgroup/direct && echo $$ > /sys/fs/cgroup/direct/cgroup.procs && exec "$@"';
  return onHost('sh', '-c', script, 'sh', ...COMMAND, '-D', '/srv/small', '--pipe', ...args, 'echo', 'hello');
}

it('without a bus a launch goes on with a warning, unless it names a slice, a limit or --register=yes', () => {
  assert.is(onHost('systemctl', 'stop', 'dbus.socket', 'dbus.service', 'systemd-machined.service').status, 0);
  try {
    const plain = direct();
    assert.equal([plain.status, plain.stdout], [0, 'hello']);
    assert.match(plain.stderr, /warning: cannot make the scope .*; going on without a unit/);
    assert.equal(direct('-q').stderr, '');
    for (const option of ['--slice=work', '--property=TasksMax=10', '--register=yes']) {
      const { status, stdout, stderr } = direct(option);
      assert.equal([status, stdout], [1, ''], option);
      assert.match(stderr, /cannot make the scope/);
    }
    const kept = direct('--keep-unit', '--register=yes');
    assert.equal([kept.status, kept.stdout], [1, '']);
    assert.match(kept.stderr, /cannot register the machine small with systemd-machined/);
    assert.equal(direct('--keep-unit').stdout, 'hello');
  } finally {
    onHost('systemctl', 'start', 'dbus.socket');
  }
});

it('a bus that does not answer has a time limit', () => {
  const listen = "require('net').createServer(() => {}).listen('/run/dbus/system_bus_socket')";
  assert.is(onHost('systemctl', 'stop', 'dbus.socket', 'dbus.service', 'systemd-machined.service').status, 0);
  onHost('rm', '-f', '/run/dbus/system_bus_socket');
  const deaf = start(COMMAND[0] ?? '', '-e', listen);
  return withRunning(deaf, async () => {
    onHost('sh', '-c', 'until [ -S /run/dbus/system_bus_socket ]; do :; done');
    const started = Date.now();
    const { status, stdout, stderr } = direct();
    assert.equal([status, stdout], [0, 'hello']);
    assert.match(stderr, /going on without a unit/);
    assert.ok(Date.now() - started < 30_000);
  });
});

test.run();

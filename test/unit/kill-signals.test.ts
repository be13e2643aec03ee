import type { InitKind } from '@tsnspawn/core';
import { signalName, signalNames, signalNumber } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, tree, viewOf } from './fixtures';

const killSignal = (argv: readonly string[], init: InitKind) => viewOf(argv, host(), tree({ init })).signals.shutdown;

test('each init is asked to shut down with the signal it understands', () => {
  assert.is(killSignal(['-b'], 'systemd'), 37);
  assert.is(killSignal(['-b'], 'busybox'), 12);
  assert.is(killSignal(['-b'], 'openrc'), 15);
  assert.is(killSignal(['-b'], 'unknown'), 37);
});

test('sysvinit is told with SIGPWR where its inittab knows that, else with ctrl-alt-del', () => {
  assert.is(killSignal(['-b'], 'sysvinit'), 2);
  assert.is(viewOf(['-b'], host(), tree({ init: 'sysvinit', powerfail: true })).signals.shutdown, 30);
});

test('the keys of the console send what the init understands', () => {
  const keys = (argv: readonly string[], init: InitKind) => {
    const { powerOff, reboot } = viewOf(argv, host(), tree({ init })).signals;
    return [powerOff, reboot];
  };
  assert.equal(keys(['-b'], 'systemd'), [38, 39]);
  assert.equal(keys(['-b'], 'busybox'), [12, 15]);
  assert.equal(keys(['-b'], 'sysvinit'), [2, 2]);
  assert.equal(keys(['/bin/sh'], 'systemd'), [38, 39]);
  assert.equal(keys(['-b', '--kill-signal=TERM'], 'systemd'), [15, 39]);
});

test('an init that is named as the command is asked as well', () => {
  for (const init of ['/sbin/init', '/usr/sbin/init', '/lib/systemd/systemd', '/usr/lib/systemd/systemd']) {
    assert.is(killSignal([init], 'systemd'), 37, init);
  }
});

test('any other payload, and one below the stub, is killed', () => {
  assert.is(killSignal(['/bin/sh'], 'systemd'), 0);
  assert.is(killSignal([], 'systemd'), 0);
  assert.is(killSignal(['-a', '/sbin/init'], 'systemd'), 0);
});

test('--kill-signal wins over what the init would need', () => {
  assert.is(killSignal(['-b', '--kill-signal=TERM'], 'systemd'), 15);
  assert.is(killSignal(['--kill-signal=HUP', 'cat'], 'systemd'), 1);
});

test('every signal has a name that leads back to its number', () => {
  assert.is(signalNames().length, 31 + 31);
  for (const name of signalNames()) assert.is(signalName(signalNumber(name) ?? 0), name);
  assert.is(signalName(200), '200');
});

test.run();

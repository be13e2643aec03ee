import type { InitKind } from '@tsnspawn/core';
import { signalName, signalNames, signalNumber } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, tree, viewOf } from './fixtures';

const killSignal = (argv: readonly string[], init: InitKind) => viewOf(argv, host(), tree({ init })).killSignal;

test('each init is asked to shut down with the signal it understands', () => {
  assert.is(killSignal(['-b'], 'systemd'), 37);
  assert.is(killSignal(['-b'], 'busybox'), 12);
  assert.is(killSignal(['-b'], 'sysvinit'), 30);
  assert.is(killSignal(['-b'], 'unknown'), 37);
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

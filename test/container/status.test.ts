// The exit status of the command is the guest's, and its other ends have the statuses that systemd-nspawn gives them.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cgroupsOf, commandLine, footprintOf, hostMounts, newMounts, nothingLeft } from '../support/footprint';
import { descendantsOf, eventually, isAlive, startTsnspawn, tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';

const sh = (script: string, ...options: string[]) => tsnspawn(['-q', '-D', tree, ...options, '/bin/sh', '-c', script]);

it('a command that exits with 7 gives 7', () => {
  assert.is(sh('exit 7').status, 7);
});

for (const status of [0, 1, 2, 42, 126, 127, 128, 129, 133, 137, 143, 200, 254, 255]) {
  it(`status ${status} is passed on, with a terminal, a pipe and a stub`, () => {
    const statuses = [
      sh(`exit ${status}`),
      sh(`exit ${status}`, '--pipe'),
      sh(`exit ${status}`, '--pipe', '--as-pid2'),
    ];
    assert.equal(
      statuses.map((outcome) => outcome.status),
      [status, status, status],
    );
  });
}

it('a stub as PID 1 passes the status on when the payload has a terminal', () => {
  const { status, stdout } = sh('echo here; exit 7', '--as-pid2');
  assert.is(status, 7);
  assert.is(stdout, 'here\r\n');
});

it('the closing line names the status', () => {
  assert.match(tsnspawn(['-D', tree, 'true']).stderr, /^Container busybox exited successfully\.$/m);
  assert.match(tsnspawn(['-D', tree, 'false']).stderr, /^Container busybox failed with error code 1\.$/m);
});

it('a payload as PID 1 does not die of its own signals', () => {
  const { status, stdout } = sh('kill -9 $$; kill -TERM $$; echo alive', '--pipe');
  assert.is(stdout, 'alive\n');
  assert.is(status, 0);
});

it('a payload as PID 1 that is killed from outside gives 1 and says which signal it was', () =>
  withMachine(['-D', tree, 'sh', '-c', 'echo ready; exec sleep 1000'], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    process.kill(footprint.init, 'SIGKILL');
    assert.equal(await running.exited, { status: 1, signal: null });
    assert.match(running.output, /Container busybox terminated by signal (9|KILL)\./);
    await nothingLeft(footprint);
  }));

it('a payload below the stub that is killed by a signal gives 255', () => {
  assert.is(sh('kill -9 $$', '--as-pid2', '--pipe').status, 255);
  assert.is(sh('kill -TERM $$', '--as-pid2', '--pipe').status, 255);
});

it('a payload below the stub is PID 2, in a session of its own', () => {
  const { stdout } = sh('echo $$ $PPID; cut -d" " -f6 /proc/self/stat', '--as-pid2', '--pipe');
  assert.is(stdout, '2 1\n2\n');
});

it('the stub reaps orphans', () => {
  // Each round leaves orphans; were they not reaped, they would be seen as zombies.
  const script = `
    for i in 1 2 3 4 5; do (true & true & true &) ; done
    mkfifo /tmp/done; (sh -c 'read line </tmp/done; exit 3' &); echo go >/tmp/done
    i=0
    while zombies=$(grep -h '^State:.Z' /proc/[0-9]*/status 2>/dev/null); do i=$((i + 1)); [ $i -lt 500 ] || break; usleep 10000; done
    echo "$zombies"end`;
  const { status, stdout } = sh(script, '--as-pid2', '--pipe');
  assert.is(stdout, 'end\n');
  assert.is(status, 0);
});

it('the end of the payload below the stub is the end of all', () =>
  withMachine(['-q', '-D', tree, '--as-pid2', '--pipe', 'sh'], async (running) => {
    running.write('(setsid sleep 1000 >/dev/null 2>&1 </dev/null &); echo ready\n');
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.write('exit 5\n');
    assert.equal(await running.exited, { status: 5, signal: null });
    await nothingLeft(footprint);
  }));

it('the stub powers off on the signals that say so, and gives the payload a chance', () =>
  withMachine(
    [
      '-q',
      '-D',
      tree,
      '--as-pid2',
      '--pipe',
      '--kill-signal=SIGRTMIN+4',
      'sh',
      '-c',
      'trap "" HUP; trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 1000 & wait; done',
    ],
    async (running) => {
      await running.until(/ready/);
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 0, signal: null });
      assert.match(running.output, /bye/);
    },
  ));

for (const [means, signals, status] of [
  ['power off', [37, 38, 47, 48], 0],
  ['reboot', [2, 39, 40, 49, 50], 133],
] as const) {
  it(`the stub takes the signals of an init for ${means}, also from within: ${signals.join(', ')}`, () => {
    for (const signal of signals) {
      const script = `trap '' HUP; trap 'echo asked; exit 3' TERM; kill -${signal} 1; while :; do sleep 1000 & wait; done`;
      const outcome = sh(script, '--as-pid2', '--keep-unit', '--pipe');
      assert.equal([signal, outcome.status, outcome.stdout], [signal, status, 'asked\n']);
    }
  });
}

it('the stub leaves all other signals alone', () => {
  assert.is(sh('for s in 1 10 12 15 28 35 36 52; do kill -$s 1; done; exit 9', '--as-pid2', '--pipe').status, 9);
});

it('a command that is not in the tree gives 1, a line that names it, and leaves nothing', async () => {
  const before = hostMounts();
  for (const command of ['no-such-command', '/no/such/command']) {
    const running = startTsnspawn(['-q', '-D', tree, command]);
    assert.equal(await running.exited, { status: 1, signal: null });
    const [line, hint, ...rest] = running.output.trimEnd().split('\n');
    assert.match(line ?? '', new RegExp(`^tsnspawn: .*${command}.*: No such file or directory$`));
    assert.match(hint ?? '', /^hint: /);
    assert.equal(rest, []);
    assert.equal([...cgroupsOf(running.pid), ...newMounts(before)], []);
  }
});

it('a file that may not be executed gives 1 and says so', () => {
  const { status, stderr } = tsnspawn(['-q', '-D', tree, '/etc/passwd']);
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: .*\/etc\/passwd.*: Permission denied$/m);
});

it('a script without an interpreter line is run by the shell', () => {
  writeFileSync(join(tree, 'script'), 'echo "$0 $1"; exit 9\n', { mode: 0o755 });
  const { status, stdout } = tsnspawn(['-q', '-D', tree, '--pipe', '/script', 'word']);
  assert.is(stdout, '/script word\n');
  assert.is(status, 9);
});

for (const [command, text] of [
  ['poweroff', 'has been shut down'],
  ['halt', 'has been shut down'],
] as const) {
  it(`${command} in the guest gives 0`, () => {
    const { status, stderr } = tsnspawn(['-D', tree, '/bin/sh', '-c', `${command} -f; sleep 1000`]);
    assert.is(status, 0);
    assert.match(stderr, new RegExp(`^Container busybox ${text}\\.$`, 'm'));
  });
}

/** Appends who and what it is, reboots twice, and ends. */
const REBOOTS = `
  echo "$(cat /proc/sys/kernel/random/boot_id) $container_uuid $(cat /run/host/container-uuid)" >> /starts
  [ -e /tmp/was-here ] && exit 99
  touch /tmp/was-here
  [ $(wc -l < /starts) -ge 3 ] && exit 5
  reboot -f; sleep 1000`;

it('reboot in the guest starts the container again, as the same machine with a new boot id', () => {
  rmSync(join(tree, 'starts'), { force: true });
  const before = hostMounts();
  const { status, stderr } = tsnspawn(['-D', tree, '/bin/sh', '-c', REBOOTS]);
  assert.is(status, 5, stderr);
  assert.is(stderr.match(/^Container busybox is being rebooted\.$/gm)?.length, 2);
  const starts = readFileSync(join(tree, 'starts'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '));
  assert.is(starts.length, 3);
  assert.is(new Set(starts.map(([boot]) => boot)).size, 3, 'three boot ids');
  assert.is(new Set(starts.flatMap(([, ...machine]) => machine)).size, 1, 'one machine id');
  assert.equal(newMounts(before), []);
});

it('reboot in the guest gives 133 with --keep-unit, and starts nothing', () => {
  rmSync(join(tree, 'starts'), { force: true });
  const { status } = tsnspawn(['-q', '-D', tree, '--keep-unit', '/bin/sh', '-c', REBOOTS]);
  assert.is(status, 133);
  assert.is(readFileSync(join(tree, 'starts'), 'utf8').trimEnd().split('\n').length, 1);
});

it('a reboot comes up in the tree that was started, even when its path leads to another one by then', async () => {
  const home = join(tree, '..');
  const path = join(home, 'path');
  const [started, other] = ['started', 'other'].map((name) => {
    const copy = ownTree('busybox', name);
    // busybox's init runs it, and after it nothing: the shell of a tree would want a terminal
    writeFileSync(join(copy, 'etc/inittab'), '::sysinit:/bin/sh /boot\n::restart:/sbin/init\n');
    writeFileSync(join(copy, 'boot'), `exec 3<>/go\necho "up in ${name}"\nread line <&3\nreboot -f\n`);
    execFileSync('mkfifo', [join(copy, 'go')]);
    return copy;
  }) as [string, string];
  renameSync(started, path);
  try {
    await withMachine(['-D', path, '-b'], async (running) => {
      await running.until(/up in/);
      renameSync(path, started);
      symlinkSync(other, path);
      writeFileSync(join(started, 'go'), 'again\n', { flag: 'r+' });
      await running.until(/is being rebooted[\s\S]*up in/);
      assert.equal(running.output.match(/up in \w+/g), ['up in started', 'up in started']);
    });
  } finally {
    rmSync(path, { force: true });
  }
});

it('a container that was started again still dies with its launcher', () => {
  rmSync(join(tree, 'rebooted'), { force: true });
  const script = '[ -e /rebooted ] && { echo ready; exec sleep 1000; }; touch /rebooted; reboot -f; sleep 1000';
  return withMachine(['-q', '-D', tree, 'sh', '-c', script], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.child.kill('SIGKILL');
    await running.exited;
    await nothingLeft(footprint);
    assert.ok(existsSync(join(tree, 'rebooted')));
  });
});

it('SIGTERM kills a payload that is no init, and gives 1', () =>
  withMachine(['-q', '-D', tree, 'sh', '-c', 'trap "" TERM; echo ready; exec sleep 1000'], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.child.kill('SIGTERM');
    assert.equal(await running.exited, { status: 1, signal: null });
    await nothingLeft(footprint);
  }));

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  it(`${signal} sends the --kill-signal first, and a second one kills`, () =>
    withMachine(
      [
        '-D',
        tree,
        '--kill-signal=USR1',
        'sh',
        '-c',
        'trap "echo asked" USR1; echo ready; while :; do sleep 1000 & wait $!; done',
      ],
      async (running) => {
        await running.until(/ready/);
        running.child.kill(signal);
        await running.until(/asked/);
        await running.until(/again to kill/);
        running.child.kill(signal);
        assert.equal(await running.exited, { status: 1, signal: null });
      },
    ));
}

it('a SIGTERM that comes while the launcher makes room for its supervisor is heeded', async () => {
  const script = 'trap "exit 7" USR1; while :; do usleep 10000; done';
  for (let round = 0; round < 10; round += 1) {
    await withMachine(['-q', '-D', tree, '--kill-signal=USR1', 'sh', '-c', script], async (running) => {
      const monitors = () =>
        descendantsOf(running.pid).filter((pid) => commandLine(pid).startsWith('tsnspawn-monitor'));
      await eventually(() => monitors().length > 0, 'a monitor');
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 7, signal: null });
    });
  }
});

it('signals that mean nothing to the launcher do not disturb it: SIGUSR1, SIGRTMIN+18, a new size of no terminal', () =>
  withMachine(['-q', '-D', tree, '--pipe', 'sh', '-c', 'echo ready; read line; exit 4'], async (running) => {
    await running.until(/ready/);
    for (const signal of ['SIGUSR1', 52, 'SIGWINCH'] as const) process.kill(running.pid, signal);
    running.write('go\n');
    assert.equal(await running.exited, { status: 4, signal: null });
  }));

it('a second SIGTERM kills a booted guest that ignores the first', () => {
  const deaf = ownTree('busybox', 'deaf');
  rmSync(join(deaf, 'usr/sbin/init'));
  writeFileSync(join(deaf, 'usr/sbin/init'), '#!/bin/sh\necho up as $$\nwhile :; do sleep 1000; done\n', {
    mode: 0o755,
  });
  return withMachine(['-D', deaf, '-b'], async (running) => {
    await running.until(/up as 1\b/);
    const footprint = footprintOf(running);
    running.child.kill('SIGTERM');
    await running.until(/again to kill/);
    assert.ok(isAlive(footprint.init));
    running.child.kill('SIGTERM');
    assert.equal(await running.exited, { status: 1, signal: null });
    await nothingLeft(footprint);
  });
});

it('nothing of the environment of the test decides: an empty one works', () => {
  const env = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
  const { status } = tsnspawn(['-q', '-D', tree, '/bin/sh', '-c', 'exit 6'], {
    env: { ...env, PATH: process.env.PATH },
  });
  assert.is(status, 6);
});

test.run();

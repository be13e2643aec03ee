// Nothing of a guest survives its launcher or its monitor, whoever of them is killed, and whatever the payload has done to
// stay. systemd-nspawn 252 fails most of these.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  cgroupsOf,
  commandLine,
  type Footprint,
  footprintOf,
  hostMounts,
  newMounts,
  noProcessLeft,
  nothingLeft,
  processes,
  processesOf,
} from '../support/footprint';
import { eventually, quoted, Running, startTsnspawn, TSNSPAWN } from '../support/launcher';
import { withMachine, withRunning, withScript } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const rootNeeded = needs('root', 'namespaces');
const compilerNeeded = needs('root', 'namespaces', 'command:gcc');
const it = only(test, rootNeeded);
const itWithCompiler = only(test, compilerNeeded);
const itInCgroup2 = only(test, needs('root', 'namespaces', 'cgroup2'));
const itOnTerminal = only(test, needs('root', 'namespaces', 'command:script'));

const tree = rootNeeded === undefined ? ownTree('busybox') : '';
if (compilerNeeded === undefined) {
  mkdirSync(join(tree, 'opt'), { recursive: true });
  execFileSync('gcc', ['-static', '-O1', '-o', join(tree, 'opt/survivor'), 'test/support/survivor.c']);
}

/** A payload that takes one more argument, by which its command line is known among all of the host. */
const SLEEP = ['sh', '-c', 'sleep 1000; :'] as const;

/** A payload that says when it runs. */
const READY = ['sh', '-c', 'echo ready; exec sleep 1000'] as const;

/** Who is killed, and what then must be gone. */
const VICTIMS: Readonly<Record<string, { kill: (footprint: Footprint) => void; gone: typeof nothingLeft }>> = {
  'the launcher': { kill: ({ launcher }) => process.kill(launcher, 'SIGKILL'), gone: nothingLeft },
  'the monitor': { kill: ({ monitor }) => process.kill(monitor, 'SIGKILL'), gone: nothingLeft },
  'both at once': {
    kill({ launcher, monitor }) {
      process.kill(launcher, 'SIGSTOP'); // so that it cannot see the monitor die
      process.kill(monitor, 'SIGKILL');
      process.kill(launcher, 'SIGKILL');
    },
    gone: noProcessLeft,
  },
};

interface Payload {
  readonly options?: readonly string[];
  readonly command: readonly string[];
  /** processes in the machine, monitor included, at least */
  readonly processes: number;
}

const PLAIN: Readonly<Record<string, Payload>> = {
  'a payload that sleeps': { command: ['sh', '-c', 'echo ready; exec sleep 1000'], processes: 2 },
  'a payload below the stub init': {
    options: ['--as-pid2'],
    command: ['sh', '-c', 'echo ready; exec sleep 1000'],
    processes: 3,
  },
  'a payload of another user': {
    options: ['--user=nobody'],
    command: ['/bin/sh', '-c', 'echo ready; exec sleep 1000'],
    processes: 2,
  },
  'a payload that became another user with su': {
    command: ['su', '-s', '/bin/sh', 'nobody', '-c', 'echo ready; exec sleep 1000'],
    processes: 2,
  },
  'a payload that ignores signals': {
    command: ['sh', '-c', "trap '' HUP INT QUIT TERM CHLD PIPE; sleep 1000 & echo ready; wait"],
    processes: 3,
  },
  'a payload that left its session and its parent': {
    command: [
      'sh',
      '-c',
      "(trap '' HUP TERM; setsid sleep 1000 </dev/null >/dev/null 2>&1 &); echo ready; exec sleep 1000",
    ],
    processes: 3,
  },
  'a payload in a PID namespace of its own making': {
    command: ['sh', '-c', 'exec unshare -p -f sh -c "echo ready; sleep 1000 & wait"'],
    processes: 2,
  },
  'a payload that has stopped itself': {
    options: ['--as-pid2'],
    command: ['sh', '-c', 'echo ready; kill -STOP $$'],
    processes: 3,
  },
};

const COMPILED: Readonly<Record<string, Payload>> = {
  'a payload that changed its user id': { command: ['/opt/survivor', 'setuid'], processes: 2 },
  'a payload that cleared its parent-death signal': { command: ['/opt/survivor', 'pdeathsig'], processes: 2 },
  'a payload that did all it can': {
    command: ['/opt/survivor', 'orphan', 'setsid', 'setuid', 'pdeathsig', 'ignore'],
    processes: 3,
  },
  'a payload that did all it can below the stub init': {
    options: ['--as-pid2'],
    command: ['/opt/survivor', 'orphan', 'setsid', 'setuid', 'pdeathsig', 'ignore'],
    processes: 4,
  },
};

function dies(name: string, payload: Payload, register: typeof it): void {
  for (const [victim, { kill, gone }] of Object.entries(VICTIMS)) {
    register(`${name} is gone when ${victim} is killed`, () =>
      withMachine(['-q', '-D', tree, ...(payload.options ?? []), ...payload.command], async (running) => {
        await running.until(/ready/);
        const footprint = footprintOf(running);
        await eventually(() => processesOf(footprint).length >= payload.processes, 'the payload has all its processes');
        kill(footprint);
        await running.exited;
        await gone(footprint);
      }),
    );
  }
}
for (const [name, payload] of Object.entries(PLAIN)) dies(name, payload, it);
for (const [name, payload] of Object.entries(COMPILED)) dies(name, payload, itWithCompiler);

for (const [victim, { kill, gone }] of Object.entries(VICTIMS)) {
  itInCgroup2(`cgroups that the guest made, one of them frozen, are gone when ${victim} is killed`, () => {
    const script = `
      cd /sys/fs/cgroup && mkdir -p a/b/c d frozen || exit
      sleep 1000 & echo $! > /sys/fs/cgroup/a/b/c/cgroup.procs
      sleep 1000 & echo $! > /sys/fs/cgroup/frozen/cgroup.procs
      echo 1 > /sys/fs/cgroup/frozen/cgroup.freeze
      while ! grep -q 'frozen 1' /sys/fs/cgroup/frozen/cgroup.events; do :; done
      echo ready; wait`;
    return withMachine(['-q', '-D', tree, 'sh', '-c', script], async (running) => {
      await running.until(/ready/);
      const footprint = footprintOf(running);
      assert.is(cgroupsOf(footprint.launcher).length, 1);
      kill(footprint);
      await running.exited;
      await gone(footprint);
    });
  });
}

interface Ending {
  readonly end: (footprint: Footprint) => void;
  readonly outcome: { status: number | null; signal: NodeJS.Signals | null };
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  'the guest ends': { end: ({ init }) => process.kill(init, 'SIGUSR1'), outcome: { status: 0, signal: null } },
  'the launcher is killed': {
    end: ({ launcher }) => process.kill(launcher, 'SIGKILL'),
    outcome: { status: null, signal: 'SIGKILL' },
  },
  'the monitor is killed': {
    end: ({ monitor }) => process.kill(monitor, 'SIGKILL'),
    outcome: { status: 1, signal: null },
  },
};

for (const [ending, { end, outcome }] of Object.entries(ENDINGS)) {
  itInCgroup2(`cgroups that the guest nested 500 deep are gone when ${ending}`, () => {
    const script = `
      trap 'exit 0' USR1
      cd /sys/fs/cgroup && i=0
      while [ $i -lt 500 ]; do mkdir c && cd c || exit; i=$((i + 1)); done
      sleep 1000 & echo $i deep; wait`;
    // more of them than descriptors
    const limited = ['-c', 'ulimit -n 256 && exec "$@"', 'sh', TSNSPAWN, '-q', '-D', tree, 'sh', '-c', script];
    return withRunning(new Running('sh', limited), async (running) => {
      await running.until(/500 deep/);
      const footprint = footprintOf(running);
      assert.is(cgroupsOf(footprint.launcher).length, 1);
      end(footprint);
      assert.equal(await running.exited, outcome);
      await nothingLeft(footprint);
    });
  });
}

it('a guest that mounts things leaves no mount on the host when its launcher is killed', () => {
  const before = hostMounts();
  const script =
    'mkdir -p /mnt/a /mnt/b; mount -t tmpfs x /mnt/a; mount --bind /mnt/a /mnt/b; echo ready; exec sleep 1000';
  return withMachine(['-q', '-D', tree, 'sh', '-c', script], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    assert.equal(newMounts(before), []);
    running.child.kill('SIGKILL');
    await nothingLeft(footprint);
  });
});

it('the launcher says that the monitor was killed, and fails', () =>
  withMachine(['-D', tree, 'sh', '-c', 'echo ready; exec sleep 1000'], async (running) => {
    await running.until(/ready/);
    process.kill(footprintOf(running).monitor, 'SIGKILL');
    assert.equal(await running.exited, { status: 1, signal: null });
    assert.match(running.output, /Container busybox has been killed with its monitor \(signal 9\)\./);
  }));

it('a monitor that is stopped does not keep a machine that is told to end', () =>
  withMachine(
    ['-q', '-D', tree, ...READY],
    async (running) => {
      await running.until(/ready/);
      const footprint = footprintOf(running);
      process.kill(footprint.monitor, 'SIGSTOP');
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 1, signal: null });
      await nothingLeft(footprint);
    },
    { timeout: 10 },
  ));

it('a tree can be used again at once after its launcher was killed', () =>
  withMachine(['-q', '-D', tree, 'sh', '-c', 'echo ready; exec sleep 1000'], async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.child.kill('SIGKILL');
    await nothingLeft(footprint);
    await withMachine(['-q', '-D', tree, 'echo', 'again'], async (second) => {
      assert.equal(await second.exited, { status: 0, signal: null });
      assert.is(second.output.trim(), 'again');
    });
  }));

it('a launcher killed at any moment of the start leaves nothing', async () => {
  for (let delay = 20; delay <= 140; delay += 4) {
    const before = hostMounts();
    const name = `early-${process.pid}-${delay}`;
    await withRunning(startTsnspawn(['-q', '-D', tree, '-M', name, ...SLEEP, name]), async (running) => {
      // The moment is the point here, not something that is waited for.
      await new Promise((resolve) => setTimeout(resolve, delay));
      running.child.kill('SIGKILL');
      await running.exited;
      const left = () => [
        ...processes().filter((pid) => commandLine(pid).includes(name)),
        ...cgroupsOf(running.pid),
        ...newMounts(before),
      ];
      await eventually(() => left().length === 0, `nothing left of a start killed after ${delay} ms`);
    });
  }
});

it('a monitor killed at any moment of the start leaves nothing', async () => {
  for (let attempt = 0; attempt < 15; attempt += 1) {
    const before = hostMounts();
    const name = `early-monitor-${process.pid}-${attempt}`;
    await withRunning(startTsnspawn(['-q', '-D', tree, '-M', name, ...SLEEP, name]), async (running) => {
      const monitors = () => processes().filter((pid) => commandLine(pid) === `tsnspawn-monitor: ${name}`);
      let monitor: number | undefined;
      await eventually(() => {
        [monitor] = monitors().sort((a, b) => a - b);
        return monitor !== undefined;
      }, 'there is a monitor');
      process.kill(monitor as number, 'SIGKILL');
      assert.equal(await running.exited, { status: 1, signal: null });
      const left = () => [
        ...processes().filter((pid) => commandLine(pid).includes(name)),
        ...cgroupsOf(running.pid),
        ...newMounts(before),
      ];
      await eventually(() => left().length === 0, 'nothing left of the start');
    });
  }
});

for (const victim of ['the launcher', 'the monitor'] as const) {
  itOnTerminal(`the terminal is as it was after ${victim} of a shell on it was killed`, () => {
    const command = [TSNSPAWN, '-q', '-D', tree, 'sh', '-c', 'echo ready; exec sleep 1000'].map(quoted).join(' ');
    const script = `echo before $(stty -g) .; ${command}; echo after $(stty -g) .; read line; echo then $(stty -g) .`;
    return withScript(script, async (running) => {
      await running.until(/ready/);
      const footprint = footprintOf(running);
      VICTIMS[victim]?.kill(footprint);
      await running.until(/after .* \./);
      await nothingLeft(footprint);
      running.write('\n'); // the monitor puts things in order after its launcher's death, beside the shell
      await running.until(/then .* \./);
      const [, before] = /before (.*) \./.exec(running.output) ?? [];
      const [, then] = /then (.*) \./.exec(running.output) ?? [];
      assert.is(then, before);
    });
  });
}

test.run();

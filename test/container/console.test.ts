// The console: a terminal of the guest's own, joined to the caller's as the mode says. script(1) plays the caller's terminal.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, type Footprint, footprintOf, nothingLeft, processesOf } from '../support/footprint';
import { eventually, isAlive, quoted, Running, TSNSPAWN, tsnspawn } from '../support/launcher';
import { withMachine, withRunning, withScript, withTerminal } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'command:script');
const it = only(test, missing);
const itWithNsenter = only(test, missing ?? needs('command:nsenter'));
const tree = missing === undefined ? ownTree('busybox') : '';

const ESCAPE = '\x1d';
const machine = ['-q', '-D', tree];
const sh = (script: string) => [...machine, 'sh', '-c', script];
const command = (args: readonly string[]) => [TSNSPAWN, ...args].map(quoted).join(' ');

async function exitsWith(running: Running, status: number): Promise<void> {
  assert.equal(await running.exited, { status, signal: null });
}

it('a shell on a terminal has a terminal of its own, which is /dev/console', () =>
  withTerminal(
    sh('tty; readlink -f /dev/console; test -t 0 && test -t 1 && test -t 2 && echo three; cut -d" " -f7 /proc/$$/stat'),
    async (running) => {
      await exitsWith(running, 0);
      assert.match(running.output, /^\/dev\/(console|pts\/0)\r\n\/dev\/pts\/0\r\nthree\r\n34816\r\n$/); // 34816 is 136:0 as a device number
    },
  ));

it('without a command it is a login shell in the home of root', () =>
  withTerminal(machine, async (running) => {
    await running.until(/# /);
    running.write('echo "$0 in $PWD of $HOME"\n');
    await running.until(/-(ba)?sh in \/root of \/root/);
    running.write('exit 9\n');
    await exitsWith(running, 9);
  }));

it('the shell has job control', () =>
  withTerminal([...machine, 'sh'], async (running) => {
    await running.until(/# /);
    running.write('sleep 1000 & jobs; echo d""one\n');
    await running.until(/done/);
    assert.not.match(running.output, /can't access tty/);
    assert.match(running.output, /sleep 1000/);
    running.write('exit\n');
    await exitsWith(running, 0);
  }));

it('the payload finds the size of the terminal', () =>
  withTerminal(
    sh('stty size'),
    async (running) => {
      await exitsWith(running, 0);
      assert.is(running.output.trim(), '33 121');
    },
    { rows: 33, columns: 121 },
  ));

it('the payload hears of a new size', () =>
  withTerminal(sh("trap 'stty size' WINCH; stty size; while :; do sleep 1000 & wait $!; done"), async (running) => {
    await running.until(/24 80/);
    const terminal = readlinkSync(`/proc/${footprintOf(running).launcher}/fd/0`);
    execFileSync('stty', ['-F', terminal, 'rows', '44', 'cols', '132']);
    await running.until(/44 132/);
  }));

it('Ctrl-C goes to the program in the guest', () =>
  withTerminal(
    sh("trap 'echo interrupted; exit 4' INT; echo ready; while :; do sleep 1000 & wait $!; done"),
    async (running) => {
      await running.until(/ready/);
      running.write('\x03');
      await exitsWith(running, 4);
      assert.match(running.output, /interrupted/);
    },
  ));

it('keys reach a program in raw mode as they are', () =>
  withTerminal(sh('stty raw -echo; echo ready; head -c 7 | od -An -tx1'), async (running) => {
    await running.until(/ready/);
    running.write('\x01\x03\x04\r\n\x1a\x7f');
    await exitsWith(running, 0);
    assert.match(running.output, /01 03 04 0d 0a 1a 7f/);
  }));

it('each key is echoed once', () =>
  withTerminal(sh('echo ready; read line; echo "<$line>"'), async (running) => {
    await running.until(/ready/);
    running.write('some words\n');
    await exitsWith(running, 0);
    assert.match(running.output, /ready\r\nsome words\r\n<some words>\r\n/);
  }));

it('Ctrl-] three times kills the guest, and gives 1', () =>
  withTerminal(sh('trap "" TERM INT HUP; echo ready; exec sleep 1000'), async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.write(ESCAPE.repeat(3));
    await exitsWith(running, 1);
    await nothingLeft(footprint);
  }));

it('Ctrl-] less than three times, or with other keys between, goes to the guest', () =>
  withTerminal(sh('stty raw -echo; echo ready; head -c 8 | od -An -tx1'), async (running) => {
    await running.until(/ready/);
    running.write(`${ESCAPE}${ESCAPE}a${ESCAPE}b${ESCAPE}${ESCAPE}c`);
    await exitsWith(running, 0);
    assert.match(running.output, /1d 1d 61 1d 62 1d 1d 63/);
  }));

it('Ctrl-] Ctrl-] p asks the init to power off', () =>
  withTerminal(['-q', '-D', tree, '-a', 'sh', '-c', 'echo ready; exec sleep 1000'], async (running) => {
    await running.until(/ready/);
    running.write(`${ESCAPE}${ESCAPE}p`);
    await exitsWith(running, 0);
  }));

for (const [name, script, keys] of [
  ['an exit', 'exit 0', ''],
  ['an escape', 'exec sleep 1000', ESCAPE.repeat(3)],
  ['a payload that leaves the terminal raw', 'stty raw -echo', ''],
  ['a power off', 'poweroff -f; sleep 1000', ''],
  ['a command that is not there', '', ''],
] as const) {
  it(`the terminal is as it was after ${name}`, () => {
    const run = script === '' ? [...machine, 'no-such-command'] : sh(`echo ready; ${script}`);
    return withScript(`stty -g; ${command(run)}; stty -g`, async (running) => {
      if (keys !== '') {
        await running.until(/ready/);
        running.write(keys);
      }
      await exitsWith(running, 0);
      const settings = running.output.match(/[0-9a-f]+(:[0-9a-f]+){10,}\r?$/gm);
      assert.is(settings?.length, 2, running.output);
      assert.is(settings?.[0], settings?.[1]);
    });
  });
}

it('the default without a terminal is read-only: a terminal in the guest, and the input is left alone', () => {
  const { stdout, status } = tsnspawn(sh('tty; exit 2'), { input: 'ignored\n' });
  assert.match(stdout, /^\/dev\/(console|pts\/0)\r\n$/);
  assert.is(status, 2);
});

it('read-only prints and ignores input', () =>
  withMachine(sh('tty; echo ready; read line; echo got "$line"'), async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    running.write('words\n');
    running.child.stdin?.end();
    process.kill(footprint.init, 'SIGKILL');
    await exitsWith(running, 1);
    assert.match(running.output, /^\/dev\/(console|pts\/0)\r\nready\r\n/);
    assert.not.match(running.output, /got|words/);
  }));

it('passive shows nothing while the guest runs, and what waits in the terminal at its end', () =>
  withMachine(
    ['-q', '-D', tree, '--console=passive', 'sh', '-c', 'tty; echo said; touch /tmp/done; read line'],
    async (running) => {
      await eventually(() => {
        try {
          return existsSync(`/proc/${footprintOf(running).init}/root/tmp/done`);
        } catch {
          return false; // not started yet
        }
      }, 'the payload has spoken');
      const { init } = footprintOf(running);
      assert.is(running.output, '');
      process.kill(init, 'SIGKILL');
      await exitsWith(running, 1);
      assert.match(running.output, /^\/dev\/(console|pts\/0)\r\nsaid\r\nContainer busybox terminated by signal 9\.\n$/);
    },
  ));

it('autopipe on a terminal is interactive', () =>
  withTerminal(
    [...machine, '--console=autopipe', 'sh', '-c', 'readlink /proc/self/fd/0; ls /dev/console'],
    async (running) => {
      await exitsWith(running, 0);
      assert.match(running.output, /^\/dev\/pts\/0\r\n\/dev\/console\r\n$/);
    },
  ));

it('autopipe with a pipe on one side hands on what there is', () => {
  const { stdout } = tsnspawn([
    '-q',
    '-D',
    tree,
    '--console=autopipe',
    'sh',
    '-c',
    'readlink /proc/self/fd/1; ls /dev/console 2>&1',
  ]);
  assert.match(stdout, /^(pipe|socket):.*\nls: \/dev\/console/);
});

it('nothing of a large output is lost at the end, on a terminal', () =>
  withTerminal(sh('seq 150000'), async (running) => {
    await exitsWith(running, 0);
    const lines = running.output.trimEnd().split('\r\n');
    assert.is(lines.length, 150000);
    assert.is(lines.at(-1), '150000');
  }));

it('nothing of a large output is lost at the end, without a terminal', () => {
  const { stdout } = tsnspawn(sh('seq 150000'));
  assert.is(stdout, Array.from({ length: 150000 }, (_, i) => `${i + 1}\r\n`).join(''));
});

it('nothing is lost to a reader that is slow', () =>
  withScript(`${command(sh('seq 20000'))} | { sleep 0.5; tail -n 1; }`, async (running) => {
    await exitsWith(running, 0);
    assert.is(running.output.trim(), '20000');
  }));

it('output that nobody reads any more does not hold up the guest', () =>
  withScript(`${command(sh('seq 100000; exit 0'))} | head -n 1`, async (running) => {
    await exitsWith(running, 0);
    assert.is(running.output.trim(), '1');
  }));

/** Waits until no process of the machine has anything to do: the counts of its waits stay as they are for a while. */
async function standsStill(parts: Footprint): Promise<void> {
  const waits = () =>
    processesOf(parts).map((pid) => /^voluntary_ctxt_switches:.*$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')));
  let before = '';
  let looks = 0;
  await eventually(() => {
    const now = String(waits());
    looks = now === before ? looks + 1 : 0;
    before = now;
    return looks === 20;
  }, 'the machine stands still');
}

it('a reader that never reads does not keep a machine that is told twice to end', () =>
  withScript(`${command(sh('echo ready >&2; seq 1000000'))} | sleep 1000`, async (running) => {
    let parts: Footprint | undefined;
    await eventually(() => {
      try {
        parts = footprintOf(running);
        // one of them sleeps in write(2), which is 1 on x86-64 and 64 elsewhere: there is no room in the terminal
        return processesOf(parts).some((pid) => /^(1|64) /.test(readFileSync(`/proc/${pid}/syscall`, 'utf8')));
      } catch {
        return false; // not started yet
      }
    }, 'the payload waits for its reader');
    const footprint = parts as Footprint;
    await standsStill(footprint);
    process.kill(footprint.launcher, 'SIGTERM');
    await eventually(() => !isAlive(footprint.init), 'the payload is gone');
    process.kill(footprint.launcher, 'SIGTERM');
    await nothingLeft(footprint);
    assert.not(isAlive(footprint.launcher));
  }));

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  it(`a socket that nobody reads does not keep a machine whose launcher gets ${signal}`, () =>
    withMachine(
      [...machine, 'yes'],
      async (running) => {
        let parts: Footprint | undefined;
        await eventually(() => {
          try {
            parts = footprintOf(running);
            return commandLine(parts.init) === 'yes';
          } catch {
            return false; // not started yet
          }
        }, 'the payload runs');
        const footprint = parts as Footprint;
        assert.match(readlinkSync(`/proc/${footprint.monitor}/fd/1`), /^socket:/);
        await standsStill(footprint);
        process.kill(footprint.launcher, signal);
        if (signal === 'SIGTERM') {
          await eventually(() => !isAlive(footprint.init), 'the payload is gone');
          process.kill(footprint.launcher, signal);
        }
        await nothingLeft(footprint);
        assert.not(isAlive(footprint.launcher));
      },
      { readsOutput: false },
    ));
}

itWithNsenter('a process of the host that holds the terminal of the guest does not hold up its end', () =>
  withMachine(sh('echo ready; exec sleep 1000'), async (running) => {
    await running.until(/ready/);
    const footprint = footprintOf(running);
    const script = 'exec </dev/pts/0; echo holding; exec sleep 1000';
    const holder = new Running('nsenter', ['-t', String(footprint.init), '-m', 'sh', '-c', script], { timeout: 30 });
    await withRunning(holder, async () => {
      await holder.until(/holding/);
      process.kill(footprint.init, 'SIGKILL');
      await nothingLeft(footprint);
    });
    await exitsWith(running, 1);
  }),
);

test.run();

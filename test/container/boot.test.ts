// A real Debian boots: systemd as PID 1, until it says "running", and it goes down in order when it is asked to.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, footprintOf, hostMounts, newMounts, nothingLeft, processesOf } from '../support/footprint';
import { inside } from '../support/guests';
import { Running } from '../support/launcher';
import { withMachine, withRunning, withTerminal } from '../support/machines';
import { type Need, needs, only } from '../support/needs';
import { type Kind, ownTree } from '../support/trees';

const SYSTEMD: readonly Need[] = ['root', 'namespaces', 'cgroup', 'command:nsenter'];
const missing = needs(...SYSTEMD);
const it = only(test, missing);
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-boot-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const trees = new Map<Kind, string>();
/** One copy of each tree for this file: its machines run one after the other. */
function treeOf(kind: Kind): string {
  const tree = trees.get(kind) ?? ownTree(kind);
  trees.set(kind, tree);
  return tree;
}

/** Waits until the guest's systemd has done all that it does at a boot, and gives what it says of itself. */
async function state(running: Running): Promise<string> {
  await running.until(/login: |root@|READY=1/);
  const { text } = await inside(running, 'systemctl', 'is-system-running', '--wait');
  return text;
}

async function requireRunning(running: Running): Promise<void> {
  const answer = await state(running);
  if (answer === 'running') return;
  const { text } = await inside(running, 'systemctl', '--failed', '--no-legend', '--plain');
  assert.unreachable(`the guest says "${answer}"; failed units: ${text}`);
}

const boot = (kind: Kind, ...options: string[]) => ['-D', treeOf(kind), ...options, '-b'];

for (const kind of ['bookworm', 'trixie', 'sid'] as const) {
  it(`${kind} boots with systemd as PID 1 until it is running, and SIGTERM shuts it down in order`, () => {
    const before = hostMounts();
    return withMachine(boot(kind), async (running) => {
      await requireRunning(running);
      const footprint = footprintOf(running);
      assert.is(readFileSync(`/proc/${footprint.init}/comm`, 'utf8'), 'systemd\n');
      assert.is((await inside(running, 'cat', '/proc/1/comm')).text, 'systemd');
      assert.is((await inside(running, 'systemd-detect-virt', '--container')).text, 'container-other');
      assert.equal(newMounts(before), [], 'no mount of the guest shows on the host');
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 0, signal: null });
      assert.match(running.output, new RegExp(`^Container ${kind} has been shut down\\.$`, 'm'));
      await nothingLeft(footprint);
    });
  });

  it(`${kind} finds a writable cgroup subtree of its own`, () =>
    withMachine(boot(kind), async (running) => {
      await requireRunning(running);
      const cgroup = (await inside(running, 'cat', '/proc/1/cgroup')).text;
      assert.match(cgroup, /:\/init\.scope$/m);
      const own = '/sys/fs/cgroup/system.slice/probe.service';
      const options = ['--quiet', '--wait', '--unit=probe', '--property=Delegate=yes'];
      const run = await inside(
        running,
        'systemd-run',
        ...options,
        'sh',
        '-c',
        `mkdir ${own}/below && rmdir ${own}/below`,
      );
      assert.equal(run, { status: 0, text: '' });
      assert.is((await inside(running, 'systemctl', 'poweroff')).status, 0);
      assert.equal(await running.exited, { status: 0, signal: null });
    }));
}

it('the guest has the name of its machine, wants a login on each of container_ttys, and its networkd sets host0 up', () =>
  withMachine(boot('bookworm', '-M', 'side', '-n', '-E', 'container_ttys=pts/7'), async (running) => {
    await requireRunning(running);
    const says = async (...command: string[]) => (await inside(running, ...command)).text;
    assert.is(await says('hostname'), 'side');
    assert.match(
      await says('systemctl', 'show', '--value', '--property=Wants', 'getty.target'),
      /container-getty@7\.service/,
    );
    assert.is((await inside(running, 'systemctl', 'start', 'systemd-networkd')).status, 0);
    const taken =
      'until networkctl status host0 | grep -q "Network File:.*/80-container-host0.network"; do sleep 0.1; done';
    assert.is((await inside(running, 'timeout', '20', 'sh', '-c', taken)).status, 0);
  }));

it('a booted guest that is told twice to end is killed', () =>
  withMachine(boot('bookworm'), async (running) => {
    await running.until(/login: |root@/);
    const footprint = footprintOf(running);
    process.kill(footprint.init, 'SIGSTOP'); // so that it cannot follow the first
    running.child.kill('SIGTERM');
    await running.until(/again to kill/);
    running.child.kill('SIGTERM');
    assert.equal(await running.exited, { status: 1, signal: null });
    await nothingLeft(footprint);
  }));

for (const [verb, status] of [
  [['poweroff'], 0],
  [['halt'], 0],
  [['exit', '42'], 42],
] as const) {
  it(`systemctl ${verb.join(' ')} gives ${status}`, () =>
    withMachine(boot('bookworm'), async (running) => {
      await requireRunning(running);
      const footprint = footprintOf(running);
      await inside(running, 'systemctl', ...verb);
      assert.equal(await running.exited, { status, signal: null });
      await nothingLeft(footprint);
    }));
}

it('systemctl reboot boots the guest again: same machine id, new boot id', () =>
  withMachine(boot('bookworm'), async (running) => {
    const identity = async () => [
      (await inside(running, 'cat', '/etc/machine-id')).text,
      (await inside(running, 'cat', '/proc/sys/kernel/random/boot_id')).text,
    ];
    await requireRunning(running);
    const first = footprintOf(running);
    const [machine, bootId] = await identity();
    await inside(running, 'systemctl', 'reboot');
    await running.until(/is being rebooted[\s\S]*(login: |root@)/);
    await requireRunning(running);
    const second = footprintOf(running);
    const [sameMachine, otherBootId] = await identity();
    assert.is(second.monitor, first.monitor);
    assert.is.not(second.init, first.init);
    assert.match(machine ?? '', /^[0-9a-f]{32}$/);
    assert.is(sameMachine, machine);
    assert.is.not(otherBootId, bootId);
    await inside(running, 'systemctl', 'poweroff');
    assert.equal(await running.exited, { status: 0, signal: null });
    await nothingLeft(first);
    await nothingLeft(second);
  }));

it('the console logs root in', () =>
  withTerminal(['-q', ...boot('bookworm')], async (running) => {
    await running.until(/root@.*# /);
    running.write('echo pid1 is $(cat /proc/1/comm), tty is $(tty)\n');
    await running.until(/pid1 is systemd, tty is \/dev\/(console|pts\/0)/);
    running.write('systemctl is-system-running --wait; systemctl poweroff\n');
    assert.equal(await running.exited, { status: 0, signal: null });
    assert.match(running.output, /^running\r?$/m);
  }));

it('all of a booted guest is gone when its launcher is killed, and when its monitor is', async () => {
  for (const victim of ['launcher', 'monitor'] as const) {
    await withMachine(boot('bookworm'), async (running) => {
      await running.until(/login: |root@/);
      const footprint = footprintOf(running);
      assert.ok(processesOf(footprint).length >= 4, 'systemd has started its services');
      process.kill(footprint[victim], 'SIGKILL');
      await running.exited;
      await nothingLeft(footprint);
    });
  }
});

/** What a service manager does: listens at a datagram socket, and prints what comes. */
function listen(path: string): Running {
  const program = `
    use Socket;
    socket(S, AF_UNIX, SOCK_DGRAM, 0) and bind(S, pack_sockaddr_un($ARGV[0])) or die $!;
    $| = 1;
    print "listening\\n";
    while (defined recv(S, $text, 65536, 0)) { print "<$text>\\n" }`;
  return new Running('perl', ['-e', program, path]);
}

const itWithPerl = only(test, needs(...SYSTEMD, 'command:perl'));

itWithPerl('READY=1 reaches the service manager when the guest is up, with --notify-ready=yes', () =>
  withRunning(listen(join(scratch, 'notify')), async (manager) => {
    await manager.until(/listening/);
    const env = { NOTIFY_SOCKET: join(scratch, 'notify') };
    await withMachine(
      boot('bookworm', '--notify-ready=yes'),
      async (running) => {
        await manager.until(/<READY=1>/);
        assert.is((await inside(running, 'systemctl', 'is-active', 'multi-user.target')).text, 'active');
        assert.match(manager.output, /<STATUS=Container running\.>/);
        assert.match(manager.output, /<STATUS=Container running: ./);
        running.child.kill('SIGTERM');
        assert.equal(await running.exited, { status: 0, signal: null });
        await manager.until(/<STATUS=Terminating\.\.\.>\n<STOPPING=1>/);
      },
      { env },
    );
  }),
);

itWithPerl('READY=1 reaches the service manager as soon as the guest runs, without --notify-ready', () =>
  withRunning(listen(join(scratch, 'notify-early')), async (manager) => {
    await manager.until(/listening/);
    await withMachine(
      ['-q', '-D', treeOf('busybox'), 'sh', '-c', 'exec sleep 1000'],
      () => manager.until(/<STATUS=Container running\.>\n<READY=1>/),
      { env: { NOTIFY_SOCKET: join(scratch, 'notify-early') } },
    );
  }),
);

const notBoth = 'needs a host with legacy cgroup hierarchies, name=systemd among them';
const itOnHybrid = only(
  test,
  missing ?? (/ cgroup .*name=systemd/.test(readFileSync('/proc/mounts', 'utf8')) ? undefined : notBoth),
);

itOnHybrid('bookworm boots with the legacy cgroup layout when it is asked for', () =>
  withMachine(
    boot('bookworm'),
    async (running) => {
      await requireRunning(running);
      const footprint = footprintOf(running);
      assert.is((await inside(running, 'stat', '-f', '-c', '%T', '/sys/fs/cgroup')).text, 'tmpfs');
      assert.match((await inside(running, 'cat', '/proc/1/cgroup')).text, /name=systemd:\/init\.scope$/m);
      assert.is((await inside(running, 'touch', '/sys/fs/cgroup/x')).status, 1);
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 0, signal: null });
      await nothingLeft(footprint);
    },
    { env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: 'no' } },
  ),
);

for (const command of [['-b'], ['/sbin/init']]) {
  itWithPerl(`busybox boots with ${command.join(' ')}, says READY=1, and SIGTERM shuts it down`, () => {
    const path = join(scratch, `busybox${command.join('').replaceAll('/', '-')}`);
    return withRunning(listen(path), async (manager) => {
      await manager.until(/listening/);
      await withMachine(
        ['-D', treeOf('busybox'), '--notify-ready=yes', ...command],
        async (running) => {
          await manager.until(/<READY=1>/);
          const footprint = footprintOf(running);
          assert.match(commandLine(footprint.init), /init/);
          running.child.kill('SIGTERM');
          assert.equal(await running.exited, { status: 0, signal: null });
          await nothingLeft(footprint);
        },
        { env: { NOTIFY_SOCKET: path } },
      );
    });
  });
}

it('busybox gives a shell on its console, and powers off from there', () =>
  withTerminal(['-D', treeOf('busybox'), '-b'], async (running) => {
    await running.until(/\/# /);
    running.write('echo shell of $(cat /proc/1/comm)\n');
    await running.until(/shell of init/);
    running.write('poweroff\n');
    assert.equal(await running.exited, { status: 0, signal: null });
    assert.match(running.output, /Container busybox has been shut down\./);
  }));

it('busybox reboots from its console', () =>
  withTerminal(['-D', treeOf('busybox'), '-b'], async (running) => {
    await running.until(/\/# /);
    running.write('reboot\n');
    await running.until(/is being rebooted[\s\S]*\/# /);
    running.write('poweroff\n');
    assert.equal(await running.exited, { status: 0, signal: null });
  }));

test.run();

// Guests with other inits, and of another architecture, boot, start again and go down in order as those with systemd do.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf, nothingLeft } from '../support/footprint';
import { inside } from '../support/guests';
import { type Running, tsnspawn } from '../support/launcher';
import { withMachine, withTerminal } from '../support/machines';
import { needs, only } from '../support/needs';
import { type Kind, ownTree } from '../support/trees';

const it = only(test, needs('root', 'namespaces', 'cgroup', 'mirror', 'command:nsenter', 'command:script'));
const itOnAmd64 = only(test, needs('root', 'namespaces', 'cgroup', 'mirror', 'command:script', 'arch:x64'));

interface Guest {
  readonly kind: Kind;
  /** what is to be read on the console once it is up */
  readonly up: RegExp;
  /** what it says when it ends its processes */
  readonly down: RegExp;
  readonly comm: string;
}

const SYSTEMD = {
  up: /login: |root@\S*#/,
  down: /Reached target|Sending SIGTERM to remaining/,
  comm: 'systemd',
} as const;
const GUESTS: readonly Guest[] = [
  { kind: 'busybox', up: /# /, down: /The system is going down/, comm: 'init' },
  { kind: 'sysvinit', up: /root@\S*#/, down: /Asking all remaining processes to terminate/, comm: 'init' },
  ...(['bookworm', 'trixie', 'sid', 'i386'] as const).map((kind): Guest => ({ kind, ...SYSTEMD })),
];

const trees = new Map<Kind, string>();
const treeOf = (kind: Kind): string => {
  const tree = trees.get(kind) ?? ownTree(kind);
  trees.set(kind, tree);
  return tree;
};
const boot = (kind: Kind, ...options: string[]) => ['-D', treeOf(kind), ...options, '-b'];

/** Waits for something to be said after what has been said already. */
async function untilAfter(running: Running, start: number, pattern: RegExp): Promise<void> {
  const behind = new RegExp(`^[^]{${start}}[^]*?(?:${pattern.source})`);
  await running.until(behind);
}

const identityOf = async (running: Running): Promise<string[]> => [
  (await inside(running, 'cat', '/run/host/container-uuid')).text,
  (await inside(running, 'cat', '/proc/sys/kernel/random/boot_id')).text,
];

for (const { kind, up, down, comm } of GUESTS) {
  const its = kind === 'i386' ? itOnAmd64 : it;

  its(`${kind} boots, starts again with the same machine id and another boot id, and powers off`, () =>
    withMachine(boot(kind), async (running) => {
      await running.until(up);
      const first = footprintOf(running);
      assert.is(readFileSync(`/proc/${first.init}/comm`, 'utf8'), `${comm}\n`);
      const [machine, bootId] = await identityOf(running);
      const said = running.output.length;
      await inside(running, 'reboot');
      await untilAfter(running, said, /is being rebooted/);
      await untilAfter(running, running.output.length, up);
      const [sameMachine, otherBootId] = await identityOf(running);
      assert.is(sameMachine, machine);
      assert.is.not(otherBootId, bootId);
      const second = footprintOf(running);
      await inside(running, 'poweroff');
      assert.equal(await running.exited, { status: 0, signal: null });
      assert.match(running.output, /has been shut down\.$/m);
      await nothingLeft(second);
    }),
  );

  its(`${kind} goes down in order when the launcher is told to end`, () =>
    withMachine(boot(kind), async (running) => {
      await running.until(up);
      const footprint = footprintOf(running);
      running.child.kill('SIGTERM');
      assert.equal(await running.exited, { status: 0, signal: null });
      assert.match(running.output, down);
      assert.match(running.output, /has been shut down\.$/m);
      assert.not.match(running.output, /is being rebooted/);
      await nothingLeft(footprint);
    }),
  );

  its(`${kind} starts again and powers off by the keys of its console`, () =>
    withTerminal(boot(kind), async (running) => {
      await running.until(up);
      const said = running.output.length;
      running.write('\x1d\x1dr');
      await untilAfter(running, said, /is being rebooted/);
      await untilAfter(running, running.output.length, up);
      running.write('\x1d\x1dp');
      assert.equal(await running.exited, { status: 0, signal: null });
      assert.match(running.output, /has been shut down\.\s*$/m);
    }),
  );
}

itOnAmd64('an i386 tree runs, and sees an i686 with --personality=x86', () => {
  const run = (...words: string[]) => tsnspawn(['-qPD', treeOf('i386'), ...words]).stdout.trim();
  assert.is(run('dpkg', '--print-architecture'), 'i386');
  assert.is(run('--personality=x86', 'uname', '-m'), 'i686');
  assert.is(run('uname', '-m'), 'x86_64');
  assert.is(run('-a', '--personality=x86', '-u', 'nobody', 'sh', '-c', 'uname -m; id -u'), 'i686\n65534');
});

itOnAmd64('the system call filter holds for 32-bit programs', () => {
  // numbers of i386: keyctl, bpf, swapoff, init_module; then one that no kernel has
  const script = 'for (288, 357, 115, 128, 2000) { syscall($_, -1, 0, 0, 0, 0); print 0 + $!, " " }';
  const { stdout } = tsnspawn(['-qPD', treeOf('i386'), 'perl', '-e', script]);
  assert.is(stdout, '1 1 1 1 38 ');
});

itOnAmd64('an i386 guest with --personality=x86 boots to "running" and is an i686 inside', () =>
  withTerminal(boot('i386', '--personality=x86'), async (running) => {
    await running.until(/root@\S*#/);
    running.write('echo $(uname -m) and $(systemctl is-system-running --wait)\n');
    await running.until(/i686 and running/);
    running.write('systemctl poweroff\n');
    assert.equal(await running.exited, { status: 0, signal: null });
  }),
);

test.run();

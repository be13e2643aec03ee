// Interfaces of a guest: cables, bridges, zones, shared and moved ones, namespaces that are joined; that they work, and that
// nothing of them is left. Everything happens in networks made for the purpose.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { monitorBelow } from '../support/footprint';
import { eventually, type Running, tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { cable, type Network, wireDirectory, withNetworks } from '../support/network';
import { ownTree } from '../support/trees';

const needed = needs('root', 'namespaces', 'command:ip', 'command:nsenter', 'command:gcc');
const it = only(test, needed);

const tree = needed === undefined ? treeWithWire() : '';

function treeWithWire(): string {
  const made = ownTree('busybox', 'net');
  mkdirSync(join(made, 'opt'), { recursive: true });
  copyFileSync(join(wireDirectory(), 'wire'), join(made, 'opt/wire'));
  chmodSync(join(made, 'opt/wire'), 0o755);
  return made;
}

/** A machine that many may run at a time. */
const MACHINE = ['-D', tree, '--read-only', '--pipe'] as const;

/** Says what interfaces it has, then stays. */
const STAYS = ['sh', '-c', 'echo $(ls /sys/class/net); exec sleep 1000'] as const;

/** A guest's address, and a server on it that says when it is ready. */
const serving = (device: string, address: string): readonly string[] => [
  'sh',
  '-c',
  `ip link set ${device} up; ip addr add ${address} dev ${device}; exec /opt/wire serve 80`,
];

/** What the server in the guest says to somebody in the network. */
function ask(network: Network, address: string): string {
  return network.run(`${join(tree, 'opt/wire')} ask tcp ${address} 80`).trim();
}

/** Waits until the network has these interfaces: the test has killed the launcher, and the monitor takes a moment. */
async function left(network: Network, ...names: readonly string[]): Promise<void> {
  await eventually(() => network.links().join() === names.join(), `only '${names}' of ${network.links()} is left`);
}

async function temporary<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-network-'));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A payload that reboots once; after that it says `again` and what interfaces it has. `DIRECTORY` is bound to /mnt. */
const REBOOTS = 'test -e /mnt/once || { touch /mnt/once; reboot -f; sleep 1000; }; echo again $(ls /sys/class/net)';

function monitorOf(running: Running): number {
  const monitor = monitorBelow(running.pid);
  if (monitor === undefined) throw new Error('there is no monitor');
  return monitor;
}

it('--network-veth lays a cable from ve-MACHINE, which is up, to host0', () =>
  withNetworks(1, async (host) => {
    await host.withMachine([...MACHINE, '-M', 'm', '-n', ...serving('host0', '10.0.0.2/24')], async (running) => {
      await running.until(/serving/);
      assert.equal(host.links(), ['ve-m']);
      assert.match(host.link('ve-m'), /[<,]UP[,>].* state UP /);
      host.run('ip addr add 10.0.0.1/24 dev ve-m');
      assert.is(ask(host, '10.0.0.2'), '::ffff:10.0.0.1');
    });
    assert.equal(host.links(), []);
  }));

it('the guest sees its own interfaces in /sys, and may set up its network', () =>
  withNetworks(1, async (host) => {
    const script =
      'echo $(ls /sys/class/net); echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward';
    assert.is(host.tsnspawn(...MACHINE, '-n', 'sh', '-c', script).stdout.trim(), 'host0 lo\n1');
    assert.is(host.run('cat /proc/sys/net/ipv4/ip_forward').trim(), '0');
  }));

it('hardware addresses are the same at each start, and SYSTEMD_NSPAWN_NETWORK_MAC sets that of host0', () =>
  withNetworks(1, async (host) => {
    const address = (...env: string[]) =>
      host
        .try('env', ...env, 'node_modules/.bin/tsnspawn', '-q', ...MACHINE, '-n', 'cat', '/sys/class/net/host0/address')
        .stdout.trim();
    assert.match(address(), /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assert.is(address(), address());
    assert.is(address('SYSTEMD_NSPAWN_NETWORK_MAC=02:00:5e:00:00:07'), '02:00:5e:00:00:07');
  }));

it('a long machine name is cut on the interface, and is its alternative name', () =>
  withNetworks(1, async (host) => {
    await host.withMachine([...MACHINE, '-M', 'a-very-long-machine-name', '-n', ...STAYS], async (running) => {
      await running.until(/host0/);
      assert.equal(host.links(), ['ve-a-very-lm3p6']);
      assert.match(host.link('ve-a-very-lm3p6'), /altname ve-a-very-long-machine-name/);
    });
  }));

it('--network-veth-extra lays further cables, with names of one’s choice on both sides', () =>
  withNetworks(1, async (host) => {
    const cables = ['--network-veth-extra=left:wan', '--network-veth-extra=right'];
    await host.withMachine([...MACHINE, ...cables, ...STAYS], async (running) => {
      await running.until(/^lo right wan$/m);
      assert.equal(host.links(), ['left', 'right']);
    });
    assert.equal(host.links(), []);
  }));

it('--network-bridge makes vb-MACHINE a port of the bridge, which stays', () =>
  withNetworks(1, async (host) => {
    host.run('ip link add br7 type bridge; ip link set br7 up; ip addr add 10.0.0.1/24 dev br7');
    const machine = [...MACHINE, '-M', 'm', '--network-bridge=br7', ...serving('host0', '10.0.0.2/24')];
    await host.withMachine(machine, async (running) => {
      await running.until(/serving/);
      assert.match(host.link('vb-m'), / master br7 /);
      assert.is(ask(host, '10.0.0.2'), '::ffff:10.0.0.1');
    });
    assert.equal(host.links(), ['br7']);
  }));

it('what is no bridge is told, and nothing is left of the attempt', () =>
  withNetworks(1, async (host) => {
    host.run('ip link add plain type veth peer name other');
    const { status, stderr, stdout } = host.tsnspawn(...MACHINE, '-M', 'm', '--network-bridge=plain', 'echo', 'ran');
    assert.is(status, 1);
    assert.match(stderr, /bridge plain/);
    assert.match(stderr, /^hint: is plain a bridge\?/m);
    assert.is(stdout, '');
    assert.equal(host.links(), ['other', 'plain']);
  }));

it('machines of a zone reach one another, and its bridge goes with the last of them', () =>
  withNetworks(1, async (host) => {
    const machine = (name: string) => [...MACHINE, '-M', name, '--network-zone=lab'];
    await host.withMachine([...machine('one'), ...serving('host0', '10.0.0.1/24')], async (one) => {
      await one.until(/serving/);
      const script = 'ip link set host0 up; ip addr add 10.0.0.2/24 dev host0; /opt/wire ask tcp 10.0.0.1 80';
      assert.is(host.tsnspawn(...machine('two'), 'sh', '-c', script).stdout.trim(), '::ffff:10.0.0.2');
      assert.equal(host.links(), ['vb-one', 'vz-lab']);
    });
    assert.equal(host.links(), []);
  }));

it('machines that start and end in a zone at the same time never lose its bridge', () =>
  withNetworks(1, async (host) => {
    const script = [1, 2, 3, 4]
      .map((n) => `(for i in 1 2 3 4 5; do "$@" -M m${n} true || echo failed; done) &`)
      .join(' ');
    const argv = ['node_modules/.bin/tsnspawn', '-q', ...MACHINE, '--network-zone=lab'];
    const { stdout, stderr } = host.try('sh', '-c', `${script} wait`, 'sh', ...argv);
    assert.is(`${stdout}${stderr}`, '');
    assert.equal(host.links(), []);
  }));

it('--network-macvlan gives the guest an interface on one of the host, also under the same name', () =>
  withNetworks(2, async (host, neighbour) => {
    cable(host, 'eth0', neighbour, 'eth0');
    neighbour.run('ip addr add 10.0.0.1/24 dev eth0');
    const machine = [...MACHINE, '--network-macvlan=eth0', '--network-macvlan=eth0:eth0'];
    await host.withMachine([...machine, ...serving('mv-eth0', '10.0.0.2/24')], async (running) => {
      await running.until(/serving/);
      assert.is(ask(neighbour, '10.0.0.2'), '::ffff:10.0.0.1');
      assert.equal(host.links(), ['eth0']);
    });
    assert.match(host.tsnspawn(...machine, 'ip', 'link').stdout, /^\d+: eth0@/m);
  }));

it('--network-ipvlan does the same with one hardware address, or says that the kernel has none', () =>
  withNetworks(2, async (host, neighbour) => {
    cable(host, 'eth0', neighbour, 'eth0');
    neighbour.run('ip addr add 10.0.0.1/24 dev eth0');
    const machine = [...MACHINE, '--network-ipvlan=eth0'];
    if (host.try('ip', 'link', 'add', 'link', 'eth0', 'name', 'try', 'type', 'ipvlan').status !== 0) {
      const { status, stderr } = host.tsnspawn(...machine, 'true');
      assert.is(status, 1);
      assert.match(stderr, /cannot make the ipvlan iv-eth0 on eth0[\s\S]*hint: this kernel has no ipvlan/);
      return;
    }
    host.run('ip link del try');
    await host.withMachine([...machine, ...serving('iv-eth0', '10.0.0.2/24')], async (running) => {
      await running.until(/serving/);
      assert.is(ask(neighbour, '10.0.0.2'), '::ffff:10.0.0.1');
    });
  }));

it('--network-interface moves an interface in, and it comes back with its name, whatever the guest called it', () =>
  withNetworks(2, async (host, neighbour) => {
    cable(host, 'eth1', neighbour, 'eth0');
    neighbour.run('ip addr add 10.0.0.1/24 dev eth0');
    const machine = [...MACHINE, '--network-interface=eth1:lan'];
    await host.withMachine([...machine, ...serving('lan', '10.0.0.2/24')], async (running) => {
      await running.until(/serving/);
      assert.equal(host.links(), []);
      assert.is(ask(neighbour, '10.0.0.2'), '::ffff:10.0.0.1');
    });
    assert.equal(host.links(), ['eth1']);
    const { stdout } = host.tsnspawn(...machine, 'sh', '-c', 'ip link set lan name mine; ls /sys/class/net');
    assert.is(stdout, 'lo\nmine\n');
    assert.equal(host.links(), ['eth1']);
  }));

it('an interface whose name was taken meanwhile comes back under another one', () =>
  withNetworks(2, async (host, neighbour) => {
    cable(host, 'eth1', neighbour, 'eth0');
    await host.withMachine([...MACHINE, '--network-interface=eth1', ...STAYS], async (running) => {
      await running.until(/eth1/);
      host.run('ip link add eth1 type bridge');
    });
    assert.match(host.links().join(), /^dev\d+,eth1$/);
  }));

it('everything is there again after a reboot of the guest, and gone after its end', () =>
  withNetworks(2, (host, neighbour) =>
    temporary(async (directory) => {
      cable(host, 'eth1', neighbour, 'eth0');
      const { status, stdout, stderr } = host.tsnspawn(
        ...MACHINE,
        '--bind',
        `${directory}:/mnt`,
        '--network-zone=lab',
        '--network-veth-extra=extra',
        '--network-interface=eth1:lan',
        'sh',
        '-c',
        REBOOTS,
      );
      assert.is(stderr, '');
      assert.is(status, 0);
      assert.match(stdout, /^again extra host0 lan lo$/m);
      assert.equal(host.links(), ['eth1']);
    }),
  ));

it('addresses that the host gave to a zone’s bridge stay while its machine reboots', () =>
  withNetworks(1, (host) =>
    temporary(async (directory) => {
      const machine = [...MACHINE, '--bind', `${directory}:/mnt`, '--network-zone=lab'];
      const script = `test -e /mnt/go || { echo first; until test -e /mnt/go; do :; done; }; ${REBOOTS}; exec sleep 1000`;
      await host.withMachine([...machine, 'sh', '-c', script], async (running) => {
        await running.until(/first/);
        host.run(`ip addr add 10.0.0.1/24 dev vz-lab; touch ${directory}/go`);
        await running.until(/again/);
        assert.match(host.run('ip addr show dev vz-lab'), /10\.0\.0\.1\/24/);
      });
    }),
  ));

for (const [victim, pick] of [
  ['the launcher', (running: Running) => running.pid],
  ['the monitor', monitorOf],
] as const) {
  it(`cables and the bridge of the zone are gone, and a moved interface is back, when ${victim} is killed`, () =>
    withNetworks(2, async (host, neighbour) => {
      cable(host, 'eth1', neighbour, 'eth0');
      const machine = [...MACHINE, '--network-zone=lab', '--network-veth-extra=extra', '--network-interface=eth1:lan'];
      await host.withMachine([...machine, ...STAYS], async (running) => {
        await running.until(/lan/);
        process.kill(pick(running), 'SIGKILL');
        await running.exited;
        await left(host, 'eth1');
      });
    }));
}

it('--network-namespace-path joins a namespace, which stays as it is', () =>
  withNetworks(2, async (host, other) => {
    other.run('ip link add own type bridge');
    const join = [...MACHINE, `--network-namespace-path=${other.path}`];
    const seen = host.tsnspawn(...join, 'sh', '-c', 'readlink /proc/self/ns/net; ls /sys/class/net');
    assert.is(seen.stdout, `${other.run('readlink /proc/self/ns/net').trim()}\nlo\nown\n`);
    assert.equal(other.links(), ['own']);
  }));

it('a joined namespace can be set up by the guest with --private-network only', () =>
  withNetworks(2, async (host, other) => {
    const join = [...MACHINE, `--network-namespace-path=${other.path}`];
    assert.is.not(host.tsnspawn(...join, 'ip', 'link', 'add', 'mine', 'type', 'bridge').status, 0);
    assert.is(host.tsnspawn(...join, '--private-network', 'ip', 'link', 'add', 'mine', 'type', 'bridge').status, 0);
    assert.equal(other.links(), ['mine']);
  }));

it('a namespace is joined again after a reboot of the guest', () =>
  withNetworks(2, (host, other) =>
    temporary(async (directory) => {
      other.run('ip link add own type bridge');
      const join = [...MACHINE, '--bind', `${directory}:/mnt`, `--network-namespace-path=${other.path}`];
      assert.match(host.tsnspawn(...join, 'sh', '-c', REBOOTS).stdout, /^again lo own$/m);
    }),
  ));

for (const [path, message] of [
  ['/etc/passwd', /\/etc\/passwd is not a network namespace/],
  ['/proc/self/ns/mnt', /is not a network namespace/],
  ['/run/netns/nothing-here', /does not exist/],
] as const) {
  it(`${path} is no network namespace, and is refused before anything starts`, () => {
    const { status, stdout, stderr } = tsnspawn([...MACHINE, `--network-namespace-path=${path}`, 'echo', 'ran']);
    assert.is(status, 1);
    assert.match(stderr, message);
    assert.is(stdout, '');
  });
}

it('all of it works in a user namespace', () =>
  withNetworks(3, async (host, neighbour, joined) => {
    cable(host, 'eth0', neighbour, 'eth0');
    cable(host, 'eth1', neighbour, 'eth1');
    joined.run('ip link add own type bridge');
    const machine = [...MACHINE, '--private-users=pick'];
    const made = ['--network-zone=lab', '--network-macvlan=eth0', '--network-interface=eth1:lan'];
    await host.withMachine([...machine, ...made, ...serving('host0', '10.0.0.2/24')], async (running) => {
      await running.until(/serving/);
      assert.equal(host.links(), ['eth0', 'vb-net', 'vz-lab']);
      host.run('ip addr add 10.0.0.1/24 dev vz-lab');
      assert.is(ask(host, '10.0.0.2'), '::ffff:10.0.0.1');
    });
    assert.equal(host.links(), ['eth0', 'eth1']);
    assert.is(host.tsnspawn(...machine, ...made, 'ls', '/sys/class/net').stdout, 'host0\nlan\nlo\nmv-eth0\n');
    const join = `--network-namespace-path=${joined.path}`;
    for (const options of [[join], [join, '--private-network']])
      assert.is(host.tsnspawn(...machine, ...options, 'ls', '/sys/class/net').stdout, 'lo\nown\n');
  }));

it('a second machine of the same name is told so, and the first one goes on', () =>
  withNetworks(1, async (host) => {
    await host.withMachine([...MACHINE, '-M', 'm', '-n', ...STAYS], async (running) => {
      await running.until(/host0/);
      const { status, stderr } = host.tsnspawn(...MACHINE, '-M', 'm', '-n', 'true');
      assert.is(status, 1);
      assert.match(stderr, /an interface ve-m is there already/);
      assert.equal(host.links(), ['ve-m']);
    });
  }));

test.run();

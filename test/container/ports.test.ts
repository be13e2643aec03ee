// Ports of the host that lead to the guest: from outside, from the host itself, over its loopback; and what must not get
// through. Everything happens in networks made for the purpose.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { monitorBelow } from '../support/footprint';
import { eventually, type Running, TSNSPAWN } from '../support/launcher';
import { needs, only } from '../support/needs';
import { cable, type Network, wireDirectory, withNetworks } from '../support/network';
import { ownTree } from '../support/trees';

const needed = needs('root', 'namespaces', 'command:ip', 'command:nsenter', 'command:nft', 'command:gcc');
const it = only(test, needed);

const tree = needed === undefined ? ownTree('busybox', 'ports') : '';
const wire = join(tree, 'opt/wire');
if (needed === undefined) {
  mkdirSync(join(tree, 'opt'), { recursive: true });
  copyFileSync(join(wireDirectory(), 'wire'), wire);
  chmodSync(wire, 0o755);
}

const MACHINE = ['-D', tree, '--read-only', '--pipe', '-M', 'm'] as const;

/** What a guest does to have addresses at once: without the second in which IPv6 looks for duplicates. */
const ADDRESSES =
  'echo 0 > /proc/sys/net/ipv6/conf/host0/accept_dad; ip link set host0 up;' +
  'ip addr add 10.0.0.2/24 dev host0; ip -6 addr add fd00::2/64 dev host0; ip route add default via 10.0.0.1;' +
  'ip -6 route add default via fd00::1;';

const SERVES = ['sh', '-c', `${ADDRESSES} exec /opt/wire serve 80`] as const;

/** The host's side of the cable. */
function setUp(host: Network, device = 've-m'): void {
  host.run(`ip addr add 10.0.0.1/24 dev ${device}; ip -6 addr add fd00::1/64 dev ${device} nodad`);
}

/** What is answered at the port, or nothing. */
function ask(network: Network, protocol: 'tcp' | 'udp', address: string, port: number): string | undefined {
  const { status, stdout } = network.try(wire, 'ask', protocol, address, String(port));
  return status === 0 ? stdout.trim() : undefined;
}

/** Waits until the host's rules know the address. */
async function forwards(host: Network, address: string): Promise<void> {
  await eventually(() => host.run('nft list ruleset').includes(address), `the rules lead to ${address}`);
}

/** A number that grows each time the host makes a table. */
function tablesMade(host: Network): number {
  return Number(/handle (\d+)/.exec(host.run('nft -a list ruleset'))?.[1]);
}

const ADDRESS6 = 'fd00::2';

it('a port is forwarded from the host’s addresses, for TCP and UDP, IPv4 and IPv6', () =>
  withNetworks(1, async (host) => {
    await host.withMachine([...MACHINE, '-n', '-p', '8080:80', '-p', 'udp:53:80', ...SERVES], async (running) => {
      await running.until(/serving/);
      setUp(host);
      await forwards(host, ADDRESS6);
      assert.is(ask(host, 'tcp', '10.0.0.1', 8080), '::ffff:10.0.0.1');
      assert.is(ask(host, 'tcp', 'fd00::1', 8080), 'fd00::1');
      assert.is(ask(host, 'udp', '10.0.0.1', 53), '::ffff:10.0.0.1');
      assert.is(ask(host, 'udp', 'fd00::1', 53), 'fd00::1');
      assert.is(ask(host, 'tcp', '10.0.0.1', 53), undefined);
    });
    assert.is(host.tables(), '');
    assert.equal(host.links(), []);
  }));

it('a port is forwarded from the loopback addresses, for TCP and UDP, also where the host has no address on the cable', () =>
  withNetworks(1, async (host) => {
    await host.withMachine([...MACHINE, '-n', '-p', '8080:80', '-p', 'udp:8080:80', ...SERVES], async (running) => {
      await running.until(/serving/);
      for (const protocol of ['tcp', 'udp'] as const) {
        assert.is(ask(host, protocol, '127.0.0.1', 8080), '::ffff:10.0.0.2');
        assert.is(ask(host, protocol, '::1', 8080), 'fd00::2');
      }
      assert.is(
        host.run('cat /proc/sys/net/ipv4/conf/all/route_localnet /proc/sys/net/ipv4/conf/ve-m/route_localnet').trim(),
        '0\n0',
      );
    });
    assert.is(ask(host, 'tcp', '127.0.0.1', 8080), undefined);
  }));

it('the relay passes on both directions whole, and the end of each', () =>
  withNetworks(1, async (host) => {
    await host.withMachine([...MACHINE, '-n', '-p', '8080:80', ...SERVES], async (running) => {
      await running.until(/serving/);
      const { stdout } = host.try(
        'sh',
        '-c',
        `for i in 1 2 3 4; do ${wire} count 127.0.0.1 8080 & done; ${wire} count ::1 8080; wait`,
      );
      assert.is(stdout, '1048576\n'.repeat(5));
    });
  }));

it('another machine of the network reaches the port where the host forwards', () =>
  withNetworks(2, async (host, outside) => {
    cable(host, 'eth0', outside, 'eth0');
    host.run('ip addr add 192.0.2.1/24 dev eth0; echo 1 > /proc/sys/net/ipv4/ip_forward');
    outside.run('ip addr add 192.0.2.2/24 dev eth0');
    await host.withMachine([...MACHINE, '--network-zone=lab', '-p', '8080:80', ...SERVES], async (running) => {
      await running.until(/serving/);
      setUp(host, 'vz-lab');
      await forwards(host, '10.0.0.2');
      assert.is(ask(outside, 'tcp', '192.0.2.1', 8080), '::ffff:192.0.2.2');
    });
    assert.equal(host.links(), ['eth0']);
  }));

for (const bridgeFilter of ['0', '1']) {
  it(`machines of a zone reach one another’s ports at the host, bridge-nf-call-iptables=${bridgeFilter}`, () =>
    withNetworks(1, async (host) => {
      host.run('echo 1 > /proc/sys/net/ipv4/ip_forward');
      // where the kernel has bridge netfilter, which then sees the frames first
      host.try('sh', '-c', `echo ${bridgeFilter} > /proc/sys/net/bridge/bridge-nf-call-iptables`);
      await host.withMachine([...MACHINE, '--network-zone=lab', '-p', '8080:80', ...SERVES], async (running) => {
        await running.until(/serving/);
        setUp(host, 'vz-lab');
        await forwards(host, '10.0.0.2');
        const script = 'ip link set host0 up; ip addr add 10.0.0.3/24 dev host0; exec /opt/wire ask tcp 10.0.0.1 8080';
        const other = ['-D', tree, '--read-only', '--pipe', '-M', 'other', '--network-zone=lab', 'sh', '-c', script];
        assert.match(host.tsnspawn(...other).stdout, /^::ffff:10\.0\.0\.\d$/m);
      });
    }));
}

it('a machine reaches its own port at the host', () =>
  withNetworks(1, async (host) => {
    host.run('echo 1 > /proc/sys/net/ipv4/ip_forward');
    const payload = `${ADDRESSES} /opt/wire serve 80 & read go; exec /opt/wire ask tcp 10.0.0.1 8080`;
    await host.withMachine([...MACHINE, '-n', '-p', '8080:80', 'sh', '-c', payload], async (running) => {
      await running.until(/serving/);
      setUp(host);
      await forwards(host, '10.0.0.2');
      running.write('go\n');
      await running.until(/^::ffff:10\.0\.0\.1$/m);
    });
  }));

it('forwarding follows the guest’s address', () =>
  withNetworks(1, async (host) => {
    const change = 'read go; ip addr del 10.0.0.2/24 dev host0; ip addr add 10.0.0.3/24 dev host0; wait';
    const payload = ['sh', '-c', `${ADDRESSES} /opt/wire serve 80 & ${change}`];
    await host.withMachine([...MACHINE, '-n', '-p', '8080:80', ...payload], async (running) => {
      await running.until(/serving/);
      setUp(host);
      await forwards(host, '10.0.0.2');
      running.write('go\n');
      await forwards(host, '10.0.0.3');
      assert.not.match(host.run('nft list ruleset'), /10\.0\.0\.2\b/);
      assert.is(ask(host, 'tcp', '10.0.0.1', 8080), '::ffff:10.0.0.1');
      assert.is(ask(host, 'tcp', '127.0.0.1', 8080), '::ffff:10.0.0.3');
    });
  }));

it('a guest that takes an address of the host does not get the host’s own services forwarded', () =>
  withNetworks(2, async (host, outside) => {
    cable(host, 'eth0', outside, 'eth0');
    host.run('ip addr add 192.0.2.1/24 dev eth0; ip addr add 172.16.0.1/32 dev lo');
    host.run('echo 1 > /proc/sys/net/ipv4/ip_forward');
    outside.run('ip addr add 192.0.2.2/24 dev eth0');
    const payload = 'ip link set host0 up; ip addr add 172.16.0.1/24 dev host0; echo ready; exec sleep 1000';
    const service = host.start([wire, 'serve', '9000']);
    try {
      await service.until(/serving/);
      await host.withMachine([...MACHINE, '-n', '-p', '8080:9000', 'sh', '-c', payload], async (running) => {
        await running.until(/ready/);
        await forwards(host, '172.16.0.1');
        assert.is(ask(outside, 'tcp', '192.0.2.1', 9000), '::ffff:192.0.2.2');
        assert.is(ask(outside, 'tcp', '192.0.2.1', 8080), undefined);
        assert.is(ask(host, 'tcp', '192.0.2.1', 8080), undefined);
      });
    } finally {
      service.child.kill('SIGKILL');
      await service.exited;
    }
  }));

it('an address that would be the host’s loopback is no address of a guest', () =>
  withNetworks(1, async (host) => {
    const payload =
      'ip link set host0 up; ip addr add 127.0.0.5/32 scope global dev host0; ip addr add 10.0.0.2/24 dev host0; echo ready; exec sleep 1000';
    await host.withMachine([...MACHINE, '-n', '-p', '8080', 'sh', '-c', payload], async (running) => {
      await running.until(/ready/);
      await forwards(host, '10.0.0.2');
      assert.not.match(host.run('nft list ruleset'), /127\.0\.0\.5/);
    });
  }));

it('a port that a program of the host has, or another machine, is refused by its number', () =>
  withNetworks(1, async (host) => {
    await host.withMachine([...MACHINE, '-n', '-p', '8080:80', '-p', 'udp:53:80', ...SERVES], async (running) => {
      await running.until(/serving/);
      for (const [port, words] of [
        ['8080', 'tcp:8080'],
        ['udp:53', 'udp:53'],
      ] as const) {
        const other = ['-D', tree, '--read-only', '--pipe', '-M', 'other', '-n', '-p', port, 'echo', 'ran'];
        const { status, stdout, stderr } = host.tsnspawn(...other);
        assert.is(status, 1);
        assert.match(
          stderr,
          new RegExp(`cannot forward the port ${words} of the host: Address already in use\nhint: `),
        );
        assert.is(stdout, '');
      }
      assert.equal(host.links(), ['ve-m']);
      assert.is(host.tables().trim().split('\n').length, 1);
    });
  }));

it('ports work in a namespace that is joined and private', () =>
  withNetworks(2, async (host, joined) => {
    cable(host, 'here', joined, 'there');
    host.run('ip addr add 10.0.0.1/24 dev here');
    joined.run('ip addr add 10.0.0.2/24 dev there');
    const join = [`--network-namespace-path=${joined.path}`, '--private-network', '-p', '8080:80'];
    await host.withMachine([...MACHINE, ...join, '/opt/wire', 'serve', '80'], async (running) => {
      await running.until(/serving/);
      assert.is(ask(host, 'tcp', '10.0.0.1', 8080), '::ffff:10.0.0.1');
      assert.is(ask(host, 'tcp', '127.0.0.1', 8080), '::ffff:10.0.0.2');
      assert.is(joined.tables(), '');
    });
    assert.is(host.tables(), '');
  }));

it('a guest that reboots has its ports again', () =>
  withNetworks(1, async (host) => {
    const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-ports-'));
    const payload = `test -e /mnt/once || { touch /mnt/once; reboot -f; sleep 1000; }; ${SERVES[2]}`;
    const machine = [...MACHINE, '--bind', `${directory}:/mnt`, '-n', '-p', '8080:80', 'sh', '-c', payload];
    try {
      await host.withMachine(machine, async (running) => {
        await running.until(/serving/);
        assert.is(ask(host, 'tcp', '127.0.0.1', 8080), '::ffff:10.0.0.2');
        await forwards(host, '10.0.0.2');
        assert.is(host.tables().trim().split('\n').length, 1);
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
    assert.is(host.tables(), '');
  }));

for (const [victim, pick] of [
  ['the launcher', (running: Running) => running.pid],
  ['the monitor', (running: Running) => monitorBelow(running.pid) ?? 0],
] as const) {
  it(`the machine’s table and its relay are gone when ${victim} is killed, and other tables stay`, () =>
    withNetworks(1, async (host) => {
      host.run('nft add table inet mine');
      await host.withMachine([...MACHINE, '-n', '-p', '8080:80', ...SERVES], async (running) => {
        await running.until(/serving/);
        assert.match(host.tables(), /tsnspawn-m-/);
        process.kill(pick(running), 'SIGKILL');
        await running.exited;
        await eventually(() => host.tables().trim() === 'table inet mine', 'the table is gone');
        assert.is(host.run('ss -Hltn').trim(), '');
      });
    }));
}

it('a system boots with a network and ports of its own', () =>
  withNetworks(1, async (host) => {
    const { status, stdout, stderr } = host.try(TSNSPAWN, 'boot-check', '-D', ownTree('trixie'), '-n', '-p', '8080:80');
    assert.is(status, 0, stderr);
    assert.match(stdout, /booted with systemd as PID 1/);
    assert.is(host.tables(), '');
    assert.equal(host.links(), []);
  }));

it('a guest that changes its address as fast as it can does not keep the host busy', () =>
  withNetworks(1, async (host) => {
    const flips = 'while :; do ip addr add 10.0.0.2/24 dev host0; ip addr del 10.0.0.2/24 dev host0; done';
    await host.withMachine([...MACHINE, '-n', '-p', '8080', 'sh', '-c', `echo ready; ${flips}`], async (running) => {
      await running.until(/ready/);
      const [before, start] = [tablesMade(host), Date.now()];
      await eventually(() => tablesMade(host) >= before + 5, 'its address is followed');
      await new Promise((resolve) => setTimeout(resolve, 500));
      const made = tablesMade(host) - before;
      assert.ok(made <= (Date.now() - start) / 100 + 2, `${made} tables in ${Date.now() - start} ms`);
    });
  }));

it('without the nft program on the host --port is refused, with a hint', () => {
  const script = `mount --bind /dev/null "$(readlink -f "$(command -v nft)")" && exec "$@"`;
  return withNetworks(1, async (host) => {
    const { status, stdout, stderr } = host.try(
      'unshare',
      '-m',
      'sh',
      '-ec',
      script,
      'sh',
      'node_modules/.bin/tsnspawn',
      ...MACHINE,
      '-n',
      '-p',
      '80',
      'echo',
      'ran',
    );
    assert.is(status, 1);
    assert.match(stderr, /--port: there is no nft program on the host\nhint: install nftables/);
    assert.is(stdout, '');
  });
});

test.run();

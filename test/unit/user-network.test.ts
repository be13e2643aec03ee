// The network of a launch without root: what an ordinary user gets, what is refused and why, and the command lines of the programs
// that give a guest its network.

import { type HostFacts, hintFor, type NetworkFacts, StepError, type TsnspawnError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { routes } from '../../packages/runtime/src/probe/network';
import { host, network, planOf, stepsOf, user, viewOf } from './fixtures';

const TUN = { devices: { tun: { major: 10, minor: 200 } } } as const;
const BOTH = { pasta: '/usr/bin/pasta', slirp4netns: '/usr/bin/slirp4netns' } as const;
const EREMOTEIO = 121;
const EADDRINUSE = 98;

/** A user of a host with these programs, whose resolv.conf(5) names this server. */
function withHelpers(helpers: { pasta?: string; slirp4netns?: string } = BOTH, server = '192.0.2.53'): HostFacts {
  const resolver = { host: `# made by hand\nnameserver ${server}\nsearch lan example.org\noptions edns0\n` };
  return user({
    ...TUN,
    network: network({ helpers, nft: undefined, firstPort: 1024, gateways: ['192.168.1.1'] }),
    resolver,
  });
}

function refusal(argv: readonly string[], facts = withHelpers()): TsnspawnError {
  try {
    viewOf(argv, facts);
  } catch (error) {
    return error as TsnspawnError;
  }
  throw new Error(`accepted: ${argv.join(' ')}`);
}

function commandOf(argv: readonly string[], facts: HostFacts): string {
  const [step] = stepsOf(planOf(argv, facts).late, 'userNetwork');
  return step?.command.join(' ') ?? '';
}

function resolverOf(argv: readonly string[], facts: HostFacts): string | undefined {
  const entry = viewOf(argv, facts).entries.find((one) => one.kind === 'put' && one.path === '/etc/resolv.conf');
  return entry?.kind === 'put' ? entry.content : undefined;
}

test('a user’s guest has the host’s network, unless it asks for another', () => {
  assert.not(planOf(['true'], withHelpers()).clone.guest.includes('net'));
  const { clone, late } = planOf(['--private-network', 'true'], withHelpers());
  assert.ok(clone.guest.includes('net'));
  assert.equal(stepsOf(late, 'userNetwork'), []);
});

test('host0 comes from pasta, which configures it, and forwards no port by itself', () => {
  const command = commandOf(['-n'], withHelpers());
  assert.match(command, /^\/usr\/bin\/pasta .*--config-net --ns-ifname host0 /);
  for (const option of ['--tcp-ports', '--udp-ports', '--tcp-ns', '--udp-ns'])
    assert.match(command, new RegExp(`${option} none`));
  assert.match(command, /--userns \/proc\/%\/ns\/user --netns \/proc\/%\/ns\/net$/);
  assert.equal(stepsOf(planOf(['-n'], withHelpers()).host, 'veth'), []);
});

test('host0 has the hardware address that it would have as root', () => {
  const address = viewOf(['-M', 'short', '-n'], host({ network: network() })).network.veths[0]?.guestAddress;
  assert.match(commandOf(['-M', 'short', '-n'], withHelpers()), new RegExp(`--ns-mac-addr ${address}`));
});

test('without pasta it is slirp4netns, whose interface the monitor configures as its DHCP server would', () => {
  const facts = withHelpers({ slirp4netns: BOTH.slirp4netns });
  const [step] = stepsOf(planOf(['-M', 'short', '-n'], facts).late, 'userNetwork');
  assert.match(step?.command.join(' ') ?? '', /^\/usr\/bin\/slirp4netns .*--ready-fd=3 .*\/proc\/%\/ns\/net host0$/);
  assert.equal(step?.configure, {
    interface: 'host0',
    address: '10.0.2.15',
    prefix: 24,
    gateway: '10.0.2.2',
    mtu: 65520,
    hardwareAddress: '3e:c1:b7:30:8d:08',
  });
});

test('on a host without a default route, which pasta copies, slirp4netns is taken first', () => {
  const facts = withHelpers();
  const offline = { ...facts, network: { ...facts.network, online: false } as NetworkFacts };
  assert.match(commandOf(['-n'], offline), /^\/usr\/bin\/slirp4netns /);
  const [step] = stepsOf(planOf(['-n'], facts).late, 'userNetwork');
  assert.ok(step);
  assert.match(new StepError(step, EREMOTEIO, 'No external routable interface for IPv4').hint ?? '', /slirp4netns/);
});

test('the routes of the host are those of both families, but for the one of the kernel', () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const zero = '0'.repeat(32);
  const kernel = `${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo\n`;
  const via = `${zero} 00 ${zero} 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n`;
  assert.equal(routes(`${head}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`, kernel), {
    online: true,
    gateways: ['192.0.2.1'],
  });
  // a tunnel has no router
  assert.equal(routes(`${head}tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n`, kernel), {
    online: true,
    gateways: [],
  });
  assert.equal(routes(`${head}eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`, kernel), {
    online: false,
    gateways: [],
  });
  assert.is(routes(head, `${via}${kernel}`).online, true);
});

test('without either of them --network-veth is an error that says what to install', () => {
  const { message, hint, code } = refusal(['-n'], withHelpers({}));
  assert.match(message, /^--network-veth: without root it takes pasta or slirp4netns, and neither is installed$/);
  assert.match(hint ?? '', /install passt or slirp4netns/);
  assert.is(code, 'ENOENT');
});

test('both need /dev/net/tun, which is told before anything is started', () => {
  const { message, hint } = refusal(['-n'], { ...withHelpers(), devices: {} });
  assert.match(message, /pasta needs \/dev\/net\/tun, which cannot be opened/);
  assert.match(hint ?? '', /0666/);
});

test('what changes the host’s network is refused by name, with its reason', () => {
  for (const [option, reason] of [
    ['--network-bridge=br0', /^--network-bridge=br0: only root can put an interface into a bridge$/],
    ['--network-zone=lab', /^--network-zone=lab: only root can make the bridge vz-lab$/],
    ['--network-veth-extra=a:b', /^--network-veth-extra=a:b: only root can make an interface of the host$/],
    ['--network-macvlan=eth0', /^--network-macvlan=eth0:mv-eth0: only root can share an interface of the host$/],
    ['--network-ipvlan=eth0:x', /^--network-ipvlan=eth0:x: only root can share an interface of the host$/],
    ['--network-interface=eth0', /^--network-interface=eth0: only root can take an interface of the host$/],
    ['--network-namespace-path=/run/netns/lab', /only root of the user namespace that it belongs to can join it$/],
  ] as const) {
    const error = refusal([option]);
    assert.match(error.message, reason);
    assert.is(error.option, option.slice(0, option.indexOf('=')));
    assert.is(error.code, 'EPERM');
    assert.ok(error.hint);
  }
});

test('root of the user namespace that the network belongs to changes it as the host’s root does', () => {
  const ids = [{ first: 0, size: 65536 }];
  const rootless = { size: 65536, uids: ids, gids: ids };
  const inside = (own: boolean) => user({ euid: 0, rootless, ...TUN, network: network({ own, helpers: BOTH }) });
  assert.is(viewOf(['-M', 'm', '-n'], inside(true)).network.veths[0]?.host, 've-m');
  assert.is(viewOf(['-M', 'm', '-n'], inside(false)).network.helper?.kind, 'pasta');
  assert.match(refusal(['--network-zone=lab'], inside(false)).message, /only root/);
});

test('ports are relayed, on all addresses, without nft', () => {
  const plan = planOf(['-n', '-p', '8080:80', '-p', 'udp:5353:53'], withHelpers());
  assert.equal(stepsOf(plan.late, 'forwardPorts'), []);
  assert.equal(stepsOf(plan.late, 'relayPorts')[0]?.ports, [
    { protocol: 'tcp', host: 8080, guest: 80 },
    { protocol: 'udp', host: 5353, guest: 53 },
  ]);
  // the address that they lead to comes first
  const ops = plan.late.map(({ op }) => op);
  assert.ok(ops.indexOf('userNetwork') < ops.indexOf('relayPorts'));
});

test('a port that is for root is refused with the parameter that says so', () => {
  const { message, hint } = refusal(['-n', '-p', '80']);
  assert.match(message, /only root can have the port tcp:80 of the host/);
  assert.match(hint ?? '', /from 1024 on.*net\.ipv4\.ip_unprivileged_port_start=80/);
  const open = { ...withHelpers(), network: network({ helpers: BOTH, firstPort: 80 }) };
  assert.is(viewOf(['-n', '-p', '80'], open).network.ports.length, 1);
});

test('ports need a guest that has an address', () => {
  assert.match(refusal(['--private-network', '-p', '8080:80']).message, /--port=tcp:8080:80 needs a container/);
});

test('the guest asks the name servers of the host that it can reach', () => {
  const facts = withHelpers();
  assert.is(resolverOf(['-n'], facts), 'nameserver 192.0.2.53\nsearch lan example.org\noptions edns0\n');
  assert.not.match(commandOf(['-n'], facts), /--dns-forward/);
});

test('a server that means another machine in the guest is asked through the helper', () => {
  // pasta takes the router's address for the host's
  for (const server of ['127.0.0.53', '192.168.1.1']) {
    const facts = withHelpers(BOTH, server);
    assert.match(resolverOf(['-n'], facts) ?? '', /^nameserver 169\.254\.1\.1\nsearch lan/);
    assert.match(commandOf(['-n'], facts), /--dns-forward 169\.254\.1\.1/);
  }
  const slirp = withHelpers({ slirp4netns: BOTH.slirp4netns });
  assert.match(resolverOf(['-n'], slirp) ?? '', /^nameserver 10\.0\.2\.3\nsearch lan/);
});

test('systemd-resolved in the guest is told the same servers', () => {
  const path = '/run/systemd/resolved.conf.d/host.conf';
  const content = (...argv: string[]) => {
    const entry = viewOf(argv, withHelpers()).entries.find((one) => one.kind === 'file' && one.path === path);
    return entry?.kind === 'file' ? entry.content : undefined;
  };
  assert.equal(content('-bn'), { bytes: '[Resolve]\nDNS=192.0.2.53\nDomains=lan example.org\n' });
  assert.is(content('-n', 'true'), undefined);
});

test('a read-only tree gets it bound, in the place of no link', () => {
  const bound = viewOf(['-n', '--read-only'], withHelpers()).entries.filter(({ path }) => path === '/etc/resolv.conf');
  assert.equal(
    bound.map((entry) => entry.kind === 'guest' && entry.source),
    ['/run/host/resolv.conf'],
  );
  assert.is(bound[0]?.kind === 'guest' && bound[0].nofollow, true);
});

test('who says what is to become of resolv.conf gets that', () => {
  assert.is(resolverOf(['-n', '--resolv-conf=off'], withHelpers()), undefined);
  assert.is(resolverOf(['--private-network'], withHelpers()), undefined);
});

test('a program that fails is told with its own words', () => {
  const [step] = stepsOf(planOf(['-n'], withHelpers()).late, 'userNetwork');
  assert.ok(step);
  const said = 'Failed to send 77 bytes to syslog\n1795633007.7182: No external interface\n';
  assert.is(
    new StepError(step, EREMOTEIO, said).message,
    'cannot connect the container through /usr/bin/pasta: No external interface',
  );
  assert.match(new StepError(step, EREMOTEIO).message, /it ended without a word$/);
});

test('a port that is taken is told by its number', () => {
  const [step] = stepsOf(planOf(['-n', '-p', '8080:80'], withHelpers()).late, 'relayPorts');
  assert.ok(step);
  assert.is(
    new StepError(step, EADDRINUSE, 'tcp:8080').message,
    'cannot forward the port tcp:8080 of the host: Address already in use',
  );
  assert.match(hintFor(step, 'EADDRINUSE') ?? '', /listens there/);
});

test.run();

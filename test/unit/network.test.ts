// The network of a launch: which interfaces, under which names, by which steps; and what is refused before there is any.

import { type HostFacts, hintFor, NetworkError, stepInWords, type TsnspawnError, UsageError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, network, planOf, RUN, specIn, stepsOf, viewOf } from './fixtures';

const HOST: HostFacts = host({ network: network() });

function stepsFor(...argv: string[]) {
  return planOf(argv, HOST).host;
}

function refused(
  argv: readonly string[],
  message: RegExp,
  kind: typeof UsageError | typeof NetworkError,
  facts = HOST,
) {
  try {
    viewOf(argv, facts);
  } catch (error) {
    assert.instance(error, kind);
    assert.match((error as TsnspawnError).message, message);
    return;
  }
  assert.unreachable(`accepted: ${argv.join(' ')}`);
}

test('a machine keeps the names and hardware addresses that systemd-nspawn 252 gives it', () => {
  const [main, first, second] = viewOf(['-M', 'short', '-n', '--network-veth-extra=x', '--network-veth-extra=y'], HOST)
    .network.veths;
  assert.equal(main, {
    host: 've-short',
    guest: 'host0',
    hostAddress: '5e:5b:48:fd:8b:01',
    guestAddress: '3e:c1:b7:30:8d:08',
  });
  assert.equal([first?.hostAddress, first?.guestAddress], ['36:a1:ed:f5:d5:89', '16:6e:12:76:8d:54']);
  assert.equal([second?.hostAddress, second?.guestAddress], ['36:02:d1:11:e2:34', '1a:40:28:c0:86:0a']);
  const [macvlan] = viewOf(['-M', 'a-very-long-machine-name', '--network-macvlan=br0'], HOST).network.shared;
  assert.equal(macvlan, { kind: 'macvlan', host: 'br0', guest: 'mv-br0', address: '3a:d8:e1:16:be:0b' });
});

test('a name that is too long for an interface is cut and told apart by its hash, as systemd-nspawn 252 does it', () => {
  const [plain] = viewOf(['-M', 'a-very-long-machine-name', '-n'], HOST).network.veths;
  assert.equal([plain?.host, plain?.longName], ['ve-a-very-lm3p6', 've-a-very-long-machine-name']);
  const [bridged] = viewOf(['-M', 'a-very-long-machine-name', '--network-bridge=br0'], HOST).network.veths;
  assert.equal([bridged?.host, bridged?.longName], ['vb-a-very-lJlHy', 'vb-a-very-long-machine-name']);
  const names = ['one', 'two'].map((end) => viewOf(['-M', `a-long-machine-${end}`, '-n'], HOST).network.veths[0]?.host);
  assert.is(new Set(names).size, 2);
  assert.is(viewOf(['-M', 'twelve-chars', '-n'], HOST).network.veths[0]?.host, 've-twelve-chars');
});

test('SYSTEMD_NSPAWN_NETWORK_MAC is the address of host0 and of nothing else', () => {
  const { mac } = specIn({ SYSTEMD_NSPAWN_NETWORK_MAC: '02-00-5E-00-00-01' }, '-n').network;
  assert.is(mac, '02:00:5e:00:00:01');
  for (const bad of ['', '02:00:5e:00:00', '00:00:00:00:00:00', '03:00:5e:00:00:01', 'router']) {
    assert.throws(
      () => specIn({ SYSTEMD_NSPAWN_NETWORK_MAC: bad }, '-n'),
      (error: Error) => error instanceof UsageError && error.message.includes(`'${bad}'`),
    );
  }
});

test('without a machine id of the host the kernel chooses the hardware addresses', () => {
  const { network: found } = viewOf(['-n'], host({ network: network({ machineId: undefined }) }));
  assert.equal(found.veths, [{ host: 've-debian-tree', guest: 'host0' }]);
});

test('the host’s end is ve-MACHINE, and vb-MACHINE in the bridge or in the bridge of the zone', () => {
  const ends = (...argv: string[]) =>
    stepsOf(stepsFor(...argv), 'veth').map(({ host: end, bridge, makesBridge }) => [end, bridge, makesBridge]);
  assert.equal(ends('-M', 'm', '-n'), [['ve-m', undefined, undefined]]);
  assert.equal(ends('-M', 'm', '--network-bridge=br0'), [['vb-m', 'br0', undefined]]);
  assert.equal(ends('-M', 'm', '--network-zone=lab'), [['vb-m', 'vz-lab', true]]);
});

test('interfaces are made and moved while the guest waits, and only in a namespace of its own', () => {
  const plan = planOf(['-n', '--network-macvlan=eth0', '--network-ipvlan=eth0', '--network-interface=eth1:lan'], HOST);
  assert.equal(
    plan.host.map(({ op }) => op),
    ['veth', 'sharedInterface', 'sharedInterface', 'moveInterface'],
  );
  assert.equal(
    stepsOf(plan.host, 'sharedInterface').map(({ kind, host: on, guest }) => [kind, on, guest]),
    [
      ['macvlan', 'eth0', 'mv-eth0'],
      ['ipvlan', 'eth0', 'iv-eth0'],
    ],
  );
  assert.equal(stepsOf(plan.host, 'moveInterface'), [{ op: 'moveInterface', host: 'eth1', guest: 'lan' }]);
  assert.ok(plan.clone.guest.includes('net'));
});

test('a namespace that is joined is entered before the guest exists, which gets neither a new one nor its lo', () => {
  const plan = planOf(['--network-namespace-path=/run/netns/lab'], HOST);
  assert.equal(stepsOf(plan.outer, 'joinNetwork'), [{ op: 'joinNetwork', path: '/run/netns/lab' }]);
  assert.not(plan.clone.guest.includes('net'));
  assert.equal(stepsOf(plan.inner, 'loopback'), []);
});

test('a namespace that is joined gets NET_ADMIN and the skeleton of /sys only with --private-network', () => {
  const join = '--network-namespace-path=/run/netns/lab';
  const parts = (...argv: string[]) => viewOf(argv, HOST).entries.filter(({ kind }) => kind === 'sysfs').length;
  assert.not(viewOf([join], HOST).privileges.bounding.includes('net_admin'));
  assert.ok(viewOf([join, '--private-network'], HOST).privileges.bounding.includes('net_admin'));
  assert.is(parts(join), 0);
  assert.ok(parts(join, '--private-network') > 0);
});

test('what is to be joined must be a network namespace', () => {
  const join = ['--network-namespace-path=/run/netns/lab'];
  for (const [namespace, message] of [
    ['missing', /\/run\/netns\/lab does not exist/],
    ['denied', /\/run\/netns\/lab cannot be opened/],
    ['other', /\/run\/netns\/lab is not a network namespace/],
  ] as const) {
    refused(join, message, NetworkError, host({ network: network({ namespace }) }));
  }
});

test('an interface that the host does not have is refused by its option', () => {
  refused(['--network-macvlan=wlan0'], /--network-macvlan.*wlan0/, NetworkError);
  refused(['--network-ipvlan=wlan0'], /--network-ipvlan.*wlan0/, NetworkError);
  refused(['--network-interface=wlan0'], /--network-interface.*wlan0/, NetworkError);
  refused(['--network-bridge=br7'], /--network-bridge.*br7/, NetworkError);
});

test('an interface is also found by an alternative name, and keeps the one that the kernel shows', () => {
  assert.equal(viewOf(['--network-interface=enp3s0'], HOST).network.moved, [{ host: 'eth0', guest: 'eth0' }]);
  assert.equal(viewOf(['--network-macvlan=enp3s0'], HOST).network.shared[0]?.host, 'eth0');
});

test('lo stays where it is', () => {
  refused(['--network-interface=lo'], /lo cannot leave/, UsageError);
});

test('an interface cannot be made under a name that the host has already', () => {
  refused(['--network-veth-extra=eth0'], /eth0 is there already/, NetworkError);
  refused(['--network-veth-extra=enp3s0'], /enp3s0 is there already/, NetworkError);
  refused(['--network-veth-extra=a:x', '--network-veth-extra=a:y'], /a is there already/, NetworkError);
  const running = host({ network: network({ interfaces: ['lo', 've-debian-tree'] }) });
  refused(['-n'], /ve-debian-tree is there already/, NetworkError, running);
});

test('two interfaces of the container cannot have one name', () => {
  refused(['-n', '--network-veth-extra=a:host0'], /two interfaces host0/, UsageError);
  refused(['--network-macvlan=eth0:x', '--network-interface=eth1:x'], /two interfaces x/, UsageError);
  refused(['--network-macvlan=eth0:lo'], /two interfaces lo/, UsageError);
});

test('an interface that moves away cannot be used on the host at the same time', () => {
  refused(['--network-interface=eth0', '--network-macvlan=eth0'], /eth0 cannot move/, UsageError);
  refused(['--network-interface=br0:x', '--network-bridge=br0'], /br0 cannot move/, UsageError);
  refused(['--network-interface=eth1:a', '--network-interface=eth1:b'], /eth1 cannot move/, UsageError);
});

test('ports need the nft program, and the hint says what to install', () => {
  const bare = host({ network: network({ nft: undefined }) });
  refused(['-n', '-p', '80'], /no nft program/, NetworkError, bare);
  assert.is(viewOf(['-n'], bare).network.nft, undefined);
});

test('a forwarded port leads what is addressed to the host to the guest, and leaves the loopback to the relay', () => {
  const [step] = stepsOf(stepsFor('-M', 'm', '-n', '-p', '8080:80', '-p', 'udp:53'), 'forwardPorts');
  assert.is(step?.table, `tsnspawn-m-${RUN.pid}`);
  assert.is(step?.nft, '/usr/sbin/nft');
  assert.match(
    step?.rules4 ?? '',
    /^prerouting ip daddr != 127\.0\.0\.0\/8 fib daddr type local dnat ip to tcp dport map \{ 8080 : % \. 80 \}$/m,
  );
  assert.match(step?.rules6 ?? '', /^output ip6 daddr != ::1 .* dnat ip6 to udp dport map \{ 53 : % \. 53 \}$/m);
});

test('an address that is the host’s own, or leads elsewhere than to the guest, gets nothing forwarded', () => {
  const guard = (...argv: string[]) =>
    stepsOf(stepsFor(...argv, '-p', '80'), 'forwardPorts')[0]
      ?.rules4.split('\n')
      .filter((rule) => rule.endsWith(' drop'));
  assert.match(guard('-M', 'm', '-n')?.join('\n') ?? '', /^input .* drop\nleaving .* oifname != \{ "ve-m" \} drop$/);
  assert.match(guard('--network-zone=z')?.[1] ?? '', /oifname != \{ "vz-z" \} drop$/);
  assert.match(guard('--network-bridge=br0', '--network-veth-extra=a')?.[1] ?? '', /oifname != \{ "br0", "a" \} drop$/);
  assert.match(guard('--network-macvlan=eth0')?.[1] ?? '', /oifname "lo" drop$/);
});

test('steps of the network in words, and what to do when they fail', () => {
  const words = stepsFor(
    '-M',
    'm',
    '--network-zone=z',
    '--network-macvlan=eth0',
    '--network-interface=eth1:lan',
    '-p',
    '80',
  ).map((step) => stepInWords(step));
  assert.equal(words, [
    'connect host0 of the container with vb-m of the host in the bridge vz-z',
    'make the macvlan mv-eth0 on eth0',
    'move the interface eth1 into the container as lan',
    'forward the ports tcp:80:80',
  ]);
  const [veth, macvlan, move, ports] = stepsFor(
    '--network-zone=z',
    '--network-macvlan=eth0',
    '--network-interface=eth1',
    '-p',
    '80',
  );
  assert.ok(veth && macvlan && move && ports);
  assert.match(hintFor(veth, 'EOPNOTSUPP') ?? '', /is vz-z a bridge\?/);
  assert.match(hintFor(macvlan, 'EOPNOTSUPP') ?? '', /no macvlan/);
  assert.match(hintFor(move, 'EINVAL') ?? '', /stay where they were made/);
  assert.is(stepInWords(ports, 'tcp:80'), 'forward the port tcp:80 of the host');
  assert.match(hintFor(ports, 'EADDRINUSE') ?? '', /listens there/);
  assert.match(hintFor(ports, 'EIO') ?? '', /nf_tables/);
});

test.run();

// The network. The commands tell names and addresses of interfaces: busybox has an ip(8) for that.

import { execFileSync, spawnSync } from 'node:child_process';
import { type Case, refused } from '../case';

const MACHINE_ID = '0123456789abcdef0123456789abcdef';
/** Interfaces with their hardware addresses, which are made from the machine id and the name. */
const LINKS = [
  'sh',
  '-c',
  'for i in /sys/class/net/*; do echo $(basename $i) $(cat $i/address) $(cat $i/mtu) $(cat $i/flags); done; cat /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/ip_forward && echo writable',
];
const links = (promise: string, ...options: readonly string[]): Case => ({
  promise,
  prepare: (place) => place.write('guest/etc/machine-id', `${MACHINE_ID}\n`),
  options,
  command: LINKS,
  after: () => namesOf('ve-guest', 'vb-guest', 'vz-cmp', 'xcmp0'),
});

/** Interfaces of the host of these names. */
function namesOf(...names: readonly string[]): string {
  return names.filter((name) => spawnSync('test', ['-e', `/sys/class/net/${name}`]).status === 0).join(' ');
}

const ip = (...words: readonly string[]): void => void execFileSync('ip', words, { stdio: 'ignore' });
const quietly = (...words: readonly string[]): void => void spawnSync('ip', words, { stdio: 'ignore' });

/** With an interface of the host that is there for this case alone. */
function withLink(one: Case, name: string, ...kind: readonly string[]): Case {
  return {
    ...one,
    prepare: (place) => {
      one.prepare?.(place);
      quietly('link', 'del', name);
      ip('link', 'add', name, 'address', '02:00:00:00:00:01', ...kind);
    },
    after: (place) => {
      const found = `${namesOf(name)}: ${one.after?.(place)}`;
      quietly('link', 'del', name);
      return found;
    },
  };
}

const CASES: readonly Case[] = [
  { promise: '--private-network', options: ['--private-network'] },
  { promise: '--private-network: the calls', options: ['--private-network'], command: ['/probe', 'calls'] },
  links('--private-network: lo alone, and up', '--private-network'),
  links('--network-veth', '--network-veth'),
  { promise: '--network-veth: what the guest sees', options: ['-n'] },
  links('--network-veth-extra', '--network-veth-extra=xcmp0:inner0'),
  links('--network-veth-extra, one name for both', '--network-veth-extra=xcmp0'),
  withLink(links('--network-bridge', '--network-bridge=cmpbr0'), 'cmpbr0', 'type', 'bridge'),
  links('--network-zone', '--network-zone=cmp'),
  withLink(links('--network-macvlan', '--network-macvlan=cmpd0'), 'cmpd0', 'type', 'veth', 'peer', 'name', 'cmpd1'),
  withLink(links('--network-ipvlan', '--network-ipvlan=cmpd0'), 'cmpd0', 'type', 'veth', 'peer', 'name', 'cmpd1'),
  withLink(links('--network-interface', '--network-interface=cmpd0'), 'cmpd0', 'type', 'veth', 'peer', 'name', 'cmpd1'),
  {
    promise: '--network-namespace-path',
    prepare: () => {
      quietly('netns', 'del', 'cmpns');
      ip('netns', 'add', 'cmpns');
      ip('-n', 'cmpns', 'link', 'add', 'inns0', 'type', 'veth', 'peer', 'name', 'inns1');
    },
    options: ['--network-namespace-path=/run/netns/cmpns'],
    after: () => {
      const found = spawnSync('ip', ['-n', 'cmpns', '-br', 'link'], { encoding: 'utf8' }).stdout.replace(/\s+/g, ' ');
      quietly('netns', 'del', 'cmpns');
      return found.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC');
    },
  },
  refused('a bridge that does not exist', '--network-bridge=nosuchbr'),
  refused('an interface that does not exist', '--network-macvlan=nosuchif'),
  refused('an interface name that is too long', '--network-veth-extra=sixteencharacter'),
  refused('a network namespace that does not exist', '--network-namespace-path=/no/such/ns'),
  refused('a file that is no network namespace', '--network-namespace-path=/etc/passwd'),
  refused('a zone name that is too long', '--network-zone=sixteencharacters'),
  refused('a port without a network of its own', '-p', '8080'),
  refused('port 0', '-n', '-p', '0'),
  refused('port 70000', '-n', '-p', '70000'),
  refused('a port of a protocol that is none', '-n', '-p', 'icmp:80'),
  refused('a port twice', '-n', '-p', '8080:80', '-p', '8080:81'),
  refused(
    '--network-namespace-path with --network-veth',
    '--network-namespace-path=/proc/self/ns/net',
    '--network-veth',
  ),
];

export const NETWORK_CASES: readonly Case[] = CASES.map((one) => ({ ...one, alone: true }));

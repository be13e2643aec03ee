// --port in the language of nft(8): docs/decisions/0014-ports.md. The rules are complete but for the guest's address, which the
// monitor fills in as soon as the guest has one.

import type { NetworkView } from '../view/model';

/** Stands in the rules for the guest's address. */
const ADDRESS = '%';

export interface PortRules {
  /** what the table consists of while the guest has no address */
  readonly chains: string;
  /** what is added for an IPv4 and for an IPv6 address; `%` is the address */
  readonly rules4: string;
  readonly rules6: string;
}

/** In the order of the hooks. The numbers are those of `dstnat` and `srcnat`, which nft refuses in some hooks. */
const CHAINS = [
  'chain prerouting { type nat hook prerouting priority -100; }',
  'chain output { type nat hook output priority -100; }',
  'chain input { type filter hook input priority 0; }',
  'chain leaving { type filter hook postrouting priority 0; }',
  'chain postrouting { type nat hook postrouting priority 100; }',
].join('\n');

export function portRules(network: NetworkView): PortRules {
  return {
    chains: CHAINS,
    rules4: rulesFor('ip', '127.0.0.0/8', network).join('\n'),
    rules6: rulesFor('ip6', '::1', network).join('\n'),
  };
}

/** The rules of one address family, each as `CHAIN RULE`. */
function rulesFor(family: 'ip' | 'ip6', loopback: string, network: NetworkView): string[] {
  const ways = waysToGuest(network);
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const ports = network.ports.filter((port) => port.protocol === protocol);
    if (ports.length === 0) return [];
    const map = ports.map(({ host, guest }) => `${host} : ${ADDRESS} . ${guest}`).join(', ');
    const set = (numbers: readonly number[]): string => `{ ${[...new Set(numbers)].join(', ')} }`;
    // what was addressed to the host, but not to its loopback: that is the relay's
    const forward = `${family} daddr != ${loopback} fib daddr type local dnat ${family} to ${protocol} dport map { ${map} }`;
    const forwarded = [
      `ct status dnat ct direction original ${family} daddr ${ADDRESS}`,
      `${protocol} dport ${set(ports.map(({ guest }) => guest))}`,
      `ct original proto-dst ${set(ports.map(({ host }) => host))}`,
    ].join(' ');
    return [
      `prerouting ${forward}`,
      `output ${forward}`,
      // a guest chooses its address itself: one that is the host's, or leads elsewhere, must not get it the host's ports
      `input ${forwarded} drop`,
      `leaving ${forwarded} oifname ${ways === undefined ? '"lo"' : `!= { ${ways.join(', ')} }`} drop`,
      // guests on the same wire would answer one another directly, from an address that was never asked
      ...(ways ?? []).map((way) => `postrouting ${forwarded} iifname ${way} oifname ${way} masquerade`),
    ];
  });
}

/** The interfaces of the host behind which the guest is; undefined where only the routes of the host know. */
function waysToGuest({ veths, shared, moved }: NetworkView): readonly string[] | undefined {
  if (shared.length > 0 || moved.length > 0) return undefined;
  return veths.length === 0 ? undefined : veths.map(({ host, bridge }) => `"${bridge?.name ?? host}"`);
}

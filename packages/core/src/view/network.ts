// The guest's network: which namespace, which interfaces, which ports. What stands on the command line and is not there, or
// what is to be made and is there already, is refused here, before the first interface has been touched.

import { NetworkError, UsageError } from '../errors';
import type { HostFacts, NetworkFacts } from '../facts';
import type { ContainerSpec, InterfacePair, NetworkSpec } from '../spec';
import { hardwareAddress, linkName } from './link-names';
import type { ContainerView, NetworkView, SharedInterface, Veth } from './model';
import { GUEST_VETH, mayChangeNetwork, userNetworkOf } from './user-network';

/** What the monitor keeps in mind has a fixed size: native/src/net/network.hh. */
const MAX_INTERFACES = 64;
/** Each is listened on in two families, and a process has 1024 descriptors at first: native/src/net/relay.cc. */
const MAX_PORTS = 200;

const NOTHING: NetworkFacts = { interfaces: [], alternatives: {} };

/** Whether the launch needs to know HostFacts.network. */
export function asksForNetwork({ network }: ContainerSpec): boolean {
  return network.namespacePath !== undefined || hasInterfaces(network) || network.ports.length > 0;
}

function hasInterfaces({ veth, vethExtra, macvlan, ipvlan, interfaces }: NetworkSpec): boolean {
  return veth || [vethExtra, macvlan, ipvlan, interfaces].some(({ length }) => length > 0);
}

/**
 * @param machine its name
 * @throws UsageError when options exclude each other, NetworkError when the host has not what they name
 */
export function networkOf(spec: ContainerSpec, host: HostFacts, machine: string): NetworkView {
  const { network } = spec;
  const facts = host.network ?? NOTHING;
  requireFewPorts(network);
  if (!mayChangeNetwork(host)) return userNetworkOf(spec, host, facts, machine);
  const ports = portsOf(network, facts);
  if (network.namespacePath !== undefined) return { ...joined(network.namespacePath, facts), ...ports };
  const veths = vethsOf(network, facts, machine);
  const shared = sharedOf(network, facts, machine);
  const moved = network.interfaces.map((pair) => movable(pair, facts));
  refuseClashes(veths, shared, moved, facts);
  return { namespace: network.private ? 'new' : 'host', veths, shared, moved, ...ports };
}

/** What will not work as one might think, and is no error. */
export function networkWarnings({ network }: ContainerView, host: HostFacts): string[] {
  if (network.nft === undefined || host.network?.routes !== false) return [];
  return ['the forwarded ports can be reached from this host only: other machines need net.ipv4.ip_forward=1'];
}

function joined(path: string, facts: NetworkFacts): Omit<NetworkView, 'ports' | 'nft'> {
  const option = '--network-namespace-path';
  const details = { option, path, hint: 'ip netns add NAME makes /run/netns/NAME' };
  switch (facts.namespace) {
    case 'missing':
      throw new NetworkError(`${option}: ${path} does not exist`, { ...details, code: 'ENOENT' });
    case 'denied':
      throw new NetworkError(`${option}: ${path} cannot be opened`, { option, path, code: 'EACCES' });
    case 'other':
      throw new NetworkError(`${option}: ${path} is not a network namespace`, details);
  }
  return { namespace: { path }, veths: [], shared: [], moved: [] };
}

function portsOf({ ports }: NetworkSpec, { nft }: NetworkFacts): Pick<NetworkView, 'ports' | 'nft'> {
  const option = '--port';
  if (ports.length === 0) return { ports };
  if (nft === undefined) {
    throw new NetworkError('--port: there is no nft program on the host', {
      option,
      code: 'ENOENT',
      hint: 'install nftables',
    });
  }
  return { ports, nft };
}

function requireFewPorts({ ports }: NetworkSpec): void {
  if (ports.length <= MAX_PORTS) return;
  throw new UsageError(`--port: more than ${MAX_PORTS} ports`, { option: '--port' });
}

/** The pair with the interface of the host by the name that the kernel shows. */
function movable(pair: InterfacePair, facts: NetworkFacts): InterfacePair {
  const option = '--network-interface';
  const host = realName(pair.host, facts, option);
  if (host === 'lo') throw new UsageError(`${option}: lo cannot leave the host`, { option });
  return { host, guest: pair.guest === pair.host ? host : pair.guest };
}

function realName(name: string, facts: NetworkFacts, option: string): string {
  const real = facts.interfaces.includes(name) ? name : facts.alternatives[name];
  if (real !== undefined) return real;
  throw new NetworkError(`${option}: the host has no interface ${name}`, {
    option,
    code: 'ENODEV',
    hint: 'ip link shows those that it has',
  });
}

function vethsOf(network: NetworkSpec, facts: NetworkFacts, machine: string): Veth[] {
  const { bridge, zone, vethExtra } = network;
  const address = (kind: Parameters<typeof hardwareAddress>[0], index = 0): string | undefined =>
    hardwareAddress(kind, facts.machineId, machine, index);
  const extra = vethExtra.map((pair, index) => ({
    ...pair,
    ...addresses(address('extraHost', index), address('extraGuest', index)),
  }));
  if (!network.veth) return extra;
  const bridged = bridge !== undefined || zone !== undefined;
  const prefix = bridged ? 'vb-' : 've-';
  const host = linkName(prefix, machine);
  return [
    {
      host,
      guest: GUEST_VETH,
      ...(host === `${prefix}${machine}` ? {} : { longName: `${prefix}${machine}` }),
      ...addresses(address('host'), network.mac ?? address('guest')),
      ...(bridge === undefined ? {} : { bridge: { name: realName(bridge, facts, '--network-bridge'), made: false } }),
      ...(zone === undefined ? {} : { bridge: { name: `vz-${zone}`, made: true } }),
    },
    ...extra,
  ];
}

function addresses(host: string | undefined, guest: string | undefined): Pick<Veth, 'hostAddress' | 'guestAddress'> {
  return {
    ...(host === undefined ? {} : { hostAddress: host }),
    ...(guest === undefined ? {} : { guestAddress: guest }),
  };
}

function sharedOf(network: NetworkSpec, facts: NetworkFacts, machine: string): SharedInterface[] {
  const macvlans = network.macvlan.map((pair, index): SharedInterface => {
    const address = hardwareAddress('macvlan', facts.machineId, machine, index);
    return {
      kind: 'macvlan',
      host: realName(pair.host, facts, '--network-macvlan'),
      guest: pair.guest,
      ...(address === undefined ? {} : { address }),
    };
  });
  const ipvlans = network.ipvlan.map(
    ({ host, guest }): SharedInterface => ({ kind: 'ipvlan', host: realName(host, facts, '--network-ipvlan'), guest }),
  );
  return [...macvlans, ...ipvlans];
}

/** Two interfaces of one name, on either side, and one that is asked to be in two places. */
function refuseClashes(
  veths: readonly Veth[],
  shared: readonly SharedInterface[],
  moved: readonly InterfacePair[],
  facts: NetworkFacts,
): void {
  const guests = new Set(['lo']);
  for (const { guest } of [...veths, ...shared, ...moved]) {
    if (guests.has(guest)) throw new UsageError(`the container would have two interfaces ${guest}`);
    guests.add(guest);
  }
  const made = new Set([...facts.interfaces, ...Object.keys(facts.alternatives)]);
  for (const { host } of veths) {
    if (made.has(host)) {
      throw new NetworkError(`an interface ${host} is there already`, {
        code: 'EEXIST',
        hint: 'is a machine of this name running? --machine gives another one',
      });
    }
    made.add(host);
  }
  const used = new Set([
    ...shared.map(({ host }) => host),
    ...veths.flatMap(({ bridge }) => (bridge === undefined ? [] : [bridge.name])),
  ]);
  for (const { host } of moved) {
    if (used.has(host)) {
      throw new UsageError(`the interface ${host} cannot move into the container and be used on the host`, {
        option: '--network-interface',
      });
    }
    used.add(host);
  }
  if (veths.length + shared.length + moved.length > MAX_INTERFACES) {
    throw new UsageError(`more than ${MAX_INTERFACES} network interfaces`);
  }
}

// The network of a guest whose caller is not root of the host: the host's, none but lo, or one that a program of the host's gives it
// through ordinary sockets. Everything else changes the host's network, and is refused by name.

import { NetworkError, PermissionError, UnsupportedError, UsageError } from '../errors';
import type { HelperKind, HostFacts, NetworkFacts } from '../facts';
import type { ContainerSpec, NetworkSpec } from '../spec';
import { hardwareAddress } from './link-names';
import type { HelperView, NetworkView } from './model';

/** The guest's interface, as with the virtual cable that root has. */
export const GUEST_VETH = 'host0';

/** Where pasta(1) answers for the first name server of the host, should the guest not reach it; a link-local address, which nobody has. */
export const PASTA_NAMES = '169.254.1.1';

/** The network of slirp4netns(1). */
export const SLIRP = {
  guest: '10.0.2.15',
  prefix: 24,
  gateway: '10.0.2.2',
  names: '10.0.2.3',
  /** it copies between sockets and frames: with large ones less often */
  mtu: 65520,
} as const;

/** In the order in which they are taken: pasta is faster, and has IPv6. */
const HELPERS: readonly { readonly kind: HelperKind; readonly package: string }[] = [
  { kind: 'pasta', package: 'passt' },
  { kind: 'slirp4netns', package: 'slirp4netns' },
];

/** Whether the monitor may change the host's network: root of the host, or of the user namespace that the network belongs to. */
export function mayChangeNetwork({ rootless, network }: HostFacts): boolean {
  return rootless === undefined || (rootless.maps === undefined && network?.own === true);
}

/**
 * @param machine its name
 * @throws PermissionError for what only root can do, NetworkError where there is no program that could
 */
export function userNetworkOf(spec: ContainerSpec, host: HostFacts, facts: NetworkFacts, machine: string): NetworkView {
  const { network } = spec;
  refuseHostChanges(network);
  requirePorts(network, facts);
  return {
    namespace: network.private ? 'new' : 'host',
    veths: [],
    shared: [],
    moved: [],
    ports: network.ports,
    ...(network.veth ? { helper: helperOf(network, host, facts, machine) } : {}),
  };
}

/** The one that is found first; but the routes that pasta copies must be there. */
function helperOf(network: NetworkSpec, host: HostFacts, facts: NetworkFacts, machine: string): HelperView {
  const option = '--network-veth';
  const order = facts.online === false ? HELPERS.toReversed() : HELPERS;
  const found = order.find(({ kind }) => facts.helpers?.[kind] !== undefined);
  const program = found && facts.helpers?.[found.kind];
  if (found === undefined || program === undefined) {
    throw new NetworkError(`${option}: without root it takes pasta or slirp4netns, and neither is installed`, {
      option,
      code: 'ENOENT',
      hint: `install ${HELPERS.map((helper) => helper.package).join(' or ')}; --private-network alone gives the container lo and no more`,
    });
  }
  if (host.devices.tun === undefined) {
    throw new UnsupportedError(`${option}: ${found.kind} needs /dev/net/tun, which cannot be opened`, {
      option,
      hint: 'modprobe tun makes it; everybody may open it (mode 0666) where udev has set it up',
    });
  }
  const address = network.mac ?? hardwareAddress('guest', facts.machineId, machine);
  return {
    kind: found.kind,
    program,
    ...(address === undefined ? {} : { address }),
    ...resolverOf(found.kind, host.resolver?.host ?? '', facts.gateways ?? []),
  };
}

/**
 * The host's resolv.conf(5), with servers that the guest can reach: the others are asked through the helper.
 *
 * @param text the host's
 * @param gateways addresses that pasta takes for the host's own
 */
function resolverOf(
  kind: HelperKind,
  text: string,
  gateways: readonly string[],
): Pick<HelperView, 'resolver' | 'forwardsNames'> {
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, server = '']) => server);
  const reached = kind === 'pasta' ? servers.filter((one) => !isOwn(one) && !gateways.includes(one)) : [];
  const forwardsNames = servers.length > reached.length;
  const own = kind === 'pasta' ? PASTA_NAMES : SLIRP.names;
  const others = text.split('\n').filter((line) => /^\s*(search|domain|options|sortlist)\s/.test(line));
  const lines = [...(forwardsNames ? [own] : []), ...reached].map((server) => `nameserver ${server}`);
  return { resolver: [...lines, ...others].map((line) => `${line}\n`).join(''), forwardsNames };
}

/** An address that means another machine in the guest: of the loopback (systemd-resolved), or of a link alone. */
function isOwn(server: string): boolean {
  return /^(127\.|0\.0\.0\.0$|::1?$|fe[89ab])/i.test(server);
}

/** Options that only the host's root can carry out, each with what it would take. */
function refuseHostChanges(network: NetworkSpec): void {
  const { bridge, zone, vethExtra, macvlan, ipvlan, interfaces, namespacePath } = network;
  const connect = '--network-veth connects the container without root';
  const refuse = (option: string, value: string, why: string, hint = connect): never => {
    throw new PermissionError(`${option}=${value}: ${why}`, { option, hint });
  };
  if (bridge !== undefined) refuse('--network-bridge', bridge, 'only root can put an interface into a bridge');
  if (zone !== undefined) refuse('--network-zone', zone, `only root can make the bridge vz-${zone}`);
  for (const [option, pairs, why] of [
    ['--network-veth-extra', vethExtra, 'only root can make an interface of the host'],
    ['--network-macvlan', macvlan, 'only root can share an interface of the host'],
    ['--network-ipvlan', ipvlan, 'only root can share an interface of the host'],
    ['--network-interface', interfaces, 'only root can take an interface of the host'],
  ] as const) {
    const [pair] = pairs;
    if (pair !== undefined) refuse(option, pair.guest === pair.host ? pair.host : `${pair.host}:${pair.guest}`, why);
  }
  if (namespacePath !== undefined) {
    refuse(
      '--network-namespace-path',
      namespacePath,
      'only root of the user namespace that it belongs to can join it',
      'enter both first: nsenter --user --net --preserve-credentials -t PID tsnspawn ...',
    );
  }
}

function requirePorts({ ports, veth }: NetworkSpec, { firstPort = 1024 }: NetworkFacts): void {
  const option = '--port';
  const [first] = ports;
  if (first === undefined) return;
  if (!veth) {
    throw new UsageError(
      `--port=${first.protocol}:${first.host}:${first.guest} needs a container that has an address`,
      {
        option,
        hint: 'add --network-veth',
      },
    );
  }
  const low = ports.find(({ host }) => host < firstPort);
  if (low === undefined) return;
  throw new PermissionError(`--port: only root can have the port ${low.protocol}:${low.host} of the host`, {
    option,
    hint: `take one from ${firstPort} on, or as root: sysctl net.ipv4.ip_unprivileged_port_start=${low.host}`,
  });
}

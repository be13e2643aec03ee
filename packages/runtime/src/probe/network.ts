// The host's network, for a launch that asks for interfaces, ports or another network namespace.

import type { ContainerSpec, HostFacts, NetworkFacts } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { program } from './rootless';

/** Facts about the network namespace that this process is in, as far as the launch needs them. */
export function probeNetwork({ network }: ContainerSpec, { rootless }: HostFacts): NetworkFacts {
  const native = addon();
  // not /sys/class/net, which shows the namespace of whoever mounted it
  const table = native.readText('/proc/self/net/dev') ?? '';
  const interfaces = [...table.matchAll(/^ *([^\s:]+):/gm)].map(([, name = '']) => name);
  const asked = [
    network.bridge,
    ...[...network.macvlan, ...network.ipvlan, ...network.interfaces].map(({ host }) => host),
  ];
  const alternatives: { [name: string]: string } = {};
  for (const name of asked) {
    const real = name === undefined || interfaces.includes(name) ? undefined : native.interfaceName(name);
    if (name !== undefined && real !== undefined) alternatives[name] = real;
  }
  const id = native.readText('/etc/machine-id')?.trim();
  const nft = network.ports.length === 0 ? undefined : program('nft');
  return {
    interfaces,
    alternatives,
    routes: native.readText('/proc/sys/net/ipv4/ip_forward')?.trim() === '1',
    ...(id !== undefined && /^[0-9a-f]{32}$/.test(id) ? { machineId: id } : {}),
    ...(network.namespacePath === undefined ? {} : { namespace: native.networkNamespace(network.namespacePath) }),
    ...(nft === undefined ? {} : { nft }),
    ...(rootless === undefined ? {} : withoutRoot()),
  };
}

/**
 * The default routes.
 *
 * @param table /proc/net/route, where an address is a number in the order of the machine
 * @param table6 /proc/net/ipv6_route; the default route at lo is the kernel's own, and refuses
 */
export function routes(table: string, table6: string): Pick<NetworkFacts, 'online' | 'gateways'> {
  const found = [...table.matchAll(/^\S+\t0{8}\t([0-9A-F]{8})\t/gm)].map(([, hex = '']) => Number.parseInt(hex, 16));
  return {
    online: found.length > 0 || /^0{32} 00 .* (?!lo$)\S+$/m.test(table6),
    gateways: found
      .filter((address) => address !== 0)
      .map((address) => [0, 8, 16, 24].map((shift) => (address >>> shift) & 255).join('.')),
  };
}

/** What matters to a launch without the host's root. */
function withoutRoot(): Partial<NetworkFacts> {
  const native = addon();
  const [pasta, slirp4netns] = [program('pasta'), program('slirp4netns')];
  const first = native.readText('/proc/sys/net/ipv4/ip_unprivileged_port_start');
  return {
    own: native.ownsNetwork(),
    helpers: { ...(pasta === undefined ? {} : { pasta }), ...(slirp4netns === undefined ? {} : { slirp4netns }) },
    ...(first === undefined ? {} : { firstPort: Number(first) }),
    ...routes(native.readText('/proc/net/route') ?? '', native.readText('/proc/net/ipv6_route') ?? ''),
  };
}

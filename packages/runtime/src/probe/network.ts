// The host's network, for a launch that asks for interfaces, ports or another network namespace.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ContainerSpec, NetworkFacts } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

/** Facts about the network namespace that this process is in, as far as the launch needs them. */
export function probeNetwork({ network }: ContainerSpec): NetworkFacts {
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
  };
}

/** The absolute path of a program of the host's administrator, whose directories an ordinary PATH may lack. */
function program(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return directories
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

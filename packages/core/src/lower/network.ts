// The guest's network as steps of the monitor. A namespace that is joined is entered before the guest is made, which is then
// born in it; interfaces are made when the guest's own namespace is there, while its first process waits.

import type { Step } from '../plan';
import type { NetworkView, Veth } from '../view/model';
import { helperStep } from './helper';
import { portRules } from './ports';

export interface NetworkSteps {
  readonly outer: readonly Step[];
  readonly host: readonly Step[];
}

/** @param table name of the machine's nftables table, unique on this host */
export function lowerNetwork(network: NetworkView, table: string): NetworkSteps {
  const { namespace, veths, shared, moved, helper } = network;
  return {
    outer: typeof namespace === 'string' ? [] : [{ op: 'joinNetwork', path: namespace.path }],
    host: [
      ...veths.map(vethStep),
      ...shared.map((link): Step => ({ op: 'sharedInterface', ...link })),
      ...moved.map((pair): Step => ({ op: 'moveInterface', ...pair })),
      ...(helper === undefined ? [] : [helperStep(helper)]),
      ...portSteps(network, table),
    ],
  };
}

function portSteps(network: NetworkView, table: string): Step[] {
  const { nft, ports } = network;
  if (nft !== undefined) return [{ op: 'forwardPorts', nft, table, ports, ...portRules(network) }];
  return ports.length === 0 ? [] : [{ op: 'relayPorts', ports }];
}

function vethStep({ bridge, ...veth }: Veth): Step {
  return {
    op: 'veth',
    ...veth,
    ...(bridge === undefined ? {} : { bridge: bridge.name }),
    ...(bridge?.made === true ? { makesBridge: true } : {}),
  };
}

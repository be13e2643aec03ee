// The programs that give a guest a network without the host's root, and their command lines: docs/decisions/0018-network-without-root.md.

import type { Step } from '../plan';
import type { HelperView } from '../view/model';
import { GUEST_VETH, PASTA_NAMES, SLIRP } from '../view/user-network';

/** The guest's namespaces; % is its first process. */
const USERS = '/proc/%/ns/user';
const NETWORK = '/proc/%/ns/net';

export function helperStep(helper: HelperView): Step {
  return helper.kind === 'pasta' ? pasta(helper) : slirp4netns(helper);
}

/** It copies address and routes of the host into the guest. Ports are forwarded by the relay, not by it. */
function pasta({ program, address, forwardsNames }: HelperView): Step {
  const noPorts = ['--tcp-ports', '--udp-ports', '--tcp-ns', '--udp-ns'].flatMap((option) => [option, 'none']);
  return {
    op: 'userNetwork',
    command: [
      program,
      '--quiet',
      '--config-net',
      '--ns-ifname',
      GUEST_VETH,
      ...(address === undefined ? [] : ['--ns-mac-addr', address]),
      ...noPorts,
      ...(forwardsNames ? ['--dns-forward', PASTA_NAMES] : []),
      // it takes root of a user namespace with all ids for root of the host, and would become nobody
      '--runas',
      '0:0',
      '--userns',
      USERS,
      '--netns',
      NETWORK,
    ],
  };
}

/** The address is the one that its DHCP server gives: what a guest makes of host0 later, ports still lead there. */
function slirp4netns({ program, address }: HelperView): Step {
  const { guest, prefix, gateway, mtu } = SLIRP;
  return {
    op: 'userNetwork',
    command: [
      program,
      '--enable-sandbox',
      '--enable-seccomp',
      `--mtu=${mtu}`,
      '--ready-fd=3',
      '--netns-type=path',
      `--userns-path=${USERS}`,
      NETWORK,
      GUEST_VETH,
    ],
    configure: {
      interface: GUEST_VETH,
      address: guest,
      prefix,
      gateway,
      mtu,
      ...(address === undefined ? {} : { hardwareAddress: address }),
    },
  };
}

// The manual of the options about the network.

export const NETWORK_MANUAL = {
  'private-network': `
The container has a network of its own, with nothing but the loopback interface in it, and may configure it: it keeps \`CAP_NET_ADMIN\`. Without this option, and without the others here that imply it, the container shares the network of the host.`,

  'network-veth': `
A virtual cable between host and container: *host0* in the container, *ve-MACHINE* on the host, cut to what fits into the name of an interface. The hardware addresses follow from machine id and name, so they stay the same. Implies \`--private-network\`.

Without root there is no end on the host: pasta(1) or else slirp4netns(1), where it is installed, makes *host0* and speaks for the container on the host. The interface is configured from the start, by DHCP too. What is sent to the gateway arrives at the loopback of the host. The other options that make interfaces are refused.`,

  'network-veth-extra': `
One more virtual cable, *HOST* on the host and *GUEST*, by default the same name, in the container. May be given several times. Implies \`--private-network\`.`,

  'network-bridge': `
As \`--network-veth\`, but the end on the host is called *vb-MACHINE* and joins the bridge *BRIDGE*, which must exist.`,

  'network-zone': `
As \`--network-bridge\`, with the bridge *vz-ZONE*: the first machine of a zone makes it, the last one removes it.`,

  'network-macvlan': `
An interface of type macvlan in the container, on the interface *HOST* of the host; by default it is called *mv-HOST*. May be given several times. Implies \`--private-network\`.`,

  'network-ipvlan': `
An interface of type ipvlan in the container, on the interface *HOST* of the host; by default it is called *iv-HOST*. May be given several times. Implies \`--private-network\`.`,

  'network-interface': `
Moves the interface *HOST* of the host into the container, by default under the same name. At the end it comes back under its old name. May be given several times. Implies \`--private-network\`.`,

  'network-namespace-path': `
Joins an existing network namespace, a file as ip-netns(8) makes it in */run/netns*. Cannot be combined with options that would make interfaces.`,

  port: `
Forwards a port of the host to the container: *HOST* is the port on the host, *GUEST*, by default the same, in the container, both from 1 to 65535; tcp unless \`udp:\` stands before. Needs a network of the container's own. The rules follow the address that the container takes, and go with it; 127.0.0.1 and ::1 of the host lead there as well. Needs nft(8) on the host. Without root it needs no nft(8) but \`--network-veth\`, and the container sees its own address as the peer. A port that is in use, or given twice, is an error. May be given several times.`,
} as const;

// Names and hardware addresses of the interfaces that a launch makes: systemd-nspawn's own, bit for bit.

import { siphash24 } from '../siphash';

/** IFNAMSIZ less its zero (linux/if.h). */
const NAME_MAX = 15;

/** Keys of systemd-nspawn (src/nspawn/nspawn-network.c): one for each thing that is hashed, or two would get the same address. */
const KEYS = {
  name: 'e190a404a8ef4b518cccc33a9f11fca2',
  host: '1a376fc746ec450bada3d53106605db1',
  guest: 'c3c4f919b557b21ce6cf1427039ceea2',
  extraHost: '48c7f6b7ea9d4c9eb728d4de91d5bf66',
  extraGuest: 'af501761cef94d35840d2b2054bece59',
  macvlan: '00136dbc66834481bb0cf9511f24a66f',
} as const;

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function bytesOf(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

/** Machine names are ASCII. */
function characters(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

/** An interface name for the machine; a long one keeps its beginning and gets 24 bits of its hash, so that two differ. */
export function linkName(prefix: 've-' | 'vb-', machine: string): string {
  const name = `${prefix}${machine}`;
  if (name.length <= NAME_MAX) return name;
  const hash = Number(siphash24(characters(name), bytesOf(KEYS.name)) & 0xffffffn);
  const tail = [18, 12, 6, 0].map((shift) => BASE64URL[(hash >> shift) & 63]).join('');
  return name.slice(0, NAME_MAX - tail.length) + tail;
}

/**
 * The hardware address of an interface of this machine: the same at each start, another one on each host.
 *
 * @param hostId machine id of the host, 32 hex digits; without it undefined, and the kernel takes a random one
 * @param index counts the interfaces of a kind, from 0
 */
export function hardwareAddress(
  kind: Exclude<keyof typeof KEYS, 'name'>,
  hostId: string | undefined,
  machine: string,
  index = 0,
): string | undefined {
  if (hostId === undefined) return undefined;
  const count = index === 0 ? [] : [index, 0, 0, 0, 0, 0, 0, 0];
  const hash = siphash24([...bytesOf(hostId), ...characters(machine), ...count], bytesOf(KEYS[kind]));
  const bytes = [0, 8, 16, 24, 32, 40].map((shift) => Number((hash >> BigInt(shift)) & 0xffn));
  // neither a group's nor a maker's: a locally administered address of one interface (IEEE 802)
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

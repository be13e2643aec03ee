// Network interfaces and ports.

import { isAbsolute } from '../paths';
import type { InterfacePair, PortForward } from '../spec';
import { path } from './mounts';
import { parseInteger } from './quantities';
import { Refusal } from './text';

/** IFNAMSIZ less its zero (linux/if.h). */
const NAME_MAX = 15;

/** An interface name as the kernel takes it (dev_valid_name() of net/core/dev.c), less what confuses tools: % and all digits the kernel's
 *  own, quotes and * the rules of nft(8). */
export function interfaceName(text: string): string {
  if (text === '' || text.length > NAME_MAX) throw new Refusal(`an interface name has 1 to ${NAME_MAX} characters`);
  if (
    text === '.' ||
    text === '..' ||
    text === 'all' ||
    text === 'default' ||
    !/^[!-~]+$/.test(text) ||
    /[/:%"*\\]/.test(text)
  )
    throw new Refusal(`${text} is not an interface name`);
  if (/^\d+$/.test(text)) throw new Refusal('an interface name is not a number');
  return text;
}

/** `HOST[:GUEST]`; `prefix` makes the guest's name where none is given, cut to what the kernel takes. */
function pair(text: string, prefix: string): InterfacePair {
  const [first = '', second, ...rest] = text.split(':');
  if (rest.length > 0) throw new Refusal('not of the form HOST[:GUEST]');
  const host = interfaceName(first);
  return { host, guest: interfaceName(second ?? `${prefix}${host}`.slice(0, NAME_MAX)) };
}

export const movedInterface = (text: string): InterfacePair => pair(text, '');
export const macvlan = (text: string): InterfacePair => pair(text, 'mv-');
export const ipvlan = (text: string): InterfacePair => pair(text, 'iv-');
export const vethExtra = (text: string): InterfacePair => pair(text, '');

/** The bridge of a zone is vz-ZONE. */
export function zone(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(text)) throw new Refusal('letters, digits, -, _ and . are allowed');
  interfaceName(`vz-${text}`);
  return text;
}

export function networkNamespace(text: string): string {
  if (!isAbsolute(path(text))) throw new Refusal('must be an absolute path', 'ip netns add NAME makes /run/netns/NAME');
  return text;
}

export function port(text: string): PortForward {
  const match = /^(?:(tcp|udp):)?([^:]*)(?::([^:]*))?$/.exec(text);
  if (match === null) throw new Refusal('not of the form [tcp:|udp:]HOST[:GUEST]');
  const [, protocol = 'tcp', first = '', second = first] = match;
  const number = (digits: string): number => {
    // 080 would be octal, which nobody means who writes a port
    const value = /^\s|^\+?0\d/.test(digits) ? undefined : parseInteger(digits);
    if (value === undefined || value < 1 || value > 65535)
      throw new Refusal(`${digits || '(empty)'} is not a port from 1 to 65535`);
    return value;
  };
  return { protocol: protocol === 'udp' ? 'udp' : 'tcp', host: number(first), guest: number(second) };
}

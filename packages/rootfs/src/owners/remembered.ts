// Owners that a tree remembers, where its files cannot belong to anybody but the one who made it: in extended attributes, as
// rootlesscontainers has defined them, and with the supervisor of such a tree (native/src), which reads and writes the same.
import { REMEMBERED } from '@tsnspawn/runtime';
import type { Ownership } from '../archive/tree-writer';

/** On files and directories: the owner. On the root of a tree: the mark that its owners are remembered. */
export const OWNER_ATTRIBUTE = REMEMBERED;
/** On the file that stands for a device node: `c MAJOR MINOR` or `b MAJOR MINOR`. */
export const DEVICE_ATTRIBUTE = 'user.tsnspawn.device';

/** Every attribute that is about the memory and not of the file. */
export function isMemory(attribute: string): boolean {
  return attribute === OWNER_ATTRIBUTE || attribute.startsWith('user.tsnspawn.');
}

/** The message `Resource { uint32 uid = 1; uint32 gid = 2; }` of Protocol Buffers. */
export function encodeOwner({ uid, gid }: Ownership): Buffer {
  return Buffer.from([0x08, ...varint(uid), 0x10, ...varint(gid)]);
}

/** The owner in such a message; fields that are absent are 0. Undefined for what is none. */
export function decodeOwner(message: Uint8Array): Ownership | undefined {
  const fields = [0, 0, 0];
  for (let at = 0; at < message.length; ) {
    const field = (message[at++] as number) - 0x08;
    if (field !== 0 && field !== 0x08) return undefined;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      if (byte === undefined || shift > 63) return undefined;
      if (shift < 32) value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    fields[field / 8 + 1] = value % 2 ** 32;
  }
  return { uid: fields[1] as number, gid: fields[2] as number };
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

/** A device in the words of its attribute; undefined for what is none. */
export function decodeDevice(
  text: string,
): { readonly kind: 'b' | 'c'; readonly major: number; readonly minor: number } | undefined {
  const match = /^([bc]) (\d{1,7}) (\d{1,7})$/.exec(text);
  return match === null ? undefined : { kind: match[1] as 'b' | 'c', major: Number(match[2]), minor: Number(match[3]) };
}

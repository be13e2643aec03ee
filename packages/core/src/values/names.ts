// Names and identities: machines, hosts, users, machine ids, variables.

import type { EnvAssignment } from '../spec';
import { parseDecimal, Refusal, words } from './text';

/** Longest host and machine name: HOST_NAME_MAX of Linux. */
export const NAME_MAX = 64;

/** Letters, digits and - in labels parted by single dots; no label starts or ends with -; 1 to 64 characters. */
function isHostname(text: string): boolean {
  if (text.length > NAME_MAX) return false;
  return text.split('.').every((label) => /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/.test(label));
}

/**
 * Drops what may not stand in a machine name, and cuts the rest to 64 characters; may leave nothing.
 * Source: hostname_cleanup() of systemd, so that a tree has the same name here and there.
 */
export function cleanHostname(text: string): string {
  return text
    .replace(/[^A-Za-z0-9.-]/g, '')
    .replace(/^[.-]+|(?<=[.-])\.+|(?<=\.)-+/g, '')
    .slice(0, NAME_MAX)
    .replace(/[-.]+$/, '');
}

export function hostname(text: string): string {
  if (isHostname(text)) return text;
  throw new Refusal(
    text.length > NAME_MAX
      ? `longer than ${NAME_MAX} characters`
      : 'letters, digits, - and single dots between them are allowed',
  );
}

export function uuid(text: string): string {
  const digits = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.replaceAll('-', '') : text;
  if (!/^[0-9a-f]{32}$/i.test(digits)) throw new Refusal('neither 32 hexadecimal digits nor a dashed uuid');
  if (/^0+$/.test(digits)) throw new Refusal('a uuid of zeros only stands for "unset"');
  return digits.toLowerCase();
}

export function user(text: string): string {
  const id = parseDecimal(text);
  if (id !== undefined) {
    // (uid_t) -1 means "leave as it is" to the kernel, and its 16-bit form is avoided everywhere for the same reason
    if (id >= 2 ** 32 - 1 || id === 65535) throw new Refusal('not a user number');
    return String(id);
  }
  if (/^[+-]?\d/.test(text) && Number.isFinite(Number(text))) throw new Refusal('not a user number');
  if (!isUserName(text)) throw new Refusal('not a user name');
  return text;
}

function isUserName(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  return text !== '' && !/[\u0000- :/\u007f]/.test(text) && !text.startsWith('-');
}

/** Names of users or groups between commas. */
export function userNames(text: string): string[] {
  const names = words(text);
  if (names.length === 0) throw new Refusal('no name');
  for (const name of names) {
    if (!isUserName(name) || parseDecimal(name) !== undefined) throw new Refusal(`${name} is not a name`);
  }
  return names;
}

export function env(text: string): EnvAssignment {
  const [name = '', ...rest] = text.split('=');
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new Refusal('not a variable name', 'write NAME=VALUE, or NAME to copy its value');
  return text.includes('=') ? { name, value: rest.join('=') } : { name };
}

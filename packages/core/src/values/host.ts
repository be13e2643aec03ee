// What of the host's goes into the guest (resolv.conf, time zone, journal, credentials), and its unit.

import { parseProperty } from '../resources/properties';
import type { Credential, LinkJournal, ResolvConf, Timezone, UnitProperty } from '../spec';
import { path } from './mounts';
import { oneOf, parseBoolean, Refusal, unescapeC } from './text';

export const RESOLV_CONF_MODES = [
  'off',
  'delete',
  'auto',
  ...(['copy', 'replace', 'bind'] as const).flatMap((act) =>
    (['host', 'static', 'uplink', 'stub'] as const).map((what) => `${act}-${what}` as const),
  ),
] as const;

/** A boolean stands for auto or off, as in systemd-nspawn. */
export function resolvConf(text: string): ResolvConf {
  const value = parseBoolean(text);
  return value === undefined ? oneOf(text, RESOLV_CONF_MODES) : value ? 'auto' : 'off';
}

export const TIMEZONE_MODES = ['off', 'copy', 'bind', 'symlink', 'delete', 'auto'] as const;

export function timezone(text: string): Timezone {
  const value = parseBoolean(text);
  return value === undefined ? oneOf(text, TIMEZONE_MODES) : value ? 'auto' : 'off';
}

export function linkJournal(text: string): LinkJournal {
  switch (text) {
    case 'host':
    case 'guest':
      return { mode: text, whereLinked: false };
    case 'try-host':
    case 'try-guest':
      return { mode: text === 'try-host' ? 'host' : 'guest', whereLinked: true };
    case 'auto':
      return { mode: 'auto', whereLinked: true };
  }
  const value = parseBoolean(text);
  if (value === undefined) throw new Refusal('not one of no, host, try-host, guest, try-guest, auto');
  return value ? { mode: 'auto', whereLinked: true } : { mode: 'no', whereLinked: true };
}

/** credential_name_valid() of systemd: a file name, without a colon, that ASCII can write. */
function credentialId(text: string): string {
  if (text === '' || text === '.' || text === '..' || text.length > 255 || !/^[ -~]+$/.test(text) || /[/:]/.test(text))
    throw new Refusal(`${text || '(empty)'} is not a name of a credential`);
  return text;
}

export function setCredential(text: string): Credential {
  const colon = text.indexOf(':');
  if (colon < 0) throw new Refusal('not of the form ID:VALUE');
  const value = unescapeC(text.slice(colon + 1));
  if (value === undefined) throw new Refusal('a backslash escape that C does not have', 'write a backslash as \\\\');
  return { id: credentialId(text.slice(0, colon)), value };
}

export function loadCredential(text: string): Credential {
  const colon = text.indexOf(':');
  if (colon < 0) throw new Refusal('not of the form ID:PATH');
  return { id: credentialId(text.slice(0, colon)), path: path(text.slice(colon + 1)) };
}

export function unitProperty(text: string): UnitProperty {
  const match = /^([A-Za-z][A-Za-z0-9]*)=(.*)$/s.exec(text);
  if (match === null) throw new Refusal('not of the form NAME=VALUE');
  const [, name = '', value = ''] = match;
  const property = { name, value };
  parseProperty(property);
  return property;
}

export function slice(text: string): string {
  const name = text.endsWith('.slice') ? text : `${text}.slice`;
  const stem = name.slice(0, -'.slice'.length);
  // a dash parts the levels: none may be empty. `-.slice` is the root itself
  if (stem !== '-' && !/^[A-Za-z0-9:_.\\]+(?:-[A-Za-z0-9:_.\\]+)*$/.test(stem))
    throw new Refusal('not the name of a slice');
  return name;
}

/** `base64:` and its content, or a path. */
export function signature(text: string): string {
  if (!text.startsWith('base64:')) return path(text);
  if (!/^base64:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$/.test(text))
    throw new Refusal('not base64');
  return text;
}

/** At least 128 bits, in whole bytes. */
export function rootHash(text: string): string {
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) throw new Refusal('not pairs of hexadecimal digits');
  if (text.length < 32) throw new Refusal('shorter than 128 bits');
  return text.toLowerCase();
}

/** Room for one colour with a few numbers beside; Tint::kMaxParameters of the monitor. */
const MAX_SGR = 18;

/** Parameters of SGR, ECMA-48: numbers parted by semicolons. */
export function sgr(text: string): string {
  if (text.length > MAX_SGR) throw new Refusal(`longer than ${MAX_SGR} characters`);
  if (!/^(?:\d{1,3}(?:[;:]\d{1,3})*)?$/.test(text))
    throw new Refusal('not numbers parted by ;', "--background='' turns it off");
  return text;
}

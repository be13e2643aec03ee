// Values of options: text in, checked value out. Every check that needs neither the host nor the tree is made here, so that a
// mistake is told before anything else happens. A parser throws Refusal; getopt.ts adds the option's name to it.

import { type Capability, capabilityName } from './capabilities';
import type { Rlimit } from './facts';
import { hasDotDot, isAbsolute, isNormalized, isUnder, simplify } from './paths';
import type { RlimitName } from './plan';
import { parseRlimit, rlimitName } from './rlimits';
import { signalNumber } from './signals';
import type { BindMount, EnvAssignment, RequestedConsole, TmpfsMount } from './spec';

/** Why a value was refused, without the option and the value themselves. */
export class Refusal {
  constructor(
    readonly reason: string,
    readonly hint?: string,
  ) {}
}

export interface NamedRlimit {
  readonly name: RlimitName;
  readonly limit: Rlimit;
}

/** What each kind of value becomes. */
export interface Values {
  boolean: boolean;
  register: boolean | 'auto';
  path: string;
  chdir: string;
  hostname: string;
  machine: string;
  uuid: string;
  user: string;
  env: EnvAssignment;
  signal: number;
  console: RequestedConsole;
  bind: BindMount;
  bindReadOnly: BindMount;
  tmpfs: TmpfsMount;
  capabilities: readonly (Capability | 'all')[];
  rlimit: NamedRlimit;
  oomScore: number;
  personality: 'x86' | 'x86-64';
  dryRun: 'text' | 'json';
}

export type ValueKind = keyof Values;

export const CONSOLES = ['interactive', 'read-only', 'passive', 'pipe', 'autopipe'] as const;

/** Longest host and machine name: HOST_NAME_MAX of Linux. */
const NAME_MAX = 64;

/** 1 yes y true t on, 0 no n false f off, in any case; undefined for anything else. Source: parse_boolean() of systemd. */
export function parseBoolean(text: string): boolean | undefined {
  switch (text.toLowerCase()) {
    case '1':
    case 'yes':
    case 'y':
    case 'true':
    case 't':
    case 'on':
      return true;
    case '0':
    case 'no':
    case 'n':
    case 'false':
    case 'f':
    case 'off':
      return false;
    default:
      return undefined;
  }
}

/** Letters, digits, - and _ in labels parted by single dots; no label starts or ends with -; 1 to 64 characters. */
function isHostname(text: string): boolean {
  if (text.length > NAME_MAX) return false;
  return text.split('.').every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$/.test(label));
}

/** Drops what may not stand in a machine name, and cuts the rest to 64 characters; may leave nothing. */
export function cleanHostname(text: string): string {
  const cleaned = text
    .replace(/[^A-Za-z0-9._-]/g, '')
    .replace(/\.{2,}/g, '.')
    .split('.')
    .map((label) => label.replace(/^-+|-+$/g, ''))
    .filter((label) => label !== '')
    .join('.');
  return cleaned.slice(0, NAME_MAX).replace(/[-.]+$/, '');
}

/** Splits at colons; `\:` is a colon and `\\` a backslash within a field, any other backslash stands for itself. */
function splitColons(text: string): string[] {
  const fields: string[] = [];
  let field = '';
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    const next = text.charAt(i + 1);
    if (char === ':') {
      fields.push(field);
      field = '';
    } else if (char === '\\' && (next === ':' || next === '\\')) {
      field += next;
      i += 1;
    } else {
      field += char;
    }
  }
  fields.push(field);
  return fields;
}

function boolean(text: string): boolean {
  const value = parseBoolean(text);
  if (value === undefined) throw new Refusal('neither yes nor no');
  return value;
}

function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === text);
  if (found === undefined) throw new Refusal(`not one of ${allowed.join(', ')}`);
  return found;
}

function hostname(text: string): string {
  if (isHostname(text)) return text;
  throw new Refusal(
    text.length > NAME_MAX
      ? `longer than ${NAME_MAX} characters`
      : 'letters, digits, -, _ and single dots between them are allowed',
  );
}

function uuid(text: string): string {
  const digits = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.replaceAll('-', '') : text;
  if (!/^[0-9a-f]{32}$/i.test(digits)) throw new Refusal('neither 32 hexadecimal digits nor a dashed uuid');
  if (/^0+$/.test(digits)) throw new Refusal('a uuid of zeros only stands for "unset"');
  return digits.toLowerCase();
}

function user(text: string): string {
  if (/^\d+$/.test(text)) {
    const id = Number(text);
    // (uid_t) -1 means "leave as it is" to the kernel, and its 16-bit form is avoided everywhere for the same reason
    if (id >= 2 ** 32 - 1 || id === 65535) throw new Refusal('not a user number');
    return String(id);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (text === '' || /[\u0000- :/\u007f]/.test(text) || text.startsWith('-')) throw new Refusal('not a user name');
  return text;
}

function chdir(text: string): string {
  if (!isAbsolute(text)) throw new Refusal('must be an absolute path in the container');
  if (!isNormalized(text)) throw new Refusal('must be free of empty, . and .. components');
  const path = simplify(text);
  const api = ['/proc', '/sys', '/dev'].find((root) => isUnder(path, root));
  if (api !== undefined) throw new Refusal(`must not be below ${api}`);
  return path;
}

function env(text: string): EnvAssignment {
  const [name = '', ...rest] = text.split('=');
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new Refusal('not a variable name', 'write NAME=VALUE, or NAME to copy its value');
  return text.includes('=') ? { name, value: rest.join('=') } : { name };
}

function signal(text: string): number {
  const number = signalNumber(text);
  if (number === undefined) throw new Refusal('no such signal', '--kill-signal=help lists them');
  return number;
}

function destination(text: string): string {
  if (!isAbsolute(text)) throw new Refusal(`the destination ${text || '(empty)'} is not an absolute path`);
  if (hasDotDot(text)) throw new Refusal(`the destination ${text} contains ..`);
  const path = simplify(text);
  if (path === '/') throw new Refusal('the root of the container cannot be covered');
  return path;
}

function bind(text: string, readOnly: boolean): BindMount {
  const [first = '', second, options, ...rest] = splitColons(text);
  if (rest.length > 0) throw new Refusal('more than three fields', 'write a colon within a path as \\:');
  const inTree = first.startsWith('+');
  const source = inTree ? first.slice(1) : first;
  if (source === '') throw new Refusal('the source is empty');
  if (inTree && !isAbsolute(source)) throw new Refusal('a path of the tree (after +) starts with /');
  if (inTree && hasDotDot(source)) throw new Refusal(`the source ${source} contains ..`);
  let recursive = true;
  for (const option of (options ?? '').split(',').filter((word) => word !== '')) {
    if (option !== 'rbind' && option !== 'norbind')
      throw new Refusal(`unknown bind option ${option}`, 'rbind and norbind are known');
    recursive = option === 'rbind';
  }
  // checked here as well for a bind on the same path, so that `--bind=/` is told as a mistake of the option
  const target =
    second === undefined || second === ''
      ? isAbsolute(source)
        ? destination(source)
        : undefined
      : destination(second);
  return {
    kind: 'bind',
    source,
    inTree,
    readOnly,
    recursive,
    ...(target === undefined ? {} : { destination: target }),
  };
}

function tmpfs(text: string): TmpfsMount {
  const [first = '', ...rest] = splitColons(text);
  const path = destination(first);
  const options = rest.join(':');
  return options === '' ? { kind: 'tmpfs', destination: path } : { kind: 'tmpfs', destination: path, options };
}

function capabilities(text: string): (Capability | 'all')[] {
  return text
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      if (word.toLowerCase() === 'all') return 'all';
      const name = capabilityName(word);
      if (name === undefined) throw new Refusal(`no capability is named ${word}`, '--capability=help lists them');
      return name;
    });
}

function rlimit(text: string): NamedRlimit {
  const equals = text.indexOf('=');
  if (equals < 0) throw new Refusal('not of the form NAME=SOFT[:HARD]');
  const name = rlimitName(text.slice(0, equals));
  if (name === undefined)
    throw new Refusal(`no limit is named ${text.slice(0, equals)}`, 'names are those of getrlimit(2) in upper case');
  const limit = parseRlimit(name, text.slice(equals + 1));
  if (limit === undefined)
    throw new Refusal(`${text.slice(equals + 1) || '(empty)'} is not SOFT[:HARD] with SOFT at most HARD`);
  return { name, limit };
}

function oomScore(text: string): number {
  const value = /^[+-]?\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= -1000 && value <= 1000)) throw new Refusal('not a number from -1000 to 1000');
  return value;
}

function path(text: string): string {
  if (text === '') throw new Refusal('an empty path');
  return text;
}

/** The parser of each kind of value. Throws Refusal. */
export const PARSERS: { readonly [K in ValueKind]: (text: string) => Values[K] } = {
  boolean,
  register: (text) => (text === 'auto' ? 'auto' : boolean(text)),
  path,
  chdir,
  hostname,
  machine: hostname,
  uuid,
  user,
  env,
  signal,
  console: (text) => oneOf(text, CONSOLES),
  bind: (text) => bind(text, false),
  bindReadOnly: (text) => bind(text, true),
  tmpfs,
  capabilities,
  rlimit,
  oomScore,
  personality: (text) => oneOf(text, ['x86', 'x86-64']),
  dryRun: (text) => oneOf(text, ['text', 'json']),
};

// Values of options: text in, checked value out. Every check that needs neither the host nor the tree is made here, so that a
// mistake is told before anything else happens. A parser throws Refusal; getopt.ts adds the option's name to it.

import type { Capability } from './capabilities';
import { type ImagePolicy, parseImagePolicy } from './image/policy';
import type {
  BindMount,
  ContainerSpec,
  Credential,
  Engine,
  EnvAssignment,
  FakeId,
  FilterRule,
  InaccessibleMount,
  InterfacePair,
  LinkJournal,
  OverlayMount,
  Ownership,
  PortForward,
  PortPair,
  PrivateUsers,
  RequestedConsole,
  ResolvConf,
  SharePart,
  Timezone,
  TmpfsMount,
  UnitProperty,
  Volatile,
} from './spec';
import * as engines from './values/engine';
import * as host from './values/host';
import * as mounts from './values/mounts';
import * as names from './values/names';
import * as network from './values/network';
import * as privileges from './values/privileges';
import { boolean, booleanOr, oneOf, parseBoolean, Refusal } from './values/text';

export { cleanHostname } from './values/names';
export type { NamedRlimit } from './values/privileges';
export { parseBoolean, Refusal } from './values/text';

/** What each kind of value becomes. */
export interface Values {
  boolean: boolean;
  register: boolean | 'auto';
  settings: boolean | 'override' | 'trusted';
  path: string;
  chdir: string;
  hostname: string;
  uuid: string;
  user: string;
  userNames: readonly string[];
  shell: boolean | string;
  env: EnvAssignment;
  engine: Engine;
  fakeId: FakeId;
  kernelRelease: string;
  shareHost: readonly SharePart[];
  emulator: string;
  portMap: readonly PortPair[];
  signal: number;
  console: RequestedConsole;
  sgr: string;
  bind: BindMount;
  bindReadOnly: BindMount;
  tmpfs: TmpfsMount;
  overlay: OverlayMount;
  overlayReadOnly: OverlayMount;
  inaccessible: InaccessibleMount;
  pivotRoot: NonNullable<ContainerSpec['pivotRoot']>;
  volatile: Volatile;
  rootHash: string;
  signature: string;
  imagePolicy: ImagePolicy;
  text: string;
  word: string;
  privateUsers: PrivateUsers;
  pickUsers: PrivateUsers;
  ownership: Ownership;
  chownOwnership: Ownership;
  movedInterface: InterfacePair;
  macvlan: InterfacePair;
  ipvlan: InterfacePair;
  vethExtra: InterfacePair;
  interfaceName: string;
  zone: string;
  networkNamespace: string;
  port: PortForward;
  capabilities: readonly (Capability | 'all')[];
  ambientCapabilities: readonly Capability[];
  systemCallFilter: FilterRule;
  rlimit: privileges.NamedRlimit;
  oomScore: number;
  cpuAffinity: readonly number[];
  personality: 'x86' | 'x86-64';
  resolvConf: ResolvConf;
  timezone: Timezone;
  linkJournal: LinkJournal;
  setCredential: Credential;
  loadCredential: Credential;
  unitProperty: UnitProperty;
  slice: string;
  proc: 'read-only' | 'default';
  dryRun: 'text' | 'json';
}

export type ValueKind = keyof Values;

export const CONSOLES = ['interactive', 'read-only', 'passive', 'pipe', 'autopipe'] as const;
export const OWNERSHIPS = ['off', 'chown', 'map', 'foreign', 'auto'] as const;
const VOLATILES = ['no', 'yes', 'state', 'overlay'] as const;

/** The parser of each kind of value. Throws Refusal. */
export const PARSERS: { readonly [K in ValueKind]: (text: string) => Values[K] } = {
  boolean,
  register: (text) => booleanOr(text, ['auto']),
  settings: (text) => booleanOr(text, ['override', 'trusted']),
  path: mounts.path,
  chdir: mounts.chdir,
  hostname: names.hostname,
  uuid: names.uuid,
  engine: engines.engine,
  fakeId: engines.fakeId,
  kernelRelease: engines.kernelRelease,
  shareHost: engines.shareHost,
  emulator: engines.emulator,
  portMap: engines.portMap,
  user: names.user,
  userNames: names.userNames,
  shell(text) {
    if (text.startsWith('/')) return mounts.path(text);
    const value = parseBoolean(text);
    if (value === undefined) throw new Refusal('neither yes, no nor an absolute path');
    return value;
  },
  env: names.env,
  signal: privileges.signal,
  console: (text) => oneOf(text, CONSOLES),
  sgr: host.sgr,
  bind: (text) => mounts.bind(text, false),
  bindReadOnly: (text) => mounts.bind(text, true),
  tmpfs: mounts.tmpfs,
  overlay: (text) => mounts.overlay(text, false),
  overlayReadOnly: (text) => mounts.overlay(text, true),
  inaccessible: mounts.inaccessible,
  pivotRoot: mounts.pivotRoot,
  volatile(text) {
    const value = parseBoolean(text);
    return value === undefined ? oneOf(text, VOLATILES) : value ? 'yes' : 'no';
  },
  rootHash: host.rootHash,
  signature: host.signature,
  imagePolicy: parseImagePolicy,
  text(text) {
    if (text === '') throw new Refusal('empty');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
    if (/[\u0000-\u001f\u007f]/.test(text)) throw new Refusal('holds a control character');
    return text;
  },
  word: (text) => text,
  privateUsers: privileges.privateUsers,
  pickUsers: () => ({ mode: 'pick', wherePossible: true }),
  ownership: (text) => oneOf(text, OWNERSHIPS),
  chownOwnership: (text) => (boolean(text) ? 'chown' : 'off'),
  movedInterface: network.movedInterface,
  macvlan: network.macvlan,
  ipvlan: network.ipvlan,
  vethExtra: network.vethExtra,
  interfaceName: network.interfaceName,
  zone: network.zone,
  networkNamespace: network.networkNamespace,
  port: network.port,
  capabilities: privileges.capabilities,
  ambientCapabilities: privileges.ambientCapabilities,
  systemCallFilter: privileges.systemCallFilter,
  rlimit: privileges.rlimit,
  oomScore: privileges.oomScore,
  cpuAffinity: privileges.cpuAffinity,
  personality: (text) => oneOf(text, ['x86', 'x86-64']),
  resolvConf: host.resolvConf,
  timezone: host.timezone,
  linkJournal: host.linkJournal,
  setCredential: host.setCredential,
  loadCredential: host.loadCredential,
  unitProperty: host.unitProperty,
  slice: host.slice,
  proc: (text) => oneOf(text, ['read-only', 'default']),
  dryRun: (text) => oneOf(text, ['text', 'json']),
};

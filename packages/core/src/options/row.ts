// The shape of a row of the option table, and what a command line or a settings file says once it is read.

import type { ImagePolicy } from '../image/policy';
import type { SeccompProfile } from '../plan';
import type {
  ContainerSpec,
  Credential,
  CustomMount,
  Engine,
  EnvAssignment,
  ExtraDevice,
  FakeId,
  FilterRule,
  InterfacePair,
  LinkJournal,
  Ownership,
  PortForward,
  PortPair,
  PrivateUsers,
  RequestedConsole,
  ResolvConf,
  SharePart,
  Sysctl,
  Timezone,
  UnitProperty,
  Volatile,
} from '../spec';
import type { NamedRlimit, ValueKind, Values } from '../values';

/** What was said, by the key of the rows. Repeatable ones are lists in the order given. */
export interface Settings {
  directory?: string;
  image?: string;
  template?: string;
  ephemeral?: boolean;
  ociBundle?: string;
  rootHash?: string;
  rootHashSignature?: string;
  verityData?: string;
  imagePolicy?: ImagePolicy;
  machine?: string;
  hostname?: string;
  uuid?: string;
  readOnly?: boolean;
  volatile?: Volatile;
  pivotRoot?: NonNullable<ContainerSpec['pivotRoot']>;
  mounts?: CustomMount[];
  bindUsers?: (readonly string[])[];
  bindUserShell?: boolean | string;
  bindUserGroups?: (readonly string[])[];
  boot?: boolean;
  asPid2?: boolean;
  /** the command and its arguments, or with boot the arguments of init */
  parameters?: string[];
  user?: string;
  chdir?: string;
  setenv?: EnvAssignment[];
  killSignal?: number;
  notifyReady?: boolean;
  suppressSync?: boolean;
  keepUnit?: boolean;
  engine?: Engine;
  fakeId?: FakeId;
  fakeRoot?: boolean;
  kernelRelease?: string;
  emulator?: string;
  portMap?: (readonly PortPair[])[];
  fakeLinks?: boolean;
  shareHost?: (readonly SharePart[])[];
  register?: boolean | 'auto';
  slice?: string;
  properties?: UnitProperty[];
  privateUsers?: PrivateUsers;
  ownership?: Ownership;
  capability?: Values['capabilities'][];
  dropCapability?: Values['capabilities'][];
  ambientCapability?: Values['ambientCapabilities'][];
  noNewPrivileges?: boolean;
  systemCallFilter?: FilterRule[];
  selinuxContext?: string;
  selinuxApiContext?: string;
  rlimit?: NamedRlimit[];
  oomScoreAdjust?: number;
  cpuAffinity?: (readonly number[])[];
  personality?: 'x86' | 'x86-64';
  proc?: 'read-only' | 'default';
  privateNetwork?: boolean;
  networkVeth?: boolean;
  networkVethExtra?: InterfacePair[];
  networkBridge?: string;
  networkZone?: string;
  networkMacvlan?: InterfacePair[];
  networkIpvlan?: InterfacePair[];
  networkInterface?: InterfacePair[];
  networkNamespacePath?: string;
  port?: PortForward[];
  resolvConf?: ResolvConf;
  timezone?: Timezone;
  linkJournal?: LinkJournal;
  credentials?: Credential[];
  console?: RequestedConsole;
  background?: string;
  // what only a bundle says
  /** group of the user, and supplementary groups, by number */
  groups?: number[];
  sysctl?: Sysctl[];
  devices?: ExtraDevice[];
  sharedNamespaces?: ('ipc' | 'uts')[];
  cgroupNamespace?: boolean;
  seccompProfile?: SeccompProfile;
  quiet?: boolean;
  settings?: boolean | 'override' | 'trusted';
  noPager?: boolean;
  noAskPassword?: boolean;
  cleanup?: boolean;
  dryRun?: 'text' | 'json';
  help?: boolean;
  version?: boolean;
}

/** Lists that an option prints for the value `help`. */
export type ListName = 'signals' | 'consoles' | 'capabilities' | 'resolv-conf' | 'timezone' | 'limits' | 'ownerships';

/** Headings of --help and of the manual, in their order. */
export type GroupName =
  | 'tree'
  | 'payload'
  | 'engine'
  | 'users'
  | 'mounts'
  | 'privileges'
  | 'resources'
  | 'network'
  | 'integration'
  | 'console'
  | 'other';

/** The key of a settings file that says the same (systemd.nspawn(5)). */
interface FileKey {
  readonly section: 'Exec' | 'Files' | 'Network';
  readonly key: string;
  /** it counts only in a file that an administrator wrote, not in one that came with the tree; `additions`: what takes away
   *  (~LIST) counts in any file */
  readonly trusted?: true | 'additions';
  /** the values stand between blanks in one line */
  readonly list?: true;
  /** there is a key for each of these: LimitNOFILE=1 says NOFILE=1 */
  readonly each?: readonly string[];
}

interface Common {
  /** without the dashes; an option that has only a short name has none */
  readonly long?: string;
  /** other long names of the same option */
  readonly also?: readonly string[];
  readonly short?: string;
  readonly group: GroupName;
  readonly takes: 'nothing' | 'required' | 'optional';
  /** what the value is called in --help */
  readonly metavar?: string;
  /** the value's text when none is given; required unless a value is */
  readonly implied?: string;
  /** the value `help` prints this list instead */
  readonly lists?: ListName;
  /** not shown in --help: another spelling of an option that is */
  readonly hidden?: true;
  readonly file?: FileKey;
  /** systemd-nspawn has no such option */
  readonly own?: true;
  readonly help: string;
}

type Element<T> = T extends readonly (infer E)[] ? E : T;
type KindFor<T> = { [K in ValueKind]: Values[K] extends T ? K : never }[ValueKind];
type RowFor<K extends keyof Settings> =
  NonNullable<Settings[K]> extends readonly unknown[]
    ? Common & { readonly key: K; readonly value: KindFor<Element<NonNullable<Settings[K]>>>; readonly many: true }
    : Common & { readonly key: K; readonly value: KindFor<NonNullable<Settings[K]>>; readonly many?: false };

/** A row: its value's kind yields what its key holds, and only lists are repeatable. */
export type OptionRow = { [K in keyof Settings]-?: RowFor<K> }[keyof Settings];

/** A switch: `--quiet`, which stands for `--quiet=yes`. */
export const SWITCH = { takes: 'nothing', value: 'boolean', implied: 'yes' } as const;

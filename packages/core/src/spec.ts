// What the user wants, whatever it was written in (command line, settings file, API call). Nothing here was looked up: paths
// are as given, absent fields mean "not said", and view() fills in what follows from the host and the tree.

import type { Rlimit } from './facts';
import type { ImagePolicy } from './image/policy';
import type { MountFlag, RlimitName, SeccompProfile } from './plan';

/** One `--setenv`: without a value the caller's is copied, an unset one as the empty string. */
export interface EnvAssignment {
  readonly name: string;
  readonly value?: string;
}

/** A directory or file that is mounted: of the host, relative to the caller's directory, or of the tree when `inTree` is set. */
export interface Source {
  readonly path: string;
  readonly inTree: boolean;
}

/** How the owners of a bind's files show in a guest with a user namespace: as they are on disk (so mostly as nobody), shifted
 *  by the guest's own range, or all as the guest's root / as the owner of the mount point. */
export type BindIds = 'none' | 'idmap' | 'rootidmap' | 'owneridmap';

/** One `--bind` or `--bind-ro`. */
export interface BindMount {
  readonly kind: 'bind';
  /** `temporary`: a new empty directory below /var/tmp of the host, removed at the end */
  readonly source: Source | 'temporary';
  /** absolute; without it the same path as the source */
  readonly destination?: string;
  readonly readOnly: boolean;
  readonly recursive: boolean;
  readonly ids: BindIds;
  /** a symbolic link at the destination is covered itself, instead of what it leads to */
  readonly coverLink?: boolean;
  /** further flags of the mount */
  readonly flags?: readonly MountFlag[];
  /** what is not there is not bound: only for sources in the tree */
  readonly optional?: boolean;
}

/** One `--tmpfs`. */
export interface TmpfsMount {
  readonly kind: 'tmpfs';
  readonly destination: string;
  /** mount options as in mount(8)'s -o; without them `mode=0755` */
  readonly options?: string;
}

/** One `--overlay` or `--overlay-ro`. */
export interface OverlayMount {
  readonly kind: 'overlay';
  /** read-only layers, the lowest first */
  readonly lower: readonly Source[];
  /** takes the writes; absent: the overlay is read-only. `temporary`: a new directory below /var/tmp, removed at the end */
  readonly upper?: Source | 'temporary';
  readonly destination: string;
}

/** One `--inaccessible`: what is there cannot be read or entered. */
export interface InaccessibleMount {
  readonly kind: 'inaccessible';
  readonly destination: string;
  /** what is not there is not covered */
  readonly optional?: boolean;
}

export type CustomMount = BindMount | TmpfsMount | OverlayMount | InaccessibleMount;

/** What keeps a container apart. `auto`: the first that this host gives. */
export type Engine = 'auto' | 'namespaces' | 'ptrace';

/** Ids that a payload believes to have. */
export interface FakeId {
  readonly uid: number;
  readonly gid: number;
}

/** A port of the guest and the one that stands for it on the host. */
export interface PortPair {
  readonly guest: number;
  readonly host: number;
}

/** What of the caller's a program of the tree can work on. */
export type SharePart = 'home' | 'cwd' | 'tmp' | 'users' | 'network' | 'timezone' | 'display';

/** Console modes that can be asked for; autopipe is settled by looking at the caller's terminal. */
export type RequestedConsole = 'interactive' | 'read-only' | 'passive' | 'pipe' | 'autopipe';

/** `pid1`: the command is PID 1 itself. `pid2`: a stub is PID 1. `boot`: an init is looked for and is PID 1. */
export type StartMode = 'pid1' | 'pid2' | 'boot';

/** What of the tree a run may change. `yes`: only its /usr is seen, read-only. `state`: read-only with an empty /var.
 *  `overlay`: all of it, and the changes are forgotten. */
export type Volatile = 'no' | 'yes' | 'state' | 'overlay';

/** The user namespace. `owner`: the range that starts at the owner of the tree's root. `pick`: a free range; `wherePossible`:
 *  none on a kernel without user namespaces. */
export type PrivateUsers =
  | { readonly mode: 'no' | 'owner' | 'identity' | 'managed' }
  | { readonly mode: 'pick'; readonly wherePossible: boolean }
  | { readonly mode: 'range'; readonly base: number; readonly size: number };

/** How the tree's files come to belong to the range of the user namespace. */
export type Ownership = 'off' | 'chown' | 'map' | 'foreign' | 'auto';

/** A network interface and its name in the guest. */
export interface InterfacePair {
  readonly host: string;
  readonly guest: string;
}

/** One `--port`. */
export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  readonly host: number;
  readonly guest: number;
}

export interface NetworkSpec {
  /** a network namespace of its own: asked for, or implied by one of the others (not by namespacePath) */
  readonly private: boolean;
  /** an existing network namespace to join */
  readonly namespacePath?: string;
  /** the pair ve-MACHINE (vb-MACHINE with a bridge or zone) and host0 */
  readonly veth: boolean;
  /** further pairs */
  readonly vethExtra: readonly InterfacePair[];
  /** the bridge that the host's end joins */
  readonly bridge?: string;
  /** name without vz-: a bridge that is made with the first machine and removed with the last */
  readonly zone?: string;
  readonly macvlan: readonly InterfacePair[];
  readonly ipvlan: readonly InterfacePair[];
  /** interfaces of the host that move into the guest and come back */
  readonly interfaces: readonly InterfacePair[];
  readonly ports: readonly PortForward[];
  /** hardware address of host0, `02:00:5e:00:00:01`; without it one made from the machine's name */
  readonly mac?: string;
}

/** One `--system-call-filter`: names and @groups that are added to what may be called, or taken from it. */
export interface FilterRule {
  readonly deny: boolean;
  readonly names: readonly string[];
}

/** One credential (systemd.exec(5)): bytes, one character each, or a file or socket of the host to read them from. */
export type Credential =
  | { readonly id: string; readonly value: string }
  | { readonly id: string; readonly path: string };

export type ResolvConf =
  | 'off'
  | 'delete'
  | 'auto'
  | `${'copy' | 'replace' | 'bind'}-${'host' | 'static' | 'uplink' | 'stub'}`;

export type Timezone = 'off' | 'copy' | 'bind' | 'symlink' | 'delete' | 'auto';

/** Where the guest's journal lies. `whereLinked`: do without when it cannot be linked. */
export interface LinkJournal {
  readonly mode: 'no' | 'host' | 'guest' | 'auto';
  readonly whereLinked: boolean;
}

/** A kernel parameter, sysctl(8): `kernel.msgmax`. */
export interface Sysctl {
  readonly key: string;
  readonly value: string;
}

/** A device node beyond the usual ones. */
export interface ExtraDevice {
  readonly path: string;
  readonly type: 'char' | 'block' | 'fifo';
  readonly mode: number;
  readonly major?: number;
  readonly minor?: number;
}

/** A property of the machine's unit: `MemoryMax`, `1G`. */
export interface UnitProperty {
  readonly name: string;
  readonly value: string;
}

export interface ContainerSpec {
  /** the tree as given; without it and an image the machine's place in the search path, else the current directory */
  readonly directory?: string;
  /** a disk image or block device that holds the tree */
  readonly image?: string;
  /** the tree that `directory` is made from where it does not exist */
  readonly template?: string;
  /** the changes of this run are forgotten at its end */
  readonly ephemeral: boolean;
  /** hexadecimal, lower case */
  readonly rootHash?: string;
  /** path of a DER file, or `base64:` and its content */
  readonly rootHashSignature?: string;
  readonly verityData?: string;
  /** false: no password is asked for, an image that needs one is refused */
  readonly askPassword: boolean;
  /** which partitions of the image may be used, and how; without it all but swap */
  readonly imagePolicy?: ImagePolicy;
  /** machine name; without it made from the last component of the tree's path */
  readonly machine?: string;
  /** what the guest takes its container manager for ($container); without it `tsnspawn` */
  readonly manager?: string;
  readonly engine: Engine;
  /** of the payload, with the engine ptrace; without it root, or those of the user */
  readonly fakeId?: FakeId;
  /** withShare() says what they stand for */
  readonly shareHost: readonly SharePart[];
  /** a program of the host with its options, in which the guest's programs run */
  readonly emulator?: string;
  /** ports of the guest that are others on the host */
  readonly portMap: readonly PortPair[];
  /** a hard link that is refused becomes a symbolic one */
  readonly fakeLinks: boolean;
  /** what uname(2) reports, with the engine ptrace */
  readonly kernelRelease?: string;
  readonly start: StartMode;
  /** the command and its arguments; with `boot` the arguments of init */
  readonly command: readonly string[];
  readonly user?: string;
  /** the group of the user, and further groups, by number; without them those of the tree's /etc/passwd and /etc/group */
  readonly groups?: readonly number[];
  readonly chdir?: string;
  readonly env: readonly EnvAssignment[];
  /** the UTS name; without it the machine name */
  readonly hostname?: string;
  /** 32 lower-case hex digits; counts only where the tree's machine id is unset */
  readonly uuid?: string;
  readonly console?: RequestedConsole;
  /** SGR parameters of the terminal's background, `44` */
  readonly background?: string;
  /** signal number for an orderly end */
  readonly killSignal?: number;
  /** say READY=1 to the service manager when the guest says so, instead of at its start */
  readonly notifyReady: boolean;
  /** run in the caller's unit: no scope is made, and a guest reboot ends the launcher with status 133 */
  readonly keepUnit: boolean;
  /** with systemd-machined; `auto`: where it runs */
  readonly register: boolean | 'auto';
  readonly slice?: string;
  readonly properties: readonly UnitProperty[];
  readonly readOnly: boolean;
  readonly volatile: Volatile;
  readonly pivotRoot?: { readonly newRoot: string; readonly oldRoot?: string };
  readonly mounts: readonly CustomMount[];
  readonly bindUsers: readonly string[];
  /** login shell of the bound users: true for their own, a path for another one */
  readonly bindUserShell: boolean | string;
  /** groups of the guest that the bound users join */
  readonly bindUserGroups: readonly string[];
  /** whether /tmp becomes a tmpfs; false keeps the tree's own */
  readonly tmpfsTmp: boolean;
  /** all of /proc read-only, for a payload that is no init */
  readonly procReadOnly: boolean;
  /** /proc/sys and /sys writable: for guests that are trusted like the host. `network`: /proc/sys/net alone */
  readonly apiVfsWritable: boolean | 'network';
  /** kernel parameters of the container's namespaces */
  readonly sysctl: readonly Sysctl[];
  readonly devices: readonly ExtraDevice[];
  readonly users: PrivateUsers;
  readonly ownership: Ownership;
  readonly network: NetworkSpec;
  readonly resolvConf: ResolvConf;
  readonly timezone: Timezone;
  readonly linkJournal: LinkJournal;
  readonly credentials: readonly Credential[];
  /** capability names (lower case, without CAP_) or `all`: added to the default set, then taken from it */
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly ambientCapabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly systemCallFilter: readonly FilterRule[];
  /** takes the place of the container's own filter and of the rules */
  readonly seccompProfile?: SeccompProfile;
  /** false: no system call filter at all */
  readonly seccomp: boolean;
  /** SELinux labels of the processes, and of the API file systems */
  readonly selinuxContext?: string;
  readonly selinuxApiContext?: string;
  /** file system syncs of the guest do nothing */
  readonly suppressSync: boolean;
  readonly rlimits: { readonly [name in RlimitName]?: Rlimit };
  /** -1000..1000; without it the caller's stays */
  readonly oomScoreAdjust?: number;
  /** processors, ascending */
  readonly cpuAffinity?: readonly number[];
  readonly personality?: 'x86' | 'x86-64';
  /** true: cgroup2 alone, false: the legacy hierarchies; without it what the guest's init understands */
  readonly unifiedCgroup?: boolean;
  /** false: the guest stays in the host's cgroup namespace */
  readonly cgroupNamespace: boolean;
  /** namespaces of the host that the guest stays in */
  readonly sharedNamespaces: readonly ('ipc' | 'pid' | 'uts')[];
  /** false: a tree is started without looking for usr/ and os-release in it */
  readonly checkOs: boolean;
  /** false: the tree is used without a lock */
  readonly lock: boolean;
}

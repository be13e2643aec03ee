// ContainerView: what the guest is to see and to be, as plain data. It says nothing about how a kernel gets there; that is
// what the lowerings are for.

import type { DeviceRule, HelperKind, IdRange, InitKind, Rlimit } from '../facts';
import type {
  Bytes,
  ConsoleMode,
  IdMap,
  LateText,
  MountFlag,
  RlimitName,
  SeccompFilter,
  Slot,
  UserMaps,
} from '../plan';
import type { CgroupFile } from '../resources/files';
import type { InterfacePair, PortForward } from '../spec';

/** A value that differs from run to run and is filled in by lower(). */
export interface RunVariable {
  /** the machine id as a dashed uuid */
  readonly variable: 'uuid';
}

/** A file system of an image. */
export interface DeviceFilesystem {
  /** the slot of its block device */
  readonly device: Slot;
  readonly type: string;
  readonly flags: readonly MountFlag[];
  readonly data: string;
  /** it is to become as large as its device */
  readonly grow?: boolean;
}

/** What the root is made of. */
export interface RootView {
  /** a directory of the host (absolute path), or a file system of an image */
  readonly base:
    | { readonly kind: 'directory'; readonly source: string }
    | ({ readonly kind: 'image' } & DeviceFilesystem);
  readonly readOnly: boolean;
  /** nothing is written to the base: others may have it at the same time */
  readonly shared: boolean;
  /** the root is an empty file system in memory, with nothing but the /usr of the base */
  readonly usrOnly?: { readonly data: string };
  /** the base is left alone: its changes go into an overlay on it, in memory or in a new directory of the host */
  readonly changes?:
    | { readonly kind: 'memory'; readonly data: string }
    | { readonly kind: 'directory'; readonly path: string };
  /** a directory of all this becomes the root, and the whole is seen below the other path */
  readonly pivot?: { readonly newRoot: string; readonly oldRoot?: string };
}

/** The guest's user namespace: ids 0 to size - 1 in it are those of the host from `base` on. */
export interface UsersView {
  readonly base: number;
  readonly size: number;
  /** the tree's owners: right already, shown shifted, or changed on the disk */
  readonly tree: 'as-is' | 'map' | 'shift';
  /** the id in the tree that is the guest's root, where owners are mapped. Default 0 */
  readonly treeBase?: number;
  /** the monitor is not root of the host, but of a user namespace around the guest's: one that is made with it, or the caller's */
  readonly around?: { readonly maps?: UserMaps; readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] };
  /** the range was picked, and is locked */
  readonly picked?: boolean;
  /** there is one id only: the others are emulated, and owners remembered, those of links in the file `store` of the host. `kept`:
   *  also from one run to the next */
  readonly remember?: { readonly store?: string; readonly kept: boolean };
}

/** A directory or file that is mounted: of the host (absolute), or of the tree. */
export type MountSource = { readonly host: string } | { readonly tree: string };

/** Takes what is written to an overlay: a directory, or a new one of the host that is removed at the end. */
export type UpperView = MountSource | { readonly temporary: string };

/** What stands at a path of the guest. Entries come in an order in which each finds what it needs. `try`: whatever goes wrong with
 *  it is no failure. */
export type Entry =
  /** a new file system */
  | {
      readonly kind: 'filesystem';
      readonly path: string;
      readonly type: string;
      readonly flags: readonly MountFlag[];
      readonly data: string;
      readonly optional?: boolean;
      readonly nofollow?: boolean;
    }
  /** a file or directory of the host */
  | {
      readonly kind: 'host';
      readonly path: string;
      /** absolute host path */
      readonly source: string;
      readonly recursive: boolean;
      readonly flags: readonly MountFlag[];
      /** it is made at the start, and removed at the end */
      readonly temporary?: boolean;
      /** it is a directory, made on the host where it is missing, and in the place of a link */
      readonly made?: boolean;
      /** it covers a symbolic link at the path, instead of what that leads to */
      readonly coverLink?: boolean;
      /** a symbolic link at the path is left alone */
      readonly nofollow?: boolean;
      readonly try?: boolean;
      /** how the owners on the disk show */
      readonly uids?: readonly IdMap[];
      readonly gids?: readonly IdMap[];
    }
  /** directories laid over each other, the lowest first; without an upper one read-only */
  | {
      readonly kind: 'overlay';
      readonly path: string;
      readonly lower: readonly MountSource[];
      readonly upper?: UpperView;
      /** the directory beside the upper one that the kernel works in; removed at the end */
      readonly work?: string;
    }
  /** nobody may read or enter what is there */
  | { readonly kind: 'cover'; readonly path: string; readonly optional?: boolean }
  /** a kernel parameter; the path is that of its file */
  | { readonly kind: 'sysctl'; readonly path: string; readonly key: string; readonly value: string }
  /** a further file system of the image */
  | ({
      readonly kind: 'device';
      readonly path: string /** its changes go where those of the root go */;
      readonly overlaid?: boolean;
    } & DeviceFilesystem)
  /** another path of the guest, or the same one with other flags */
  | {
      readonly kind: 'guest';
      readonly path: string;
      readonly source: string;
      readonly recursive: boolean;
      readonly flags: readonly MountFlag[];
      readonly optional?: boolean;
      /** a symbolic link at the path is left alone */
      readonly nofollow?: boolean;
      readonly try?: boolean;
    }
  /** one top directory of sysfs, where /sys itself is only a skeleton */
  | { readonly kind: 'sysfs'; readonly path: string; readonly part: string; readonly flags: readonly MountFlag[] }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly content: string | LateText | RunVariable | Bytes;
    }
  /** a file of the tree gets this content, one character for each byte: a new one, or the one that is there */
  | {
      readonly kind: 'put';
      readonly path: string;
      readonly mode: number;
      readonly content: string;
      readonly replace?: boolean;
      readonly try?: boolean;
    }
  /** a link on the host, made at each start, which stays */
  | { readonly kind: 'hostLink'; readonly path: string; readonly target: string }
  /** a file of the tree goes */
  | { readonly kind: 'removed'; readonly path: string; readonly try?: boolean }
  | {
      readonly kind: 'node';
      readonly path: string;
      readonly type: 'char' | 'block' | 'fifo' | 'socket' | 'regular';
      readonly mode: number;
      readonly major?: number;
      readonly minor?: number;
      readonly try?: boolean;
    }
  /** `replace`: over what is there */
  | {
      readonly kind: 'link';
      readonly path: string;
      readonly target: string;
      readonly replace?: boolean;
      readonly try?: boolean;
    }
  /** a fifo that the launcher keeps open, so that a reader waits for ever */
  | { readonly kind: 'held'; readonly path: string; readonly mode: number }
  /** the socket for sd_notify(3) messages */
  | { readonly kind: 'notify'; readonly path: string; readonly mode: number }
  /** from here on the file system at the path has these flags too */
  | { readonly kind: 'flags'; readonly path: string; readonly flags: readonly MountFlag[] };

/** One legacy hierarchy as the guest sees it. */
export interface LegacyHierarchy {
  /** as in CgroupHierarchy */
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
}

/** What the guest finds at /sys/fs/cgroup; rooted at a cgroup of its own, but for `host`. */
export type CgroupLayout =
  | { readonly kind: 'none' }
  /** `anew`: the monitor mounts its own cgroup where the host's are, in a cgroup namespace of its own */
  | { readonly kind: 'unified'; readonly optional: boolean; readonly anew?: true }
  | { readonly kind: 'legacy'; readonly hierarchies: readonly LegacyHierarchy[] }
  /** no namespace: all of the host's cgroup2, read-only, but for the guest's own cgroup */
  | { readonly kind: 'host' };

/** One property as files of a cgroup. Of several files those that exist are written, and there must be one. */
export interface CgroupSetting {
  /** `unified`, or the name of a legacy hierarchy */
  readonly hierarchy: string;
  /** as it was asked for: `MemoryMax=1G` */
  readonly property: string;
  readonly files: readonly CgroupFile[];
}

/** Where in cgroup2 the machine's cgroup is made, and what it can use there. */
export interface UnifiedPlace {
  /** the cgroup that it is a child of, from the root of cgroup2 */
  readonly base: string;
  /** controllers that the base hands down */
  readonly enable: readonly string[];
  /** controllers that the guest may use in cgroups of its own */
  readonly handed: readonly string[];
  /** the base is the launcher's own and may have no processes: the launcher goes into a leaf of it */
  readonly leaf: boolean;
  /** limits are set here */
  readonly bounded: boolean;
}

/** What limits the machine as a whole. */
export interface ResourceView {
  readonly settings: readonly CgroupSetting[];
  /** a program on the machine's cgroup2, where there is no legacy controller of devices */
  readonly devices?: { readonly property: string; readonly rules: readonly DeviceRule[] };
  readonly unified?: UnifiedPlace;
  /** what a new legacy cpuset is filled with */
  readonly cpuset: { readonly cpus: string; readonly mems: string };
}

/** The machine in the eyes of a host that systemd manages. */
export interface UnitView {
  /** the scope that the launcher moves into with all it starts; absent: it stays in the unit it is in */
  readonly scope?: {
    /** the host's systemd, or the caller's own */
    readonly manager: 'system' | 'user';
    readonly name: string;
    readonly slice: string;
    /** words of busctl(1), a property each: name, signature, value */
    readonly properties: readonly (readonly string[])[];
    /** it was asked for by name: slice, or a property */
    readonly required: boolean;
  };
  /** with systemd-machined; `auto`: where it answers */
  readonly register: boolean | 'auto';
}

export interface Variable {
  readonly name: string;
  readonly value: string | RunVariable;
}

/** A user of the guest that its own files do not know. */
export interface AccountView {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** empty: the first that there is */
  readonly shell: string;
  /** further groups, by their names in the guest; one that it does not have is none */
  readonly groups: readonly string[];
}

export interface PayloadView {
  readonly kind: 'boot' | 'shell' | 'command';
  /** the first that exists is executed */
  readonly candidates: readonly { readonly path: string; readonly argv0?: string }[];
  /** the user's own shell comes before the candidates */
  readonly userShell: boolean;
  readonly args: readonly string[];
  /** a stub is PID 1 and the payload PID 2 */
  readonly stub: boolean;
  /** name or number, looked up in the guest */
  readonly user: string;
  /** the user, when it need not be looked up */
  readonly account?: AccountView;
  /** it stays whom the caller is, which is what the account says */
  readonly keepsIds?: boolean;
  /** the group and further groups by number; without them those of the guest's own files */
  readonly groups?: readonly number[];
  /** working directory; without it the user's home */
  readonly directory?: string;
  /** the init that a boot is expected to find */
  readonly init?: InitKind;
}

/** One limit; `exact`: it was asked for by name. */
export interface LimitView extends Rlimit {
  readonly name: RlimitName;
  readonly exact?: boolean;
}

/** What PID 1 is told with. */
export interface InitSignals {
  /** shut down, however; 0 for a payload that is no init and is killed instead */
  readonly shutdown: number;
  readonly powerOff: number;
  readonly reboot: number;
}

/** A virtual cable. */
export interface Veth {
  /** the host's end */
  readonly host: string;
  readonly guest: string;
  /** the name that was too long for the host's end, kept as an alternative one */
  readonly longName?: string;
  /** absent: the kernel takes random ones */
  readonly hostAddress?: string;
  readonly guestAddress?: string;
  /** what the host's end is a port of; `made`: with its first port, and gone with the last */
  readonly bridge?: { readonly name: string; readonly made: boolean };
}

/** An interface of the guest that shares one of the host's. */
export interface SharedInterface extends InterfacePair {
  readonly kind: 'macvlan' | 'ipvlan';
  readonly address?: string;
}

/** A program that gives the guest a network. */
export interface HelperView {
  readonly kind: HelperKind;
  /** absolute path */
  readonly program: string;
  /** hardware address of the guest's interface; absent: a random one */
  readonly address?: string;
  /** resolv.conf(5) for the guest; empty: the host asks nobody */
  readonly resolver: string;
  /** the helper answers at an address of its own for the first server of the host */
  readonly forwardsNames: boolean;
}

export interface NetworkView {
  /** the host's own, a new one, or an existing one that is joined */
  readonly namespace: 'host' | 'new' | { readonly path: string };
  readonly veths: readonly Veth[];
  readonly shared: readonly SharedInterface[];
  readonly moved: readonly InterfacePair[];
  readonly ports: readonly PortForward[];
  /** absolute path of nft(8), where there are ports and the monitor may set rules */
  readonly nft?: string;
  /** gives the guest the interface host0 without the host's root */
  readonly helper?: HelperView;
}

export interface ContainerView {
  /** what of that which was asked for has no effect */
  readonly warnings: readonly string[];
  readonly machine: string;
  readonly hostname: string;
  /** machine id, 32 hex digits; without it lower() takes the run's random one */
  readonly uuid?: string;
  readonly root: RootView;
  readonly users?: UsersView;
  readonly entries: readonly Entry[];
  readonly cgroup: CgroupLayout;
  readonly resources?: ResourceView;
  readonly unit?: UnitView;
  readonly payload: PayloadView;
  readonly environment: readonly Variable[];
  readonly console: ConsoleMode;
  /** parameters of SGR that the console is coloured with */
  readonly background?: string;
  /** number of the caller's descriptors, from 3 on, that the payload gets */
  readonly listen: number;
  readonly signals: InitSignals;
  readonly restart: boolean;
  readonly notifyReady: boolean;
  /** all of /proc */
  readonly procReadOnly: boolean;
  /** namespaces of the host that the guest stays in */
  readonly sharedNamespaces: readonly ('ipc' | 'uts')[];
  /** SELinux label of the files of the API file systems */
  readonly apiLabel?: string;
  readonly network: NetworkView;
  readonly privileges: {
    readonly bounding: readonly string[];
    readonly ambient: readonly string[];
    readonly noNewPrivileges: boolean;
    /** in the order in which they are loaded */
    readonly filters: readonly SeccompFilter[];
    /** SELinux label of the payload */
    readonly label?: string;
  };
  readonly limits: readonly LimitView[];
  readonly oomScoreAdjust?: number;
  readonly cpuAffinity?: readonly number[];
  readonly personality?: 'x86' | 'x86-64';
}

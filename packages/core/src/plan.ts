// The launch plan: plain data that says, step by step, how this kernel turns a tree into a running guest.
// lower() writes it, --dry-run prints it, tests compare it, the runner (native/src) carries it out. A step is one act;
// flags have names here and become numbers only in the encoder (packages/native/src/encode).

import type { DeviceRule } from './facts';
import type { CgroupFile } from './resources/files';
import type { RLIMITS } from './rlimits';
import type { PortForward, PortPair } from './spec';

/** Namespaces a clone can make, by the names of namespaces(7). */
export type Namespace = 'mnt' | 'pid' | 'uts' | 'ipc' | 'net' | 'user' | 'cgroup';

/** A named place for a descriptor: one step fills it (`as`), a later one takes it (`from`). */
export type Slot = string;

/** The slot that is filled from the start: the tree or its image, opened and locked by the launcher. */
export const TREE_SLOT: Slot = 'tree';

export type MountFlag =
  | 'ro'
  | 'nosuid'
  | 'nodev'
  | 'noexec'
  | 'noatime'
  | 'relatime'
  | 'strictatime'
  | 'nodiratime'
  | 'nosymfollow';

export type Propagation = 'private' | 'slave' | 'shared';

/** A value that only the runner can know, decided on the spot from a closed set. */
export type LateText = { readonly random: 'uuid' };

/** What need not be text: one character for each byte. */
export interface Bytes {
  readonly bytes: string;
}

/** The rlimits of getrlimit(2) by their names without RLIMIT_. */
export type RlimitName = (typeof RLIMITS)[number];

export type RlimitValue = number | 'infinity';

/** One line of a uid_map or gid_map, user_namespaces(7): `size` ids from `inside` on are `outside` and following in the parent. */
export interface IdMap {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

/** How the maps of a user namespace are written that a process of the caller's has made: user_namespaces(7). */
export interface UserMaps {
  readonly uids: readonly IdMap[];
  readonly gids: readonly IdMap[];
  /** absolute paths of newuidmap(1) and newgidmap(1), for who may not write maps of more than its own id */
  readonly programs?: { readonly uids: string; readonly gids: string };
  /** setgroups(2) is forbidden in it: the price of a map of one's own group that is written without privileges */
  readonly denySetgroups?: boolean;
}

/** What is cloned as a detached mount: a path of the host, a descriptor (`path` is for messages) or what is `inside` of it, looked
 *  up without leaving it, or a path of the root that has been entered. */
export type OpenSource =
  | string
  | { readonly from: Slot; readonly path: string; readonly inside?: string }
  | { readonly inside: string };

/** What a rule puts at a path: a place of the host, another place of the guest, an empty directory, what nobody may use, or what is
 *  there with other flags. */
export type Stands = 'host' | 'guest' | 'fresh' | 'hidden' | 'flags';

/** `try` in a step: whatever goes wrong with it is no failure. */
export type Step =
  // --- host side ---
  /** Make the cgroup `path`, below the mount point `mount`, and put its descriptor into `as`. It is removed again, with all
   *  below it, when the guest has ended. `into`: the guest's first process is placed in it. */
  | { readonly op: 'cgroup'; readonly mount: string; readonly path: string; readonly as: Slot; readonly into: boolean }
  /** Let a user other than the host's root make cgroups in this one. */
  | { readonly op: 'delegateCgroup'; readonly from: Slot; readonly owner: number }
  /** Enter the network namespace at the host path `path`: the guest is born in it. */
  | { readonly op: 'joinNetwork'; readonly path: string }
  // --- host side, with the guest's network namespace there ---
  /** Make a virtual cable: `host` here, up, and `guest` in the guest. Addresses as `02:00:5e:00:00:01`; without one a random
   *  one. `makesBridge`: the bridge is made where it is missing, and removed when it has no port left. */
  | {
      readonly op: 'veth';
      readonly host: string;
      readonly guest: string;
      readonly longName?: string;
      readonly hostAddress?: string;
      readonly guestAddress?: string;
      readonly bridge?: string;
      readonly makesBridge?: boolean;
    }
  /** Make `guest` in the guest, a child of the interface `host`. */
  | {
      readonly op: 'sharedInterface';
      readonly kind: 'macvlan' | 'ipvlan';
      readonly host: string;
      readonly guest: string;
      readonly address?: string;
    }
  /** Move the interface `host` into the guest, where it is called `guest`. At the end it comes back under its old name. */
  | { readonly op: 'moveInterface'; readonly host: string; readonly guest: string }
  /** Make the nftables table `table` with the program `nft`, keep the guest's address in it, and relay connections to the
   *  host's loopback addresses. At the end both are gone. */
  | {
      readonly op: 'forwardPorts';
      readonly nft: string;
      readonly table: string;
      readonly ports: readonly PortForward[];
      /** the table's content, and the rules that are added for an address of each family, where `%` stands for it */
      readonly chains: string;
      readonly rules4: string;
      readonly rules6: string;
    }
  /** Host side, or late: run the program `command[0]`, which gives the guest a network through ordinary sockets of the host. `%` in the
   *  other words is the guest's first process as /proc of the host counts. It ends with the guest. */
  | {
      readonly op: 'userNetwork';
      readonly command: readonly string[];
      /** it only makes the interface, says that it is ready on descriptor 3, and the monitor configures it; without this the program
       *  does, and goes into the background then */
      readonly configure?: {
        readonly interface: string;
        /** IPv4 addresses */
        readonly address: string;
        readonly prefix: number;
        readonly gateway: string;
        readonly mtu: number;
        readonly hardwareAddress?: string;
      };
    }
  /** Relay what comes to these ports of the host, at any of its addresses, to the guest. */
  | { readonly op: 'relayPorts'; readonly ports: readonly PortForward[] }
  /** Write files of a cgroup, in their order, those that exist; that none does is a failure. `property`: what asked for it. */
  | {
      readonly op: 'cgroupWrite';
      readonly cgroup: Slot | { readonly mount: string; readonly path: string };
      readonly files: readonly CgroupFile[];
      readonly property: string;
    }
  /** Let the processes of a cgroup2 use these device nodes and no others. */
  | {
      readonly op: 'cgroupDevices';
      readonly cgroup: Slot;
      readonly rules: readonly DeviceRule[];
      readonly property: string;
    }
  /** Host side, or late: make the guest known to systemd-machined, through the program busctl(1) at `program`; it is signed off again
   *  when it has ended. `optional`: go on where that fails. */
  | {
      readonly op: 'register';
      readonly program: string;
      readonly machine: string;
      /** 32 hexadecimal digits */
      readonly id: string;
      /** the tree, or empty for an image */
      readonly root: string;
      readonly optional?: boolean;
    }
  // --- roots and binds ---
  /** Clone a mount detached: open_tree(2) OPEN_TREE_CLONE. */
  | {
      readonly op: 'openTree';
      readonly source: OpenSource;
      readonly recursive: boolean;
      readonly flags: readonly MountFlag[];
      readonly as: Slot;
      readonly try?: boolean;
    }
  /** Mount the file system `fs` on the block device in `from`, detached, into `as`. `grow`: then make it as large as the device,
   *  as far as its type can. */
  | {
      readonly op: 'mountDevice';
      readonly from: Slot;
      readonly fs: string;
      readonly flags: readonly MountFlag[];
      readonly data: string;
      readonly grow?: boolean;
      readonly as: Slot;
    }
  /** Make a new file system, attached nowhere. */
  | {
      readonly op: 'newMount';
      readonly fs: string;
      readonly flags: readonly MountFlag[];
      /** as in `mount` */
      readonly data: string;
      readonly as: Slot;
    }
  /** Lay mounts over each other, the lowest first. `upper`: the mount, and in it the directories, made where they are missing, that
   *  take the writes and that they are worked on in; without it the overlay is read-only. Needs unshareMounts. */
  | {
      readonly op: 'overlay';
      readonly lower: readonly Slot[];
      readonly upper?: { readonly from: Slot; readonly directory: string; readonly work: string };
      readonly flags: readonly MountFlag[];
      /** what marks files as removed or hidden are attributes that an ordinary user may set: overlayfs.rst, "userxattr" */
      readonly userXattr?: boolean;
      /** path of fuse-overlayfs(1), for what the kernel refuses */
      readonly program?: string;
      readonly as: Slot;
    }
  /** Make a directory of the host that is the guest's alone; it is kept across reboots of the guest and removed at its end. */
  | {
      readonly op: 'tempDirectory';
      readonly path: string;
      /** a directory in it, for more than the host's root */
      readonly inner?: { readonly name: string; readonly mode: number; readonly owner: number };
      readonly as: Slot;
    }
  /** Show the owners of the mount in `mount` as the user namespace in `by` maps them: mount_setattr(2) MOUNT_ATTR_IDMAP. */
  | { readonly op: 'mapOwners'; readonly mount: Slot; readonly by: Slot; readonly try?: boolean }
  /** Shift the owners of all files of a tree into the 65536 ids from `base` on, on the disk; unless `always`, only where its root
   *  is not in there yet. */
  | {
      readonly op: 'shiftOwners';
      readonly from: Slot;
      readonly path: string;
      readonly base: number;
      readonly always?: boolean;
    }
  // --- user namespaces ---
  /** Make a user namespace without a process in it, to map the owners of mounts by. */
  | {
      readonly op: 'userNamespace';
      readonly uids: readonly IdMap[];
      readonly gids: readonly IdMap[];
      readonly as: Slot;
    }
  /** Host side: write the maps of the guest's user namespace. */
  | { readonly op: 'idMap'; readonly uids: readonly IdMap[]; readonly gids: readonly IdMap[] }
  /** Inner side: become root of the user namespace. */
  | { readonly op: 'becomeRoot' }
  /** What is made from here on belongs to this user and group, until returnToHost. */
  | { readonly op: 'actAs'; readonly uid: number; readonly gid: number }
  /** The monitor enters a mount namespace of its own: what it mounts there is locked in the copy that the guest gets. */
  | { readonly op: 'unshareMounts' }
  | { readonly op: 'returnToHost' }
  /** Inner side: wait until the monitor has carried out the late steps, those up to the next `resume` among them. */
  | { readonly op: 'await' }
  | { readonly op: 'resume' }
  /** Cover what is at `path` by the node of the same type below `by`. `optional`: it need not exist. */
  | {
      readonly op: 'cover';
      readonly path: string;
      readonly by: string;
      readonly flags: readonly MountFlag[];
      readonly optional?: boolean;
    }
  /** Set a kernel parameter of the guest's namespaces, before /proc/sys becomes read-only. */
  | { readonly op: 'sysctl'; readonly key: string; readonly value: string }

  /** Set the propagation of every mount below / of this mount namespace. */
  | { readonly op: 'propagation'; readonly mode: Propagation }
  /** Make the detached mount in `from` the root of this mount namespace and let go of the old one. */
  | { readonly op: 'pivotRoot'; readonly from: Slot; readonly propagation: Propagation }
  // --- in the guest's root: every path below is resolved inside the tree ---
  /** Mount a new file system of type `fs`. The mount point is made when it is missing (0755). `optional`: go on where the
   *  kernel does not have the type or the mount point cannot be made (read-only tree). */
  | {
      readonly op: 'mount';
      readonly fs: string;
      readonly target: string;
      readonly flags: readonly MountFlag[];
      /** comma separated, as in mount(8)'s -o, without the generic flags */
      readonly data: string;
      readonly optional?: boolean;
      /** refuse a target that is a symbolic link (CVE-2023-27561: /proc, /sys) */
      readonly nofollow?: boolean;
    }
  /** Bind the guest path `source`, or the detached mount in `from`, to `target`. The mount point is made when it is missing
   *  (a file for a file). `optional`: a missing source is skipped, and so is a mount point that is missing and cannot be made. */
  | {
      readonly op: 'bind';
      readonly source: string | { readonly from: Slot };
      readonly target: string;
      readonly recursive: boolean;
      readonly flags: readonly MountFlag[];
      readonly optional?: boolean;
      /** refuse a target that is a symbolic link */
      readonly nofollow?: boolean;
      /** cover a target that is a symbolic link itself, instead of what it leads to */
      readonly coverLink?: boolean;
      readonly try?: boolean;
    }
  /** `replace`: a symbolic link in its place goes */
  | {
      readonly op: 'mkdir';
      readonly path: string;
      readonly mode: number;
      readonly replace?: boolean;
      readonly try?: boolean;
    }
  /** Make a node. A device below /dev that may not be made is bound from the host, where it is the same. */
  | {
      readonly op: 'mknod';
      readonly path: string;
      readonly type: 'char' | 'block' | 'fifo' | 'socket' | 'regular';
      readonly mode: number;
      readonly major?: number;
      readonly minor?: number;
      readonly try?: boolean;
    }
  /** `replace`: over a file or an empty directory that is there; a link that says the same stays */
  | {
      readonly op: 'symlink';
      readonly path: string;
      readonly target: string;
      readonly replace?: boolean;
      readonly try?: boolean;
    }
  | { readonly op: 'writeFile'; readonly path: string; readonly mode: number; readonly data: string | LateText | Bytes }
  /** Give a file of the tree this content. `replace`: a new file takes the place of what is there. Else a regular file is
   *  written, unless it holds that already, a symbolic link stays, and anything else is refused. */
  | {
      readonly op: 'putFile';
      readonly path: string;
      /** of a file that is made */
      readonly mode: number;
      readonly data: Bytes;
      readonly replace?: boolean;
      readonly try?: boolean;
    }
  /** Remove a file of the tree that may be missing. */
  | { readonly op: 'removeFile'; readonly path: string; readonly try?: boolean }
  /** Add these flags to the mount at `target`, e.g. read-only once it has been filled. */
  | { readonly op: 'remount'; readonly target: string; readonly flags: readonly MountFlag[] }
  | { readonly op: 'umount'; readonly target: string }
  /** Bind a datagram socket at `path`; the monitor listens on it for sd_notify(3) messages of the guest. */
  | { readonly op: 'notifySocket'; readonly path: string; readonly mode: number }
  /** Open the FIFO `path` in the monitor and keep it open, so that a reader blocks and never sees an end. */
  | { readonly op: 'holdFifo'; readonly path: string }
  // --- a guest that is traced ---
  /** Host side: take hold of the guest's first process with ptrace(2), and answer the calls of all that come from it.
   *  `owners`: the file of remembered owners. `scratch`: a directory that is the guest's alone. `fakeIds`: its users are not the
   *  kernel's. `boots`: its first process believes that it is PID 1. */
  | {
      readonly op: 'trace';
      readonly tree: string;
      readonly owners: string;
      readonly scratch: string;
      readonly hostname: string;
      readonly release?: string;
      /** ports that the guest binds, and what they are on the host */
      readonly ports?: readonly PortPair[];
      /** a program of the host with its options, in which every program of the guest runs */
      readonly emulator?: string;
      /** a hard link that is refused becomes a symbolic one */
      readonly fakeLinks?: boolean;
      readonly fakeIds: boolean;
      readonly boots: boolean;
      readonly accelerator?: 'none' | 'trace' | 'inprocess' | 'notify';
    }
  /** What stands at the path `target` of a guest that is traced, which is made where it is missing. `mode`: of a fresh directory. */
  | {
      readonly op: 'rule';
      readonly stands: Stands;
      readonly source: string;
      readonly target: string;
      readonly flags: readonly MountFlag[];
      readonly mode?: number;
      readonly optional?: boolean;
      /** refuse a target that is a symbolic link */
      readonly nofollow?: boolean;
      /** cover a target that is a symbolic link itself, instead of what it leads to */
      readonly coverLink?: boolean;
    }
  // --- identity, session, limits: the tail, the same for a new guest and for an exec into one ---
  /** Enter a new cgroup namespace, rooted at the cgroup this process is in by now. */
  | { readonly op: 'unshareCgroup' }
  | { readonly op: 'hostname'; readonly name: string }
  /** Bring the loopback interface of this network namespace up. */
  | { readonly op: 'loopback' }
  /** Fail unless reboot(2) is confined to the PID namespace (Linux 3.4): otherwise the guest would reboot the host. */
  | { readonly op: 'requireNamespacedReboot' }
  /** A session of its own, umask 0022, and a new session keyring. */
  | { readonly op: 'session' }
  /** Take a pseudo terminal from the guest's devpts, hand its master to the monitor, link /dev/console to it, make it the
   *  standard input, output and error and, when `controlling`, the controlling terminal. An init leads the session without
   *  one, as after a boot of the machine: the shells that it starts take it. */
  | { readonly op: 'console'; readonly controlling: boolean }
  /** What the caller may not have (it lacks CAP_SYS_RESOURCE) is not here: view() has lowered a default to the caller's hard
   *  limit, and refused a limit above it that was asked for. */
  | {
      readonly op: 'rlimit';
      readonly name: RlimitName;
      readonly soft: RlimitValue;
      readonly hard: RlimitValue;
      /** asked for by name: where the kernel refuses it the launch fails; else it goes as far as it can */
      readonly exact?: boolean;
    }
  | { readonly op: 'oomScoreAdjust'; readonly value: number }
  /** The processors to run on: sched_setaffinity(2). */
  | { readonly op: 'cpuAffinity'; readonly cpus: readonly number[] }
  | { readonly op: 'personality'; readonly persona: 'x86' | 'x86-64' }
  /** Find `user` (name or number) in the guest's own /etc/passwd and /etc/group, remember ids, home and shell, and put
   *  HOME, USER and LOGNAME into the environment (`SHELL` too when a login shell is started). */
  | {
      readonly op: 'lookupUser';
      readonly user: string;
      /** the group and further groups by number, in place of those that are found */
      readonly groups?: readonly number[];
      /** what is known of the user, who is not in /etc/passwd. `groups` of it are names in /etc/group */
      readonly account?: {
        readonly uid: number;
        readonly gid: number;
        readonly home: string;
        readonly shell: string;
        readonly groups: readonly string[];
      };
    }
  /** Drop from the bounding set what is not in `bounding`, take the looked-up ids, set the other sets. Names as in
   *  capabilities(7), without CAP_, in lower case. Capabilities that the caller does not hold are left out. */
  | {
      readonly op: 'identity';
      readonly bounding: readonly string[];
      readonly ambient: readonly string[];
      readonly noNewPrivileges: boolean;
    }
  /** A user namespace of the payload's own, in which this process, root of the guest, has these ids and no other. */
  | { readonly op: 'keepIds'; readonly uid: number; readonly gid: number; readonly noNewPrivileges: boolean }
  /** From here on ids and owners that the kernel does not know are emulated, and owners remembered: in attributes of the files, and
   *  for what can carry none in the file `store` of the host. `kept`: that is added to. */
  | { readonly op: 'fakeRoot'; readonly store?: string; readonly kept: boolean }
  /** Change to `path` inside the guest; without one, to the looked-up user's home, or / where that does not exist. */
  | { readonly op: 'chdir'; readonly path?: string }
  /** The SELinux label of what is executed next: /proc/self/attr/exec. */
  | { readonly op: 'execLabel'; readonly label: string }
  /** Load a seccomp filter. `opened` and `closed` are compiled when the plan is encoded, the others are made at build time. */
  | ({ readonly op: 'seccomp' } & SeccompFilter)
  /** Replace this process by the payload: the first of `candidates` that exists. A name without a slash is searched in
   *  the PATH of `env`, inside the guest. `userShell`: the looked-up user's shell comes first, and argv[0] gets a leading -. */
  | {
      readonly op: 'exec';
      readonly candidates: readonly { readonly path: string; readonly argv0?: string }[];
      readonly userShell?: boolean;
      /** arguments after argv[0] */
      readonly args: readonly string[];
      /** `NAME=value`; what stands here wins over what lookupUser found */
      readonly env: readonly string[];
    };

/**
 * A filter of system calls. One of the first three decides what may be called at all: `default` with the default capabilities,
 * `privileged` with all that open calls, `opened` with these, and by name. The others take from that: `closed` the calls of
 * capabilities, and by name; `arguments` the use of some arguments; `suppress-sync` makes of a sync a success that did nothing.
 * `profile` takes the place of the first three.
 * Of several answers the kernel takes the most restrictive one.
 */
export type SeccompFilter =
  | { readonly filter: 'default' | 'privileged' | 'arguments' | 'suppress-sync' }
  | {
      readonly filter: 'opened' | 'closed';
      readonly capabilities: readonly string[];
      /** of calls and @groups */
      readonly names: readonly string[];
    }
  | { readonly filter: 'profile'; readonly profile: SeccompProfile };

/** The calls that a fakeRoot step has served, made at build time. */
export interface FakeRootFilter {
  readonly filter: 'fakeroot';
}

/** What becomes of a call. `errno`: it fails so. */
export type SeccompAction =
  | { readonly kind: 'allow' | 'log' | 'trap' | 'kill-thread' | 'kill-process' }
  | { readonly kind: 'errno'; readonly errno: number };

/** A whole filter of somebody else's, in the terms of libseccomp. */
export interface SeccompProfile {
  /** for calls that no rule names */
  readonly action: SeccompAction;
  /** besides the native one, as libseccomp names them: `x86` */
  readonly architectures: readonly string[];
  readonly rules: readonly {
    /** those that this kernel's libseccomp does not know count for nothing */
    readonly names: readonly string[];
    readonly action: SeccompAction;
    /** all of them must hold; of those about one argument any */
    readonly args: readonly {
      readonly index: number;
      readonly op: 'NE' | 'LT' | 'LE' | 'EQ' | 'GE' | 'GT' | 'MASKED_EQ';
      readonly value: number;
      /** with MASKED_EQ `value` is the mask and this what is left of the argument */
      readonly valueTwo: number;
    }[];
  }[];
}

export type Op = Step['op'];

export type ConsoleMode = 'interactive' | 'read-only' | 'passive' | 'pipe';

/** What the monitor does while the guest runs. */
export interface MonitorPlan {
  readonly console: ConsoleMode;
  /** parameters of SGR that an interactive console is coloured with while the guest runs */
  readonly background?: string;
  /** Sent to the guest's PID 1 for an orderly end, a signal number; 0: there is none, the guest is killed. */
  readonly killSignal: number;
  /** Sent to it for the key sequences of an interactive console; 0: nothing. */
  readonly keySignals: { readonly powerOff: number; readonly reboot: number };
  /** Start the plan again when the guest reboots (else the launcher returns 133). */
  readonly restart: boolean;
  /** READY=1 goes to the service manager ($NOTIFY_SOCKET of the launcher) when the guest says so; else when it is started. */
  readonly notifyReady: boolean;
}

export interface LaunchPlan {
  readonly engine: 'namespaces' | 'ptrace';
  readonly machine: string;
  /** the cgroup2, a path of the host, that the launcher makes and moves into before the monitor is started */
  readonly leaf?: string;
  readonly clone: {
    /** made with the monitor: its own PID namespace ties the guest's life to it, in the kernel */
    readonly monitor: readonly Namespace[];
    /** of the user namespace among them: the monitor waits until they are written */
    readonly maps?: UserMaps;
    /** made with the guest's first process, in one clone */
    readonly guest: readonly Namespace[];
  };
  /** PID 1 is a stub that reaps, and the payload is PID 2 (`--as-pid2`). */
  readonly stub: boolean;
  /** slots that the launcher fills with descriptors of its own, for the outer and the host side; they stay open from one start
   *  of the guest to the next */
  readonly handed: readonly Slot[];
  /** lock files that the launcher hands on: they are removed at the end */
  readonly locks?: readonly Slot[];
  /** number of the caller's descriptors, from 3 on, that the payload finds under the same numbers: sd_listen_fds(3) */
  readonly listen: number;
  /** the monitor, before the guest's first process is made: opens what is reached on the host only, and makes the cgroups. The
   *  first process is born in one, or put there while it waits to go on */
  readonly outer: readonly Step[];
  /** the monitor, while the guest's first process waits: what needs its namespaces (maps of ids, network interfaces) */
  readonly host: readonly Step[];
  /** the guest's first process, in all of its namespaces, up to the exec of the payload */
  readonly inner: readonly Step[];
  /** the monitor, when the inner side awaits it: what only the host's root may do, and what must come last */
  readonly late: readonly Step[];
  readonly monitor: MonitorPlan;
}

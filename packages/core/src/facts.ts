// What the host and the tree give: plain data, found by trying (packages/runtime), never guessed from a version. view() and
// lower() see the world through these two shapes only, so that a test can describe any host in ten lines.

import type { RlimitName, RlimitValue, Slot, UserMaps } from './plan';

/** The fields of os-release(5) that travel into the guest; a field that the file does not set is absent. */
export interface OsRelease {
  readonly id?: string | undefined;
  readonly versionId?: string | undefined;
  readonly buildId?: string | undefined;
  readonly variantId?: string | undefined;
  /** for people: PRETTY_NAME */
  readonly prettyName?: string | undefined;
}

/** One mounted legacy (v1) cgroup hierarchy. */
export interface CgroupHierarchy {
  /** controllers as in /proc/self/cgroup (`cpu,cpuacct`), or `name=systemd` */
  readonly name: string;
  /** where the hierarchy is mounted on the host */
  readonly mount: string;
  /** the cgroup in it below which the launcher may make one, starting with /: its own, or one near it that is delegated to it */
  readonly path: string;
  /** false where it may make none: the mount is read-only, or nothing is delegated to the caller. Default true */
  readonly writable?: boolean | undefined;
}

/** Why a caller can make no cgroup: mounted read-only, not to be seen at its place, or somebody else's. */
export type CgroupObstacle = 'read-only' | 'hidden' | 'foreign';

/** The cgroup set-up of the host, from /proc/self/cgroup and /proc/self/mountinfo. */
export interface CgroupFacts {
  /** `hybrid`: legacy controllers with cgroup2 mounted beside them */
  readonly kind: 'v2' | 'v1' | 'hybrid' | 'none';
  /** where cgroup2 is mounted; present for v2 and hybrid */
  readonly unifiedMount?: string | undefined;
  /** the cgroup in cgroup2 below which the launcher may make one, starting with /: its own, or the nearest above that is
   *  delegated to it. Where there is none: its own */
  readonly unifiedPath?: string | undefined;
  /** false where it may make none there. Default true */
  readonly unifiedWritable?: boolean | undefined;
  /** why */
  readonly unifiedObstacle?: CgroupObstacle | undefined;
  /** only the mount is in the way: the launcher's own cgroup is the caller's, and can be mounted anew at the same place, as the root
   *  of a cgroup namespace. Looked for when it is asked after */
  readonly unifiedAnew?: boolean | undefined;
  /** the legacy hierarchies that are mounted, name=systemd among them */
  readonly v1: readonly CgroupHierarchy[];
  /** false where the kernel has no cgroup namespaces (before Linux 4.6). Default true */
  readonly namespace?: boolean | undefined;
}

/** One cgroup of cgroup2, on the way from the launcher's own up to the root. */
export interface UnifiedLevel {
  /** as unifiedPath */
  readonly path: string;
  /** what it could hand down: cgroup.controllers */
  readonly controllers: readonly string[];
  /** what it does hand down: cgroup.subtree_control */
  readonly enabled: readonly string[];
  /** whose processes are in it, not counting those in its children */
  readonly processes: 'none' | 'own' | 'others';
  /** of the whole hierarchy: the one place where processes and controllers of children go together */
  readonly root: boolean;
}

/** Nodes that a device policy lets through; a missing number stands for all. */
export interface DeviceRule {
  readonly type: 'char' | 'block';
  readonly major?: number | undefined;
  readonly minor?: number | undefined;
  /** of the letters r, w and m (mknod) */
  readonly access: string;
}

/** What limits can be of. Looked up only for a launch that asks for some. */
export interface ResourceFacts {
  /** bytes */
  readonly memory: number;
  /** the most tasks that the kernel will have */
  readonly tasks: number;
  /** processors and memory nodes that the launcher may use, ascending */
  readonly cpus: readonly number[];
  readonly mems: readonly number[];
  /** the launcher's own cgroup, or the nearest that is delegated to it, first; empty where it may make none */
  readonly levels: readonly UnifiedLevel[];
  /** controllers of cgroup2 that the caller's own systemd has, where it has one */
  readonly manager?: readonly string[] | undefined;
  /** `8:0` of the whole disk that a path of a property lies on */
  readonly disks: { readonly [path: string]: string | undefined };
  /** what a path or a group of DeviceAllow= means; nothing where there is no such device */
  readonly devices: { readonly [name: string]: readonly Omit<DeviceRule, 'access'>[] | undefined };
}

/** Numbers of a device node. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** Soft and hard value of one resource limit. */
export interface Rlimit {
  readonly soft: RlimitValue;
  readonly hard: RlimitValue;
}

/** A user of the host (passwd(5)). */
export interface HostUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** empty: the usual one */
  readonly shell: string;
  /** of shadow(5), where it can be read and there is one */
  readonly hashedPassword?: string | undefined;
}

/** Names and ids that the tree's /etc/passwd and /etc/group have. */
export interface Accounts {
  readonly names: readonly string[];
  readonly groups: readonly string[];
  /** of users and groups */
  readonly ids: readonly number[];
}

/** Where the journals of host and guest may meet. */
export interface JournalFacts {
  /** machine id of the guest, 32 hexadecimal digits */
  readonly id: string;
  /** it is the host's, too */
  readonly same: boolean;
  /** what the host has at /var/log/journal/ID; `unkept`: not even /var/log/journal. `empty`: a directory with nothing in it */
  readonly place: 'unkept' | 'missing' | 'empty' | 'directory' | 'link' | 'mount' | 'other';
  /** the place of the guest's journal in the tree, as a path of the host; undefined in a disk image */
  readonly inTree?: string | undefined;
}

/** The files that may become the guest's resolv.conf(5). */
export type ResolverFile = 'host' | 'static' | 'uplink' | 'stub';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Programs that speak for a guest on the host through ordinary sockets: pasta(1), slirp4netns(1). */
export type HelperKind = 'pasta' | 'slirp4netns';

/** What of the host's network matters to a launch that asks for one. */
export interface NetworkFacts {
  /** the interfaces in the launcher's network namespace */
  readonly interfaces: readonly string[];
  /** other names that were asked for (ip-link(8): altname), and the interfaces that have them */
  readonly alternatives: { readonly [name: string]: string | undefined };
  /** the host's machine-id(5): 32 hex digits */
  readonly machineId?: string | undefined;
  /** what lies at the path of --network-namespace-path, where it can be looked at */
  readonly namespace?: 'network' | 'missing' | 'denied' | 'other' | undefined;
  /** whether the host routes IPv4 packets of others */
  readonly routes?: boolean | undefined;
  /** absolute path of nft(8) */
  readonly nft?: string | undefined;
  /** the network belongs to the caller's user namespace, whose root may change it. Looked for where that is not the host's root */
  readonly own?: boolean | undefined;
  /** absolute paths of the programs that give a guest a network without the host's root; looked for like `own` */
  readonly helpers?: { readonly [kind in HelperKind]?: string | undefined } | undefined;
  /** false where the host has no default route, in either family. Looked for like `own` */
  readonly online?: boolean | undefined;
  /** IPv4 addresses of the routers that the host sends to by default. Looked for like `own` */
  readonly gateways?: readonly string[] | undefined;
  /** ports below it are for root: ip(7), ip_unprivileged_port_start. Looked for like `own` */
  readonly firstPort?: number | undefined;
}

/** `size` ids from `first` on. */
export interface IdRange {
  readonly first: number;
  readonly size: number;
}

/**
 * What a caller has for guests that is not root of the host: ids, in a user namespace that is made with the monitor, or is the
 * caller's own.
 */
export interface RootlessFacts {
  /** the maps to write; absent: the caller is root of a user namespace already, and none is made */
  readonly maps?: UserMaps | undefined;
  /** number of the ids that a guest can have, of users and of groups, from 0 on. 1: the caller's own id alone */
  readonly size: number;
  /** the ranges that these are in: a range of a map lies in one of the map around it */
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
  /** why it is one id only */
  readonly reason?: string | undefined;
}

/** What this kernel lets this user do. */
export interface HostFacts {
  readonly euid: number;
  /** the caller as the host's files know it; the name is the number where they do not */
  readonly caller: { readonly uid: number; readonly gid: number; readonly name: string };
  /** capability sets of the caller, names as in capabilities(7), lower case, without CAP_ */
  readonly capabilities: {
    readonly permitted: readonly string[];
    readonly bounding: readonly string[];
  };
  /** hard limits of the caller: what it may hand on without CAP_SYS_RESOURCE. A missing name counts as infinity */
  readonly hardLimits: { readonly [name in RlimitName]?: RlimitValue | undefined };
  /** limits that the kernel sizes from the memory of the machine, read from the host's PID 1 */
  readonly initLimits: {
    readonly NPROC?: Rlimit | undefined;
    readonly SIGPENDING?: Rlimit | undefined;
  };
  readonly cgroup: CgroupFacts;
  /** present when the spec has properties, or may make use of a delegated unit */
  readonly resources?: ResourceFacts | undefined;
  /** systemd manages the host: sd_booted(3). Default false */
  readonly systemd?: boolean | undefined;
  /** the runtime directory of the caller, where its own systemd listens: user@.service(5). Looked for when the caller is not root */
  readonly userManager?: string | undefined;
  readonly stdinTty: boolean;
  readonly stdoutTty: boolean;
  /** number of descriptors, from 3 on, that a service manager gave the caller to hand on (sd_listen_fds(3)). Default 0 */
  readonly listenFds?: number | undefined;
  /** the caller's environment: TERM, COLORTERM, NO_COLOR and what a bare --setenv=NAME copies */
  readonly env: { readonly [name: string]: string | undefined };
  /** the caller's working directory, absolute: relative bind sources start here */
  readonly cwd: string;
  readonly osRelease: OsRelease;
  /** the host's os-release file (links resolved), or undefined where there is none */
  readonly osReleasePath?: string | undefined;
  /** the machine's own architectures as uname -m names them, native first (`['x86_64', 'i686']`) */
  readonly architectures: readonly string[];
  /** device nodes beyond the standard six that the caller can open on the host */
  readonly devices: {
    readonly tun?: DeviceNumber | undefined;
    readonly fuse?: DeviceNumber | undefined;
  };
  /** present when the caller is not root of the host */
  readonly rootless?: RootlessFacts | undefined;
  /** path of fuse-overlayfs(1), where the caller can use it; looked for when an overlay is asked for and the caller is not root */
  readonly fuseOverlay?: string | undefined;
  /** false where the kernel makes no user namespaces, or this user none. Default true */
  readonly userNamespaces?: boolean | undefined;
  /** reboot(2) in a PID namespace is that of the host (Linux before 3.4). Default false */
  readonly rebootsHost?: boolean | undefined;
  /** first of 65536 user and group ids that nobody has, locked for this launch; looked for when one is to be picked */
  readonly freeRange?: number | undefined;
  /** 16 random hexadecimal digits: part of the names of what goes with this launch */
  readonly runId: string;
  /** where the writable layers of overlays are, by the absolute path that was given: without links */
  readonly uppers?: { readonly [path: string]: string } | undefined;
  /** owners of the sources of binds that are to show as the guest's root or as another user, by their absolute path */
  readonly owners?: { readonly [path: string]: Owner } | undefined;
  /** content of the host's files about name servers, one character for each byte, each read when it is asked after; undefined where
   *  there is none. `stubListens`: systemd-resolved answers at the address in its stub file */
  readonly resolver?:
    | ({ readonly [name in ResolverFile]?: string | undefined } & { readonly stubListens?: boolean })
    | undefined;
  /** the host's /etc/localtime: its text where it is a link, and the bytes of the file; undefined where there is none */
  readonly localtime?: { readonly link?: string | undefined; readonly content?: string | undefined } | undefined;
  /** the users that are to be bound, as far as there are such */
  readonly users?: readonly HostUser[] | undefined;
  /** looked for when journals are to be joined, and the host has one for the guest or is to get one */
  readonly journal?: JournalFacts | undefined;
  /** where selinuxfs is mounted, or undefined */
  readonly selinuxMount?: string | undefined;
  /** looked up only where the launch asks for interfaces, ports, or another network namespace */
  readonly network?: NetworkFacts | undefined;
}

/** Which init a tree has at the places where a boot looks for one. */
export type InitKind = 'systemd' | 'busybox' | 'sysvinit' | 'openrc' | 'unknown' | 'none';

/** A file system of a disk image that the guest gets. */
export interface ImagePartition {
  /** where it goes: / for the root */
  readonly path: string;
  /** the slot of its block device, in words: `disk.raw, partition 2` */
  readonly device: Slot;
  /** the kernel's name for its type */
  readonly type: string;
  /** it cannot be written to */
  readonly readOnly: boolean;
  /** its partition says that it is to grow */
  readonly grow: boolean;
  /** it lies in a file, which gets smaller when space is given back */
  readonly discard: boolean;
}

/** What stands in the tree. Every path in it is looked up inside the tree, never through a link that leads out of it. */
export interface TreeFacts {
  /** absolute, links resolved */
  readonly path: string;
  /** of the host's own root, which no last component names: the host's name */
  readonly hostname?: string | undefined;
  /** device and inode: whether it still is this directory when it is locked */
  readonly identity: string;
  readonly isDirectory: boolean;
  /** usr/ is there: the sign of an operating system tree */
  readonly hasUsr: boolean;
  /** the tree's etc/os-release or usr/lib/os-release */
  readonly osRelease: OsRelease | undefined;
  readonly init: InitKind;
  /** with sysvinit: the inittab has something to do on SIGPWR. Default false */
  readonly powerfail?: boolean | undefined;
  /** major version, when it can be told from the tree (the name of libsystemd-shared) */
  readonly systemdVersion?: number | undefined;
  /** 32 lower-case hex digits of etc/machine-id; undefined when the file is missing, empty or says "uninitialized" */
  readonly machineId?: string | undefined;
  /** false on a file system that is mounted read-only */
  readonly writable: boolean;
  /** looked for when users of the host are to be bound */
  readonly accounts?: Accounts | undefined;
  /** the time zone of the host is among those of the tree; looked for when a link is to lead there */
  readonly hasZone?: boolean | undefined;
  /** owners are not on the disk but in attributes of the files: the tree was made by a user with one id. Default false */
  readonly remembers?: boolean | undefined;
  /** of the tree's root. Default: root */
  readonly owner?: Owner | undefined;
  /** false where its file system cannot show other owners (mount_setattr(2), MOUNT_ATTR_IDMAP); looked for when a user namespace is
   *  asked for. Default true */
  readonly mapsOwners?: boolean | undefined;
  /** owners of paths of the tree that binds go to, by path */
  readonly owners?: { readonly [path: string]: Owner } | undefined;
  /** links of the root into /usr, path to target: `/bin` to `usr/bin`; looked for when /usr alone is to be seen */
  readonly usrLinks?: { readonly [path: string]: string } | undefined;
  /** a directory of the host where a writable layer over the tree can lie; absent: nowhere but in memory */
  readonly besides?: string | undefined;
  /** the file systems, where `path` is a disk image or a block device and not a directory; the root is among them */
  readonly image?: readonly ImagePartition[] | undefined;
}

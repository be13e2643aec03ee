// ContainerView: what the guest is to see and to be, as plain data. It says nothing about how a kernel gets there; that is
// what the lowerings are for.

import type { InitKind, Rlimit } from '../facts';
import type { ConsoleMode, LateText, MountFlag, RlimitName, SeccompFilter, Slot } from '../plan';

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

/** What the root is made of: a directory of the host (absolute path), or a file system of an image. */
export type RootView = { readonly readOnly: boolean } & (
  | { readonly kind: 'directory'; readonly source: string }
  | ({ readonly kind: 'image' } & DeviceFilesystem)
);

/** What stands at a path of the guest. Entries come in an order in which each finds what it needs. */
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
    }
  /** a further file system of the image */
  | ({ readonly kind: 'device'; readonly path: string } & DeviceFilesystem)
  /** another path of the guest, or the same one with other flags */
  | {
      readonly kind: 'guest';
      readonly path: string;
      readonly source: string;
      readonly recursive: boolean;
      readonly flags: readonly MountFlag[];
      readonly optional?: boolean;
    }
  /** one top directory of sysfs, where /sys itself is only a skeleton */
  | { readonly kind: 'sysfs'; readonly path: string; readonly part: string; readonly flags: readonly MountFlag[] }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly content: string | LateText | RunVariable;
    }
  | {
      readonly kind: 'node';
      readonly path: string;
      readonly type: 'char' | 'block' | 'fifo' | 'socket' | 'regular';
      readonly mode: number;
      readonly major?: number;
      readonly minor?: number;
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
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
  | { readonly kind: 'unified'; readonly optional: boolean }
  | { readonly kind: 'legacy'; readonly hierarchies: readonly LegacyHierarchy[] }
  /** no namespace: all of the host's cgroup2, read-only, but for the guest's own cgroup */
  | { readonly kind: 'host' };

export interface Variable {
  readonly name: string;
  readonly value: string | RunVariable;
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

export interface ContainerView {
  readonly machine: string;
  readonly hostname: string;
  /** machine id, 32 hex digits; without it lower() takes the run's random one */
  readonly uuid?: string;
  readonly root: RootView;
  readonly entries: readonly Entry[];
  readonly cgroup: CgroupLayout;
  readonly payload: PayloadView;
  readonly environment: readonly Variable[];
  readonly console: ConsoleMode;
  /** number of the caller's descriptors, from 3 on, that the payload gets */
  readonly listen: number;
  /** signal number that asks PID 1 to shut down; 0: there is none */
  readonly killSignal: number;
  readonly restart: boolean;
  readonly notifyReady: boolean;
  readonly privateNetwork: boolean;
  /** namespaces of the host that the guest stays in */
  readonly sharedNamespaces: readonly ('ipc' | 'uts')[];
  /** SELinux label of the files of the API file systems */
  readonly apiLabel?: string;
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

// What the user wants, whatever it was written in (command line, settings file, API call). Nothing here was looked up: paths
// are as given, absent fields mean "not said", and view() fills in what follows from the host and the tree.

import type { Rlimit } from './facts';
import type { RlimitName } from './plan';

/** One `--setenv`: without a value the caller's is copied, an unset one as the empty string. */
export interface EnvAssignment {
  readonly name: string;
  readonly value?: string;
}

/** One `--bind` or `--bind-ro`. */
export interface BindMount {
  readonly kind: 'bind';
  /** a path of the host, relative to the caller's directory, or one of the tree when `inTree` is set */
  readonly source: string;
  readonly inTree: boolean;
  /** absolute; without it the same path as the source */
  readonly destination?: string;
  readonly readOnly: boolean;
  readonly recursive: boolean;
}

/** One `--tmpfs`. */
export interface TmpfsMount {
  readonly kind: 'tmpfs';
  readonly destination: string;
  /** mount options as in mount(8)'s -o; without them `mode=0755` */
  readonly options?: string;
}

export type CustomMount = BindMount | TmpfsMount;

/** Console modes that can be asked for; autopipe is settled by looking at the caller's terminal. */
export type RequestedConsole = 'interactive' | 'read-only' | 'passive' | 'pipe' | 'autopipe';

/** `pid1`: the command is PID 1 itself. `pid2`: a stub is PID 1. `boot`: an init is looked for and is PID 1. */
export type StartMode = 'pid1' | 'pid2' | 'boot';

export interface ContainerSpec {
  /** the tree as given; without it the machine's place in the search path, else the current directory */
  readonly directory?: string;
  /** machine name; without it made from the last component of the tree's path */
  readonly machine?: string;
  readonly start: StartMode;
  /** the command and its arguments; with `boot` the arguments of init */
  readonly command: readonly string[];
  readonly user?: string;
  readonly chdir?: string;
  readonly env: readonly EnvAssignment[];
  /** the UTS name; without it the machine name */
  readonly hostname?: string;
  /** 32 lower-case hex digits; counts only where the tree's machine id is unset */
  readonly uuid?: string;
  readonly console?: RequestedConsole;
  /** signal number for an orderly end */
  readonly killSignal?: number;
  /** say READY=1 to the service manager when the guest says so, instead of at its start */
  readonly notifyReady: boolean;
  /** a guest reboot ends the launcher with status 133 instead of starting the guest again */
  readonly keepUnit: boolean;
  readonly readOnly: boolean;
  readonly mounts: readonly CustomMount[];
  /** whether /tmp becomes a tmpfs; false keeps the tree's own */
  readonly tmpfsTmp: boolean;
  readonly privateNetwork: boolean;
  /** capability names (lower case, without CAP_) or `all`: added to the default set, then taken from it */
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /** file system syncs of the guest do nothing */
  readonly suppressSync: boolean;
  readonly rlimits: { readonly [name in RlimitName]?: Rlimit };
  /** -1000..1000; without it the caller's stays */
  readonly oomScoreAdjust?: number;
  readonly personality?: 'x86' | 'x86-64';
  /** true: cgroup2 alone, false: the legacy hierarchies; without it what the guest's init understands */
  readonly unifiedCgroup?: boolean;
  /** false: a tree is started without looking for usr/ and os-release in it */
  readonly checkOs: boolean;
}

// What the doctor knows, and how it answers. The facts are plain data, read and tried in facts.ts; the checks make answers of them.

import type { Mount, OsRelease } from '@tsnspawn/core';
import type { Trials } from './trials';

/** What this process runs in, by the name of what made it. */
export type ContainerKind =
  | 'docker'
  | 'podman'
  | 'kubernetes'
  | 'lxc'
  | 'systemd-nspawn'
  | 'tsnspawn'
  | 'wsl'
  | 'another container';

export interface CallerFacts {
  readonly uid: number;
  readonly gid: number;
  /** undefined where no database of users has the uid */
  readonly name?: string | undefined;
  /** effective ones, names as in capabilities(7), lower case, without CAP_ */
  readonly capabilities: readonly string[];
  /** false: root of this namespace is somebody else on the host */
  readonly initialUserNamespace: boolean;
  /** set-id programs have no effect: prctl(2), PR_SET_NO_NEW_PRIVS */
  readonly noNewPrivileges: boolean;
  /** a seccomp filter looks at every system call */
  readonly filtered: boolean;
  readonly chrooted: boolean;
}

/** The ids that a guest would have. */
export interface IdFacts {
  /** `root`: those of the host; `inherited`: those of the user namespace that the caller is root of; `direct`: written by the caller
   *  itself; `mapped`: by newuidmap(1) and newgidmap(1); `single`: the caller's own */
  readonly kind: 'root' | 'inherited' | 'direct' | 'mapped' | 'single';
  readonly size: number;
  /** why it is one id only */
  readonly reason?: string | undefined;
  /** how many are the caller's, by /etc/subuid and /etc/subgid or by another source of nsswitch.conf(5) */
  readonly subordinate: { readonly uids: number; readonly gids: number; readonly source?: string | undefined };
  /** first id that is in nobody's range: for a line that is to be added */
  readonly free: number;
}

/** newuidmap(1) or newgidmap(1). */
export interface HelperFacts {
  readonly path: string;
  /** it has the set-id bit of root, or file capabilities */
  readonly privileged: boolean;
  /** its file system is mounted nosuid: neither counts */
  readonly nosuid: boolean;
}

export interface DoctorFacts {
  readonly caller: CallerFacts;
  readonly container?: ContainerKind | undefined;
  readonly osRelease: OsRelease & { readonly idLike?: string | undefined };
  readonly ids: IdFacts;
  readonly helpers: { readonly newuidmap?: HelperFacts | undefined; readonly newgidmap?: HelperFacts | undefined };
  /** what became of a real map of all ids; absent where none was tried */
  readonly map?: { readonly works: boolean; readonly said: string } | undefined;
  /** contents of files below /proc/sys, without the newline; a missing one is undefined */
  readonly sysctl: { readonly [path: string]: string | undefined };
  /** SELinux enforces a policy */
  readonly selinux: boolean;
  readonly trials: Trials;
  readonly mounts: readonly Mount[];
  readonly cgroup: {
    /** as a path of the host; undefined where no hierarchy is mounted */
    readonly path?: string | undefined;
    readonly version: 1 | 2;
    /** why no cgroup can be made in it, or processes not moved there; undefined: they can */
    readonly refusal?: string | undefined;
    /** they can by a mount of the caller's own */
    readonly anew?: boolean | undefined;
    readonly controllers: readonly string[];
    /** what root has to type for the caller to get one, where no systemd manages the host */
    readonly delegation?: string | undefined;
  };
  readonly systemd: {
    /** it manages this host: sd_booted(3) */
    readonly booted: boolean;
    /** why the caller's own manager does not answer; undefined: it does */
    readonly userManager?: string | undefined;
  };
  /** paths of programs, by their names */
  readonly programs: { readonly [name: string]: string | undefined };
  /** whether the caller can open /dev/net/tun */
  readonly tun: 'open' | 'denied' | 'missing';
  /** the directory that is asked about */
  readonly place: { readonly path: string; readonly fs: string; readonly readOnly: boolean };
  /** the program whose profile AppArmor would have to know */
  readonly executable: string;
}

export type Answer = 'yes' | 'partly' | 'no';

export interface Finding {
  readonly answer: Answer;
  /** what was found */
  readonly detail: string;
  /** what is lost by it */
  readonly cost?: string | undefined;
  /** commands that would mend it */
  readonly mend?: readonly string[] | undefined;
  /** an earlier refusal stands in the way: nothing is known. Default false */
  readonly untried?: boolean | undefined;
}

export interface Check {
  /** stable name for programs */
  readonly key: string;
  readonly question: string;
  /** no launch without it */
  readonly needed?: boolean;
  /** undefined: it does not matter to this caller */
  readonly look: (facts: DoctorFacts) => Finding | undefined;
}

export interface CheckResult extends Finding {
  readonly key: string;
  readonly question: string;
  readonly needed: boolean;
}

/** How a launch would run now. */
export type Mode = 'root' | 'user' | 'user-one-id' | 'ptrace' | 'none';

export interface TreeReport {
  readonly path: string;
  readonly fileSystem: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** owners are in attributes of its files */
  readonly remembers: boolean;
  readonly writable: boolean;
  readonly answer: Answer;
  readonly detail: string;
  readonly mend?: readonly string[] | undefined;
}

export interface Diagnosis {
  readonly caller: CallerFacts & { readonly container: ContainerKind | null };
  readonly checks: readonly CheckResult[];
  readonly mode: Mode;
  /** number of the ids that a guest would have */
  readonly ids: number;
  /** the same in words */
  readonly summary: string;
  /** keys of the checks that stand against a launch */
  readonly missing: readonly string[];
  /** what the caller can do without one; absent where a launch is possible */
  readonly left?: string | undefined;
  readonly tree?: TreeReport | undefined;
}

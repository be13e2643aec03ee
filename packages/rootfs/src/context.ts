// What every variant of a bootstrap works with.
import type { RepositoryOptions } from './apt/repository';
import type { OwnerKeeping } from './archive/tree-writer';
import type { GuestRunner } from './guest';
import type { Progress } from './progress';

export const VARIANTS = ['system', 'minbase', 'busybox', 'host'] as const;
export type Variant = (typeof VARIANTS)[number];

/** Packages that make a system of the essential ones: an init, and what goes with it. */
export const INITS = {
  systemd: ['systemd-sysv', 'dbus'],
  sysvinit: ['sysvinit-core'],
} as const;
export type Init = keyof typeof INITS;

/** What a caller wants. */
export interface BootstrapOptions {
  /** Name of the suite; `host` for the variant of that name. */
  readonly suite: string;
  /** Where the tree is to be: a path that does not exist, or an empty directory. */
  readonly directory: string;
  /** URL or absolute path of an archive; by default what the host's APT is set up with. */
  readonly mirror?: string | undefined;
  /** `system` by default. */
  readonly variant?: Variant;
  /** Of the variant `system`; `systemd` by default. */
  readonly init?: Init | undefined;
  /** Packages wanted beside the variant's own. */
  readonly include?: readonly string[];
  readonly components?: readonly string[];
  /** File of the public keys that are trusted; by default those of the host's distribution. */
  readonly keyring?: string | undefined;
  /** Where verified downloads are kept. */
  readonly cache?: string | undefined;
  /** Debian's name of the architecture; by default the host's. */
  readonly architecture?: string | undefined;
  readonly autologin?: boolean;
  /** Take a Release that is past its Valid-Until. */
  readonly acceptExpired?: boolean;
  /** Script of this project's launcher, which runs the packages' scripts; or `runner` in its place. */
  readonly launcher?: string | undefined;
  readonly runner?: GuestRunner | undefined;
  /** The static program that tells the launcher that a guest is up. */
  readonly notifyHelper?: string | undefined;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** Directory of the host's APT set-up; /etc/apt. */
  readonly aptDirectory?: string;
}

/** What it takes to choose archives, and to fetch from them. */
export interface ArchiveContext extends RepositoryOptions {
  readonly options: Pick<BootstrapOptions, 'suite' | 'mirror' | 'keyring' | 'aptDirectory'> & {
    readonly components: readonly string[];
  };
}

/** Options with what was left open filled in, and the means to carry them out. */
export interface Context extends ArchiveContext {
  readonly options: BootstrapOptions & {
    readonly architecture: string;
    readonly variant: Variant;
    readonly components: readonly string[];
  };
  /** What becomes of the owners of packages' files. */
  readonly owners: OwnerKeeping;
  readonly runner: GuestRunner;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

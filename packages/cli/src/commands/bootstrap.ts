// tsnspawn bootstrap: options to one call of the library, its errors to lines, signals to an orderly end.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatError } from '@tsnspawn/core';
import { builtFile } from '@tsnspawn/native';
import {
  BootstrapError,
  type BootstrapOptions,
  bootstrap,
  INITS,
  type Init,
  terminalProgress,
  VARIANTS,
  type Variant,
} from '@tsnspawn/rootfs';
import { namespaceRefusal, probeHost, refusesIds, runAgainAsRoot } from '@tsnspawn/runtime';
import { Command, Option } from 'clipanion';
import { STDIO } from '../stdio';
import { interruptible } from './interrupt';
import { Verb } from './verb';

/** Exit status when there is no mirror, or none that answers: a script may then do without one. */
const NO_MIRROR = 3;

export class BootstrapCommand extends Verb {
  static override paths = [['bootstrap']];

  static override usage = Command.Usage({
    description: 'make a tree of a Debian suite',
    details: `
      Makes DIR, a directory that holds the operating system SUITE, from the packages of MIRROR. Without MIRROR it is what this
      host's APT is set up with: its main archive, and for a released suite also the updates and security suites it uses.

      Every package is verified: the archive's signature by the keyring, the rest by SHA256. The tree is made beside DIR and
      moved there when it is complete; after a failure nothing is left behind. An existing DIR must be empty.

      Variants: \`system\`, the default, boots: the essential packages, those of priority required, an init (--init), and what
      --include names, with what they need. \`minbase\` is the same without an init. \`busybox\` is one static program under many
      names, which boots at once; \`host\` is made of this host's own programs, without any mirror, whatever its SUITE is called.
      Both need no privileges.

      The status is 0 when the tree is there, 3 when there is no mirror or none that answers, and 1 after any other failure.
    `,
    examples: [
      ['A system that boots and logs root in on its console', '$0 bootstrap bookworm ./debian --autologin'],
      ['One without systemd', '$0 bootstrap bookworm ./debian --init=sysvinit'],
      ['From a mirror of your choice, or a directory', '$0 bootstrap trixie ./trixie /srv/mirror/debian'],
      ['A tree for quick tests', '$0 bootstrap --variant=busybox bookworm ./tiny'],
      ['Without any network', '$0 bootstrap --variant=host host ./tree'],
    ],
  });

  static override readonly operands = [
    { from: 'words', words: ['bookworm', 'trixie', 'sid', 'stable', 'testing'] },
    { from: 'directories' },
    { from: 'directories' },
  ] as const;
  static override readonly values = {
    '--variant': { from: 'words', words: VARIANTS },
    '--init': { from: 'words', words: Object.keys(INITS) },
    '--components': { from: 'list', words: ['main', 'contrib', 'non-free', 'non-free-firmware'] },
    '--keyring': { from: 'files' },
    '--cache': { from: 'directories' },
  } as const;

  suite = Option.String({ name: 'SUITE' });
  directory = Option.String({ name: 'DIR' });
  mirror = Option.String({ name: 'MIRROR', required: false });

  variant = Option.String('--variant', { description: 'system (the default), minbase, busybox or host' });
  init = Option.String('--init', { description: 'systemd (the default) or sysvinit' });
  include = Option.Array('--include', [], {
    description: 'packages to install as well, separated by commas; may be repeated',
  });
  components = Option.Array('--components', [], {
    description: 'components of the archive, separated by commas; main',
  });
  keyring = Option.String('--keyring', { description: 'file of the public keys to trust' });
  cache = Option.String('--cache', { description: 'directory where verified downloads are kept' });
  architecture = Option.String('--arch', { description: "the architecture, by Debian's name; this host's" });
  autologin = Option.Boolean('--autologin', false, { description: 'log root in on the console without a password' });
  acceptExpired = Option.Boolean('--accept-expired', false, {
    description: 'take an archive that is past its Valid-Until',
  });
  quiet = Option.Boolean('-q,--quiet', false, { description: 'no progress' });

  protected override async run(): Promise<number> {
    const status = this.#runAsRoot();
    if (status !== undefined) return status;
    return interruptible(
      (signal) => new BootstrapError('CANCELLED', `cannot make ${this.directory}: interrupted by ${signal}`),
      async (signal) => {
        await bootstrap(this.#options(signal));
        return 0;
      },
      (error) => {
        STDIO.err(formatError(error));
        return error.code === 'NO_MIRROR' || error.code === 'MIRROR_UNREACHABLE' ? NO_MIRROR : 1;
      },
    );
  }

  /** Packages have files of several users: who is not root makes them as root of a user namespace with several ids, if there are any. */
  #runAsRoot(): number | undefined {
    if (this.variant === 'busybox' || this.variant === 'host') return undefined;
    const { rootless } = probeHost();
    const say = (words: string): void => {
      if (!this.quiet) STDIO.err(`tsnspawn: ${words}\n`);
    };
    const refusal = namespaceRefusal();
    if (refusal !== undefined) {
      say(`${refusal}; scripts of packages are run by the engine ptrace, which is slower`);
      return undefined;
    }
    let reason = rootless?.size === 1 ? rootless.reason : undefined;
    if (rootless?.maps !== undefined && rootless.size > 1) {
      try {
        return runAgainAsRoot();
      } catch (error) {
        if (!refusesIds(error)) throw error;
        reason = error.message;
      }
    }
    if (reason !== undefined) say(`owners of files will be remembered only: ${reason}`);
    return undefined;
  }

  #options(signal: AbortSignal): BootstrapOptions {
    return {
      suite: this.suite,
      directory: this.directory,
      mirror: this.mirror,
      ...(this.variant !== undefined && { variant: this.variant as Variant }),
      ...(this.init !== undefined && { init: this.init as Init }),
      include: list(this.include),
      ...(this.components.length > 0 && { components: list(this.components) }),
      keyring: this.keyring,
      cache: this.cache,
      architecture: this.architecture,
      autologin: this.autologin,
      acceptExpired: this.acceptExpired,
      launcher: LAUNCHER,
      notifyHelper: notifyHelper(),
      ...(this.quiet ? {} : { progress: terminalProgress() }),
      signal,
    };
  }
}

/** The launcher as users start it; this file is part of a bundle beside its directory, or one directory further down. */
const LAUNCHER = [join(__dirname, '../bin/tsnspawn.cjs'), join(__dirname, '../../bin/tsnspawn.cjs')].find((file) =>
  existsSync(file),
);

function notifyHelper(): string | undefined {
  try {
    return builtFile('tsnspawn-notify');
  } catch {
    return undefined; // Only some trees want it; those say so.
  }
}

function list(values: readonly string[]): string[] {
  return values
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

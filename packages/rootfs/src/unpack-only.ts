// Packages of an archive, verified as for a bootstrap, and unpacked without anything else: not what they depend on, no scripts, no
// database. For what is no system.
import type { Package } from './apt/packages';
import { loadUniverse } from './apt/repository';
import { openDeb } from './archive/ar';
import { readData } from './archive/deb';
import { writeEntry } from './archive/tar';
import { TreeWriter } from './archive/tree-writer';
import type { ArchiveContext } from './context';
import { fetchPackage } from './debian';
import { packageText } from './dpkg/unpack';
import { BootstrapError } from './errors';
import { Cache, defaultCacheDirectory } from './fetch/cache';
import { Transport } from './fetch/transport';
import { aptProxy, openArchives } from './mirror';

export interface UnpackOptions {
  readonly suite: string;
  readonly packages: readonly string[];
  /** An empty directory. */
  readonly directory: string;
  /** Debian's name of it. */
  readonly architecture: string;
  /** URL or absolute path of an archive; by default what the host's APT is set up with. */
  readonly mirror?: string | undefined;
  /** File of the public keys that are trusted; by default those of the host's distribution. */
  readonly keyring?: string | undefined;
  /** Where verified downloads are kept. */
  readonly cache?: string | undefined;
}

/** Unpack packages, whose files then are the caller's. Resolves to their versions by their names. */
export async function unpackOnly(options: UnpackOptions): Promise<Map<string, string>> {
  const { suite, directory, packages, mirror, keyring, architecture } = options;
  const { signal } = new AbortController();
  const transport = new Transport({ signal, proxy: mirror?.startsWith('/') ? undefined : aptProxy() });
  try {
    const context: ArchiveContext = {
      options: { suite, mirror, keyring, components: ['main'] },
      architecture,
      acceptExpired: false,
      now: new Date(),
      transport,
      cache: new Cache(options.cache ?? defaultCacheDirectory()),
    };
    const universe = await loadUniverse(await openArchives(context), context);
    const writer = new TreeWriter(directory, { owners: 'caller', merged: new Set(['lib', 'lib64']) });
    const versions = new Map<string, string>();
    try {
      for (const name of packages) {
        const one = universe.candidate(name);
        if (one === undefined) throw new BootstrapError('DEPENDENCY', `there is no package ${name} in ${suite}`);
        await unpack(one, await fetchPackage(context, one), writer);
        versions.set(name, one.version);
      }
    } finally {
      writer.close();
    }
    return versions;
  } finally {
    await transport.close();
  }
}

async function unpack(one: Package, file: string, writer: TreeWriter): Promise<void> {
  const what = packageText(one);
  await readData(openDeb(file, what), what, (entry) => writeEntry(writer, entry));
}

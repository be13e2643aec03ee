// Which archives a bootstrap uses, and with which keys it trusts them.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { type Archive, type OpenedArchive, openArchive, SuiteUnknownError } from './apt/repository';
import { type Keyring, readKeyring } from './apt/signature';
import { aptBoolean, chooseSources, readAptSources, type Source } from './apt/sources';
import type { ArchiveContext } from './context';
import { BootstrapError } from './errors';
import { mirrorUrl } from './fetch/transport';

/** Where distributions put the keys of their archives; every one that exists is trusted when nothing was named. */
const KEYRINGS = [
  '/usr/share/keyrings/debian-archive-keyring.pgp',
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
] as const;

/**
 * Open the archives for a request. With a mirror named it is that one alone. Without, it is what the host's APT uses: the main
 * archive, and for a released suite also its updates and security suites where the host has such.
 */
export async function openArchives(context: ArchiveContext): Promise<OpenedArchive[]> {
  const { options } = context;
  if (options.mirror !== undefined) {
    const uri = mirrorUrl(options.mirror);
    if (uri.startsWith('file:') && !fs.existsSync(new URL(uri)))
      throw new BootstrapError('MIRROR_UNREACHABLE', `cannot use the mirror ${options.mirror}: no such directory`, {
        path: options.mirror,
      });
    const archive = {
      uri,
      suite: options.suite,
      components: options.components,
      keyrings: keyringsFor(options.keyring, undefined),
    };
    return [await openArchive(archive, context)];
  }
  const chosen = chooseSources(readAptSources(options.aptDirectory), options.suite, osRelease().VERSION_CODENAME);
  if (chosen.main.length === 0) {
    throw new BootstrapError('NO_MIRROR', 'cannot choose a mirror: this host’s APT is not set up with one', {
      hint: `name one behind the directory: tsnspawn bootstrap ${options.suite} DIR https://HOST/debian`,
    });
  }
  const main = await openFirst(chosen.main, context);
  // Suites in the making have no version, and their updates go into the suite itself.
  if (main.release.version === undefined) return [main];
  const updates = chosen.updates && { ...chosen.updates, uri: main.uri };
  const sides = [updates, chosen.security].filter((source) => source !== undefined);
  return [
    main,
    ...(await Promise.all(
      sides.map((source) => openArchive(archiveOf(byCodename(source, main, options.suite), context), context)),
    )),
  ];
}

/** A request for `stable` goes by the name that the verified Release gives, so that all its parts are of one release. */
function byCodename(source: Source, main: OpenedArchive, asked: string): Source {
  const { codename } = main.release;
  return codename === undefined || !source.suite.startsWith(asked)
    ? source
    : { ...source, suite: codename + source.suite.slice(asked.length) };
}

async function openFirst(sources: readonly Source[], context: ArchiveContext): Promise<OpenedArchive> {
  let unknown: unknown;
  for (const source of sources) {
    try {
      return await openArchive(archiveOf(source, context), context);
    } catch (error) {
      if (!(error instanceof SuiteUnknownError)) throw error;
      unknown ??= error;
    }
  }
  throw unknown;
}

function archiveOf(source: Source, { options }: ArchiveContext): Archive {
  return {
    uri: mirrorUrl(source.uri),
    suite: source.suite,
    components: options.components,
    keyrings: keyringsFor(options.keyring, source.signedBy),
    acceptExpired: !(source.checkValidUntil ?? aptChecksValidUntil()),
  };
}

/** The keys to trust: those named on the command line, else those the host's APT trusts for that source, else the host's all. */
function keyringsFor(named: string | undefined, signedBy: string | undefined): Keyring[] {
  if (named !== undefined) return [readKeyring(named)];
  if (signedBy?.startsWith('-----BEGIN'))
    return [{ name: 'the keys in the host’s APT set-up', data: Buffer.from(signedBy) }];
  const found = KEYRINGS.filter((path) => fs.existsSync(path));
  // The distribution's own keyring may be newer than a copy that a source points at, and holds the keys of later releases.
  const names =
    signedBy !== undefined && fs.existsSync(signedBy)
      ? [...new Set([signedBy, ...(found.includes(signedBy as never) ? found : [])])]
      : found;
  if (names.length === 0) {
    throw new BootstrapError(
      'KEYRING_MISSING',
      'cannot verify the archive: this host has no keyring of a distribution',
      {
        hint: 'install debian-archive-keyring, or name the file that holds the archive’s public keys with --keyring=FILE',
      },
    );
  }
  return names.map((name) => readKeyring(name));
}

/** The proxy that the host's APT is set up with, if any. */
export function aptProxy(): string | undefined {
  const value = aptSetting('Acquire::http::Proxy');
  return value === 'DIRECT' ? undefined : value;
}

/**
 * Whether the host's APT refuses a Release that is past its Valid-Until. Where its administrator has switched that off, for a
 * mirror that is kept at some past day, the bootstrap that uses the same mirror by default must not know better.
 */
function aptChecksValidUntil(): boolean {
  return aptBoolean(aptSetting('Acquire::Check-Valid-Until')) ?? true;
}

const known = new Map<string, string | undefined>();

/** A setting of the host's APT; undefined when it is not set or there is no APT. */
function aptSetting(name: string): string | undefined {
  if (!known.has(name)) {
    const { stdout } = spawnSync('apt-config', ['shell', 'VALUE', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    known.set(name, /^VALUE='([^']+)'/m.exec(stdout ?? '')?.[1]);
  }
  return known.get(name);
}

/** The fields of /etc/os-release. */
export function osRelease(): Readonly<Record<string, string>> {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    if (!fs.existsSync(file)) continue;
    for (const match of fs.readFileSync(file, 'utf8').matchAll(/^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))$/gm))
      fields[match[1] as string] = match[2] ?? match[3] ?? match[4] ?? '';
    break;
  }
  return fields;
}

const MACHINES: Readonly<Record<string, string>> = {
  arm: 'armhf',
  arm64: 'arm64',
  ia32: 'i386',
  loong64: 'loong64',
  ppc64: 'ppc64el',
  riscv64: 'riscv64',
  s390x: 's390x',
  x64: 'amd64',
};

/** The host's architecture as Debian calls it. */
export function hostArchitecture(): string {
  const asked = spawnSync('dpkg', ['--print-architecture'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const answer = asked.stdout?.trim();
  return asked.status === 0 && answer ? answer : (MACHINES[process.arch] ?? process.arch);
}

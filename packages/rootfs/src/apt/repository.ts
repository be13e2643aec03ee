// From an archive's address to the packages it offers: fetch and verify the Release of each suite, then the indices it
// lists. Nothing is handed to a decompressor or a parser before it was verified.
import * as fs from 'node:fs';
import createDebug from 'debug';
import { decompressBuffer } from '../archive/compression';
import { BootstrapError } from '../errors';
import type { Cache } from '../fetch/cache';
import { downloadFile, downloadText } from '../fetch/download';
import { displayUrl, NotFoundError, type Transport } from '../fetch/transport';
import { PackageUniverse } from './packages';
import { packagesIndex, parseRelease, type Release } from './release';
import { type Keyring, verifyClearSigned, verifyDetached } from './signature';

const debug = createDebug('tsnspawn:bootstrap');
const RELEASE_LIMIT = 16 << 20;
const INDEX_LIMIT = 1 << 30;

/** One suite of one archive. */
export interface Archive {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  readonly keyrings: readonly Keyring[];
  /** Take a Release that is past its Valid-Until, because the host's APT takes it from there. */
  readonly acceptExpired?: boolean;
}

export interface OpenedArchive extends Archive {
  readonly release: Release;
}

export interface RepositoryOptions {
  readonly transport: Transport;
  readonly cache: Cache;
  readonly architecture: string;
  readonly acceptExpired: boolean;
  readonly now: Date;
}

/** Fetch and verify the Release file of a suite. */
export async function openArchive(archive: Archive, options: RepositoryOptions): Promise<OpenedArchive> {
  const base = `${archive.uri}/dists/${archive.suite}`;
  const { text, what } = await fetchRelease(base, archive, options.transport);
  const release = parseRelease(text, {
    suite: archive.suite,
    architecture: options.architecture,
    now: options.now,
    acceptExpired: options.acceptExpired || archive.acceptExpired === true,
    what,
  });
  for (const component of archive.components) {
    if (release.components.length > 0 && !release.components.includes(component)) {
      throw new BootstrapError('RELEASE_INVALID', `cannot use ${what}: the suite has no component ${component}`, {
        path: what,
        hint: `it has ${release.components.join(', ')}`,
      });
    }
  }
  debug('%s: %s %s', what, release.codename ?? release.suite, release.version ?? '');
  return { ...archive, release };
}

/** InRelease where there is one, else the older pair of Release and Release.gpg; only verified text is returned. */
async function fetchRelease(
  base: string,
  archive: Archive,
  transport: Transport,
): Promise<{ text: string; what: string }> {
  try {
    const what = displayUrl(`${base}/InRelease`);
    const message = await downloadText(transport, `${base}/InRelease`, RELEASE_LIMIT);
    return { text: await verifyClearSigned(message.toString('utf8'), archive.keyrings, what), what };
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  const what = displayUrl(`${base}/Release`);
  try {
    const text = (await downloadText(transport, `${base}/Release`, RELEASE_LIMIT)).toString('utf8');
    const signature = await downloadText(transport, `${base}/Release.gpg`, RELEASE_LIMIT);
    const armored = signature.subarray(0, 10).toString('latin1').startsWith('-----BEGIN');
    await verifyDetached(text, armored ? signature.toString('latin1') : signature, archive.keyrings, what);
    return { text, what };
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new SuiteUnknownError(archive, error);
  }
}

/** The archive answers, but has no such suite. */
export class SuiteUnknownError extends BootstrapError {
  constructor(archive: Archive, cause: unknown) {
    super(
      'SUITE_UNKNOWN',
      `cannot find the suite ${archive.suite} on ${displayUrl(archive.uri)}: it has no InRelease file`,
      {
        path: displayUrl(`${archive.uri}/dists/${archive.suite}`),
        hint: 'check the name of the suite and the mirror',
        cause,
      },
    );
    this.name = 'SuiteUnknownError';
  }
}

/** Fetch the indices of all archives and read them into one universe. */
export async function loadUniverse(
  archives: readonly OpenedArchive[],
  options: RepositoryOptions,
): Promise<PackageUniverse> {
  const universe = new PackageUniverse(options.architecture);
  const parts = archives.flatMap((archive) => archive.components.map((component) => ({ archive, component })));
  const texts = await Promise.all(parts.map(({ archive, component }) => loadIndex(archive, component, options)));
  // Added in the order of the archives, so that the result does not depend on which download ended first.
  parts.forEach(({ archive }, index) => {
    const text = texts[index];
    if (text !== undefined) universe.add(text, archive.uri);
  });
  return universe;
}

async function loadIndex(
  archive: OpenedArchive,
  component: string,
  options: RepositoryOptions,
): Promise<string | undefined> {
  const { architecture, cache, transport } = options;
  const { release } = archive;
  const plain = release.files.get(`${component}/binary-${architecture}/Packages`);
  const file = packagesIndex(release, component, architecture);
  if (file === undefined) {
    throw new BootstrapError(
      'RELEASE_INVALID',
      `cannot use ${displayUrl(archive.uri)}: ${archive.suite} lists no packages of ${component} for ${architecture}`,
    );
  }
  if (file.size > INDEX_LIMIT || (plain?.size ?? 0) > INDEX_LIMIT) {
    throw new BootstrapError(
      'RELEASE_INVALID',
      `cannot use ${displayUrl(archive.uri)}: its index of ${component} is larger than 1 GB`,
    );
  }
  if (file.size === 0 || plain?.size === 0) return undefined;
  // The plain text is what is kept: checking its sum costs a tenth of decompressing it again.
  const kept = plain && (await cache.find('index', plain.sha256, plain.size));
  if (kept !== undefined) return (await fs.promises.readFile(kept)).toString('latin1');

  const base = `${archive.uri}/dists/${archive.suite}`;
  const directory = file.path.slice(0, file.path.lastIndexOf('/'));
  const byHash = `${base}/${directory}/by-hash/SHA256/${file.sha256}`;
  const expected = { size: file.size, sha256: file.sha256, what: `the index of ${component}` };
  let path: string;
  try {
    path = await downloadFile(transport, cache, 'index', {
      ...expected,
      url: release.byHash ? byHash : `${base}/${file.path}`,
    });
  } catch (error) {
    if (!release.byHash || !(error instanceof NotFoundError)) throw error;
    path = await downloadFile(transport, cache, 'index', { ...expected, url: `${base}/${file.path}` });
  }
  const packed = await fs.promises.readFile(path);
  if (file === plain) return packed.toString('latin1');
  const text = await decompressBuffer(packed, file.path.endsWith('.xz') ? 'xz' : 'gz', plain?.size ?? INDEX_LIMIT);
  if (plain !== undefined && text.length === plain.size) {
    await keepIndex(cache, text, plain.sha256);
    fs.rmSync(path, { force: true });
  }
  return text.toString('latin1');
}

async function keepIndex(cache: Cache, text: Buffer, sha256: string): Promise<void> {
  const temporary = cache.temporary('index');
  try {
    await fs.promises.writeFile(temporary, text, { flag: 'wx' });
    cache.keep(temporary, 'index', sha256);
  } catch (error) {
    // The cache is there for speed: a bootstrap does not fail because it is full.
    debug('cannot keep an index: %o', error);
    fs.rmSync(temporary, { force: true });
  }
}

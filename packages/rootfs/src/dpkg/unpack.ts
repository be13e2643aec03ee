// All packages at once into the tree: each is fetched, verified and extracted as soon as it can be, with no order between them.
// What order would decide is settled afterwards: which package's directory sets the mode, and who owns a path that two have.
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import createDebug from 'debug';
import type { Package } from '../apt/packages';
import { relationAccepts } from '../apt/relation';
import { type DebFile, openDeb } from '../archive/ar';
import { type ControlFiles, readControls, readData, readPlainData } from '../archive/deb';
import { type Entry, writeEntry } from '../archive/tar';
import { type Attributes, splitMember, type TreeWriter } from '../archive/tree-writer';
import { runXzLane, type XzJob, xzPlainSize } from '../archive/xz-lane';
import { BootstrapError, errorCode, writeFailure } from '../errors';
import { forEachParallel } from '../fetch/download';

const debug = createDebug('tsnspawn:bootstrap:unpack');
/** Decompressors at work at a time; the writing itself happens in this process. */
const EXTRACTORS = 3;
const DOWNLOADS = 12;

/** A package whose files lie in the tree. */
export interface Unpacked {
  readonly package: Package;
  readonly deb: DebFile;
  readonly control: ControlFiles;
  /** Its paths as the package database lists them, in the order of its archive. */
  readonly paths: readonly string[];
}

interface Extracted {
  readonly package: Package;
  readonly deb: DebFile;
  readonly paths: string[];
  readonly directories: Array<readonly [name: string, attributes: Attributes]>;
}

export interface UnpackRequest {
  readonly writer: TreeWriter;
  /** In the order in which they would be installed one by one. */
  readonly packages: readonly Package[];
  readonly fetch: (one: Package) => Promise<string>;
  readonly onUnpacked?: (one: Package) => void;
  /** Top-level directories that lead into usr/. */
  readonly merged: ReadonlySet<string>;
  /** Packages that the tree's own dpkg will unpack later, so that their claim on a path does not count here. */
  readonly handedOver: (one: Package, control: ControlFiles) => boolean;
}

/** What a package is called in messages. */
export function packageText(one: Package): string {
  return `the package ${one.name} ${one.version}`;
}

/** Fetch and unpack all packages; returns them in the order of the request. */
export async function unpackPackages(request: UnpackRequest): Promise<Unpacked[]> {
  const extracted = new Map<Package, Extracted>();
  const owners = new Map<string, Package>();
  const contested = new Map<string, Set<Package>>();
  const begin = (one: Package, deb: DebFile): Extracted => ({ package: one, deb, paths: [], directories: [] });
  const visitor = (into: Extracted) => (entry: Entry) => {
    into.paths.push(listedPath(entry));
    if (entry.kind === 'directory') into.directories.push([entry.name, entry.attributes]);
    else claim(realPath(entry.name, request.merged), into.package, owners, contested);
    return writeMember(request.writer, entry, into.package);
  };
  const finish = (done: Extracted): void => {
    extracted.set(done.package, done);
    request.onUnpacked?.(done.package);
  };

  const queue = new Queue<XzJob>();
  const lanes = Array.from({ length: EXTRACTORS }, () => runXzLane(() => queue.take()));
  // A lane that failed takes no more: the others are to stop as well.
  for (const lane of lanes) lane.catch(() => queue.close());
  // The largest first: a long decompression that starts last would run alone.
  const bySize = [...request.packages].sort((a, b) => b.size - a.size);
  const fetching = forEachParallel(bySize, DOWNLOADS, async (one) => {
    const what = packageText(one);
    const deb = openDeb(await request.fetch(one), what);
    const result = begin(one, deb);
    const part = { path: deb.path, offset: deb.data.offset, size: deb.data.size };
    const plainSize = deb.data.compression === 'xz' ? xzPlainSize(part) : undefined;
    if (plainSize === undefined) {
      await readData(deb, what, visitor(result));
      finish(result);
      return;
    }
    const consume = (plain: Readable): Promise<void> =>
      readPlainData(plain, what, visitor(result)).then(() => finish(result));
    if (!queue.put({ ...part, plainSize, consume })) throw new StoppedError();
  }).finally(() => queue.close());
  const outcome = await Promise.allSettled([...lanes, fetching]);
  const failures = outcome.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (failures.length > 0) throw failures.find((failure) => !(failure instanceof StoppedError)) ?? failures[0];

  const inOrder = request.packages.map((one) => extracted.get(one) as Extracted);
  const controls = await readControls(inOrder.map(({ deb, package: one }) => ({ deb, what: packageText(one) })));
  const control = new Map(inOrder.map(({ package: one }, index) => [one, controls[index] as ControlFiles]));
  withdraw(request, inOrder, control);
  await settleContested(request, contested, extracted, control);
  setDirectories(request.writer, inOrder);
  return inOrder.map((one) => ({ ...one, control: control.get(one.package) as ControlFiles }));
}

function claim(place: string, one: Package, owners: Map<string, Package>, contested: Map<string, Set<Package>>): void {
  const owner = owners.get(place);
  if (owner === undefined) owners.set(place, one);
  else if (owner !== one) contested.set(place, (contested.get(place) ?? new Set([owner])).add(one));
}

function writeMember(writer: TreeWriter, entry: Entry, one: Package): ReturnType<typeof writeEntry> {
  try {
    return writeEntry(writer, entry);
  } catch (error) {
    if (error instanceof BootstrapError) throw error;
    const place = path.posix.join('/', entry.name);
    if (errorCode(error) === 'ENOSPC') throw writeFailure(error, writer.root);
    throw writeFailure(error, `${place} of ${packageText(one)}`);
  }
}

/** Under which name the package database lists an archive member. */
function listedPath(entry: Entry): string {
  const components = splitMember(entry.name);
  return components.length === 0 ? '/.' : `/${components.join('/')}`;
}

function realPath(name: string, merged: ReadonlySet<string>): string {
  const components = splitMember(name);
  return merged.has(components[0] ?? '') ? ['usr', ...components].join('/') : components.join('/');
}

/**
 * Take back the files of packages that dpkg will unpack itself. It moves away whatever lies where its package diverts, and would
 * take the package's own file for somebody else's. A file that was overwritten by it is restored as a contested one.
 */
function withdraw(
  request: UnpackRequest,
  packages: readonly Extracted[],
  control: ReadonlyMap<Package, ControlFiles>,
): void {
  for (const { package: one, paths, directories } of packages) {
    if (!request.handedOver(one, control.get(one) as ControlFiles)) continue;
    const kept = new Set(directories.map(([name]) => splitMember(name).join('/')));
    for (const listed of paths) {
      const name = listed.slice(1);
      if (name !== '.' && !kept.has(name)) request.writer.remove(name);
    }
  }
}

/** Two packages have the same path: right if one replaces the other, or if the later one will move it out of its way. */
async function settleContested(
  request: UnpackRequest,
  contested: ReadonlyMap<string, ReadonlySet<Package>>,
  extracted: ReadonlyMap<Package, Extracted>,
  control: ReadonlyMap<Package, ControlFiles>,
): Promise<void> {
  const again = new Map<Package, Set<string>>();
  for (const [place, claimants] of contested) {
    const candidates = [...claimants].filter((one) => !request.handedOver(one, control.get(one) as ControlFiles));
    const winner = candidates.find((one) => candidates.every((other) => one === other || replaces(one, other)));
    if (candidates.length === 0) continue;
    if (winner === undefined) {
      throw new BootstrapError(
        'DEPENDENCY',
        `cannot unpack both ${candidates.map((one) => one.name).join(' and ')}: each has /${place}`,
      );
    }
    debug('/%s is of %s', place, winner.name);
    again.set(winner, (again.get(winner) ?? new Set()).add(place));
    for (const other of candidates) {
      if (other === winner) continue;
      const { paths } = extracted.get(other) as Extracted;
      const index = paths.findIndex((listed) => realPath(listed.slice(1), request.merged) === place);
      if (index >= 0) paths.splice(index, 1);
    }
  }
  for (const [one, places] of again) {
    const { deb } = extracted.get(one) as Extracted;
    await readData(deb, packageText(one), (entry) =>
      places.has(realPath(entry.name, request.merged)) && entry.kind !== 'directory'
        ? writeMember(request.writer, entry, one)
        : undefined,
    );
  }
}

function replaces(one: Package, other: Package): boolean {
  return one.replaces.some((group) =>
    group.some((relation) => relation.name === other.name && relationAccepts(relation, other.version)),
  );
}

/** The first package in order that has a directory says what it is like, as it would when installing one by one. */
function setDirectories(writer: TreeWriter, packages: readonly Extracted[]): void {
  const seen = new Set<string>();
  for (const { directories } of packages) {
    for (const [name, attributes] of directories) {
      const key = splitMember(name).join('/');
      if (seen.has(key)) continue;
      seen.add(key);
      writer.directoryAttributes(name, attributes);
    }
  }
}

/** Ends the downloads after an extraction failed; never the reason that is told. */
class StoppedError extends Error {}

/** Hands things over from those who fetch to those who unpack. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: Array<(item: T | undefined) => void> = [];
  #closed = false;

  /** False when nobody takes any more. */
  put(item: T): boolean {
    if (this.#closed) return false;
    const taker = this.#waiting.shift();
    if (taker === undefined) this.#items.push(item);
    else taker(item);
    return true;
  }

  take(): Promise<T | undefined> {
    const item = this.#items.shift();
    if (item !== undefined || this.#closed) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#closed = true;
    for (const taker of this.#waiting.splice(0)) taker(undefined);
  }
}

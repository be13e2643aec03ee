// The variants system and minbase: essential and required packages and those included by name, unpacked by us and configured by
// their own scripts inside the tree.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { nameFromPath } from '@tsnspawn/core';
import createDebug from 'debug';
import type { Package } from './apt/packages';
import type { OpenedArchive } from './apt/repository';
import { loadUniverse } from './apt/repository';
import { type Resolution, resolve } from './apt/resolve';
import { TreeWriter } from './archive/tree-writer';
import type { ArchiveContext, Context } from './context';
import { ARCHIVES, configurePackages, debName, divertsOnUnpack, planSteps } from './dpkg/configure';
import { writeDatabase } from './dpkg/database';
import { packageText, type Unpacked, unpackPackages } from './dpkg/unpack';
import { BootstrapError } from './errors';
import { downloadFile } from './fetch/download';
import {
  allowServices,
  announceReadiness,
  enableAutologin,
  forbidServices,
  nameSystem,
  tidy,
  unnameSystem,
  writeExtendedStates,
  writeSources,
} from './finish';
import { hostArchitecture } from './mirror';

const debug = createDebug('tsnspawn:bootstrap');

/** Top-level directories that are links into usr/: merged /usr is what every supported release expects of a new system. */
const MERGED: ReadonlySet<string> = new Set(['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libo32', 'libx32']);

/** Fetch one package, verified against what its index says. */
export function fetchPackage(context: ArchiveContext, one: Package): Promise<string> {
  // The path comes from a signed index, yet it becomes part of an address: it may not climb out of the archive.
  if (
    !/^[A-Za-z0-9][A-Za-z0-9+._~:%/-]*$/.test(one.filename) ||
    one.filename.split('/').includes('..') ||
    !/^[0-9a-f]{64}$/.test(one.sha256) ||
    !Number.isSafeInteger(one.size)
  ) {
    throw new BootstrapError('RELEASE_INVALID', `cannot fetch ${packageText(one)}: its entry in the index is damaged`);
  }
  const expected = {
    url: `${one.archive}/${one.filename.split('/').map(encodePart).join('/')}`,
    size: one.size,
    sha256: one.sha256,
    what: packageText(one),
  };
  return downloadFile(context.transport, context.cache, 'deb', expected);
}

/** File names of packages may hold `+` and `~`, which stay, and `%`, which must not be taken for an escape. */
function encodePart(part: string): string {
  return encodeURIComponent(part).replace(/%2B/g, '+').replace(/%3A/g, ':');
}

/** Make a tree of Debian packages in `tree`. */
export async function makeDebianTree(
  context: Context,
  tree: string,
  archives: readonly OpenedArchive[],
): Promise<void> {
  const { options, progress, runner, signal } = context;
  progress.stage('reading indices');
  const universe = await loadUniverse(archives, context);
  const resolution = resolve(universe, options.include ?? []);
  const all = [...resolution.essential, ...resolution.others];
  if (all.length === 0)
    throw new BootstrapError('DEPENDENCY', `cannot make a tree of ${options.suite}: it has no essential packages`);
  debug('%d packages, %d of them essential or needed by those', all.length, resolution.essential.length);
  if (options.autologin === true && !all.some(({ name }) => name === 'systemd' || name === 'sysvinit-core')) {
    throw new BootstrapError('OPTION_INVALID', 'cannot log root in automatically: the tree has no init', {
      hint: 'make it without --variant=minbase, or leave --autologin away',
    });
  }

  const writer = new TreeWriter(tree, { owners: context.owners, merged: MERGED });
  try {
    const unpacked = await unpack(context, writer, all, resolution);
    const essential = unpacked.filter((one) => resolution.essential.includes(one.package));
    const others = unpacked.filter((one) => !resolution.essential.includes(one.package));
    const handedOver = new Set(others.filter((one) => divertsOnUnpack(one.control)).map((one) => one.package));
    writeDatabase(
      writer,
      unpacked.filter((one) => !handedOver.has(one.package)),
      options.architecture,
    );
    for (const one of unpacked)
      if (handedOver.has(one.package))
        fs.copyFileSync(one.deb.path, path.join(placeOf(writer, ARCHIVES), debName(one.package)));

    progress.stage('configuring', all.length);
    forbidServices(writer);
    const name = nameFromPath(path.resolve(options.directory));
    nameSystem(writer, name);
    signal.throwIfAborted();
    const dpkg = all.find((one) => one.name === 'dpkg')?.version ?? '';
    await configurePackages(runner, tree, planSteps(essential, others, handedOver), dpkg, {
      signal,
      onConfigured: () => progress.advance(),
    });
    allowServices(writer);
    unnameSystem(writer, name);
    for (const one of handedOver) writer.remove(`${ARCHIVES}/${debName(one)}`);

    writeSources(writer, archives);
    writeExtendedStates(
      writer,
      all.filter((one) => resolution.automatic.has(one.name)),
      options.architecture,
    );
    // before the console, which is there for good: what stands behind it in the inittab comes last
    if (options.init === 'sysvinit' && options.architecture === hostArchitecture())
      announceReadiness(writer, options.notifyHelper);
    if (options.autologin === true) enableAutologin(writer);
    tidy(writer);
  } finally {
    writer.close();
  }
}

/** A directory of the tree by its path on the host. The archives are ours to write into: no script has run yet. */
function placeOf(writer: TreeWriter, name: string): string {
  writer.directory(name);
  return path.join(writer.root, name);
}

async function unpack(
  context: Context,
  writer: TreeWriter,
  all: readonly Package[],
  resolution: Resolution,
): Promise<Unpacked[]> {
  const { progress } = context;
  const essential = new Set(resolution.essential);
  progress.stage(
    'unpacking',
    all.reduce((sum, one) => sum + one.size, 0),
  );
  return unpackPackages({
    writer,
    packages: all,
    merged: MERGED,
    fetch: (one) => fetchPackage(context, one),
    onUnpacked: (one) => progress.advance(one.size),
    handedOver: (one, control) => !essential.has(one) && divertsOnUnpack(control),
  });
}

// From a request to a tree in its place: check what can be checked, make the tree beside its place, rename, and on any
// failure or signal leave nothing behind.
import { setMaxListeners } from 'node:events';
import * as fs from 'node:fs';
import { requirePrivileges } from '@tsnspawn/core';
import { diagnose, probeHost } from '@tsnspawn/runtime';
import { type BootstrapOptions, type Context, INITS, VARIANTS, type Variant } from './context';
import { makeDebianTree } from './debian';
import { BootstrapError, errorCode, reasonOf, writeFailure } from './errors';
import { Cache, defaultCacheDirectory } from './fetch/cache';
import { Transport } from './fetch/transport';
import { type GuestRunner, launcherRunner } from './guest';
import { aptProxy, hostArchitecture, openArchives } from './mirror';
import { markTree, ownersHere } from './owners/keep';
import { silentProgress } from './progress';
import { makeBusyboxTree } from './variant/busybox';
import { makeHostTree } from './variant/host';
import { Workspace } from './workspace';

/** Make a tree. Rejects with a BootstrapError; then nothing was left behind. */
export async function bootstrap(options: BootstrapOptions): Promise<void> {
  const variant = options.variant ?? 'system';
  checkOptions(options, variant);
  // Packages bring scripts, which run in a guest.
  if (hasPackages(variant)) await requireGuests();
  const stop = new AbortController();
  // Every download listens to it.
  setMaxListeners(0, stop.signal);
  const cancel = (): void => stop.abort(options.signal?.reason ?? new BootstrapError('CANCELLED', 'cancelled'));
  if (options.signal?.aborted) cancel();
  options.signal?.addEventListener('abort', cancel, { once: true });
  const progress = options.progress ?? silentProgress;
  // Modes of what is made here must not depend on the caller's shell.
  const umask = process.umask(0o022);
  let workspace: Workspace | undefined;
  let transport: Transport | undefined;
  try {
    workspace = Workspace.open(options.directory);
    if (hasPackages(variant) && ownersHere() === 'remembered') markTree(workspace.tree);
    if (variant === 'host') {
      await makeHostTree(options, workspace.tree);
    } else {
      transport = new Transport({
        signal: stop.signal,
        proxy: options.mirror?.startsWith('/') ? undefined : aptProxy(),
      });
      await makeFromArchive(options, variant, workspace, transport, stop.signal);
    }
    stop.signal.throwIfAborted();
    workspace.finish();
  } catch (error) {
    const failure = stop.signal.aborted ? (stop.signal.reason as unknown) : error;
    stop.abort(failure);
    throw readable(failure, options.directory);
  } finally {
    progress.end();
    options.signal?.removeEventListener('abort', cancel);
    if (workspace?.finished === false) {
      progress.stage('removing');
      workspace.remove();
      progress.end();
    }
    process.umask(umask);
    await transport?.close();
  }
}

/** Where the caller can have no namespaces the guest is traced, if that is possible. */
async function requireGuests(): Promise<void> {
  const host = probeHost();
  if (host.rootless === undefined || host.userNamespaces !== false) return;
  if ((await diagnose(undefined)).mode === 'none') requirePrivileges(host);
}

function checkOptions(options: BootstrapOptions, variant: Variant): void {
  const invalid = (message: string, hint?: string): BootstrapError =>
    new BootstrapError('OPTION_INVALID', message, { hint });
  if (!VARIANTS.includes(variant))
    throw invalid(`there is no variant ${variant}`, `variants are ${VARIANTS.join(', ')}`);
  if (variant !== 'host' && options.suite === 'host') {
    const hint = `write: tsnspawn bootstrap --variant=host host ${options.directory}`;
    throw invalid('the suite host is for --variant=host only', hint);
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(options.suite) || options.suite.split('/').includes('..'))
    throw invalid(`not the name of a suite: ${JSON.stringify(options.suite)}`);
  if (variant === 'host' && options.mirror !== undefined) throw invalid('the variant host takes no mirror');
  if (!hasPackages(variant) && (options.include ?? []).length > 0)
    throw invalid(`the variant ${variant} takes no --include`);
  if (options.init !== undefined && !Object.hasOwn(INITS, options.init))
    throw invalid(`there is no init ${options.init}`, `inits are ${Object.keys(INITS).join(', ')}`);
  if (options.init !== undefined && variant !== 'system')
    throw invalid(`the variant ${variant} takes no --init`, '--variant=system does');
  const init = options.init ?? 'systemd';
  for (const [other, packages] of Object.entries(INITS))
    if (variant === 'system' && other !== init && options.include?.includes(packages[0]))
      throw invalid(`${packages[0]} is not for a tree whose init is ${init}`, `make it with --init=${other}`);
  for (const name of options.include ?? [])
    if (!/^[a-z0-9][a-z0-9+.-]*(:[a-z0-9-]+)?$/.test(name))
      throw invalid(`not the name of a package: ${JSON.stringify(name)}`);
  for (const name of options.components ?? [])
    if (!/^[a-z0-9][a-z0-9+.-]*$/.test(name)) throw invalid(`not the name of a component: ${JSON.stringify(name)}`);
  if (options.architecture !== undefined && !/^[a-z0-9][a-z0-9-]*$/.test(options.architecture))
    throw invalid(`not the name of an architecture: ${JSON.stringify(options.architecture)}`);
}

function hasPackages(variant: Variant): boolean {
  return variant === 'system' || variant === 'minbase';
}

async function makeFromArchive(
  options: BootstrapOptions,
  variant: Variant,
  workspace: Workspace,
  transport: Transport,
  signal: AbortSignal,
): Promise<void> {
  const now = new Date();
  const context: Context = {
    options: {
      ...options,
      variant,
      include: [...(variant === 'system' ? INITS[options.init ?? 'systemd'] : []), ...(options.include ?? [])],
      architecture: options.architecture ?? hostArchitecture(),
      components: options.components ?? ['main'],
    },
    architecture: options.architecture ?? hostArchitecture(),
    acceptExpired: options.acceptExpired === true,
    owners: ownersHere(),
    now,
    transport,
    cache: openCache(options, workspace),
    runner: options.runner ?? runnerOf(options),
    progress: options.progress ?? silentProgress,
    signal,
  };
  context.progress.stage('verifying');
  const archives = await openArchives(context);
  if (variant === 'busybox') {
    await makeBusyboxTree(context, workspace.tree, archives);
  } else {
    await makeDebianTree(context, workspace.tree, archives);
  }
  context.cache.prune(now.getTime());
}

/** The cache that was named must work; the default one is a convenience, and its place is taken by the workspace. */
function openCache(options: BootstrapOptions, workspace: Workspace): Cache {
  try {
    return new Cache(options.cache ?? defaultCacheDirectory());
  } catch (error) {
    if (options.cache !== undefined)
      throw new BootstrapError('WRITE_FAILED', `cannot use the cache ${options.cache}: ${reasonOf(error)}`, {
        path: options.cache,
        cause: error,
      });
    return new Cache(`${workspace.directory}/cache`);
  }
}

function runnerOf(options: BootstrapOptions): GuestRunner {
  const { launcher } = options;
  if (launcher !== undefined && fs.existsSync(launcher)) return launcherRunner(launcher);
  return () =>
    Promise.reject(
      new BootstrapError(
        'SCRIPT_FAILED',
        `cannot run the packages’ scripts: there is no launcher${launcher === undefined ? '' : ` at ${launcher}`}`,
      ),
    );
}

/** Whatever ends a bootstrap becomes one readable line, except for errors that are our own mistakes. */
function readable(error: unknown, directory: string): unknown {
  if (error instanceof BootstrapError) return error;
  const code = errorCode(error);
  if (
    code === 'ENOSPC' ||
    code === 'EDQUOT' ||
    code === 'EROFS' ||
    (error as { syscall?: unknown } | null)?.syscall !== undefined
  )
    return writeFailure(error, directory);
  return error;
}

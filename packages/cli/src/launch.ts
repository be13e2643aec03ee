// The launch: command line → spec → view → plan → guest. It is timed in milliseconds, so nothing is done before it is needed,
// and what other commands need (clipanion, archives, http) is in another bundle.

import { existsSync, statSync } from 'node:fs';
import {
  BindError,
  boots,
  type ContainerSpec,
  type ContainerView,
  chooseEngine,
  type Entry,
  type FoundSettings,
  formatError,
  type HostFacts,
  isTsnspawnError,
  type LaunchPlan,
  networkWarnings,
  PermissionError,
  parseArguments,
  pathOf,
  type RunVariables,
  refuseConflicts,
  requirePrivileges,
  requireTraceable,
  type TreeFacts,
  type TsnspawnError,
  view,
  wantedZone,
  withoutNamespaces,
  withShare,
} from '@tsnspawn/core';
import {
  enterScope,
  explainsFailure,
  findSettings,
  forgetFailure,
  type Held,
  type ImageOptions,
  inScope,
  isMountPoint,
  letGo,
  loadCredentials,
  type OpenedMachineImage,
  probeHost,
  probePlace,
  probeTree,
  probeWishes,
  randomUuid,
  requireFilters,
  requireProcessors,
  type SuperviseOptions,
  supervise,
  type TreeQuestions,
  type Wishes,
} from '@tsnspawn/runtime';
import { cleanUp } from './cleanup';
import { fallbackOf, planWith } from './engine';
import { withBundle, withPlace, withSettingsFile, withTree } from './place';
import { renderHelp, renderList } from './render/help';
import { renderPlan } from './render/plan';
import { type Output, STDIO } from './stdio';
import { VERSION } from './version';

/** What the launch needs from the machine it runs on; tests bring their own. */
export interface Runtime {
  readonly probeHost: () => HostFacts;
  readonly probeTree: (directory: string, boots: boolean, questions?: TreeQuestions) => TreeFacts;
  /** the tree in a disk image */
  readonly openImage: (path: string, options: ImageOptions) => OpenedMachineImage;
  /** the settings file of the machine of this name, whose tree or image is at this absolute path */
  readonly findSettings: (name: string, place: string) => FoundSettings | undefined;
  /** the exit status; the real one never returns, because this process becomes another program */
  readonly supervise: (plan: LaunchPlan, options: SuperviseOptions) => number;
}

/** Width of what is printed where there is no terminal. */
const DEFAULT_COLUMNS = 80;

/**
 * Runs `tsnspawn [OPTIONS] [COMMAND...]` from its arguments to its exit status. Every error is told on standard error and ends
 * in status 1.
 *
 * @param argv without the program's name
 * @param env the caller's environment
 */
export async function launch(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  output: Output = STDIO,
  runtime: Runtime = { probeHost, probeTree, openImage, findSettings, supervise },
): Promise<number> {
  try {
    return await run(argv, env, output, runtime);
  } catch (error) {
    output.err(errorText(error));
    return 1;
  }
}

async function run(argv: readonly string[], env: NodeJS.ProcessEnv, output: Output, runtime: Runtime): Promise<number> {
  const say = (line: string): void => output.err(`${line}\n`);
  const warn = (text: string): void => {
    // a launch that failed at a step comes by here again, to find the words for that
    if (!explainsFailure()) say(`tsnspawn: warning: ${text}`);
  };
  const invocation = parseArguments(argv, env, (said) =>
    said.ociBundle === undefined
      ? withSettingsFile(said, runtime.findSettings, warn)
      : withBundle(said, said.ociBundle, warn),
  );
  switch (invocation.kind) {
    case 'help':
      output.out(renderHelp(Number(env.COLUMNS) || output.columns || DEFAULT_COLUMNS));
      return 0;
    case 'version':
      output.out(`tsnspawn ${VERSION}\n`);
      return 0;
    case 'list':
      output.out(renderList(invocation.list));
      return 0;
    case 'cleanup':
      return cleanUp(invocation.settings, invocation.quiet ? () => {} : say);
    case 'launch':
      break;
  }
  const { quiet, dryRun } = invocation;
  const onlyLook = dryRun !== undefined;
  const tryOut = (spec: ContainerSpec): void => {
    const { handed } = prepare(spec, onlyLook, runtime, () => {});
    letGo(handed);
  };
  const spec = await withTree(invocation.spec, onlyLook, tryOut, quiet ? () => {} : say);
  const prepared = prepare(spec, onlyLook, runtime, quiet ? () => {} : warn);
  if (dryRun !== undefined) {
    const { plan, handed } = prepared;
    letGo(handed);
    output.out(dryRun === 'json' ? `${JSON.stringify(plan, null, 2)}\n` : renderPlan(plan));
    return 0;
  }
  const settled = inItsUnit(spec, prepared, quiet ? () => {} : warn);
  return withFallbacks(settled, warn, ({ engine, tree, container, plan, handed, held }) => {
    // for a Node that is to explain a step that fails: its plan is to be this one
    if (engine !== settled.engine) process.argv.splice(2, 0, `--engine=${engine}`);
    return runtime.supervise(plan, {
      tree,
      readOnly: container.root.shared,
      handed,
      held,
      lock: spec.lock,
      // standard error is the payload's then
      quiet: quiet || container.console === 'pipe',
      notifyReady: container.notifyReady,
      say,
    });
  });
}

/** Carries a launch out, and where the monitor could not be made, what is left of it. */
export function withFallbacks<T>(now: Prepared, warn: (text: string) => void, carryOut: (now: Prepared) => T): T {
  try {
    return carryOut(now);
  } catch (error) {
    const next = fallbackOf(error, now.spec.engine, now);
    if (next === undefined) throw error;
    forgetFailure();
    warn(next.remark);
    return withFallbacks(planned({ ...now, engine: next.engine }, next.host), warn, carryOut);
  }
}

/**
 * The launch, once this process is in the unit that it is to run in: the cgroups of the plan lie there. Where systemd manages
 * the host and cannot be asked, a launch that has not named a slice or a limit goes on without a unit.
 */
export function inItsUnit(spec: ContainerSpec, prepared: Prepared, warn: (text: string) => void): Prepared {
  const { unit } = prepared.container;
  if (spec.register === true && unit === undefined) warn('not registered: systemd does not manage this host');
  if (unit?.scope === undefined) return prepared;
  const { name, required } = unit.scope;
  if (!inScope(name) && !explainsFailure()) {
    try {
      enterScope(unit.scope, prepared.host.userManager);
    } catch (error) {
      if (!isTsnspawnError(error) || required || spec.register === true || error.code === 'EEXIST') throw error;
      warn(`${error.message}; going on without a unit`);
    }
  }
  if (inScope(name)) return planned(prepared, probePlace(spec));
  // what a user may do without a unit is another thing
  return planned(prepared, unit.scope.manager === 'user' ? { userManager: undefined } : { systemd: false });
}

/** The same launch on a host about which more is known. */
function planned(prepared: Prepared, more: Partial<HostFacts>): Prepared {
  const host = { ...prepared.host, ...more };
  const container = view(prepared.spec, host, prepared.tree);
  return {
    ...prepared,
    host,
    container,
    plan: planWith(prepared.engine, container, prepared.spec, host, prepared.run),
  };
}

/** A launch that could be carried out. */
export interface Prepared {
  /** with the content of its credentials */
  readonly spec: ContainerSpec;
  readonly engine: 'namespaces' | 'ptrace';
  readonly run: RunVariables;
  readonly host: HostFacts;
  readonly tree: TreeFacts;
  readonly container: ContainerView;
  readonly plan: LaunchPlan;
  /** descriptors that the plan wants handed to the monitor */
  readonly handed: Wishes['handed'];
  /** of an image: what it takes of the host */
  readonly held?: Held | undefined;
}

/**
 * From what the user wants to the plan. Nothing is changed yet; what cannot be done is found here.
 *
 * @param onlyLook the plan is only to be shown: the caller need not have the privileges to carry it out
 */
export function prepare(
  given: ContainerSpec,
  onlyLook: boolean,
  runtime: Pick<Runtime, 'probeHost' | 'probeTree' | 'openImage'>,
  warn: (text: string) => void,
): Prepared {
  refuseConflicts(given);
  const probed = runtime.probeHost();
  const spec = withShare(given, probed, existsSync);
  const { engine, remark } = chooseEngine(spec, probed);
  if (remark !== undefined) warn(remark);
  const usual = engine === 'ptrace' ? withoutNamespaces(probed) : probed;
  const { image, directory = '.' } = withPlace(spec);
  // first of all: nobody is to install what would be of no use
  if (engine === 'ptrace') requireTraceable({ ...spec, ...(image === undefined ? {} : { image }) });
  // a look into an image takes a mount
  if (engine === 'namespaces' && (!onlyLook || image !== undefined)) requirePrivileges(usual);
  if (image !== undefined && usual.rootless !== undefined) {
    throw new PermissionError(`cannot mount the image ${image}: only root can`, {
      option: '--image',
      hint: 'an ordinary user boots trees: unpack it, or make one with tsnspawn bootstrap',
    });
  }
  const questions = {
    zone: wantedZone(spec, usual),
    accounts: spec.bindUsers.length > 0,
    root: spec.pivotRoot?.newRoot,
  };
  const opened =
    image === undefined
      ? undefined
      : runtime.openImage(image, { spec, host: usual, boots: boots(spec), questions, warn });
  const found = opened?.tree ?? runtime.probeTree(directory, boots(spec), questions);
  const run = { pid: process.pid, uuid: randomUuid() };
  const { host, tree, handed } = probeWishes(spec, usual, found, run.uuid);
  const loaded = loadCredentials(spec, usual);
  const container = view(loaded, host, tree);
  for (const warning of container.warnings) warn(warning);
  requireSources(container, host);
  networkWarnings(container, host).forEach(warn);
  if (container.cpuAffinity !== undefined) requireProcessors(container.cpuAffinity);
  const plan = planWith(engine, container, loaded, host, run);
  requireFilters(plan);
  return {
    spec: loaded,
    engine,
    run,
    host,
    tree,
    container,
    plan,
    handed: new Map([...handed, ...(opened?.handed ?? [])]),
    held: opened?.held,
  };
}

/** In a bundle of its own, resolved beside this one when it is run: the launch of a directory does not read it. */
export function openImage(path: string, options: ImageOptions): OpenedMachineImage {
  const bundle = require('./image.cjs') as { openImage: Runtime['openImage'] };
  return bundle.openImage(path, options);
}

/** Refuses a bind of something that is not there while nothing has been started. */
function requireSources(container: ContainerView, host: HostFacts): void {
  for (const entry of container.entries) {
    if (entry.kind === 'overlay') requireLayers(entry);
    if (entry.kind !== 'host' || entry.temporary === true || entry.made === true || entry.try === true) continue;
    if (entry.source === host.osReleasePath || existsSync(pathOf(entry.source))) continue;
    throw new BindError(`cannot bind ${entry.source} to ${entry.path}: No such file or directory`, {
      code: 'ENOENT',
      path: entry.source,
      option: entry.flags.includes('ro') ? '--bind-ro' : '--bind',
    });
  }
}

/** The same of the layers of an overlay; what takes the writes must be there as well. */
function requireLayers({ path, lower, upper }: Extract<Entry, { kind: 'overlay' }>): void {
  for (const layer of [...lower, ...(upper === undefined ? [] : [upper])]) {
    if (!('host' in layer)) continue;
    const status = statSync(pathOf(layer.host), { throwIfNoEntry: false });
    if (status?.isDirectory()) {
      if (layer === upper) refuseMountPoint(layer.host, path);
      continue;
    }
    throw new BindError(
      `cannot lay ${layer.host} over ${path}: ${status === undefined ? 'No such file or directory' : 'Not a directory'}`,
      {
        code: status === undefined ? 'ENOENT' : 'ENOTDIR',
        path: layer.host,
        option: upper === undefined ? '--overlay-ro' : '--overlay',
      },
    );
  }
}

/** The work directory lies beside the layer: where that is a mount point, on another file system, and what is below it would be written. */
function refuseMountPoint(upper: string, path: string): void {
  if (!isMountPoint(upper)) return;
  throw new BindError(`cannot lay ${upper} over ${path}: it is a mount point`, {
    code: 'EXDEV',
    path: upper,
    option: '--overlay',
    hint: `name a directory in it, such as ${upper}/upper`,
  });
}

/**
 * What is missing where the kernel has refused something: in a bundle of its own, for which only such a launch has the time. That it
 * cannot be found out must not hide the error itself.
 */
function refusalHint(error: TsnspawnError): string | undefined {
  if (error.syscall === undefined) return undefined;
  try {
    const bundle = require('./refusal.cjs') as { refusalHint: (error: TsnspawnError) => string | undefined };
    return bundle.refusalHint(error);
  } catch {
    return undefined;
  }
}

/** An error as it is told to the user. Anything but a TsnspawnError is a defect, and shows where it came from. */
export function errorText(error: unknown): string {
  if (isTsnspawnError(error)) return formatError(error, refusalHint(error) ?? error.hint);
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `tsnspawn: internal error: ${trace}\n`;
}

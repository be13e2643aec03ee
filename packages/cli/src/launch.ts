// The launch: command line → spec → view → plan → guest. It is timed in milliseconds, so nothing is done before it is needed,
// and what other commands need (clipanion, archives, http) is in another bundle.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  BindError,
  boots,
  type ContainerSpec,
  type ContainerView,
  formatError,
  type HostFacts,
  type LaunchPlan,
  lower,
  parseArguments,
  refuseConflicts,
  requirePrivileges,
  TreeError,
  type TreeFacts,
  TsnspawnError,
  view,
} from '@tsnspawn/core';
import { probeHost, probeTree, randomUuid, type SuperviseOptions, supervise } from '@tsnspawn/runtime';
import { renderHelp, renderList } from './render/help';
import { renderPlan } from './render/plan';
import { type Output, STDIO } from './stdio';
import { VERSION } from './version';

/** What the launch needs from the machine it runs on; tests bring their own. */
export interface Runtime {
  readonly probeHost: () => HostFacts;
  readonly probeTree: (directory: string, boots: boolean) => TreeFacts;
  /** the exit status; the real one never returns, because this process becomes another program */
  readonly supervise: (plan: LaunchPlan, options: SuperviseOptions) => number;
}

/** Where the tree of a machine is looked for when only its name is given (machinectl(1), FILES AND DIRECTORIES). */
const MACHINES = [
  '/etc/machines',
  '/run/machines',
  '/var/lib/machines',
  '/usr/local/lib/machines',
  '/usr/lib/machines',
];

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
  runtime: Runtime = { probeHost, probeTree, supervise },
): Promise<number> {
  try {
    return await run(argv, env, output, runtime);
  } catch (error) {
    output.err(errorText(error));
    return 1;
  }
}

async function run(argv: readonly string[], env: NodeJS.ProcessEnv, output: Output, runtime: Runtime): Promise<number> {
  const invocation = parseArguments(argv, env);
  switch (invocation.kind) {
    case 'help':
      output.out(renderHelp());
      return 0;
    case 'version':
      output.out(`tsnspawn ${VERSION}\n`);
      return 0;
    case 'list':
      output.out(renderList(invocation.list));
      return 0;
    case 'launch':
      break;
  }
  const { spec, quiet, dryRun } = invocation;
  const { tree, container, plan } = prepare(spec, dryRun !== undefined, runtime);
  if (dryRun !== undefined) {
    output.out(dryRun === 'json' ? `${JSON.stringify(plan, null, 2)}\n` : renderPlan(plan));
    return 0;
  }
  return runtime.supervise(plan, {
    tree,
    readOnly: container.root.readOnly,
    quiet,
    notifyReady: container.notifyReady,
    say: (line) => output.err(`${line}\n`),
  });
}

/** A launch that could be carried out. */
export interface Prepared {
  readonly tree: TreeFacts;
  readonly container: ContainerView;
  readonly plan: LaunchPlan;
}

/**
 * From what the user wants to the plan. Nothing is changed yet; what cannot be done is found here.
 *
 * @param onlyLook the plan is only to be shown: the caller need not have the privileges to carry it out
 */
export function prepare(
  spec: ContainerSpec,
  onlyLook: boolean,
  runtime: Pick<Runtime, 'probeHost' | 'probeTree'>,
): Prepared {
  refuseConflicts(spec);
  const host = runtime.probeHost();
  if (!onlyLook) requirePrivileges(host);
  const tree = runtime.probeTree(directoryOf(spec), boots(spec));
  const container = view(spec, host, tree);
  requireSources(container, host);
  return { tree, container, plan: lower(container, host, { pid: process.pid, uuid: randomUuid() }) };
}

/** The tree as given, or the place of the machine of that name, or the current directory. */
function directoryOf(spec: ContainerSpec): string {
  if (spec.directory !== undefined) return spec.directory;
  const { machine } = spec;
  if (machine === undefined) return '.';
  const found = MACHINES.map((directory) => join(directory, machine)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new TreeError(`there is no tree for the machine ${machine}`, {
    option: '--machine',
    hint: `looked in ${MACHINES.join(', ')}; name another place with --directory`,
  });
}

/** Refuses a bind of something that is not there while nothing has been started. */
function requireSources(container: ContainerView, host: HostFacts): void {
  for (const entry of container.entries) {
    if (entry.kind !== 'host' || entry.source === host.osReleasePath || existsSync(entry.source)) continue;
    throw new BindError(`cannot bind ${entry.source} to ${entry.path}: No such file or directory`, {
      code: 'ENOENT',
      path: entry.source,
    });
  }
}

/** An error as it is told to the user. Anything but a TsnspawnError is a defect, and shows where it came from. */
export function errorText(error: unknown): string {
  if (error instanceof TsnspawnError) return formatError(error);
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `tsnspawn: internal error: ${trace}\n`;
}

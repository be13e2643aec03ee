// From a command line to a ContainerSpec: what the options say together.

import { UsageError } from './errors';
import { getopt } from './getopt';
import type { ListName, Settings } from './options';
import type { ContainerSpec } from './spec';
import { parseBoolean } from './values';

/** What a command line asks for. */
export type Invocation =
  | {
      readonly kind: 'launch';
      readonly spec: ContainerSpec;
      readonly quiet: boolean;
      /** print the plan instead of carrying it out */
      readonly dryRun?: 'text' | 'json';
    }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'list'; readonly list: ListName };

type Environment = { readonly [name: string]: string | undefined };

/**
 * Reads the arguments of a launch, and the variables that systemd-nspawn users set for it
 * (SYSTEMD_NSPAWN_UNIFIED_HIERARCHY, _TMPFS_TMP, _CHECK_OS_RELEASE, SYSTEMD_SUPPRESS_SYNC).
 *
 * @param argv without the program's name
 * @throws UsageError naming the option and the value
 */
export function parseArguments(argv: readonly string[], env: Environment): Invocation {
  const reading = getopt(argv);
  if (reading.kind !== 'settings') return reading;
  const { settings, payload } = reading;
  const spec = specFrom(settings, payload, env);
  const quiet = settings.quiet === true;
  return settings.dryRun === undefined
    ? { kind: 'launch', spec, quiet }
    : { kind: 'launch', spec, quiet, dryRun: settings.dryRun };
}

function specFrom(settings: Settings, payload: readonly string[], env: Environment): ContainerSpec {
  if (settings.boot === true && settings.asPid2 === true) {
    throw new UsageError('--boot and --as-pid2 exclude each other', {
      option: '--as-pid2',
      hint: 'an init wants to be PID 1',
    });
  }
  const unifiedCgroup = fromEnvironment(env, 'SYSTEMD_NSPAWN_UNIFIED_HIERARCHY');
  return {
    ...present('directory', settings.directory),
    ...present('machine', settings.machine),
    start: settings.boot === true ? 'boot' : settings.asPid2 === true ? 'pid2' : 'pid1',
    command: payload,
    ...present('user', settings.user),
    ...present('chdir', settings.chdir),
    env: settings.setenv ?? [],
    ...present('hostname', settings.hostname),
    ...present('uuid', settings.uuid),
    ...present('console', settings.console),
    ...present('killSignal', settings.killSignal),
    notifyReady: settings.notifyReady ?? false,
    keepUnit: settings.keepUnit ?? false,
    readOnly: settings.readOnly ?? false,
    mounts: settings.mounts ?? [],
    tmpfsTmp: fromEnvironment(env, 'SYSTEMD_NSPAWN_TMPFS_TMP') ?? true,
    privateNetwork: settings.privateNetwork ?? false,
    addCapabilities: (settings.capability ?? []).flat(),
    dropCapabilities: (settings.dropCapability ?? []).flat(),
    noNewPrivileges: settings.noNewPrivileges ?? false,
    suppressSync: settings.suppressSync ?? fromEnvironment(env, 'SYSTEMD_SUPPRESS_SYNC') ?? false,
    rlimits: Object.fromEntries((settings.rlimit ?? []).map(({ name, limit }) => [name, limit])),
    ...present('oomScoreAdjust', settings.oomScoreAdjust),
    ...present('personality', settings.personality),
    ...present('unifiedCgroup', unifiedCgroup),
    checkOs: fromEnvironment(env, 'SYSTEMD_NSPAWN_CHECK_OS_RELEASE') ?? true,
  };
}

/** An object with the property, or without it when the value is undefined. */
function present<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

function fromEnvironment(env: Environment, name: string): boolean | undefined {
  const text = env[name];
  if (text === undefined) return undefined;
  const value = parseBoolean(text);
  if (value === undefined) throw new UsageError(`bad value '${text}' for the variable ${name}: neither yes nor no`);
  return value;
}

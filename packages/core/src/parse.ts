// From a command line to a ContainerSpec: what the options say together.

import { refuseTwoStarts } from './conflicts';
import { UsageError } from './errors';
import { getopt } from './getopt';
import type { ListName, Settings } from './options';
import type { ContainerSpec, NetworkSpec } from './spec';
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
  /** remove what a crashed run has left */
  | { readonly kind: 'cleanup'; readonly settings: Settings; readonly quiet: boolean }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'list'; readonly list: ListName };

type Environment = { readonly [name: string]: string | undefined };

/**
 * Reads the arguments of a launch, and the variables that systemd-nspawn users set for it.
 *
 * @param argv without the program's name
 * @param complete adds what is not on the command line: what a settings file or an OCI bundle says
 * @throws UsageError naming the option and the value
 */
export function parseArguments(
  argv: readonly string[],
  env: Environment,
  complete: (said: Settings) => Settings = (said) => said,
): Invocation {
  const reading = getopt(argv);
  if (reading.kind !== 'settings') return reading;
  const said = placed(reading.settings);
  const quiet = said.quiet === true || !logsInformation(env);
  if (said.cleanup === true) return { kind: 'cleanup', settings: said, quiet };
  const spec = specFrom(complete(said), env);
  return said.dryRun === undefined
    ? { kind: 'launch', spec, quiet }
    : { kind: 'launch', spec, quiet, dryRun: said.dryRun };
}

/** Without a place of its own `-x --template=P` is `-x -D P`. */
function placed(said: Settings): Settings {
  const { template, ...rest } = said;
  if (template === undefined || said.ephemeral !== true || said.directory !== undefined) return said;
  return { ...rest, directory: template };
}

/** Levels of syslog(3) that systemd's programs take; what the launch says of its own accord is of the level info. */
function logsInformation(env: Environment): boolean {
  return !/^(?:emerg|alert|crit|err|warning|notice|[0-5])$/.test(env.SYSTEMD_LOG_LEVEL ?? '');
}

/** The spec that settings mean together with the caller's variables. */
export function specFrom(settings: Settings, env: Environment): ContainerSpec {
  refuseTwoStarts(settings.boot === true, settings.asPid2 === true);
  const variable = (name: string): boolean | undefined => fromEnvironment(env, name);
  return {
    ...present('directory', settings.directory),
    ...present('image', settings.image),
    ...present('template', settings.template),
    ephemeral: settings.ephemeral ?? false,
    ...present('rootHash', settings.rootHash),
    ...present('rootHashSignature', settings.rootHashSignature),
    ...present('verityData', settings.verityData),
    ...present('imagePolicy', settings.imagePolicy),
    askPassword: settings.noAskPassword !== true,
    ...present('machine', settings.machine),
    ...present('manager', managerFrom(env)),
    engine: settings.engine ?? 'auto',
    ...present('fakeId', settings.fakeId ?? (settings.fakeRoot === true ? { uid: 0, gid: 0 } : undefined)),
    ...present('emulator', settings.emulator),
    portMap: (settings.portMap ?? []).flat(),
    fakeLinks: settings.fakeLinks ?? false,
    shareHost: (settings.shareHost ?? []).flat(),
    ...present('kernelRelease', settings.kernelRelease),
    start: settings.boot === true ? 'boot' : settings.asPid2 === true ? 'pid2' : 'pid1',
    command: settings.parameters ?? [],
    ...present('user', settings.user),
    ...present('groups', settings.groups),
    ...present('chdir', settings.chdir),
    env: settings.setenv ?? [],
    ...present('hostname', settings.hostname),
    ...present('uuid', settings.uuid),
    ...present('console', settings.console),
    ...present('background', settings.background),
    ...present('killSignal', settings.killSignal),
    notifyReady: settings.notifyReady ?? false,
    keepUnit: settings.keepUnit ?? false,
    register: settings.register ?? 'auto',
    ...present('slice', settings.slice),
    properties: settings.properties ?? [],
    readOnly: settings.readOnly ?? false,
    volatile: settings.volatile ?? 'no',
    ...present('pivotRoot', settings.pivotRoot),
    mounts: settings.mounts ?? [],
    bindUsers: (settings.bindUsers ?? []).flat(),
    bindUserShell: settings.bindUserShell ?? false,
    bindUserGroups: (settings.bindUserGroups ?? []).flat(),
    tmpfsTmp: variable('SYSTEMD_NSPAWN_TMPFS_TMP') ?? true,
    procReadOnly: settings.proc === 'read-only',
    apiVfsWritable: apiVfsWritable(env),
    sysctl: settings.sysctl ?? [],
    devices: settings.devices ?? [],
    users: settings.privateUsers ?? { mode: 'no' },
    ownership: settings.ownership ?? (settings.privateUsers?.mode === 'pick' ? 'auto' : 'off'),
    network: networkFrom(settings, env),
    resolvConf: settings.resolvConf ?? 'auto',
    timezone: settings.timezone ?? 'auto',
    linkJournal: settings.linkJournal ?? { mode: 'auto', whereLinked: true },
    credentials: settings.credentials ?? [],
    addCapabilities: (settings.capability ?? []).flat(),
    dropCapabilities: (settings.dropCapability ?? []).flat(),
    ambientCapabilities: (settings.ambientCapability ?? []).flat(),
    noNewPrivileges: settings.noNewPrivileges ?? false,
    systemCallFilter: settings.systemCallFilter ?? [],
    ...present('seccompProfile', settings.seccompProfile),
    seccomp: variable('SYSTEMD_SECCOMP') ?? true,
    ...present('selinuxContext', settings.selinuxContext),
    ...present('selinuxApiContext', settings.selinuxApiContext),
    suppressSync: settings.suppressSync ?? variable('SYSTEMD_SUPPRESS_SYNC') ?? false,
    rlimits: Object.fromEntries((settings.rlimit ?? []).map(({ name, limit }) => [name, limit])),
    ...present('oomScoreAdjust', settings.oomScoreAdjust),
    ...present('cpuAffinity', cpusOf(settings)),
    ...present('personality', settings.personality),
    ...present('unifiedCgroup', variable('SYSTEMD_NSPAWN_UNIFIED_HIERARCHY')),
    cgroupNamespace: variable('SYSTEMD_NSPAWN_USE_CGNS') ?? settings.cgroupNamespace ?? true,
    sharedNamespaces: (['ipc', 'pid', 'uts'] as const).filter(
      (name) =>
        (settings.sharedNamespaces?.some((shared) => shared === name) || variable('SYSTEMD_NSPAWN_SHARE_SYSTEM')) ??
        variable(`SYSTEMD_NSPAWN_SHARE_NS_${name.toUpperCase()}`),
    ),
    checkOs: variable('SYSTEMD_NSPAWN_CHECK_OS_RELEASE') ?? true,
    lock: variable('SYSTEMD_NSPAWN_LOCK') ?? true,
  };
}

/** Every option but --network-namespace-path implies a network namespace of the container's own. */
function networkFrom(settings: Settings, env: Environment): NetworkSpec {
  const { networkBridge: bridge, networkZone: zone } = settings;
  const vethExtra = settings.networkVethExtra ?? [];
  const macvlan = settings.networkMacvlan ?? [];
  const ipvlan = settings.networkIpvlan ?? [];
  const interfaces = settings.networkInterface ?? [];
  const veth = settings.networkVeth === true || bridge !== undefined || zone !== undefined;
  const isPrivate =
    settings.privateNetwork === true ||
    veth ||
    [vethExtra, macvlan, ipvlan, interfaces].some(({ length }) => length > 0);
  return {
    private: isPrivate,
    ...present('namespacePath', settings.networkNamespacePath),
    veth,
    vethExtra,
    ...present('bridge', bridge),
    ...present('zone', zone),
    macvlan,
    ipvlan,
    interfaces,
    ports: settings.port ?? [],
    ...present('mac', hardwareAddress(env.SYSTEMD_NSPAWN_NETWORK_MAC)),
  };
}

/** Six bytes in hexadecimal; neither nothing nor the address of a group. */
function hardwareAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const address = text.toLowerCase().replaceAll('-', ':');
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address) && /[1-9a-f]/.test(address) && !/^.[13579bdf]/.test(address))
    return address;
  throw new UsageError(`bad value '${text}' for the variable SYSTEMD_NSPAWN_NETWORK_MAC: not a hardware address`);
}

function cpusOf(settings: Settings): readonly number[] | undefined {
  return settings.cpuAffinity && [...new Set(settings.cpuAffinity.flat())].sort((a, b) => a - b);
}

/** A word: it goes into a variable, and into a file of one line. */
function managerFrom({ SYSTEMD_NSPAWN_CONTAINER_SERVICE: name }: Environment): string | undefined {
  if (name === undefined || /^[!-~]+$/.test(name)) return name;
  throw new UsageError(`bad value '${name}' for the variable SYSTEMD_NSPAWN_CONTAINER_SERVICE: not a word`);
}

function apiVfsWritable(env: Environment): boolean | 'network' {
  return env.SYSTEMD_NSPAWN_API_VFS_WRITABLE === 'network'
    ? 'network'
    : (fromEnvironment(env, 'SYSTEMD_NSPAWN_API_VFS_WRITABLE') ?? false);
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

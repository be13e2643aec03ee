// --oci-bundle: the config.json of an OCI runtime bundle (opencontainers/runtime-spec, config.md and config-linux.md) as settings,
// over which those of the command line win. What it asks for and cannot be given is an error; docs/oci.md says what is passed over.

import { CAPABILITIES, type Capability, capabilityName } from '../capabilities';
import { UsageError } from '../errors';
import type { Settings } from '../options';
import { isAbsolute } from '../paths';
import type { RlimitValue } from '../plan';
import { rlimitName } from '../rlimits';
import { type NamedRlimit, PARSERS } from '../values';
import { required, unsupported, Value } from './json';
import { readLinux } from './linux';
import { readMounts } from './mounts';

export interface Bundle {
  readonly settings: Settings;
  /** what is passed over though it may matter */
  readonly warnings: readonly string[];
}

/** (uid_t) -1 is no id. */
const LAST_ID = 4294967294;

/**
 * Reads a bundle's configuration.
 *
 * @param text content of config.json
 * @param directory absolute path of the bundle
 * @throws UsageError that names the file, the place in it and the reason
 */
export function readBundle(text: string, directory: string): Bundle {
  const file = `${directory}/config.json`;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file}: not JSON: ${(error as Error).message}`, { path: file });
  }
  const config = new Value(json, '', file);
  // before all else: in another version the rest may mean something else
  checkVersion(config);
  const fields = config.fields(
    ...([
      'ociVersion',
      'root',
      'process',
      'hostname',
      'domainname',
      'mounts',
      'linux',
      'hooks',
      'annotations',
    ] as const),
  );
  for (const [, hooks] of fields.hooks?.entries() ?? []) unsupported(hooks, 'no program runs beside a container');
  for (const [, annotation] of fields.annotations?.entries() ?? []) annotation.text();
  const warnings: string[] = [];
  const warn = (value: Value, reason: string): number => warnings.push(`${file}: ${value.place}: ${reason}`);
  const linux = fields.linux === undefined ? {} : readLinux(fields.linux);
  const mounts = [
    ...(fields.mounts === undefined ? [] : readMounts(fields.mounts, directory)),
    ...(linux.mounts ?? []),
  ];
  const sysctl = [
    ...(fields.domainname === undefined
      ? []
      : [{ key: 'kernel.domainname', value: fields.domainname.parsed(PARSERS.hostname) }]),
    ...(linux.sysctl ?? []),
  ];
  const settings: Settings = {
    // the bundle says all: nothing of the host's is added
    resolvConf: 'off',
    timezone: 'off',
    linkJournal: { mode: 'no', whereLinked: true },
    ...readRoot(required(fields.root, config, 'root'), directory),
    ...(fields.process === undefined ? {} : readProcess(fields.process, warn)),
    ...(fields.hostname === undefined ? {} : { hostname: fields.hostname.parsed(PARSERS.hostname) }),
    ...linux,
    ...(mounts.length === 0 ? {} : { mounts }),
    ...(sysctl.length === 0 ? {} : { sysctl }),
  };
  return { settings, warnings };
}

/** 1.0.0 and what came after it without taking anything back: unknown properties are refused one by one. */
function checkVersion(config: Value): void {
  const own = config.entries().find(([name]) => name === 'ociVersion');
  const version = required(own?.[1], config, 'ociVersion');
  if (!/^1\.[0-2]\.\d+$/.test(version.text()))
    version.fail(`is '${version.text()}': versions 1.0 to 1.2 are known, and no drafts of them`);
}

function readRoot(root: Value, directory: string): Settings {
  const { path, readonly } = root.fields('path', 'readonly');
  const place = required(path, root, 'path');
  const text = place.text();
  if (text === '') place.fail('is empty');
  return {
    directory: isAbsolute(text) ? text : `${directory}/${text}`,
    ...(readonly === undefined ? {} : { readOnly: readonly.boolean() }),
  };
}

function readProcess(process: Value, warn: (value: Value, reason: string) => void): Settings {
  const fields = process.fields(
    ...([
      'terminal',
      'consoleSize',
      'cwd',
      'env',
      'args',
      'user',
      'capabilities',
      'rlimits',
      'noNewPrivileges',
    ] as const),
    ...(['oomScoreAdj', 'apparmorProfile', 'selinuxLabel', 'commandLine', 'scheduler', 'ioPriority'] as const),
    'execCPUAffinity',
  );
  unsupported(fields.commandLine, 'it is for Windows');
  unsupported(fields.scheduler);
  unsupported(fields.ioPriority);
  unsupported(fields.execCPUAffinity);
  if (fields.apparmorProfile?.text() !== 'unconfined') unsupported(fields.apparmorProfile);
  if (fields.consoleSize !== undefined) {
    // the size is that of the caller's terminal
    const { height, width } = fields.consoleSize.fields('height', 'width');
    for (const side of [height, width]) side?.integer(0, 65535);
  }
  return {
    // else a terminal where the caller has one
    ...(fields.terminal?.boolean() === false ? { console: 'pipe' } : {}),
    ...(fields.args === undefined ? {} : { parameters: readArgs(fields.args), boot: false }),
    ...(fields.env === undefined ? {} : { setenv: fields.env.list().map((item) => readVariable(item)) }),
    ...(fields.cwd === undefined ? {} : { chdir: fields.cwd.parsed(PARSERS.chdir) }),
    ...(fields.user === undefined ? {} : readUser(fields.user)),
    ...(fields.capabilities === undefined ? {} : readCapabilities(fields.capabilities, warn)),
    ...(fields.rlimits === undefined ? {} : { rlimit: readRlimits(fields.rlimits) }),
    ...(fields.noNewPrivileges === undefined ? {} : { noNewPrivileges: fields.noNewPrivileges.boolean() }),
    ...(fields.oomScoreAdj === undefined ? {} : { oomScoreAdjust: fields.oomScoreAdj.integer(-1000, 1000) }),
    ...(fields.selinuxLabel === undefined ? {} : { selinuxContext: fields.selinuxLabel.parsed(PARSERS.text) }),
  };
}

function readArgs(args: Value): string[] {
  const words = args.list().map((item) => item.text());
  if ((words[0] ?? '') === '') args.fail('names no program');
  return words;
}

function readVariable(item: Value): NonNullable<Settings['setenv']>[number] {
  const text = item.text();
  return text.includes('=') ? item.parsed(PARSERS.env) : item.fail(`'${text}' is not of the form NAME=VALUE`);
}

function readUser(user: Value): Settings {
  const { uid, gid, umask, additionalGids } = user.fields('uid', 'gid', 'umask', 'additionalGids', 'username');
  // Linux knows numbers only; the mask is 0022 for everyone
  if (umask !== undefined && umask.integer(0, 0o777) !== 0o022) umask.fail('is not supported', 'it is 18 (0022)');
  const id = (value: Value): number => value.integer(0, LAST_ID);
  const groups = (additionalGids?.list() ?? []).map(id);
  const number = id(required(uid, user, 'uid'));
  return { user: String(number), groups: [id(required(gid, user, 'gid')), ...groups] };
}

const SETS = ['effective', 'bounding', 'inheritable', 'permitted', 'ambient'] as const;

/** The bounding set is what root has after an exec, and the ambient set what others have (capabilities(7)); the other three only
 *  matter to a program that does not exec. Names the kernel does not have are passed over, as the specification wants it. */
function readCapabilities(capabilities: Value, warn: (value: Value, reason: string) => void): Settings {
  const sets = capabilities.fields(...SETS);
  const names = (set: Value | undefined): Capability[] =>
    (set?.list() ?? []).flatMap((item) => {
      const name = capabilityName(item.text());
      if (name === undefined) warn(item, `no capability is named ${item.text()}: passed over`);
      return name === undefined ? [] : [name];
    });
  const [, bounding, , , ambient] = SETS.map((name) => names(sets[name])) as Capability[][];
  const kept = new Set(bounding);
  return {
    capability: [[...kept]],
    dropCapability: [CAPABILITIES.filter((name) => !kept.has(name))],
    ...(sets.ambient === undefined ? {} : { ambientCapability: [ambient ?? []] }),
  };
}

function readRlimits(rlimits: Value): NamedRlimit[] {
  const seen = new Set<string>();
  return rlimits.list().map((item) => {
    const fields = item.fields('type', 'soft', 'hard');
    const type = required(fields.type, item, 'type');
    const name = type.text().startsWith('RLIMIT_') ? rlimitName(type.text()) : undefined;
    if (name === undefined) return type.fail(`no limit is named '${type.text()}'`);
    if (seen.has(name)) type.fail(`${name} is limited twice`);
    seen.add(name);
    const soft = rlimitValue(required(fields.soft, item, 'soft'));
    const hard = rlimitValue(required(fields.hard, item, 'hard'));
    if (hard !== 'infinity' && (soft === 'infinity' || soft > hard)) item.fail(`soft ${soft} is above hard ${hard}`);
    return { name, limit: { soft, hard } };
  });
}

/** The largest number of 64 bits, which JSON cannot write, and any negative one mean that there is no limit. */
function rlimitValue(value: Value): RlimitValue {
  const { json } = value;
  if (typeof json === 'number' && (json < 0 || json >= 2 ** 63)) return 'infinity';
  return value.integer(0, Number.MAX_SAFE_INTEGER);
}

// The option table: the one place where an option of the launch is written down. Parsing, --help, completion and the manual
// are made from these rows; what a value may be stands in values.ts under the name in `value`.

import type { CustomMount, EnvAssignment, RequestedConsole } from './spec';
import type { NamedRlimit, ValueKind, Values } from './values';

/** What the options of a command line said, by the key of their rows. Repeatable ones are lists in the order given. */
export interface Settings {
  directory?: string;
  machine?: string;
  hostname?: string;
  uuid?: string;
  readOnly?: boolean;
  mounts?: CustomMount[];
  boot?: boolean;
  asPid2?: boolean;
  user?: string;
  chdir?: string;
  setenv?: EnvAssignment[];
  killSignal?: number;
  notifyReady?: boolean;
  suppressSync?: boolean;
  keepUnit?: boolean;
  register?: boolean | 'auto';
  capability?: Values['capabilities'][];
  dropCapability?: Values['capabilities'][];
  noNewPrivileges?: boolean;
  rlimit?: NamedRlimit[];
  oomScoreAdjust?: number;
  personality?: 'x86' | 'x86-64';
  privateNetwork?: boolean;
  console?: RequestedConsole;
  quiet?: boolean;
  noPager?: boolean;
  dryRun?: 'text' | 'json';
  help?: boolean;
  version?: boolean;
}

/** Lists that an option prints for the value `help`. */
export type ListName = 'signals' | 'consoles' | 'capabilities';

interface Common {
  readonly long: string;
  /** other long names of the same option */
  readonly also?: readonly string[];
  readonly short?: string;
  /** heading of --help */
  readonly group: 'tree' | 'payload' | 'privileges' | 'network' | 'console' | 'other';
  readonly takes: 'nothing' | 'required' | 'optional';
  /** what the value is called in --help */
  readonly metavar?: string;
  /** the value's text when none is given; required unless a value is */
  readonly implied?: string;
  /** the value `help` prints this list instead */
  readonly lists?: ListName;
  readonly help: string;
}

type Element<T> = T extends readonly (infer E)[] ? E : T;
type KindFor<T> = { [K in ValueKind]: Values[K] extends T ? K : never }[ValueKind];
type RowFor<K extends keyof Settings> =
  NonNullable<Settings[K]> extends readonly unknown[]
    ? Common & { readonly key: K; readonly value: KindFor<Element<NonNullable<Settings[K]>>>; readonly many: true }
    : Common & { readonly key: K; readonly value: KindFor<NonNullable<Settings[K]>>; readonly many?: false };

/** A row: its value's kind yields what its key holds, and only lists are repeatable. */
export type OptionRow = { [K in keyof Settings]-?: RowFor<K> }[keyof Settings];

/** A switch: `--quiet`, which stands for `--quiet=yes`. */
const SWITCH = { takes: 'nothing', value: 'boolean', implied: 'yes' } as const;

export const OPTIONS = [
  {
    long: 'directory',
    short: 'D',
    group: 'tree',
    takes: 'required',
    metavar: 'DIR',
    key: 'directory',
    value: 'path',
    help: 'tree to start (default: the current directory)',
  },
  {
    long: 'machine',
    short: 'M',
    group: 'tree',
    takes: 'required',
    metavar: 'NAME',
    key: 'machine',
    value: 'machine',
    help: 'machine name; without -D also the name of the tree in /var/lib/machines',
  },
  {
    long: 'hostname',
    group: 'tree',
    takes: 'required',
    metavar: 'NAME',
    key: 'hostname',
    value: 'hostname',
    help: 'host name of the container (default: the machine name)',
  },
  {
    long: 'uuid',
    group: 'tree',
    takes: 'required',
    metavar: 'UUID',
    key: 'uuid',
    value: 'uuid',
    help: 'machine id where the tree has none yet',
  },
  { long: 'read-only', group: 'tree', ...SWITCH, key: 'readOnly', help: 'mount the tree read-only' },
  {
    long: 'bind',
    group: 'tree',
    takes: 'required',
    metavar: 'SRC[:DST[:OPTS]]',
    key: 'mounts',
    value: 'bind',
    many: true,
    help: 'show a path of the host (or +PATH of the tree) at DST; OPTS: rbind, norbind',
  },
  {
    long: 'bind-ro',
    group: 'tree',
    takes: 'required',
    metavar: 'SRC[:DST[:OPTS]]',
    key: 'mounts',
    value: 'bindReadOnly',
    many: true,
    help: 'the same, read-only',
  },
  {
    long: 'tmpfs',
    group: 'tree',
    takes: 'required',
    metavar: 'PATH[:OPTS]',
    key: 'mounts',
    value: 'tmpfs',
    many: true,
    help: 'mount an empty tmpfs at PATH',
  },
  { long: 'boot', short: 'b', group: 'payload', ...SWITCH, key: 'boot', help: 'start the init of the tree as PID 1' },
  {
    long: 'as-pid2',
    short: 'a',
    group: 'payload',
    ...SWITCH,
    key: 'asPid2',
    help: 'run COMMAND as PID 2 below a small init',
  },
  {
    long: 'user',
    also: ['uid'],
    short: 'u',
    group: 'payload',
    takes: 'required',
    metavar: 'USER',
    key: 'user',
    value: 'user',
    help: 'user of the tree to run COMMAND as, name or number',
  },
  {
    long: 'chdir',
    group: 'payload',
    takes: 'required',
    metavar: 'PATH',
    key: 'chdir',
    value: 'chdir',
    help: 'working directory in the container',
  },
  {
    long: 'setenv',
    short: 'E',
    group: 'payload',
    takes: 'required',
    metavar: 'NAME[=VALUE]',
    key: 'setenv',
    value: 'env',
    many: true,
    help: "environment variable; without VALUE the caller's",
  },
  {
    long: 'kill-signal',
    group: 'payload',
    takes: 'required',
    metavar: 'SIGNAL',
    key: 'killSignal',
    value: 'signal',
    lists: 'signals',
    help: 'signal that asks PID 1 to shut down (help: list)',
  },
  {
    long: 'notify-ready',
    group: 'payload',
    takes: 'required',
    metavar: 'BOOL',
    key: 'notifyReady',
    value: 'boolean',
    help: 'say READY=1 to the service manager when PID 1 does',
  },
  {
    long: 'suppress-sync',
    group: 'payload',
    takes: 'optional',
    metavar: 'BOOL',
    implied: 'yes',
    key: 'suppressSync',
    value: 'boolean',
    help: 'let sync calls of the container do nothing: fast, unsafe on power loss',
  },
  {
    long: 'personality',
    group: 'payload',
    takes: 'required',
    metavar: 'x86|x86-64',
    key: 'personality',
    value: 'personality',
    help: 'architecture that uname(2) reports',
  },
  {
    long: 'keep-unit',
    group: 'payload',
    ...SWITCH,
    key: 'keepUnit',
    help: 'end with status 133 on a reboot of the container instead of starting it again',
  },
  {
    long: 'register',
    group: 'payload',
    takes: 'required',
    metavar: 'BOOL|auto',
    key: 'register',
    value: 'register',
    help: 'accepted for compatibility; without effect where no systemd-machined runs',
  },
  {
    long: 'capability',
    group: 'privileges',
    takes: 'required',
    metavar: 'CAP,...',
    key: 'capability',
    value: 'capabilities',
    many: true,
    lists: 'capabilities',
    help: 'capabilities to keep beyond the default set; all (help: list)',
  },
  {
    long: 'drop-capability',
    group: 'privileges',
    takes: 'required',
    metavar: 'CAP,...',
    key: 'dropCapability',
    value: 'capabilities',
    many: true,
    lists: 'capabilities',
    help: 'capabilities to take away; wins over --capability',
  },
  {
    long: 'no-new-privileges',
    group: 'privileges',
    takes: 'required',
    metavar: 'BOOL',
    key: 'noNewPrivileges',
    value: 'boolean',
    help: 'no program gains privileges by set-id bits',
  },
  {
    long: 'rlimit',
    group: 'privileges',
    takes: 'required',
    metavar: 'NAME=SOFT[:HARD]',
    key: 'rlimit',
    value: 'rlimit',
    many: true,
    help: 'resource limit; sizes take K M G T, or infinity',
  },
  {
    long: 'oom-score-adjust',
    group: 'privileges',
    takes: 'required',
    metavar: 'N',
    key: 'oomScoreAdjust',
    value: 'oomScore',
    help: 'from -1000 (never killed when memory is short) to 1000',
  },
  {
    long: 'private-network',
    group: 'network',
    ...SWITCH,
    key: 'privateNetwork',
    help: 'a network of its own with nothing but lo',
  },
  {
    long: 'console',
    group: 'console',
    takes: 'required',
    metavar: 'MODE',
    key: 'console',
    value: 'console',
    lists: 'consoles',
    help: 'interactive, read-only, passive, pipe or autopipe (help: list)',
  },
  {
    long: 'pipe',
    short: 'P',
    group: 'console',
    takes: 'nothing',
    implied: 'pipe',
    key: 'console',
    value: 'console',
    help: "hand on the caller's standard input, output and error",
  },
  {
    long: 'quiet',
    short: 'q',
    group: 'console',
    ...SWITCH,
    key: 'quiet',
    help: 'no messages of its own but errors',
  },
  {
    long: 'dry-run',
    group: 'other',
    takes: 'optional',
    metavar: 'text|json',
    implied: 'text',
    key: 'dryRun',
    value: 'dryRun',
    help: 'print what would be done, step by step, and do nothing',
  },
  {
    long: 'no-pager',
    group: 'other',
    ...SWITCH,
    key: 'noPager',
    help: 'accepted for compatibility; there is no pager',
  },
  { long: 'help', short: 'h', group: 'other', ...SWITCH, key: 'help', help: 'print this' },
  { long: 'version', group: 'other', ...SWITCH, key: 'version', help: 'print the version' },
] as const satisfies readonly OptionRow[];

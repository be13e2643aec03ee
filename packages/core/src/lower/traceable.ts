// What the ptrace engine does of what can be asked for. Every setting stands here, so that none can be taken without an effect: it is
// done as in the other engine, or refused by name before anything is looked for or started.

import { UnsupportedError } from '../errors';
import type { Settings } from '../options';
import type { ContainerSpec, TmpfsMount } from '../spec';

/** Why a setting is refused, and when: what the engine cannot do. */
interface Refusal {
  readonly option: string;
  readonly what: string;
  readonly asked: (spec: ContainerSpec) => boolean;
}

type Treatment = 'done' | readonly Refusal[];

const refused = (option: string, what: string, asked: Refusal['asked']): readonly Refusal[] => [
  { option, what, asked },
];

const image = (option: string, asked: Refusal['asked']): readonly Refusal[] =>
  refused(option, 'mount file systems', asked);
const network = (option: string, asked: (spec: ContainerSpec['network']) => boolean): readonly Refusal[] =>
  refused(option, 'give a network of its own', (spec) => asked(spec.network));
const users = (option: string, asked: Refusal['asked']): readonly Refusal[] =>
  refused(option, 'give user namespaces', asked);
const labels = (option: string, asked: Refusal['asked']): readonly Refusal[] => refused(option, 'give labels', asked);

/** In the order in which they are told: what implies another setting is in front of it. */
const TREATMENTS: { readonly [key in keyof Settings]-?: Treatment } = {
  // the tree
  directory: 'done',
  template: 'done',
  ociBundle: 'done',
  machine: 'done',
  hostname: 'done',
  uuid: 'done',
  readOnly: 'done',
  image: image('--image', (spec) => spec.image !== undefined),
  rootHash: image('--root-hash', (spec) => spec.rootHash !== undefined),
  rootHashSignature: image('--root-hash-sig', (spec) => spec.rootHashSignature !== undefined),
  verityData: image('--verity-data', (spec) => spec.verityData !== undefined),
  imagePolicy: image('--image-policy', (spec) => spec.imagePolicy !== undefined),
  pivotRoot: image('--pivot-root', (spec) => spec.pivotRoot !== undefined),
  ephemeral: refused('--ephemeral', 'keep changes apart', (spec) => spec.ephemeral),
  volatile: refused('--volatile', 'keep changes apart', (spec) => spec.volatile !== 'no'),
  // the payload
  boot: 'done',
  asPid2: 'done',
  parameters: 'done',
  user: 'done',
  groups: 'done',
  chdir: 'done',
  setenv: 'done',
  killSignal: 'done',
  notifyReady: 'done',
  suppressSync: 'done',
  personality: 'done',
  // the engine
  engine: 'done',
  fakeId: 'done',
  fakeRoot: 'done',
  shareHost: 'done',
  emulator: 'done',
  portMap: 'done',
  fakeLinks: 'done',
  kernelRelease: 'done',
  // mounts
  mounts: [
    ...[true, false].map((writable) => ({
      option: writable ? '--overlay' : '--overlay-ro',
      what: 'lay directories over each other',
      asked: ({ mounts }: ContainerSpec) =>
        mounts.some((mount) => mount.kind === 'overlay' && (mount.upper !== undefined) === writable),
    })),
    {
      option: '--bind',
      what: 'show other owners than those of the files',
      asked: ({ mounts }) => mounts.some((mount) => mount.kind === 'bind' && mount.ids !== 'none'),
    },
    {
      option: '--bind',
      what: 'leave out what is mounted below a directory',
      asked: ({ mounts }) => mounts.some((mount) => mount.kind === 'bind' && !mount.recursive),
    },
    {
      option: '--tmpfs',
      what: 'keep more options of a file system than mode= and ro',
      asked: ({ mounts }) => mounts.some((mount) => mount.kind === 'tmpfs' && !isDirectory(mount)),
    },
  ],
  proc: refused('--proc', 'make /proc read-only', (spec) => spec.procReadOnly),
  sysctl: refused('sysctl', 'set parameters of the kernel', (spec) => spec.sysctl.length > 0),
  devices: refused('devices', 'make device nodes', (spec) => spec.devices.some(({ type }) => type !== 'fifo')),
  // users
  bindUsers: users('--bind-user', (spec) => spec.bindUsers.length > 0),
  bindUserShell: users('--bind-user-shell', (spec) => spec.bindUserShell !== false),
  bindUserGroups: users('--bind-user-group', (spec) => spec.bindUserGroups.length > 0),
  ownership: users('--private-users-ownership', ({ ownership }) => ownership !== 'off' && ownership !== 'auto'),
  privateUsers: users(
    '--private-users',
    (spec) => spec.users.mode !== 'no' && !(spec.users.mode === 'pick' && spec.users.wherePossible),
  ),
  // privileges
  capability: refused('--capability', 'give capabilities', (spec) => spec.addCapabilities.length > 0),
  dropCapability: refused('--drop-capability', 'take capabilities away', (spec) => spec.dropCapabilities.length > 0),
  ambientCapability: refused(
    '--ambient-capability',
    'give capabilities',
    (spec) => spec.ambientCapabilities.length > 0,
  ),
  noNewPrivileges: 'done',
  systemCallFilter: refused('--system-call-filter', 'filter system calls', (spec) => spec.systemCallFilter.length > 0),
  seccompProfile: refused('seccomp', 'filter system calls', (spec) => spec.seccompProfile !== undefined),
  selinuxContext: labels('--selinux-context', (spec) => spec.selinuxContext !== undefined),
  selinuxApiContext: labels('--selinux-apifs-context', (spec) => spec.selinuxApiContext !== undefined),
  // resources
  rlimit: 'done',
  oomScoreAdjust: 'done',
  cpuAffinity: 'done',
  properties: refused('--property', 'limit the whole container', (spec) => spec.properties.length > 0),
  slice: refused('--slice', 'give a unit of its own', (spec) => spec.slice !== undefined),
  register: refused('--register', 'give a unit of its own', (spec) => spec.register === true),
  keepUnit: 'done',
  // a bundle may ask for those of the host, which are the only ones
  sharedNamespaces: 'done',
  cgroupNamespace: 'done',
  // the network
  networkBridge: network('--network-bridge', ({ bridge }) => bridge !== undefined),
  networkZone: network('--network-zone', ({ zone }) => zone !== undefined),
  networkVeth: network('--network-veth', ({ veth }) => veth),
  networkVethExtra: network('--network-veth-extra', ({ vethExtra }) => vethExtra.length > 0),
  networkMacvlan: network('--network-macvlan', ({ macvlan }) => macvlan.length > 0),
  networkIpvlan: network('--network-ipvlan', ({ ipvlan }) => ipvlan.length > 0),
  networkInterface: network('--network-interface', ({ interfaces }) => interfaces.length > 0),
  networkNamespacePath: network('--network-namespace-path', ({ namespacePath }) => namespacePath !== undefined),
  privateNetwork: network('--private-network', (spec) => spec.private),
  port: network('--port', ({ ports }) => ports.length > 0),
  // what of the host's the container gets
  resolvConf: 'done',
  timezone: 'done',
  linkJournal: 'done',
  credentials: 'done',
  // the terminal, and what is no affair of an engine
  console: 'done',
  background: 'done',
  quiet: 'done',
  settings: 'done',
  noPager: 'done',
  noAskPassword: 'done',
  cleanup: 'done',
  dryRun: 'done',
  help: 'done',
  version: 'done',
};

/** What is kept of mount(8)'s options where a directory stands for the file system. */
const KEPT = /^(?:mode=.*|ro|rw|suid|dev|nodev|exec|defaults|noatime|relatime|strictatime|nodiratime|)$/;

function isDirectory({ options = '' }: TmpfsMount): boolean {
  return options.split(',').every((option) => KEPT.test(option));
}

const HINT = 'the engine ptrace has no namespaces; tsnspawn doctor says what would give them';

/** A refusal of the engine. */
export function cannot(option: string, what: string): UnsupportedError {
  return new UnsupportedError(`${option}: the engine ptrace cannot ${what}`, { option, hint: HINT });
}

/**
 * Refuses what was asked for by name and takes a kernel to keep.
 * @throws UnsupportedError for the first of it
 */
export function requireTraceable(spec: ContainerSpec): void {
  for (const treatment of Object.values(TREATMENTS) as Treatment[]) {
    if (treatment === 'done') continue;
    for (const { option, what, asked } of treatment) if (asked(spec)) throw cannot(option, what);
  }
}

/**
 * The same where the tree is the host's own root: what a container would have of its own there is the host's.
 * @throws UnsupportedError
 */
export function requireNothingInside(spec: ContainerSpec): void {
  const { credentials, resolvConf, timezone, linkJournal } = spec;
  const named: readonly (readonly [string, boolean])[] = [
    ['--set-credential', credentials.length > 0],
    ['--resolv-conf', resolvConf !== 'auto' && resolvConf !== 'off'],
    ['--timezone', timezone !== 'auto' && timezone !== 'off'],
    ['--link-journal', !linkJournal.whereLinked && linkJournal.mode !== 'no'],
  ];
  for (const [option, asked] of named) if (asked) throw cannot(option, 'put it into the root of the host');
}

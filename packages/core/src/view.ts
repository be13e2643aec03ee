// view(): spec + host + tree → what the guest sees. Pure, and the place where everything that can be refused is refused.

import { TreeError, UnsupportedError } from './errors';
import type { HostFacts, TreeFacts } from './facts';
import type { ConsoleMode } from './plan';
import type { ContainerSpec } from './spec';
import { NAME_MAX } from './values/names';
import { boundAccount, boundUserEntries } from './view/bound-users';
import { cgroupLayout } from './view/cgroup';
import { credentialEntries } from './view/credentials';
import { customEntries, type Places } from './view/custom';
import { devEntries, extraDevices } from './view/dev';
import { environmentOf } from './view/environment';
import { imageEntries } from './view/image';
import { journalEntries } from './view/journal';
import { procCovers, procEntry, procReadOnly, sysEntries } from './view/kernel';
import { limitsOf, requireDescriptors, requireTokens } from './view/limits';
import type { ContainerView, Entry, HelperView, PayloadView, ResourceView, UnitView, UsersView } from './view/model';
import { machineId, machineName } from './view/names';
import { sharedNamespaces } from './view/namespaces';
import { networkOf } from './view/network';
import { askedIds, payloadOf, signalsOf, systemPath } from './view/payload';
import { privilegesOf } from './view/privileges';
import { resolverEntries } from './view/resolver';
import { resourcesOf } from './view/resources';
import { isOverlaid, rootEntries, rootView } from './view/root';
import { closeRunHost, runEntries, tmpEntries } from './view/run';
import { sysctlEntries } from './view/sysctl';
import { timezoneEntries } from './view/timezone';
import { unitOf } from './view/unit';
import { isMapped, remembering, usersOf } from './view/users';

/**
 * What the guest is to see.
 *
 * @throws TreeError, CgroupError, PermissionError, UnsupportedError or UsageError, each before anything was touched
 */
export function view(spec: ContainerSpec, host: HostFacts, tree: TreeFacts): ContainerView {
  requireDescriptors(host);
  const users = usersOf(spec, host, tree);
  const account = boundAccount(spec, host, tree, users);
  const payload = { ...payloadOf(spec, tree), ...askedIds(spec, host), ...(account === undefined ? {} : { account }) };
  requireTree(spec, tree, payload);
  requirePersonality(spec, host);
  const machine = runName(spec, host, machineName(spec, tree));
  const uuid = machineId(spec, tree);
  const root = rootView(spec, host, tree, machine);
  const unit = unitOf(spec, host, machine);
  const resources = resourcesIn(unit, spec, host);
  const readOnly = root.readOnly && spec.volatile !== 'yes';
  const network = networkOf(spec, host, machine);
  const limits = limitsOf(spec, host);
  requireTokens(limits, users);
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  warnOfOwner(tree, users, warn);
  return {
    warnings,
    machine,
    hostname: spec.hostname ?? machine,
    ...(uuid === undefined ? {} : { uuid }),
    root,
    // the caller's own owners are those of the disk
    ...(users === undefined ? {} : { users: payload.keepsIds === true ? users : remembering(users, root) }),
    entries: [
      ...rootEntries(spec, tree),
      ...imageEntries(spec, tree),
      ...entriesOf(spec, host, tree, { machine, users, payload, readOnly, helper: network.helper, warn }),
    ],
    cgroup: cgroupLayout(spec, host, tree, payload, unit),
    ...(resources === undefined ? {} : { resources }),
    ...(unit === undefined ? {} : { unit }),
    payload,
    environment: environmentOf(spec, host, payload),
    ...consoleOf(spec, host),
    listen: listenFds(host),
    signals: signalsOf(spec, payload, tree),
    restart: !spec.keepUnit,
    notifyReady: spec.notifyReady,
    procReadOnly: procReadOnly(spec, payload),
    sharedNamespaces: sharedNamespaces(spec, payload),
    ...(spec.selinuxApiContext === undefined ? {} : { apiLabel: spec.selinuxApiContext }),
    network,
    privileges: privilegesOf(spec, host, users),
    limits,
    ...(spec.oomScoreAdjust === undefined ? {} : { oomScoreAdjust: spec.oomScoreAdjust }),
    ...(spec.cpuAffinity === undefined ? {} : { cpuAffinity: spec.cpuAffinity }),
    ...(spec.personality === undefined ? {} : { personality: spec.personality }),
  };
}

/** What a scope has as its properties is the affair of systemd; everything else is set directly. */
function resourcesIn(unit: UnitView | undefined, spec: ContainerSpec, host: HostFacts): ResourceView | undefined {
  if (unit?.scope !== undefined) return resourcesOf({ ...spec, properties: [] }, host, true);
  const alone = host.resources?.levels[0]?.processes === 'own';
  return resourcesOf(spec, host, host.systemd === true && spec.keepUnit && alone);
}

/** The order matters: the covers of /proc come out of /run/host, and custom mounts may go onto anything but its closing. */
function entriesOf(
  spec: ContainerSpec,
  host: HostFacts,
  tree: TreeFacts,
  places: Places & {
    readonly payload: PayloadView;
    readonly readOnly: boolean;
    readonly helper: HelperView | undefined;
    readonly warn: (text: string) => void;
  },
): Entry[] {
  const files = {
    spec,
    host,
    helper: places.helper,
    resolved: places.payload.init === 'systemd',
    writable: !places.readOnly,
    warn: places.warn,
  };
  return [
    procEntry(),
    ...sysctlEntries(spec),
    ...devEntries(host, places.users),
    ...extraDevices(spec),
    ...runEntries(spec, host),
    ...credentialEntries(spec, places.payload),
    ...boundUserEntries(spec, host, tree, places.users),
    ...procCovers(spec),
    ...sysEntries(spec, host, places.users),
    ...tmpEntries(spec, places.readOnly),
    ...customEntries(spec, host, tree, places),
    ...timezoneEntries(files, tree),
    ...resolverEntries(files),
    ...journalEntries({ ...files, users: places.users }),
    closeRunHost(),
  ];
}

/** Machines that run at the same time off one tree need names of their own. */
function runName(spec: ContainerSpec, host: HostFacts, name: string): string {
  if (!spec.ephemeral || spec.machine !== undefined) return name;
  return `${name.slice(0, NAME_MAX - host.runId.length - 1)}-${host.runId}`;
}

/** Only a terminal that knows colours is coloured, and nobody's who does not want any (no-color.org). */
function consoleOf(spec: ContainerSpec, host: HostFacts): Pick<ContainerView, 'console' | 'background'> {
  const console = consoleMode(spec, host);
  const { TERM = 'dumb', NO_COLOR = '' } = host.env;
  const coloured = console === 'interactive' && host.stdoutTty && NO_COLOR === '' && TERM !== '' && TERM !== 'dumb';
  return coloured && spec.background ? { console, background: spec.background } : { console };
}

/** The mode asked for; by default the terminal when there is one on both sides, else output only. */
function consoleMode(spec: ContainerSpec, host: HostFacts): ConsoleMode {
  const terminal = host.stdinTty && host.stdoutTty;
  switch (spec.console) {
    case undefined:
      return terminal ? 'interactive' : 'read-only';
    case 'autopipe':
      return terminal ? 'interactive' : 'pipe';
    default:
      return spec.console;
  }
}

/** As many as the runner can keep from one start of the guest to the next. */
const MOST_LISTEN_FDS = 32;

function listenFds({ listenFds: count = 0 }: HostFacts): number {
  if (count <= MOST_LISTEN_FDS) return count;
  throw new UnsupportedError(`LISTEN_FDS=${count} are too many descriptors: ${MOST_LISTEN_FDS} can be handed on`);
}

function requireTree(spec: ContainerSpec, tree: TreeFacts, payload: PayloadView): void {
  const { path } = tree;
  if (!tree.isDirectory) throw new TreeError(`${path} is not a directory`, { code: 'ENOTDIR', path });
  if (path === '/' && !isOverlaid(spec) && spec.volatile === 'no' && spec.engine !== 'ptrace') {
    throw new TreeError('the root of the host cannot be the tree', {
      path,
      hint: 'name a tree with -D DIR, or forget the changes with --ephemeral',
    });
  }
  if (!spec.checkOs) return;
  const system = systemPath(spec, tree);
  const hint = `make a tree with: tsnspawn bootstrap SUITE ${system}`;
  if (payload.kind === 'boot') {
    if (tree.osRelease === undefined)
      throw new TreeError(`the tree ${system} has no os-release: there is no system to boot`, { path, hint });
  } else if (!tree.hasUsr) {
    throw new TreeError(`the tree ${system} has no usr: it is not a system`, { path, hint });
  }
}

/** A tree of the host's root, or of another user, can be looked at, and no more. */
function warnOfOwner({ owner, path }: TreeFacts, users: UsersView | undefined, warn: (text: string) => void): void {
  const maps = users?.around?.maps;
  if (maps === undefined || owner === undefined || isMapped(owner, maps)) return;
  warn(`the tree ${path} belongs to user ${owner.uid}: its files are nobody's in the container, and cannot be changed`);
}

function requirePersonality(spec: ContainerSpec, host: HostFacts): void {
  if (spec.personality === undefined) return;
  const native = host.architectures[0] ?? 'unknown';
  const allowed = native === 'x86_64' || (spec.personality === 'x86' && /^i[3-6]86$/.test(native));
  if (!allowed) {
    throw new UnsupportedError(`personality ${spec.personality} does not exist on ${native}`, {
      option: '--personality',
    });
  }
}

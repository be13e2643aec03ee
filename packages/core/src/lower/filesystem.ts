// The file system of the view as steps: what is opened on the host beforehand (outer), and what is put in place inside.

import { isUnder, lastComponent, parentOf } from '../paths';
import { type MountFlag, type Slot, type Step, TREE_SLOT } from '../plan';
import type { DeviceFilesystem, Entry, MountSource, RootView, UsersView } from '../view/model';
import { INACCESSIBLE } from '../view/run';
import { MAP, PROC, SCRATCH, SYSFS, treeFlags } from './users';

/** Values that differ from run to run. */
export interface RunVariables {
  /** the launcher's process id: makes the name of the guest's cgroup unique */
  readonly pid: number;
  /** a random (version 4) uuid for a guest without a machine id, dashed or not */
  readonly uuid: string;
}

export interface FilesystemSteps {
  /** on the host: opens what is reached there only */
  readonly open: readonly Step[];
  /** lays mounts over each other, in the scratch mount namespace */
  readonly overlay: readonly Step[];
  /** in the guest's root. `own`: only a process in the guest's namespaces can do it, where they have a user namespace */
  readonly inside: readonly { readonly step: Step; readonly own: boolean }[];
  /** slots of what the monitor opens, and only a process in the guest's namespaces can put in its place */
  readonly own: readonly Slot[];
}

/** Slot of the directory that takes the changes to a tree which is left alone. */
export const CHANGES_DIRECTORY: Slot = 'directory for changes';

/** The part of a temporary directory that the guest sees. */
const INNER = 'files';

/**
 * Lowers the entries in their order.
 *
 * @param uuid the machine id, dashed
 * @param changes where the root's changes go, when they do not go into the tree
 */
export function lowerEntries(
  entries: readonly Entry[],
  uuid: string,
  users: UsersView | undefined,
  ownNetwork: boolean,
  changes: RootView['changes'],
): FilesystemSteps {
  const open: Step[] = [];
  const overlay: Step[] = [];
  const inside: { step: Step; own: boolean }[] = [];
  const lastSysfs = entries.findLastIndex(({ kind }) => kind === 'sysfs');
  let sysfs = false;
  const ownSlots: Slot[] = [];
  entries.forEach((entry, index) => {
    const own = isOwn(entry, ownNetwork);
    const put = (...steps: readonly Step[]): void => void inside.push(...steps.map((step) => ({ step, own })));
    const bind = (from: Slot, recursive: boolean): void =>
      put({
        op: 'bind',
        source: { from },
        target: entry.path,
        recursive,
        flags: [],
        ...(entry.kind === 'host'
          ? { ...onlyTrue(entry, 'coverLink'), ...onlyTrue(entry, 'nofollow'), ...onlyTrue(entry, 'try') }
          : {}),
      });
    switch (entry.kind) {
      case 'host': {
        const as = unused(entry.source, open, index);
        if (entry.made === true)
          open.push({ op: 'mkdir', path: entry.source, mode: 0o755, replace: true, ...onlyTrue(entry, 'try') });
        open.push(...openHost(entry, as, users));
        if (own) ownSlots.push(as);
        bind(as, entry.recursive);
        break;
      }
      case 'hostLink': {
        const { path, target } = entry;
        open.push({ op: 'symlink', path, target, replace: true });
        break;
      }
      case 'device':
        bind(openDevice(entry, users, changes, open, overlay), false);
        break;
      case 'overlay': {
        const steps = lowerOverlay(entry, index, users);
        open.push(...steps.open);
        overlay.push(steps.overlay);
        if (own) ownSlots.push(steps.overlay.as);
        bind(steps.overlay.as, false);
        break;
      }
      case 'sysfs': {
        if (!sysfs) {
          const flags = ['nosuid', 'nodev', 'noexec'] as const;
          if (users?.around !== undefined && !ownNetwork) {
            const as = unused('/sys', open, index);
            open.push({ op: 'openTree', source: '/sys', recursive: true, flags: [], as });
            put({ op: 'bind', source: { from: as }, target: SCRATCH, recursive: true, flags: [] });
          } else if (users === undefined || !ownNetwork)
            put({ op: 'mount', fs: 'sysfs', target: SCRATCH, flags, data: entry.flags.includes('ro') ? 'ro' : '' });
          else put({ op: 'bind', source: { from: SYSFS }, target: SCRATCH, recursive: false, flags: [] });
        }
        sysfs = true;
        const { path: target, flags } = entry;
        put({ op: 'bind', source: `${SCRATCH}/${entry.part}`, target, recursive: false, flags, optional: true });
        if (index === lastSysfs) put({ op: 'umount', target: SCRATCH });
        break;
      }
      default:
        if (users !== undefined && entry.kind === 'filesystem' && entry.type === 'proc') {
          put({ op: 'bind', source: { from: PROC }, target: entry.path, recursive: false, flags: [], nofollow: true });
        } else put(...lowerEntry(entry, uuid));
    }
  });
  return { open, overlay, inside, own: ownSlots };
}

/** A file system of an image; its changes lie beside those of the root. Returns its slot. */
function openDevice(
  entry: Extract<Entry, { kind: 'device' }>,
  users: UsersView | undefined,
  changes: RootView['changes'],
  open: Step[],
  overlay: Step[],
): Slot {
  const mounted: Slot = `content of ${entry.device}`;
  open.push(mountDevice(entry, mounted));
  if (users?.tree === 'map') open.push({ op: 'mapOwners', mount: mounted, by: MAP });
  const shifted = (from: Slot, always: boolean): Step[] =>
    users?.tree === 'shift'
      ? [{ op: 'shiftOwners', from, path: entry.path, base: users.base, ...(always ? { always } : {}) }]
      : [];
  if (entry.overlaid !== true || changes === undefined) {
    open.push(...shifted(mounted, false));
    return mounted;
  }
  const as: Slot = `overlay for ${entry.path}`;
  const from: Slot = `changes for ${entry.path}`;
  open.push(openChanges(changes, from));
  const name = entry.path.replaceAll('/', '-');
  const upper = { from, directory: `upper${name}`, work: `work${name}` };
  const flags = entry.flags.filter((flag) => flag !== 'ro');
  overlay.push({ op: 'overlay', lower: [mounted], upper, flags, as }, ...shifted(as, true));
  return as;
}

/** A mount of what takes changes: each overlay wants one of its own. */
export function openChanges(changes: NonNullable<RootView['changes']>, as: Slot): Step {
  if (changes.kind === 'memory') return { op: 'newMount', fs: 'tmpfs', flags: [], data: changes.data, as };
  const source = { from: CHANGES_DIRECTORY, path: changes.path };
  return { op: 'openTree', source, recursive: false, flags: [], as };
}

/** Types of file systems that belong to the user namespace of whoever mounts them. */
const OWN_TYPES: readonly string[] = ['proc', 'devpts', 'mqueue'];

/** What shows the guest's own processes, terminals or network, and what hands the monitor a descriptor. */
function isOwn(entry: Entry, ownNetwork: boolean): boolean {
  switch (entry.kind) {
    case 'held':
    case 'notify':
      return true;
    // that of a network which is joined is shown by the monitor, who is in it as well then
    case 'sysfs':
      return ownNetwork;
    case 'filesystem':
      if (OWN_TYPES.includes(entry.type)) return true;
      break;
    case 'flags':
      if (entry.path === '/run/host') return true;
      break;
  }
  return isUnder(entry.path, '/proc') || (ownNetwork && isUnder(entry.path, '/sys'));
}

/** A slot for a source: the same source twice takes two mounts, as a detached one can only be attached once. */
function unused(source: string, open: readonly Step[], index: number): Slot {
  const taken = open.some((step) => step.op === 'openTree' && step.as === source);
  return taken ? `${source} (${index})` : source;
}

function openHost(entry: Extract<Entry, { kind: 'host' }>, as: Slot, users: UsersView | undefined): Step[] {
  const { source, recursive, flags, temporary, uids, gids } = entry;
  if (temporary === true) {
    const directory: Slot = `directory ${source}`;
    return [
      {
        op: 'tempDirectory',
        path: source,
        inner: { name: INNER, mode: 0o755, owner: users?.base ?? 0 },
        as: directory,
      },
      { op: 'openTree', source: { from: directory, path: source, inside: `/${INNER}` }, recursive, flags, as },
    ];
  }
  const open: Step = { op: 'openTree', source, recursive, flags, as, ...onlyTrue(entry, 'try') };
  if (uids === undefined || gids === undefined) return [open];
  const by: Slot = `ids of ${as}`;
  return [
    open,
    { op: 'userNamespace', uids, gids, as: by },
    { op: 'mapOwners', mount: as, by, ...onlyTrue(entry, 'try') },
  ];
}

/** The layers are opened on their own: each shows its owners as the tree does. */
function lowerOverlay(
  entry: Extract<Entry, { kind: 'overlay' }>,
  index: number,
  users: UsersView | undefined,
): { open: Step[]; overlay: Extract<Step, { op: 'overlay' }> } {
  const open: Step[] = [];
  const layer = (source: MountSource, as: Slot, flags: readonly MountFlag[], recursive = false): void => {
    if ('host' in source) open.push({ op: 'openTree', source: source.host, recursive, flags, as });
    else {
      const { tree } = source;
      const inTree = { from: TREE_SLOT, path: tree, inside: tree };
      open.push({ op: 'openTree', source: inTree, recursive, flags, as });
      if (users?.tree === 'map') open.push({ op: 'mapOwners', mount: as, by: MAP });
    }
  };
  const name = (what: string): Slot => `${what} of ${entry.path} (${index})`;
  const lower = entry.lower.map((source, at) => {
    const as = name(`layer ${at + 1}`);
    layer(source, as, ['ro']);
    return as;
  });
  const as = name('overlay');
  const { upper } = entry;
  const layers = [...entry.lower, ...(upper === undefined ? [] : [upper])];
  const flags = layers.some((source) => 'tree' in source) ? treeFlags(users) : [];
  if (upper === undefined) return { open, overlay: { op: 'overlay', lower, flags: ['ro', ...flags], as } };
  const from = name('upper');
  if ('temporary' in upper) {
    const path = upper.temporary;
    const directory = name('directory');
    open.push(
      { op: 'tempDirectory', path, as: directory },
      { op: 'openTree', source: { from: directory, path }, recursive: false, flags: [], as: from },
    );
    return {
      open,
      overlay: { op: 'overlay', lower, upper: { from, directory: 'upper', work: 'work' }, flags, as },
    };
  }
  const path = 'host' in upper ? upper.host : upper.tree;
  const parent = parentOf(path);
  // with what is mounted beside the layer: a user namespace may not open a directory without that
  layer('host' in upper ? { host: parent } : { tree: parent }, from, [], users?.around !== undefined);
  const work = entry.work ?? 'work';
  const directories = { from, directory: lastComponent(path), work };
  return { open, overlay: { op: 'overlay', lower, upper: directories, flags, as } };
}

/** The file system, mounted detached into the slot. */
export function mountDevice({ device, type, flags, data, grow }: DeviceFilesystem, as: Slot): Step {
  return { op: 'mountDevice', from: device, fs: type, flags, data, ...(grow === true ? { grow } : {}), as };
}

export function lowerEntry(
  entry: Exclude<Entry, { kind: 'host' | 'hostLink' | 'device' | 'overlay' | 'sysfs' }>,
  uuid: string,
): Step[] {
  const { path } = entry;
  switch (entry.kind) {
    case 'filesystem': {
      const { type: fs, flags, data } = entry;
      return [
        { op: 'mount', fs, target: path, flags, data, ...onlyTrue(entry, 'optional'), ...onlyTrue(entry, 'nofollow') },
      ];
    }
    case 'guest': {
      const { source, recursive, flags } = entry;
      const how = { ...onlyTrue(entry, 'optional'), ...onlyTrue(entry, 'nofollow'), ...onlyTrue(entry, 'try') };
      return [{ op: 'bind', source, target: path, recursive, flags, ...how }];
    }
    case 'directory':
      return [{ op: 'mkdir', path, mode: entry.mode }];
    case 'file': {
      const { content, mode } = entry;
      const data = typeof content === 'object' && 'variable' in content ? `${uuid}\n` : content;
      return [{ op: 'writeFile', path, mode, data }];
    }
    case 'node': {
      const { type, mode, major, minor } = entry;
      const numbers = major === undefined || minor === undefined ? {} : { major, minor };
      return [{ op: 'mknod', path, type, mode, ...numbers, ...onlyTrue(entry, 'try') }];
    }
    case 'link':
      return [{ op: 'symlink', path, target: entry.target, ...onlyTrue(entry, 'replace'), ...onlyTrue(entry, 'try') }];
    case 'put': {
      const { mode, content: bytes } = entry;
      return [{ op: 'putFile', path, mode, data: { bytes }, ...onlyTrue(entry, 'replace'), ...onlyTrue(entry, 'try') }];
    }
    case 'removed':
      return [{ op: 'removeFile', path, ...onlyTrue(entry, 'try') }];
    case 'cover':
      return [
        {
          op: 'cover',
          path,
          by: INACCESSIBLE,
          flags: ['ro', 'nosuid', 'nodev', 'noexec'],
          ...onlyTrue(entry, 'optional'),
        },
      ];
    case 'sysctl':
      return [{ op: 'sysctl', key: entry.key, value: entry.value }];
    case 'held':
      return [
        { op: 'mknod', path, type: 'fifo', mode: entry.mode },
        { op: 'holdFifo', path },
      ];
    case 'notify':
      return [{ op: 'notifySocket', path, mode: entry.mode }];
    case 'flags':
      return [{ op: 'remount', target: path, flags: entry.flags }];
  }
}

/** The property when it is true, and nothing otherwise: a plan shows only what is special about a step. */
export function onlyTrue<K extends string>(
  from: { readonly [key in K]?: boolean },
  key: K,
): { readonly [key in K]?: true } {
  return from[key] === true ? ({ [key]: true } as { readonly [key in K]?: true }) : {};
}

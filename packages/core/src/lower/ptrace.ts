// lower(): view → plan for the ptrace engine. There is nothing to mount: what stands at a path of the guest is a rule of the tracer,
// and what has to be made there the guest's first process makes itself, through these rules.

import { UnsupportedError } from '../errors';
import { isUnder } from '../paths';
import type { LaunchPlan, Stands, Step } from '../plan';
import type { ContainerSpec } from '../spec';
import type { ContainerView, Entry } from '../view/model';
import { dashed } from '../view/names';
import { storeBeside } from '../view/users';
import { lowerEntry, onlyTrue, type RunVariables } from './filesystem';
import { lowerLimits, lowerMonitor, lowerTail } from './tail';
import { cannot, requireNothingInside, requireTraceable } from './traceable';

/** Which of the ways to hear of a call is taken; without it the fastest that there is. */
export type Accelerator = 'none' | 'trace' | 'inprocess' | 'notify';

export interface TraceOptions {
  /** the caller is root: the guest's users are those of the kernel */
  readonly root: boolean;
  readonly accelerator?: Accelerator;
  /** where the directory of what has no place in the tree is made */
  readonly temporary: string;
}

/** Slot of the directory that stands for what is in memory elsewhere. */
const SCRATCH = 'directory for what is not in the tree';

/** File systems of the host that the guest sees as they are, and where they are there. */
const SHOWN: { readonly [type: string]: string } = {
  proc: '/proc',
  sysfs: '/sys',
  devpts: '/dev/pts',
  mqueue: '/dev/mqueue',
};

/**
 * The plan that makes this view real with ptrace(2).
 *
 * @throws UnsupportedError for what was asked for by name and cannot be given
 */
export function lowerPtrace(
  view: ContainerView,
  spec: ContainerSpec,
  run: RunVariables,
  options: TraceOptions,
): LaunchPlan {
  requireTraceable(spec);
  if (options.accelerator === 'notify' && options.root)
    throw new UnsupportedError(
      'TSNSPAWN_PTRACE_ACCEL=notify: the tracer carries calls out as root, and processes of root may be other users',
      { hint: 'TSNSPAWN_PTRACE_ACCEL=inprocess' },
    );
  const uuid = dashed(view.uuid ?? run.uuid);
  // short: names of sockets are no longer than 107 characters. Not the pid: of another user's run with that one, which was killed with
  // its monitor, the directory may still be there
  const scratch = `${options.temporary}/.tsn-${run.uuid.replaceAll('-', '').slice(0, 12)}`;
  const tree = treeOf(view);
  if (tree === '/') requireNothingInside(spec);
  const boots = view.payload.kind === 'boot';
  const entries = (tree === '/' ? asked(view.entries, spec) : view.entries).map((entry) =>
    lowerTraced(entry, uuid, options),
  );
  return {
    engine: 'ptrace',
    machine: view.machine,
    clone: { monitor: [], guest: [] },
    stub: view.payload.stub,
    handed: [],
    listen: view.listen,
    outer: [{ op: 'tempDirectory', path: scratch, as: SCRATCH }, ...entries.flatMap(({ host }) => host)],
    host: [
      {
        op: 'trace',
        tree,
        owners: storeBeside(tree),
        scratch,
        hostname: view.hostname,
        ...(spec.kernelRelease === undefined ? {} : { release: spec.kernelRelease }),
        ...(spec.emulator === undefined ? {} : { emulator: spec.emulator }),
        ...(spec.portMap.length === 0 ? {} : { ports: spec.portMap }),
        ...(spec.fakeLinks ? { fakeLinks: true } : {}),
        fakeIds: !options.root && view.payload.keepsIds !== true,
        boots,
        ...(options.accelerator === undefined ? {} : { accelerator: options.accelerator }),
      },
    ],
    inner: [
      ...entries.flatMap(({ guest }) => guest),
      ...(view.root.readOnly ? [rule('flags', '/', '', { flags: ['ro'] })] : []),
      ...lowerTail(withoutKernel(view), uuid, lowerLimits(view)).filter(
        // the ids that it has already are the only ones that it can have
        ({ op }) => view.payload.keepsIds !== true || (op !== 'identity' && op !== 'keepIds'),
      ),
    ],
    late: [],
    monitor: lowerMonitor(view),
  };
}

/** The host itself with nothing but what was asked for: its own /dev, /run and /tmp are what they are. */
function asked(entries: readonly Entry[], { mounts }: ContainerSpec): Entry[] {
  const places = mounts.map(
    (mount) => mount.destination ?? ('source' in mount && mount.source !== 'temporary' ? mount.source.path : ''),
  );
  return entries.filter(({ path }) => path === '/proc' || places.includes(path));
}

function treeOf({ root }: ContainerView): string {
  return root.base.kind === 'directory' ? root.base.source : '';
}

/** The view without what only a kernel can enforce. */
function withoutKernel(view: ContainerView): ContainerView {
  const { privileges, users: _, ...rest } = view;
  return {
    ...rest,
    privileges: { ...privileges, filters: privileges.filters.filter(({ filter }) => filter === 'suppress-sync') },
    procReadOnly: false,
  };
}

interface Lowered {
  readonly host: readonly Step[];
  readonly guest: readonly Step[];
}

function lowerTraced(entry: Entry, uuid: string, { root }: TraceOptions): Lowered {
  const guest = (...steps: readonly Step[]): Lowered => ({ host: [], guest: steps });
  const { path } = entry;
  switch (entry.kind) {
    case 'filesystem': {
      const shown = SHOWN[entry.type];
      const how = { flags: entry.flags, ...onlyTrue(entry, 'optional'), ...onlyTrue(entry, 'nofollow') };
      if (shown !== undefined) return guest(rule('host', path, shown, how));
      return guest(rule('fresh', path, '', { ...how, mode: modeOf(entry.data) }));
    }
    case 'host': {
      const how = { flags: entry.flags, ...onlyTrue(entry, 'coverLink'), ...onlyTrue(entry, 'nofollow') };
      if (entry.temporary === true) return guest(rule('fresh', path, '', { ...how, mode: 0o755 }));
      const made: Step[] =
        entry.made === true
          ? [{ op: 'mkdir', path: entry.source, mode: 0o755, replace: true, ...onlyTrue(entry, 'try') }]
          : [];
      const optional = entry.try === true || isUnder(path, '/sys') ? { optional: true } : {};
      return { host: made, guest: [rule('host', path, entry.source, { ...how, ...optional })] };
    }
    case 'hostLink':
      return { host: [{ op: 'symlink', path, target: entry.target, replace: true }], guest: [] };
    case 'cover':
      return guest(rule('hidden', path, '', { flags: [], ...onlyTrue(entry, 'optional') }));
    case 'guest': {
      // an ordinary user cannot change there what would matter, and sees there what is the guest's own
      if (isUnder(path, '/proc') && !root) return guest();
      const optional = isUnder(path, '/proc') || entry.try === true ? { optional: true } : onlyTrue(entry, 'optional');
      return guest(rule('guest', path, entry.source, { flags: entry.flags, ...optional }));
    }
    case 'flags':
      return guest(rule('flags', path, '', { flags: entry.flags }));
    case 'node': {
      const device = entry.type === 'char' || entry.type === 'block';
      // the host's own: nobody but root can make another
      if (device && isUnder(path, '/dev') && entry.try !== true)
        return guest(rule('host', path, path, { flags: [], optional: true }));
      return guest(...lowerEntry(entry, uuid));
    }
    case 'link':
      // a terminal of the host's: nobody else may open that of its devpts
      if (path === '/dev/ptmx') return guest(rule('host', path, path, { flags: [] }));
      return guest(...lowerEntry(entry, uuid));
    case 'device':
    case 'overlay':
    case 'sysfs':
    case 'sysctl':
      throw cannot('what is asked for', `stand at ${path}`);
    default:
      return guest(...lowerEntry(entry, uuid));
  }
}

function rule(
  stands: Stands,
  target: string,
  source: string,
  how: Omit<Extract<Step, { op: 'rule' }>, 'op' | 'stands' | 'target' | 'source'>,
): Step {
  return { op: 'rule', stands, target, source, ...how };
}

/** The mode in the options of a tmpfs; the kernel's default is that of /tmp. */
function modeOf(data: string): number {
  const mode = /(?:^|,)mode=([0-7]+)/.exec(data)?.[1];
  return mode === undefined ? 0o1777 : Number.parseInt(mode, 8);
}

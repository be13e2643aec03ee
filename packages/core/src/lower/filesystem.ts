// The file system of the view as steps: what is opened on the host beforehand (outer), and what is put in place inside.

import type { Slot, Step } from '../plan';
import type { DeviceFilesystem, Entry } from '../view/model';

/** Values that differ from run to run. */
export interface RunVariables {
  /** the launcher's process id: makes the name of the guest's cgroup unique */
  readonly pid: number;
  /** a random (version 4) uuid for a guest without a machine id, dashed or not */
  readonly uuid: string;
}

export interface FilesystemSteps {
  readonly outer: readonly Step[];
  readonly inner: readonly Step[];
}

/** An empty directory that is there anyway: the whole sysfs stands here while its parts are taken out of it. */
const SCRATCH = '/run/host/incoming';

/**
 * Lowers the entries in their order.
 *
 * @param uuid the machine id, dashed
 */
export function lowerEntries(entries: readonly Entry[], uuid: string): FilesystemSteps {
  const outer: Step[] = [];
  const inner: Step[] = [];
  const lastSysfs = entries.findLastIndex(({ kind }) => kind === 'sysfs');
  let sysfs = false;
  entries.forEach((entry, index) => {
    if (entry.kind === 'host') {
      // the same source twice takes two mounts: a detached one can only be attached once
      const taken = outer.some((step) => step.op === 'openTree' && step.as === entry.source);
      const as: Slot = taken ? `${entry.source} (${index})` : entry.source;
      outer.push({ op: 'openTree', source: entry.source, recursive: entry.recursive, flags: entry.flags, as });
      inner.push({ op: 'bind', source: { from: as }, target: entry.path, recursive: entry.recursive, flags: [] });
      return;
    }
    if (entry.kind === 'device') {
      const as: Slot = entry.path;
      outer.push(mountDevice(entry, as));
      inner.push({ op: 'bind', source: { from: as }, target: entry.path, recursive: false, flags: [] });
      return;
    }
    if (entry.kind === 'sysfs') {
      if (!sysfs)
        inner.push({ op: 'mount', fs: 'sysfs', target: SCRATCH, flags: ['nosuid', 'nodev', 'noexec'], data: '' });
      sysfs = true;
      const { path: target, flags } = entry;
      inner.push({ op: 'bind', source: `${SCRATCH}/${entry.part}`, target, recursive: false, flags, optional: true });
      if (index === lastSysfs) inner.push({ op: 'umount', target: SCRATCH });
      return;
    }
    inner.push(...lowerEntry(entry, uuid));
  });
  return { outer, inner };
}

/** The file system, mounted detached into the slot. */
export function mountDevice({ device, type, flags, data, grow }: DeviceFilesystem, as: Slot): Step {
  return { op: 'mountDevice', from: device, fs: type, flags, data, ...(grow === true ? { grow } : {}), as };
}

function lowerEntry(entry: Exclude<Entry, { kind: 'host' | 'device' | 'sysfs' }>, uuid: string): Step[] {
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
      return [{ op: 'bind', source, target: path, recursive, flags, ...onlyTrue(entry, 'optional') }];
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
      return [{ op: 'mknod', path, type, mode, ...numbers }];
    }
    case 'link':
      return [{ op: 'symlink', path, target: entry.target }];
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
function onlyTrue<K extends string>(from: { readonly [key in K]?: boolean }, key: K): { readonly [key in K]?: true } {
  return from[key] === true ? ({ [key]: true } as { readonly [key in K]?: true }) : {};
}

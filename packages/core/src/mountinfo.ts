// /proc/PID/mountinfo, proc_pid_mountinfo(5), and what follows from it: whether the kernel lets a user namespace mount proc and sysfs.

export interface Mount {
  readonly id: number;
  /** id of the mount that it is in */
  readonly parent: number;
  /** root of the mount within its file system */
  readonly root: string;
  readonly path: string;
  readonly options: readonly string[];
  readonly fs: string;
  readonly superOptions: readonly string[];
}

/** Parses the mounts of some types out of the file: a host has dozens that nobody asks about. Without types: all of them. */
export function parseMountinfo(text: string, types?: readonly string[]): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    if (types !== undefined && !types.some((type) => line.includes(` - ${type} `))) continue;
    const fields = line.split(' ');
    // Optional fields stand before a lone dash.
    const dash = fields.indexOf('-', 6);
    const [id, parent, , root, path, options] = fields;
    const fs = fields[dash + 1];
    if (dash < 0 || root === undefined || path === undefined || options === undefined || fs === undefined) continue;
    mounts.push({
      id: Number(id),
      parent: Number(parent),
      root: unescapedPath(root),
      path: unescapedPath(path),
      options: options.split(','),
      fs,
      superOptions: (fields[dash + 3] ?? '').split(','),
    });
  }
  return mounts;
}

/** Space, tab, newline and backslash are written as octal: bytes, which together may be a character. */
export function unescapedPath(field: string): string {
  if (!field.includes('\\')) return field;
  return field.replace(/(?:\\[0-7]{3})+/g, (escapes) => {
    const bytes = escapes.slice(1).split('\\');
    return Buffer.from(bytes.map((digits) => Number.parseInt(digits, 8))).toString();
  });
}

/** The mount that a path is on; links are not followed. */
export function mountAt(mounts: readonly Mount[], path: string): Mount | undefined {
  const above = mounts.filter((mount) => mount.path === '/' || `${path}/`.startsWith(`${mount.path}/`));
  const deepest = Math.max(...above.map((mount) => mount.path.length));
  // the later one covers the earlier
  return above.findLast((mount) => mount.path.length === deepest);
}

/** What there is of proc or sysfs in a mount namespace. */
export interface Visibility {
  /** false: not mounted at all, or only a part of it */
  readonly mounted: boolean;
  /** it is read-only: so must be a new one */
  readonly readOnly: boolean;
  /** what is mounted over parts of it */
  readonly covers: readonly string[];
}

/** Directories that are there to be mounted on and stay empty; what is mounted on them hides nothing. Relative to the file system. */
const MOUNT_POINTS: { readonly [fs: string]: readonly string[] } = {
  proc: ['/sys/fs/binfmt_misc', '/fs/nfsd', '/openprom'],
  sysfs: [
    ...['/fs/cgroup', '/fs/bpf', '/fs/pstore', '/fs/selinux', '/fs/smackfs', '/fs/fuse/connections', '/fs/resctrl'],
    ...['/kernel/debug', '/kernel/tracing', '/kernel/security', '/kernel/config', '/firmware/efi/efivars'],
  ],
};

/**
 * How much of proc or sysfs can be seen. The kernel lets a user namespace mount a new one only where one can be seen in full
 * already (mount_too_revealing() in fs/namespace.c): every mount over a part of it counts, since a user namespace gets all of them
 * locked.
 */
export function visibilityOf(mounts: readonly Mount[], fs: 'proc' | 'sysfs'): Visibility {
  const visibilities = mounts
    .filter((mount) => mount.fs === fs && mount.root === '/')
    .map((mount): Visibility => {
      const covers = mounts
        .filter((other) => other.parent === mount.id && other.id !== mount.id)
        .map((other) => other.path)
        .filter((path) => !MOUNT_POINTS[fs]?.includes(path.slice(mount.path.length)));
      const readOnly = mount.options.includes('ro') || mount.superOptions.includes('ro');
      return { mounted: true, readOnly, covers: [...new Set(covers)].sort() };
    });
  const [best] = visibilities.sort(
    (a, b) => a.covers.length - b.covers.length || Number(a.readOnly) - Number(b.readOnly),
  );
  return best ?? { mounted: false, readOnly: false, covers: [] };
}

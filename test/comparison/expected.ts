// The differences from systemd-nspawn that are meant. Each is a row of docs/compatibility.md, which gives the reason; one that does not
// occur any more is an error, here as there.

export interface Expected {
  /** the first cell of the row */
  readonly row: string;
  /** what differs: see Difference */
  readonly key: RegExp;
  readonly ours?: RegExp;
  readonly theirs?: RegExp;
  /** only in the cases of this name */
  readonly promise?: RegExp;
  /** last version of systemd-nspawn that differs */
  readonly until?: number;
}

export const EXPECTED: readonly Expected[] = [
  {
    row: '`$container`',
    key: /^environ( of 1)? container$|^file \/run\/host\/container-manager$/,
    ours: /^tsnspawn$/m,
  },
  { row: 'cgroups of a hybrid host', key: /^mount \/sys\/fs\/cgroup(\/|$)/ },
  { row: 'what of /proc is hidden', key: /^(mount|file|tree) \/proc\/(kallsyms|keys|timer_list|kmsg)$/ },
  { row: '`/dev/fuse`', key: /^tree \/dev\/(fuse|char\/10:229)$/, ours: /10:229|fuse/, until: 256 },
  { row: 'modes of device nodes', key: /^tree \/dev\/net\/tun$/, ours: /^c 0666 / },
  { row: '`/run/host/incoming`', key: /^(mount|tree) \/run\/host\/incoming$/ },
  { row: '`/run/host/notify`', key: /^tree \/run\/host\/notify$/, ours: /^s 0666 / },
  { row: '`/run/host/proc-*`', key: /^tree \/run\/host\/proc-/ },
  {
    row: 'system calls newer than the reference',
    key: /^(compat )?call (landlock_\w+|memfd_secret|4[5-9]\d)$/,
    theirs: /^(EPERM|ENOSYS)$/,
  },
  { row: 'nfsservctl', key: /^(compat )?call nfsservctl$/, ours: /^EPERM$/, theirs: /^ENOSYS$/ },
  // The other part of the work is under way.
  { row: 'PENDING', key: /journal|localtime|resolv.conf/ },
];

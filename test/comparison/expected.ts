// The differences from systemd-nspawn that are meant. Each is a row of docs/compatibility.md, which gives the reason; one that does not
// occur any more is an error of `npm run compare`.

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
  /** what of the host it depends on; it may not occur then */
  readonly where?: string;
}

export const EXPECTED: readonly Expected[] = [
  // Invocation, exit status, signals
  {
    row: 'name of the stub PID 1',
    key: /^file (comm|cmdline) of 1$/,
    ours: /^\(stubinit\)/,
    theirs: /^\(sd-stubinit\)/,
  },
  { row: 'environment of the stub PID 1', key: /^environ of 1 /, promise: /^-a|ProcessTwo/, until: 255 },
  {
    row: 'what fails',
    key: /^left /,
    ours: /^\(none\)$/,
    promise: /^refused: |^--network-ipvlan/,
    where: 'systemd-nspawn notices in time',
  },
  // Options
  { row: 'empty values', key: /^status$/, promise: /^refused: an empty machine name/ },
  { row: '`--chdir=/usr/../etc`', key: /^status$/, promise: /a working directory that is not normalised/, until: 256 },
  { row: '`--pivot-root=NEW:OLD`', key: /^status$/, theirs: /MS_MOVE/, promise: /^--pivot-root, the old root kept/ },
  { row: '`--volatile=yes`: /lib64', key: /^stdout$/, ours: /^lib64$/m, promise: /^--volatile=yes/ },
  { row: 'names of signals and capabilities', key: /^status$/, promise: /^--capability in lower case/ },
  {
    row: '`--system-call-filter=` without a name',
    key: /^status$/,
    promise: /^refused: --system-call-filter with an emp/,
  },
  {
    row: '`--slice`, `--property` with a bad value',
    key: /^status$/,
    promise: /^refused: a (slice|property) that is none/,
  },
  { row: '`--cpu-affinity` more than once', key: /^self cpus$/, promise: /^--cpu-affinity twice/ },
  { row: '`-u` without a process', key: /^(self (pid|sid|pgrp)|status NStgid)$/, promise: /^-a .* -u$/ },
  { row: '`-u` with a number', key: /^(status Groups|environ( of 1)? (USER|LOGNAME))$/, promise: /^-u by number/ },
  { row: 'a home that does not exist', key: /^(left guest|tree )\/nonexistent$/ },
  {
    row: 'a limit that the caller may not raise',
    key: /^status$/,
    ours: /CAP_SYS_RESOURCE/,
    where: 'root may not raise limits',
  },
  {
    row: '`--suppress-sync`',
    key: /^(compat )?call (fsync|fdatasync|sync_file_range|syncfs|fsync of nothing)$/,
    ours: /^ok$/,
  },
  // Mounts
  { row: 'what of /proc is hidden', key: /^(mount|file|tree) \/proc\/(kallsyms|keys|timer_list|kmsg)$/ },
  {
    row: '/dev/fuse, /dev/net/tun',
    key: /^tree \/dev\/(fuse|char\/10:229)$/,
    ours: /10:229|fuse/,
    until: 256,
    where: 'the host has it',
  },
  { row: '/dev/fuse, /dev/net/tun', key: /^tree \/dev\/net\/tun$/, ours: /^c 0666 /, where: 'without udev it is 0600' },
  { row: '/run/host/incoming', key: /^(mount|tree) \/run\/host\/incoming$/ },
  { row: '/run/host/notify', key: /^tree \/run\/host\/notify$/, ours: /^s 0666 / },
  { row: '`/run/host/proc-*`', key: /^tree \/run\/host\/proc-/ },
  { row: '/sys with a private network', key: /^tree \/sys\/fs\/(selinux|bpf)$/ },
  // Console
  {
    row: 'window of the guest’s terminal',
    key: /^(self window|stdout)$/,
    theirs: /^0x0$|^stty: standard input: /m,
    where: 'systemd-nspawn is late with it',
  },
  // User namespaces
  {
    row: 'owners of what the launcher makes',
    key: /^tree \/(dev\/(char\/|mqueue)|run\/host\/container-)/,
    ours: / 0:0/,
    theirs: / 65534:65534/,
  },
  {
    row: 'owners of what the launcher makes',
    key: /^left .*\/etc\/localtime$/,
    ours: /^file/,
    theirs: /^file/,
    where: 'the host has no time zone',
  },
  {
    row: '`--resolv-conf` in a tree whose owners are not the guest’s',
    key: /^left .*\/etc\/resolv.conf$/,
    promise: /BASE of another tree/,
  },
  {
    row: 'device nodes in a tree, with a user namespace',
    key: /^mount \/$/,
    ours: /^\w+ r[wo],nodev,/,
    theirs: /^\w+ r[wo],relatime/,
  },
  { row: 'an idmapped volatile tree', key: /^status$/, ours: /^0/, promise: /^a user namespace and a volatile tree/ },
  // Custom mounts
  { row: 'a bind below /proc', key: /^status$/, ours: /^0/, promise: /^--bind below \/proc/ },
  { row: '`--inaccessible`', key: /^mount /, ours: /^tmpfs ro,nosuid,nodev,noexec /, theirs: /^tmpfs ro,relatime / },
  // Files of the host in the guest
  { row: '`--resolv-conf=bind-…` over a link', key: /^stdout$/, promise: /bind-host over a link/ },
  { row: '/run/host/credentials', key: /^mount \/run\/host\/credentials$/, ours: /mode=500$/, theirs: /mode=700$/ },
  { row: '`--timezone` and a bind over /usr', key: /\/etc\/localtime$/, promise: /^--bind to the same place/ },
  {
    row: '`--link-journal` before there is a machine id',
    key: /^left .*\/var\/log\/journal\/[0-9a-f]{32}$/,
    ours: /^directory/,
  },
  {
    row: '`--link-journal=auto`',
    key: /^tree \/var\/log\/journal|^stdout$/,
    promise: /^--link-journal=(auto|try-host)$/,
    where: 'systemd-nspawn has made it by then',
  },
  { row: '`--link-journal=auto`', key: /^left .*\/var\/log\/journal(\/[0-9a-f]+)?$/, ours: /^\(none\)$/ },
  // Settings files
  { row: 'a bad value', key: /^status$/, promise: /^a value that is bad is passed over/ },
  { row: '`Parameters=` alone', key: /^stderr$/, ours: /Parameters= has no effect/ },
  // Privileges
  { row: '`--system-call-filter` with a name that does not exist', key: /^status$/, ours: /^1 .*no system call has/ },
  {
    row: 'calls that are open',
    key: /^(compat )?call (landlock_\w+|memfd_secret|4[5-9]\d)$/,
    theirs: /^(EPERM|ENOSYS)$/,
  },
  { row: 'nfsservctl(2)', key: /^(compat )?call nfsservctl$/, ours: /^EPERM$/, theirs: /^ENOSYS$/ },
  {
    row: '`SYSTEMD_NSPAWN_USE_CGNS=0`',
    key: /^(status|mount .*|tree .*)$/,
    promise: /USE_CGNS=0/,
    where: 'systemd-nspawn fails on a hybrid host',
  },
  // The guest's side
  {
    row: '`$container`',
    key: /^environ( of 1)? container$|^file \/run\/host\/container-manager$/,
    ours: /^tsnspawn$/m,
  },
  { row: '`COLORTERM`, `NO_COLOR`', key: /^environ( of 1)? (COLORTERM|NO_COLOR)$/, until: 255 },
  { row: 'cgroups of a hybrid host', key: /^mount \/sys\/fs\/cgroup(\/|$)/, where: 'the host is not cgroup2 alone' },
];

// A step in words: the same phrase stands in an error ("cannot mount tmpfs on /dev: ...") and in --dry-run, so that what
// failed can be found in the plan. And the hints: what to do about the failures that people meet.

import type { IdMap, Namespace, OpenSource, Step, UserMaps } from './plan';

/** What can fail in the runner: a step of the plan, or the making of the processes around it. */
export type FailedStep =
  | Step
  | { readonly op: 'clone'; readonly namespaces: readonly Namespace[] }
  /** starting the runner itself */
  | { readonly op: 'runner' }
  /** giving the monitor the caller's ids */
  | ({ readonly op: 'map' } & UserMaps);

/** ` (ro,nosuid)`, or nothing for an empty list. */
function inParentheses(...words: readonly string[]): string {
  const present = words.filter((word) => word !== '');
  return present.length === 0 ? '' : ` (${present.join(',')})`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** A word as one would have to type it in a shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Files of one cgroup that are told one by one: a device policy has a line for each device. */
const MOST_FILES = 4;

const NODE_KINDS = {
  char: 'character device',
  block: 'block device',
  fifo: 'fifo',
  socket: 'socket',
  regular: 'empty file',
} as const;

/** The option that a step carries out, where it is one that can name something which is not there. */
export function optionOf(step: FailedStep): string | undefined {
  switch (step.op) {
    case 'lookupUser':
      return step.user === 'root' ? undefined : '--user';
    case 'chdir':
      return step.path === undefined || step.path === '/' ? undefined : '--chdir';
    case 'cover':
      return '--inaccessible';
    case 'rlimit':
      return step.exact === true ? '--rlimit' : undefined;
    case 'oomScoreAdjust':
      return '--oom-score-adjust';
    case 'joinNetwork':
      return '--network-namespace-path';
    case 'moveInterface':
      return '--network-interface';
    case 'userNetwork':
      return '--network-veth';
    case 'relayPorts':
      return '--port';
    case 'sharedInterface':
      return `--network-${step.kind}`;
    default:
      return undefined;
  }
}

function ruleInWords({ stands, source, target, flags }: Extract<Step, { op: 'rule' }>): string {
  const how = inParentheses(...flags);
  switch (stands) {
    case 'host':
      return `show ${source} of the host at ${target}${how}`;
    case 'guest':
      return `show ${source} at ${target}${how}`;
    case 'fresh':
      return `show an empty directory at ${target}${how}`;
    case 'hidden':
      return `hide ${target}`;
    case 'flags':
      return `keep ${target}${how}`;
  }
}

/** Whether a step failed because the monitor could not have a procfs of its own, which numbers processes as it does. */
export function needsOwnProc(step: FailedStep, about: string | undefined): boolean {
  return about === 'proc' && ['unshareMounts', 'userNamespace', 'idMap', 'mapOwners'].includes(step.op);
}

/**
 * A step as a phrase that goes on after "cannot": `mount tmpfs on /dev`.
 *
 * @param about what the runner found out about the failure (the candidate that was tried last, the user that is missing)
 */
export function stepInWords(step: FailedStep, about?: string): string {
  if (needsOwnProc(step, about)) return 'mount proc for the monitor';
  switch (step.op) {
    case 'runner':
      return 'start the runner';
    case 'clone':
      return `make the namespaces of the container${inParentheses(...step.namespaces)}`;
    case 'map': {
      const said = about === undefined || about === '' ? '' : `: ${about}`;
      return `map the users of the container (${mapInWords(step.uids)})${said}`;
    }
    case 'cgroup':
      return `make the cgroup ${step.mount}${step.path}`;
    case 'joinNetwork':
      return `join the network namespace ${step.path}`;
    case 'veth': {
      const port = step.bridge === undefined ? '' : ` in the bridge ${step.bridge}`;
      return `connect ${step.guest} of the container with ${step.host} of the host${port}`;
    }
    case 'sharedInterface':
      return `make the ${step.kind} ${step.guest} on ${step.host}`;
    case 'moveInterface': {
      const name = step.guest === step.host ? '' : ` as ${step.guest}`;
      return `move the interface ${step.host} into the container${name}`;
    }
    case 'userNetwork':
      return `connect the container through ${quoted(step.command[0] ?? '')}`;
    case 'relayPorts':
    case 'forwardPorts': {
      const ports = step.ports.map(({ protocol, host, guest }) => `${protocol}:${host}:${guest}`);
      return about === undefined || about === ''
        ? `forward the ports ${ports.join(' ')}`
        : `forward the port ${about} of the host`;
    }
    case 'cgroupWrite': {
      const where = typeof step.cgroup === 'string' ? '' : ` of ${step.cgroup.mount}${step.cgroup.path}`;
      const files = step.files.filter(({ name }) => !about || name === about);
      const words = files.slice(0, MOST_FILES).map(({ name, value }) => `${name}${where} to ${quoted(value)}`);
      const more = files.length > MOST_FILES ? ` and ${files.length - MOST_FILES} more` : '';
      return `set ${words.join(', ')}${more} (${step.property})`;
    }
    case 'cgroupDevices':
      return `limit the devices of the cgroup (${step.property})`;
    case 'register':
      return `register the machine ${step.machine} with systemd-machined`;
    case 'openTree':
      return `open ${sourceInWords(step.source)}${inParentheses(...step.flags)}`;
    case 'mountDevice':
      return `mount ${step.fs} of ${step.from}${inParentheses(...step.flags, step.data)}`;
    case 'newMount':
      return `make ${step.fs}${inParentheses(...step.flags, step.data)}`;
    case 'overlay':
      return `lay ${[...step.lower, ...(step.upper === undefined ? [] : [step.upper.directory])].join(', ')} over each other${inParentheses(...step.flags)}`;
    case 'tempDirectory':
      return `make the temporary directory ${step.path}`;
    case 'delegateCgroup':
      return `give the cgroup to user ${step.owner}`;
    case 'mapOwners':
      return `show the owners of ${step.mount} as the container's`;
    case 'shiftOwners':
      return `shift the owners of ${step.path} to ${step.base}`;
    case 'userNamespace':
      return `make a user namespace (${mapInWords(step.uids)})`;
    case 'idMap':
      return `map the users of the container (${mapInWords(step.uids)})`;
    case 'becomeRoot':
      return 'become root of the container';
    case 'actAs':
      return `make files as user ${step.uid}`;
    case 'unshareMounts':
      return 'enter a mount namespace for the mounts of the container';
    case 'returnToHost':
      return 'return to the mount namespace of the host';
    case 'await':
      return 'wait for the host';
    case 'resume':
      return 'let the container go on';
    case 'cover':
      return `cover ${step.path}`;
    case 'propagation':
      return `make all mounts ${step.mode}`;
    case 'pivotRoot':
      return 'make the tree the root of the container';
    case 'mount':
      return `mount ${step.fs} on ${step.target}${inParentheses(...step.flags, step.data)}`;
    case 'bind':
      return bindInWords(step.source, step.target, step.flags);
    case 'mkdir':
      return `make the directory ${step.path} (${octal(step.mode)})`;
    case 'mknod': {
      const numbers = step.major === undefined ? '' : ` ${step.major}:${step.minor ?? 0}`;
      return `make the ${NODE_KINDS[step.type]} ${step.path}${numbers} (${octal(step.mode)})`;
    }
    case 'removeFile':
      return `remove ${step.path}`;
    case 'symlink':
      return `link ${step.path} to ${step.target}`;
    case 'putFile':
    case 'writeFile':
      return `write ${step.path} (${octal(step.mode)})`;
    case 'remount':
      return `remount ${step.target}${inParentheses(...step.flags)}`;
    case 'umount':
      return `unmount ${step.target}`;
    case 'notifySocket':
      return `listen for notifications on ${step.path}`;
    case 'holdFifo':
      return `hold the fifo ${step.path} open`;
    case 'unshareCgroup':
      return 'enter a cgroup namespace';
    case 'hostname':
      return `set the host name ${step.name}`;
    case 'loopback':
      return 'bring the loopback interface up';
    case 'requireNamespacedReboot':
      return 'confine reboot(2) to the container';
    case 'session':
      return 'start a session';
    case 'console':
      return 'open the console';
    case 'rlimit':
      return `limit ${step.name} to ${step.soft === step.hard ? step.soft : `${step.soft}:${step.hard}`}`;
    case 'oomScoreAdjust':
      return `set the oom score adjustment ${step.value}`;
    case 'cpuAffinity':
      return `run on the processors ${step.cpus.join(',')}`;
    case 'sysctl':
      return `set the kernel parameter ${step.key} to ${quoted(step.value)}`;
    case 'trace':
      return 'trace the processes of the container';
    case 'rule':
      return ruleInWords(step);
    case 'personality':
      return `take the personality ${step.persona}`;
    case 'lookupUser':
      return step.groups === undefined
        ? `find the user ${step.user} in the tree`
        : `find the user ${step.user} in the tree, with the groups ${step.groups.join(' ')}`;
    case 'identity':
      return 'take the identity of the payload';
    case 'keepIds':
      return `make a user namespace in which it is ${step.uid}:${step.gid}`;
    case 'fakeRoot':
      return `emulate users and remember owners${step.store === undefined ? '' : `, of links in ${step.store}`}`;
    case 'chdir':
      return step.path === undefined ? 'change to the home directory' : `change to ${step.path}`;
    case 'execLabel':
      return `take the SELinux label ${step.label}`;
    case 'seccomp':
      return step.filter === 'profile'
        ? 'load the system call filter of the bundle'
        : `load the ${step.filter} system call filter`;
    case 'exec': {
      const tried = about === undefined || about === '' ? step.candidates.map(({ path }) => path) : [about];
      return `execute ${tried.map(quoted).join(' or ')}`;
    }
  }
}

function bindInWords(source: string | { readonly from: string }, target: string, flags: readonly string[]): string {
  if (typeof source !== 'string') return `bind ${source.from} of the host to ${target}${inParentheses(...flags)}`;
  const words = source === target ? `bind ${target} on itself` : `bind ${source} to ${target}`;
  return `${words}${inParentheses(...flags)}`;
}

function sourceInWords(source: OpenSource): string {
  if (typeof source === 'string') return source;
  if (!('from' in source)) return source.inside;
  return source.inside === undefined ? source.path : `${source.inside} of ${source.path}`;
}

/** `0-65535 to 524288`, one range after the other. */
export function mapInWords(maps: readonly IdMap[]): string {
  return maps
    .map(({ inside, outside, size }) => `${inside}${size === 1 ? '' : `-${inside + size - 1}`} to ${outside}`)
    .join(', ');
}

/** Why the step failed, where the system's own text for the errno would mislead; else undefined. */
export function reasonFor(step: FailedStep, errno: string, about?: string): string | undefined {
  if (step.op === 'lookupUser' && errno === 'ESRCH') return 'no such user';
  if (step.op === 'userNetwork' && errno === 'EREMOTEIO') return saidBy(about ?? '') ?? 'it ended without a word';
  if (step.op === 'requireNamespacedReboot') return 'this kernel does not confine it to PID namespaces';
  return undefined;
}

/** What a program has written, in one line; without what is about its own log, and the time that it writes before a line. */
function saidBy(text: string): string | undefined {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^\d+\.\d+: /, '').trim())
    .filter((line) => line !== '' && !/ to syslog$|^WARNING: Support for seccomp/.test(line));
  return lines.length === 0 ? undefined : lines.join('; ');
}

/** Steps that make one: ENOSPC is no matter of disks there. */
const NAMESPACES: readonly FailedStep['op'][] = [
  'clone',
  'unshareCgroup',
  'unshareMounts',
  'userNamespace',
  'userNetwork',
];

/** Who is not root is refused before the first step: it is not the caller's rights that are missing. */
function inAnotherContainer(what: string): string {
  return `inside another container? it must allow ${what} (a security profile may forbid them)`;
}

/**
 * What to do about a failed step, or undefined when there is nothing better to say than the error itself.
 *
 * @param errno symbolic name, `ENOENT`
 * @param about as in stepInWords()
 */
export function hintFor(step: FailedStep, errno: string, about?: string): string | undefined {
  const denied = errno === 'EPERM' || errno === 'EACCES';
  if (errno === 'ENOSPC' && NAMESPACES.includes(step.op)) {
    return 'a limit on namespaces is reached: see /proc/sys/user/max_*_namespaces';
  }
  switch (step.op) {
    case 'runner':
      return denied || errno === 'ENOENT' ? 'is the native part built? npm run build' : undefined;
    case 'clone':
      if (denied) return inAnotherContainer('namespaces');
      return errno === 'EINVAL' || errno === 'ENOSYS' ? 'this kernel lacks one of these namespaces' : undefined;
    case 'cgroup':
      if (errno === 'EROFS') return `the cgroup file system is mounted read-only: mount -o remount,rw ${step.mount}`;
      if (denied) return inAnotherContainer('cgroups');
      return errno === 'EAGAIN' ? 'the number of cgroups is limited: see cgroup.max.descendants' : undefined;
    case 'joinNetwork':
      return errno === 'EINVAL' ? 'it must be a network namespace: ip netns add NAME makes one' : undefined;
    case 'veth':
    case 'sharedInterface':
    case 'moveInterface':
      return interfaceHint(step, errno);
    case 'forwardPorts':
      if (errno === 'EIO') return 'nft refused the rules, see above: is nf_tables in this kernel?';
      return portHint(errno);
    case 'relayPorts':
      return portHint(errno);
    case 'userNetwork':
      return /external interface|routable interface/i.test(about ?? '')
        ? 'pasta copies the default route of the host, which has none; slirp4netns does without'
        : undefined;
    case 'cgroupWrite':
      if (errno === 'ENOENT') return 'this kernel, or the set-up of its controllers, does not have it';
      if (errno === 'EBUSY') return 'a cgroup with processes of its own cannot hand controllers down';
      return denied ? inAnotherContainer('cgroups') : undefined;
    case 'cgroupDevices':
      return errno === 'EINVAL' || errno === 'ENOSYS' ? 'the kernel needs CONFIG_CGROUP_BPF' : undefined;
    case 'register':
      return 'does systemd-machined run, and may this user register? --register=auto goes on without it';
    case 'openTree':
      if (errno === 'ENOSYS') return 'Linux 5.12 or newer is needed';
      if (errno === 'EINVAL' && !step.recursive) return 'a user namespace may not leave out what is mounted below it';
      return denied ? inAnotherContainer('mounts') : undefined;
    case 'mountDevice':
      return deviceHint(step.fs, errno);
    case 'mount':
      if (errno === 'ENODEV') return `this kernel has no ${step.fs}`;
      if (errno === 'ELOOP' && step.nofollow === true) return `${step.target} of the tree must not be a symbolic link`;
      if (denied) return inAnotherContainer('mounts');
      return readOnlyHint(step.target, errno);
    case 'bind':
      if (errno === 'EINVAL' || errno === 'ENOTDIR') return 'a directory goes onto a directory, and a file onto a file';
      if (errno === 'ENOENT' && typeof step.source === 'string') return `${step.source} is a path of the tree`;
      return readOnlyHint(step.target, errno);
    case 'map':
      return step.programs === undefined
        ? undefined
        : `are ${step.programs.uids} and ${step.programs.gids} set-id, and the ids yours in /etc/subuid and /etc/subgid?`;
    case 'userNamespace':
    case 'idMap':
      return denied ? inAnotherContainer('user namespaces with these ids') : undefined;
    case 'unshareMounts':
      return denied ? inAnotherContainer('mounts') : undefined;
    case 'mapOwners':
      if (denied) return inAnotherContainer('mounts');
      return errno === 'EINVAL' ? 'its file system, or this kernel, cannot show other owners than it has' : undefined;
    case 'trace':
      if (step.accelerator !== 'notify') return undefined;
      if (errno === 'EBUSY')
        return 'TSNSPAWN_PTRACE_ACCEL=notify: a container around this one already has its calls served by somebody';
      return errno === 'EINVAL' || errno === 'ENOSYS'
        ? 'TSNSPAWN_PTRACE_ACCEL=notify needs Linux 5.19 on x86-64'
        : undefined;
    case 'fakeRoot':
      if (errno === 'EBUSY') return 'a container around this one already has its calls served by somebody';
      return errno === 'EINVAL' || errno === 'ENOSYS' ? 'the kernel needs CONFIG_SECCOMP_FILTER' : undefined;
    case 'shiftOwners':
      if (errno === 'ENOENT') return 'it was changed meanwhile';
      return denied || errno === 'EROFS'
        ? 'files that are immutable (lsattr), or a file system that keeps owners?'
        : undefined;
    case 'overlay':
      return overlayHint(errno, step.userXattr === true && step.program === undefined);
    case 'tempDirectory':
      if (errno === 'EMFILE') return 'no more than 32 of them can be had at once';
      return errno === 'EROFS' ? 'it must be possible to write there' : undefined;
    case 'newMount':
      if (errno === 'ENODEV') return `this kernel has no ${step.fs}`;
      return denied ? inAnotherContainer('mounts') : undefined;
    case 'cover':
      return errno === 'ENOENT' ? 'only what exists can be covered' : undefined;
    case 'requireNamespacedReboot':
      return 'Linux before 3.4 would reboot the host when the guest reboots';
    case 'lookupUser':
      return errno === 'ESRCH'
        ? 'the names are those of /etc/passwd in the tree; a number works without one'
        : undefined;
    case 'chdir':
      return errno === 'ENOENT' ? 'the directory must exist in the container' : undefined;
    case 'rlimit':
      return errno === 'EPERM'
        ? 'the limit is above what the caller or the kernel allows (fs.nr_open for NOFILE)'
        : undefined;
    case 'oomScoreAdjust':
      return errno === 'EACCES' ? "below the caller's own one CAP_SYS_RESOURCE is needed" : undefined;
    case 'execLabel':
      return errno === 'EINVAL' ? 'the policy of the host has no such label' : undefined;
    case 'exec':
      return execHint(step, errno, about);
    default:
      return undefined;
  }
}

/** @param served a program could take over that is not there */
function overlayHint(errno: string, served: boolean): string | undefined {
  switch (errno) {
    case 'ENODEV':
      return 'this kernel has no overlay: modprobe overlay, or a kernel with it';
    case 'EINVAL':
      return `the file system of the writable layer cannot be one: overlay, NFS, FUSE, FAT and others are not taken${served ? '; fuse-overlayfs would, and needs /dev/fuse' : ''}`;
    case 'ENOTDIR':
    case 'ELOOP':
      return 'the writable layer and its work directory beside it must be directories, and no links';
    case 'ENAMETOOLONG':
      return 'the name of the writable layer may have 240 bytes';
    case 'EPERM':
    case 'EACCES':
      return inAnotherContainer('mounts');
    default:
      return undefined;
  }
}

/** About a file system on a block device. */
export function deviceHint(fs: string, errno: string): string | undefined {
  switch (errno) {
    case 'ENODEV':
      return `this kernel has no ${fs}: modprobe ${fs}, or a kernel with it`;
    case 'EINVAL':
    case 'EUCLEAN':
    case 'EBADMSG':
      return `the file system is damaged, or newer than this kernel: fsck.${fs} tells`;
    case 'EROFS':
      return 'it was not unmounted in order, and needs to be written to for its recovery';
    case 'EBUSY':
      return 'it is mounted already';
    case 'EPERM':
    case 'EACCES':
      return inAnotherContainer('mounts');
    default:
      return undefined;
  }
}

function readOnlyHint(target: string, errno: string): string | undefined {
  return errno === 'EROFS'
    ? `${target} does not exist and the tree is read-only: make the mount point first`
    : undefined;
}

function portHint(errno: string): string | undefined {
  if (errno === 'EACCES') return 'ports below net.ipv4.ip_unprivileged_port_start are for root: take a higher one';
  return errno === 'EADDRINUSE' ? 'a program of the host listens there, or another machine has it' : undefined;
}

type InterfaceStep = Extract<Step, { op: 'veth' | 'sharedInterface' | 'moveInterface' }>;

function interfaceHint(step: InterfaceStep, errno: string): string | undefined {
  switch (errno) {
    case 'EPERM':
      return inAnotherContainer('network interfaces');
    case 'EEXIST':
      return 'an interface of this name is there already';
    case 'EOPNOTSUPP':
      if (step.op === 'veth' && step.bridge !== undefined)
        return `is ${step.bridge} a bridge? is bridge in this kernel?`;
      return step.op === 'moveInterface' ? undefined : `this kernel has no ${step.op === 'veth' ? 'veth' : step.kind}`;
    case 'EINVAL':
      return step.op === 'moveInterface' ? 'interfaces of this kind stay where they were made' : undefined;
    case 'EBUSY':
      return step.op === 'sharedInterface' ? `${step.host} is shared in another way already` : undefined;
    default:
      return undefined;
  }
}

function execHint(step: Extract<Step, { op: 'exec' }>, errno: string, about: string | undefined): string | undefined {
  const path = about ?? step.candidates[0]?.path ?? '';
  switch (errno) {
    case 'ENOENT':
      if (step.candidates.length > 1 && step.userShell !== true)
        return 'no init found in the tree: boot another one, or give a command';
      return path.includes('/')
        ? `${path} is not in the tree, or its interpreter is not`
        : 'command not found in the tree (searched in PATH inside it)';
    case 'EACCES':
      return 'it is not executable for this user';
    case 'ENOEXEC':
      return 'it is a program for another architecture, or no program at all';
    case 'ENOTDIR':
      return 'a part of its path is not a directory';
    default:
      return undefined;
  }
}

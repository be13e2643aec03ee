// The system calls and their groups, as systemd publishes them with `systemd-analyze syscall-filter` (read from 252 to 262),
// without the calls of architectures this project does not run on; and which of them a container may make, which is
// systemd-nspawn's choice. The built-in programs and those for --system-call-filter= are made from this one table.
#pragma once

struct Group {
  const char* name;
  const char* members;  // separated by blanks; @NAME is another group
};

// Besides these there is @known: everything that stands in this file.
inline constexpr Group kGroups[] = {
    {"@aio",
     "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit io_uring_enter "
     "io_uring_register io_uring_setup"},
    {"@basic-io",
     "_llseek close close_range dup dup2 dup3 lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv "
     "write writev"},
    {"@chown", "chown chown32 fchown fchown32 fchownat lchown lchown32"},
    {"@clock", "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday"},
    {"@cpu-emulation", "modify_ldt vm86 vm86old"},
    {"@debug", "lookup_dcookie perf_event_open pidfd_getfd ptrace"},
    {"@default",
     "@sandbox arch_prctl brk cacheflush clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
     "clock_nanosleep clock_nanosleep_time64 execve exit exit_group futex futex_time64 futex_waitv get_robust_list "
     "get_thread_area get_tls getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid "
     "getpgrp getpid getppid getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getsid gettid "
     "gettimeofday getuid getuid32 lsm_get_self_attr lsm_list_modules membarrier mmap mmap2 mprotect mseal munmap "
     "nanosleep pause prlimit64 restart_syscall rseq rt_sigreturn sched_getaffinity sched_yield set_robust_list "
     "set_thread_area set_tid_address set_tls sigreturn time ugetrlimit uretprobe"},
    {"@file-system",
     "access chdir chmod close creat faccessat faccessat2 fallocate fchdir fchmod fchmodat fchmodat2 fcntl fcntl64 "
     "fgetxattr file_getattr file_setattr flistxattr fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
     "fstatfs64 ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch "
     "inotify_init inotify_init1 inotify_rm_watch lgetxattr link linkat listmount listxattr listxattrat llistxattr "
     "lremovexattr lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat newfstatat oldfstat oldlstat oldstat open "
     "open_tree openat openat2 readlink readlinkat removexattr removexattrat rename renameat renameat2 rmdir "
     "setxattr setxattrat stat stat64 statfs statfs64 statmount statx symlink symlinkat truncate truncate64 unlink "
     "unlinkat utime utimensat utimensat_time64 utimes"},
    {"@io-event",
     "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
     "epoll_wait_old eventfd eventfd2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select"},
    {"@ipc",
     "ipc memfd_create mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
     "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 process_madvise process_vm_readv "
     "process_vm_writev semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget"},
    {"@keyring", "add_key keyctl request_key"},
    {"@memlock", "mlock mlock2 mlockall munlock munlockall"},
    {"@module", "delete_module finit_module init_module"},
    {"@mount",
     "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr pivot_root umount umount2"},
    {"@network-io",
     "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 "
     "recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socket socketcall socketpair"},
    {"@obsolete",
     "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx prof profil "
     "putpmsg query_module security sgetmask ssetmask stime stty sysfs tuxcall ulimit uselib ustat vserver"},
    {"@pkey", "pkey_alloc pkey_free pkey_mprotect"},
    {"@privileged",
     "@chown @clock @module @raw-io @reboot @swap _sysctl acct bpf capset chroot fanotify_init fanotify_mark "
     "nfsservctl open_by_handle_at pivot_root quotactl quotactl_fd setdomainname setfsuid setfsuid32 setgroups "
     "setgroups32 sethostname setresuid setresuid32 setreuid setreuid32 setuid setuid32 vhangup"},
    {"@process",
     "capget clone clone3 execveat fork getrusage kill pidfd_open pidfd_send_signal prctl rt_sigqueueinfo "
     "rt_tgsigqueueinfo setns tgkill times tkill unshare vfork wait4 waitid waitpid"},
    {"@raw-io", "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write"},
    {"@reboot", "kexec_file_load kexec_load reboot"},
    {"@resources",
     "ioprio_set mbind migrate_pages move_pages nice sched_setaffinity sched_setattr sched_setparam "
     "sched_setscheduler set_mempolicy set_mempolicy_home_node setpriority setrlimit"},
    {"@sandbox", "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp"},
    {"@setuid",
     "setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
     "setreuid32 setuid setuid32"},
    {"@signal",
     "rt_sigaction rt_sigpending rt_sigprocmask rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 sigaction "
     "sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigsuspend"},
    {"@swap", "swapoff swapon"},
    {"@sync", "arm_sync_file_range fdatasync fsync msync sync sync_file_range sync_file_range2 syncfs"},
    {"@system-service",
     "@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @memlock @network-io @process @resources "
     "@setuid @signal @sync @timer arm_fadvise64_64 capget capset copy_file_range fadvise64 fadvise64_64 flock "
     "get_mempolicy getcpu getpriority ioctl ioprio_get kcmp madvise mremap name_to_handle_at oldolduname olduname "
     "personality readahead readdir remap_file_pages sched_get_priority_max sched_get_priority_min sched_getattr "
     "sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_yield sendfile "
     "sendfile64 setfsgid setfsgid32 setfsuid setfsuid32 setpgid setsid splice sysinfo tee umask uname userfaultfd "
     "vmsplice"},
    {"@timer",
     "alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
     "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
     "timerfd_settime64 times"},
};

struct Opening {
  const char* capability;  // nullptr: open to every container; else to those that keep this one
  const char* members;
};

inline constexpr Opening kOpenings[] = {
    {nullptr,
     "@aio @basic-io @chown @default @file-system @io-event @ipc @mount @network-io @process @resources @setuid @signal "
     "@sync @timer"},
    {nullptr,
     "arm_fadvise64_64 capset copy_file_range fadvise64 fadvise64_64 flock get_mempolicy getcpu getpriority ioctl "
     "ioprio_get kcmp madvise mincore mremap name_to_handle_at oldolduname olduname personality readahead readdir "
     "remap_file_pages sched_get_priority_max sched_get_priority_min sched_getattr sched_getparam sched_getscheduler "
     "sched_rr_get_interval sched_rr_get_interval_time64 sendfile sendfile64 setdomainname setfsgid setfsgid32 "
     "setfsuid setfsuid32 sethostname setpgid setsid splice sysinfo tee umask uname userfaultfd vmsplice"},
    // The same as futex(2) in smaller pieces, and with no more reach; systemd lists futex_waitv only.
    {nullptr, "futex_requeue futex_wait futex_wake"},
    {"ipc_lock", "@memlock"},
    {"sys_boot", "reboot"},
    {"sys_module", "@module"},
    {"sys_pacct", "acct"},
    {"sys_ptrace", "ptrace"},
    {"sys_rawio", "@raw-io"},
    {"sys_time", "@clock"},
    {"sys_tty_config", "vhangup"},
    {"syslog", "syslog"},
};

// What of all this is not open fails with EPERM: it is known, and refused. So are these, which are in no group.
inline constexpr const char* kRefused = "lsm_set_self_attr process_mrelease syslog";

// These can be opened by their names. Else they are unknown, like everything that stands nowhere here: ENOSYS, so that a C
// library made for a newer kernel falls back to what it did before. That is the better answer also for calls that do no
// harm and that no group has taken in so far.
inline constexpr const char* kUnknown = "cachestat listns map_shadow_stack memfd_secret rseq_slice_yield uprobe";

// Numbers of calls that the libseccomp of the machine that builds may be too old to know.
struct RecentCall {
  const char* name;
  int number;
};
// Since Linux 5.1 a new call gets the same number on every architecture.
inline constexpr RecentCall kRecentCalls[] = {
    {"open_tree", 428},
    {"move_mount", 429},
    {"fsopen", 430},
    {"fsconfig", 431},
    {"fsmount", 432},
    {"fspick", 433},
    {"pidfd_open", 434},
    {"clone3", 435},
    {"close_range", 436},
    {"openat2", 437},
    {"pidfd_getfd", 438},
    {"faccessat2", 439},
    {"process_madvise", 440},
    {"epoll_pwait2", 441},
    {"mount_setattr", 442},
    {"quotactl_fd", 443},
    {"landlock_create_ruleset", 444},
    {"landlock_add_rule", 445},
    {"landlock_restrict_self", 446},
    {"memfd_secret", 447},
    {"process_mrelease", 448},
    {"futex_waitv", 449},
    {"set_mempolicy_home_node", 450},
    {"cachestat", 451},
    {"fchmodat2", 452},
    {"map_shadow_stack", 453},
    {"futex_wake", 454},
    {"futex_wait", 455},
    {"futex_requeue", 456},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"mseal", 462},
    {"setxattrat", 463},
    {"getxattrat", 464},
    {"listxattrat", 465},
    {"removexattrat", 466},
    {"open_tree_attr", 467},
    {"file_getattr", 468},
    {"file_setattr", 469},
    {"listns", 470},
    {"rseq_slice_yield", 471},
};
// The exceptions: calls that the kernel itself plants into traced programs, on x86-64 alone.
inline constexpr RecentCall kRecentX86_64[] = {{"uretprobe", 335}, {"uprobe", 336}};

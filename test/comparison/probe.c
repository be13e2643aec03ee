// Tells what a container looks like from inside, in sections: a line "@@ NAME", then lines. Static, so that it runs in any tree.
// usage: probe [calls]   calls: also what the kernel answers to every system call
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void section(const char* name) { printf("@@ %s\n", name); }

// Bytes that are no text, NUL included, come out as \xx; `separator` becomes the end of a line.
static void file(const char* name, const char* path, char separator) {
  section(name);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    printf("(%s)\n", strerrorname_np(errno));
    return;
  }
  char bytes[4096], last = '\n';
  ssize_t length;
  while ((length = read(fd, bytes, sizeof bytes)) > 0) {
    for (ssize_t at = 0; at < length; at++) {
      last = bytes[at] == separator ? '\n' : bytes[at];
      if (last == '\n' || last == '\t' || (unsigned char)last >= ' ') putchar(last);
      else printf("\\%02x", (unsigned char)last);
    }
  }
  if (last != '\n') putchar('\n');
  close(fd);
}

static char type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    default: return '-';
  }
}

// One line for everything at and below a path: "PATH TYPE MODE UID:GID [MAJOR:MINOR | -> TARGET]".
static void tree(const char* path, int depth) {
  struct stat found;
  if (lstat(path, &found) < 0) {
    printf("%s (%s)\n", path, strerrorname_np(errno));
    return;
  }
  printf("%s %c %04o %u:%u", path, type_of(found.st_mode), found.st_mode & 07777, found.st_uid, found.st_gid);
  if (S_ISCHR(found.st_mode) || S_ISBLK(found.st_mode)) printf(" %u:%u", major(found.st_rdev), minor(found.st_rdev));
  if (S_ISLNK(found.st_mode)) {
    char target[4096];
    ssize_t length = readlink(path, target, sizeof target);
    printf(" -> %.*s", (int)(length < 0 ? 0 : length), target);
  }
  putchar('\n');
  if (!S_ISDIR(found.st_mode) || depth == 0) return;
  DIR* directory = opendir(path);
  if (directory == NULL) return;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char below[4096];
    snprintf(below, sizeof below, "%s/%s", strcmp(path, "/") == 0 ? "" : path, entry->d_name);
    tree(below, depth - 1);
  }
  closedir(directory);
}

static void self(void) {
  section("self");
  char cwd[4096];
  printf("cwd %s\n", getcwd(cwd, sizeof cwd) == NULL ? strerrorname_np(errno) : cwd);
  mode_t mask = umask(0);
  umask(mask);
  printf("umask %04o\n", mask);
  printf("pid %d\nppid %d\nsid %d\npgrp %d\n", getpid(), getppid(), getsid(0), getpgrp());
  struct utsname names;
  uname(&names);
  printf("nodename %s\nmachine %s\n", names.nodename, names.machine);
  printf("personality %#x\n", (unsigned)personality(0xffffffff));
  printf("nice %d\nscheduler %d\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    printf("cpus");
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (CPU_ISSET(cpu, &set)) printf(" %d", cpu);
    putchar('\n');
  }
  for (int fd = 0; fd < 3; fd++) {
    char name[4096];
    printf("fd%d %s\n", fd, !isatty(fd) ? "no terminal" : ttyname_r(fd, name, sizeof name) == 0 ? name : "a terminal without a name");
  }
  struct winsize size;
  if (ioctl(0, TIOCGWINSZ, &size) == 0) printf("window %dx%d\n", size.ws_row, size.ws_col);
  int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
  printf("controlling terminal: %s\n", terminal < 0 ? "none" : "yes");
  if (terminal >= 0) close(terminal);
  printf("dumpable %d\nsecurebits %#x\nkeepcaps %d\npdeathsig", prctl(PR_GET_DUMPABLE), prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS));
  int death = 0;
  prctl(PR_GET_PDEATHSIG, &death);
  printf(" %d\nsubreaper", death);
  int reaper = 0;
  prctl(PR_GET_CHILD_SUBREAPER, &reaper);
  printf(" %d\ntimerslack %d\n", reaper, prctl(PR_GET_TIMERSLACK));
}

static void descriptors(void) {
  section("fds");
  DIR* directory = opendir("/proc/self/fd");
  if (directory == NULL) return;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory)) continue;
    char path[300], target[4096];
    snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    char* number = strchr(target, '[');  // of a pipe or a socket
    if (number != NULL) *number = 0;
    printf("%s %s\n", entry->d_name, target);
  }
  closedir(directory);
}

#ifdef __x86_64__
// The other way into the same kernel: what a 32-bit program's calls meet.
static long compat(int number) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(-1), "c"(-1), "d"(-1), "S"(-1), "D"(-1) : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}
#endif

static long native(int number) {
  long result = syscall(number, -1, -1, -1, -1, -1, -1);
  return result == -1 ? -errno : result;
}

// Calls number 0 to `last` with arguments that no call can use, each in a process of its own.
static void calls(const char* name, int last, const int* without, long (*make)(int)) {
  section(name);
  fflush(stdout);
  for (int number = 0; number <= last; number++) {
    int skip = 0;
    for (const int* one = without; *one >= 0; one++) skip |= *one == number;
    if (skip) continue;
    int answer[2];
    if (pipe2(answer, O_CLOEXEC) < 0) return;
    pid_t child = fork();
    if (child < 0) return;
    if (child == 0) {
      alarm(2);
      long result = make(number);
      write(answer[1], &result, sizeof result);
      _exit(0);
    }
    close(answer[1]);
    long result;
    ssize_t length = read(answer[0], &result, sizeof result);
    close(answer[0]);
    int status;
    waitpid(child, &status, 0);
    const char* word = length != sizeof result ? "killed" : result < 0 && result > -4096 ? strerrorname_np((int)-result) : "ok";
    printf("%d %s\n", number, word == NULL ? "other" : word);
    fflush(stdout);
  }
}

static void special_calls(void) {
  section("special calls");
  int fd = socket(AF_NETLINK, SOCK_RAW, 9 /* NETLINK_AUDIT */);
  printf("audit socket %s\n", fd < 0 ? strerrorname_np(errno) : "ok");
  fd = socket(AF_NETLINK, SOCK_RAW, 0);
  printf("route socket %s\n", fd < 0 ? strerrorname_np(errno) : "ok");
  fd = open("/probe-sync", O_CREAT | O_WRONLY | O_SYNC, 0600);
  printf("open with O_SYNC %s\n", fd < 0 ? strerrorname_np(errno) : "ok");
  unlink("/probe-sync");
  printf("fsync of nothing %s\n", fsync(-1) < 0 ? strerrorname_np(errno) : "ok");
  printf("unshare mount namespace %s\n", unshare(CLONE_NEWNS) < 0 ? strerrorname_np(errno) : "ok");
}

int main(int count, char** arguments) {
  self();
  descriptors();
  file("status", "/proc/self/status", '\n');
  file("limits", "/proc/self/limits", '\n');
  file("mountinfo", "/proc/self/mountinfo", '\n');
  file("environ", "/proc/self/environ", 0);
  file("environ of 1", "/proc/1/environ", 0);
  file("cmdline of 1", "/proc/1/cmdline", 0);
  file("comm of 1", "/proc/1/comm", '\n');
  file("uid_map", "/proc/self/uid_map", '\n');
  file("gid_map", "/proc/self/gid_map", '\n');
  file("setgroups", "/proc/self/setgroups", '\n');
  file("oom_score_adj", "/proc/self/oom_score_adj", '\n');
  file("/run/host/container-manager", "/run/host/container-manager", '\n');
  file("/run/host/container-uuid", "/run/host/container-uuid", '\n');
  file("/run/host/os-release", "/run/host/os-release", '\n');
  file("/etc/machine-id", "/etc/machine-id", '\n');
  file("/etc/resolv.conf", "/etc/resolv.conf", '\n');
  file("/proc/kallsyms", "/proc/kallsyms", '\n');
  section("tree");
  tree("/dev", 9);
  tree("/run", 9);
  tree("/", 1);
  tree("/etc/resolv.conf", 0);
  tree("/etc/localtime", 0);
  tree("/sys", 1);
  tree("/sys/fs", 1);
  tree("/proc/kmsg", 0);
  tree("/proc/kcore", 0);
  tree("/proc/sys/kernel/random/boot_id", 0);
  for (int at = 1; at < count; at++) {
    if (strcmp(arguments[at], "calls") != 0) {
      tree(arguments[at], 3);
      continue;
    }
    special_calls();
    // These would end the process, make another one, wait, or flush every disk of the host.
#ifdef __x86_64__
    static const int without[] = {SYS_exit, SYS_exit_group, SYS_fork, SYS_vfork, SYS_pause, SYS_sync, SYS_vhangup, -1};
    static const int without32[] = {1, 252, 2, 190, 29, 36, 72 /* sigsuspend */, 111 /* vhangup */, -1};
    calls("calls", 470, without, native);
    calls("compat calls", 470, without32, compat);
#else
    static const int without[] = {SYS_exit, SYS_exit_group, SYS_sync, SYS_vhangup, -1};
    calls("calls", 470, without, native);
#endif
  }
  section("end");
  return 0;
}

// What must not lead out of the tree, whatever is tried. $SECRET is a directory of the host that everybody may write to; the harness
// looks afterwards whether anybody has.
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <utime.h>

#include "case.h"

/// What must fail.
#define DENIED(...)                                                                              \
  do {                                                                                           \
    long result_ = (long)(__VA_ARGS__);                                                          \
    SAY(#__VA_ARGS__, "%s", result_ < 0 ? "kept out" : "REACHED");                               \
  } while (0)

static pid_t hostProcess(void) { return getenv("HOSTPID") ? atoi(getenv("HOSTPID")) : 4194303; }
static const char* in(const char* directory, const char* name) {
  static char path[4][512];
  static int turn;
  snprintf(path[++turn % 4], sizeof path[0], "%s/%s", directory, name);
  return path[turn % 4];
}
static const char* up(const char* prefix) { return in(prefix, secret); }

CASE("no call reaches an absolute path of the host") {
  struct stat info;
  struct statx more;
  struct statfs system;
  char text[64];
  KEPT(open(secret, O_RDONLY));
  KEPT(open(secretDir, O_RDONLY | O_DIRECTORY));
  KEPT(open(secretDir, O_PATH));
  KEPT(openat(AT_FDCWD, secret, O_RDONLY));
  KEPT(openat(999, secret, O_RDONLY));
  DENIED(stat(secret, &info));
  DENIED(lstat(secret, &info));
  DENIED(fstatat(AT_FDCWD, secret, &info, 0));
  DENIED(statx(AT_FDCWD, secret, 0, STATX_BASIC_STATS, &more));
  DENIED(access(secret, F_OK));
  DENIED(faccessat(AT_FDCWD, secret, F_OK, 0));
  DENIED(syscall(439, AT_FDCWD, secret, F_OK, AT_EACCESS));
  DENIED(readlink(in(secretDir, "link"), text, sizeof text));
  DENIED(chdir(secretDir));
  DENIED(statfs(secret, &system));
  DENIED(getxattr(secret, "user.test", text, sizeof text));
  DENIED(listxattr(secret, text, sizeof text));
  DENIED(inotify_add_watch(inotify_init1(0), secretDir, IN_CREATE));
}

CASE("no call changes anything by an absolute path of the host") {
  struct timespec times[2] = {{1, 0}, {1, 0}};
  DENIED(mkdir(in(secretDir, "mkdir"), 0755));
  DENIED(rmdir(in(secretDir, "dir")));
  DENIED(unlink(secret));
  DENIED(rename(secret, "here"));
  DENIED(link(secret, "here"));
  DENIED(symlink("x", in(secretDir, "symlink")));
  DENIED(mknod(in(secretDir, "mknod"), S_IFREG | 0644, 0));
  DENIED(mkfifo(in(secretDir, "fifo"), 0644));
  DENIED(truncate(secret, 0));
  DENIED(chmod(secret, 0777));
  DENIED(chown(secret, 0, 0));
  DENIED(lchown(secret, 0, 0));
  DENIED(utimensat(AT_FDCWD, secret, times, 0));
  DENIED(utime(secret, NULL));
  DENIED(setxattr(secret, "user.test", "x", 1, 0));
  DENIED(open(in(secretDir, "created"), O_CREAT | O_WRONLY, 0644));
  DENIED(open(secretDir, O_TMPFILE | O_WRONLY, 0644));
  DENIED(syscall(SYS_creat, in(secretDir, "creat"), 0644));
  put("here", "");
  DENIED(rename("here", in(secretDir, "renamed")));
  DENIED(link("here", in(secretDir, "linked")));
  DENIED(syscall(SYS_renameat2, AT_FDCWD, "here", AT_FDCWD, secret, RENAME_EXCHANGE));
}

CASE("dots do not lead above the root") {
  KEPT(open(up("/.."), O_RDONLY));
  KEPT(open(up("/../../../../../../../.."), O_RDONLY));
  KEPT(open(up("../../../../../../../.."), O_RDONLY));
  KEPT(open(up("/conformance/../../../../../.."), O_RDONLY));
  chdir("/");
  KEPT(open(up(".."), O_RDONLY));
  KEPT(openat(open("/", O_RDONLY), up("..") , O_RDONLY));
  KEPT(openat(open("/..", O_PATH), up("../.."), O_RDONLY));
}

CASE("links do not lead out") {
  symlink(secret, "absolute"), symlink(secretDir, "directory"), symlink(up("../../../../../.."), "up"), symlink("/", "root");
  symlink("directory", "chain"), symlink("../../../../../../../..", "dots");
  KEPT(open("absolute", O_RDONLY));
  KEPT(open("directory/file", O_RDONLY));
  KEPT(open("chain/file", O_RDONLY));
  KEPT(open("up", O_RDONLY));
  KEPT(open(up("root"), O_RDONLY));
  KEPT(open(up("root/.."), O_RDONLY));
  KEPT(open(up("dots"), O_RDONLY));
  DENIED(open("directory/new", O_CREAT | O_WRONLY, 0644));
  DENIED(mkdir("directory/newdir", 0755));
  DENIED(execl("absolute", "x", NULL));
  symlink(in(secretDir, "planted"), "dangling");
  DENIED(open("dangling", O_CREAT | O_WRONLY, 0644));
}

CASE("the links of /proc do not lead out") {
  char path[600];
  static const char* const links[] = {"/proc/self/root", "/proc/self/root/..", "/proc/self/cwd/../../..", "/proc/1/root", "/proc/1/cwd/../../..",
                                      "/proc/self/task/1/root", "/proc/thread-self/root", "/dev/fd/../root"};
  for (unsigned i = 0; i < sizeof links / sizeof *links; i++) KEPT(open(up(links[i]), O_RDONLY));
  int root = open("/", O_PATH);
  snprintf(path, sizeof path, "/proc/self/fd/%d/..%s", root, secret);
  KEPT(open(path, O_RDONLY));
  snprintf(path, sizeof path, "/proc/%d/root%s", getppid(), secret);
  KEPT(open(path, O_RDONLY));
}

CASE("no process of the host is seen below /proc") {
  char path[600];
  static const char* const names[] = {"root", "cwd", "exe", "status", "environ", "fd", "mem", "maps", "task", "ns/mnt"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "/proc/%d/%s", hostProcess(), names[i]);
    SAY(names[i], "%s", open(path, O_RDONLY) < 0 ? "kept out" : "REACHED");
  }
  snprintf(path, sizeof path, "/proc/%d/root%s", hostProcess(), secret);
  KEPT(open(path, O_RDONLY));
  snprintf(path, sizeof path, "/proc/self/../%d/root%s", hostProcess(), secret);
  KEPT(open(path, O_RDONLY));
  struct stat info;
  snprintf(path, sizeof path, "/proc/%d", hostProcess());
  DENIED(stat(path, &info));
  DENIED(chdir(path));
}

CASE("a process of the host is not touched") {
  pid_t host = hostProcess();
  struct rlimit limit;
  char byte;
  struct iovec here = {&byte, 1}, there = {(void*)0x400000, 1};
  DENIED(kill(host, 0));
  DENIED(syscall(SYS_tkill, host, 0));
  DENIED(syscall(SYS_tgkill, host, host, 0));
  DENIED(sigqueue(host, 0, (union sigval){0}));
  DENIED(kill(-host, 0));
  DENIED(syscall(SYS_pidfd_open, host, 0));
  DENIED(ptrace(PTRACE_ATTACH, host, NULL, NULL));
  DENIED(ptrace(PTRACE_SEIZE, host, NULL, NULL));
  DENIED(process_vm_readv(host, &here, 1, &there, 1, 0));
  DENIED(prlimit(host, RLIMIT_NOFILE, NULL, &limit));
  DENIED(setpriority(PRIO_PROCESS, (id_t)host, 19));
  DENIED(syscall(SYS_sched_setaffinity, host, 8, &(long){1}));
  DENIED(syscall(SYS_kcmp, getpid(), host, 0, 0, 0));
  DENIED(syscall(SYS_ioprio_set, 1, host, 3 << 13));
}

CASE("a directory that is moved away from under its descriptor") {
  mkdir("a", 0755), mkdir("a/b", 0755), mkdir("a/b/c", 0755);
  int deep = open("a/b/c", O_RDONLY | O_DIRECTORY);
  rename("a/b/c", "/c-moved");
  KEPT(openat(deep, up("../../../../.."), O_RDONLY));
  KEPT(openat(deep, up(".."), O_RDONLY));
  fchdir(deep);
  KEPT(open(up("../../.."), O_RDONLY));
  KEPT(open(up(".."), O_RDONLY));
  rmdir("/c-moved");
  KEPT(open(up("../.."), O_RDONLY));
  chdir(getenv("NOTHING") ? "" : "/conformance");
}

CASE("chroot and back does not lead out") {
  mkdir("root", 0755);
  int outside = open(".", O_RDONLY | O_DIRECTORY);
  CHILD("chroot", {
    chroot("root");
    for (int i = 0; i < 40; i++) chdir("..");
    KEPT(open(secret + 1, O_RDONLY));
    chroot("../../../../..");
    KEPT(open(secret, O_RDONLY));
    fchdir(outside);
    for (int i = 0; i < 40; i++) chdir("..");
    KEPT(open(secret + 1, O_RDONLY));
    chroot(".");
    KEPT(open(secret, O_RDONLY));
    KEPT(openat(outside, up("../../../.."), O_RDONLY));
  });
}

CASE("mounts do not bring the host in") {
  mkdir("here", 0755);
  CHILD("mounts", {
    mount(secretDir, "here", NULL, MS_BIND, NULL);
    KEPT(open("here/file", O_RDONLY));
    mount("proc", "here", "proc", 0, NULL);
    KEPT(open(up("here/1/root"), O_RDONLY));
    syscall(SYS_pivot_root, ".", "here");
    KEPT(open(secret, O_RDONLY));
    mount("/", "here", NULL, MS_MOVE, NULL);
    KEPT(open(up("here"), O_RDONLY));
  });
}

CASE("openat2 keeps to the tree with every rule") {
  for (unsigned long rule = 0; rule < 0x40; rule++) {
    struct open_how how = {.flags = O_RDONLY, .resolve = rule};
    char text[64];
    int root = open("/", O_PATH);
    snprintf(text, sizeof text, "%#lx", rule);
    const char* paths[] = {secret, up("/.."), up("../../../..")};
    for (int i = 0; i < 3; i++) {
      long fd = syscall(SYS_openat2, i == 2 ? root : AT_FDCWD, paths[i], &how, sizeof how);
      if (fd >= 0) kept(text, fd);
    }
    close(root);
  }
  SAY("all rules", "tried");
}

CASE("sockets of the host are not reached by their path") {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "%s/bound", secretDir);
  DENIED(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr*)&name, sizeof name));
  snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", secretDir);
  DENIED(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&name, sizeof name));
  DENIED(sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (struct sockaddr*)&name, sizeof name));
  struct iovec part = {"x", 1};
  struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1};
  DENIED(sendmsg(socket(AF_UNIX, SOCK_DGRAM, 0), &message, 0));
  struct mmsghdr several = {message, 0};
  DENIED(sendmmsg(socket(AF_UNIX, SOCK_DGRAM, 0), &several, 1, 0));
}

CASE("no program of the host is executed") {
  char* arguments[] = {"x", NULL};
  DENIED(execve(in(secretDir, "program"), arguments, NULL));
  DENIED(syscall(SYS_execveat, AT_FDCWD, in(secretDir, "program"), arguments, NULL, 0));
  DENIED(syscall(SYS_execveat, open("/", O_PATH), up("../../.."), arguments, NULL, 0));
  char line[600];
  snprintf(line, sizeof line, "#!%s/program\n", secretDir);
  put("script", line), chmod("script", 0755);
  DENIED(execv("./script", arguments));
  CHILD("program of the tree", execl(self, "x", "secret", NULL));
}

CASE("handles of files do not lead out") {
  struct { struct file_handle handle; char room[128]; } handle = {.handle = {.handle_bytes = 128}};
  int mount_;
  DENIED(name_to_handle_at(AT_FDCWD, secret, &handle.handle, &mount_, 0));
  handle.handle.handle_bytes = 128;
  if (name_to_handle_at(AT_FDCWD, "/", &handle.handle, &mount_, 0) == 0) {
    int fd = open_by_handle_at(open("/", O_RDONLY), &handle.handle, O_RDONLY);
    kept("openat", fd < 0 ? -1 : openat(fd, up(".."), O_RDONLY));
  } else {
    kept("openat", -1);
  }
}

/// One open through a ring.
static long ringOpen(const char* path) {
  struct io_uring_params how = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 4, &how);
  if (ring < 0) return -1;
  char* queue = mmap(NULL, how.sq_off.array + 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
  char* done = mmap(NULL, how.cq_off.cqes + 16 * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
  struct io_uring_sqe* entry = mmap(NULL, 4 * sizeof *entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
  if (queue == MAP_FAILED || done == MAP_FAILED || entry == MAP_FAILED) return -1;
  memset(entry, 0, sizeof *entry);
  entry->opcode = IORING_OP_OPENAT, entry->fd = AT_FDCWD, entry->addr = (uintptr_t)path;
  *(unsigned*)(queue + how.sq_off.array) = 0;
  __atomic_store_n((unsigned*)(queue + how.sq_off.tail), 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -1;
  return ((struct io_uring_cqe*)(done + how.cq_off.cqes))->res;
}
CASE("a ring does not open files of the host") { KEPT(ringOpen(secret)); }

CASE("calls newer than the table do not reach the host") {
  struct { unsigned long value, size; } value = {(uintptr_t) "x", 1};
  struct { unsigned long flags[3]; unsigned more[2]; } attributes = {{0}, {0}};
  struct { unsigned long set, clear, more[2]; } nodev = {4, 0, {0}};
  char room[256] = "";
  KEPT(syscall(428, AT_FDCWD, secretDir, 0x80000));                            // open_tree
  KEPT(syscall(433, AT_FDCWD, secretDir, 0));                                  // fspick
  DENIED(syscall(429, AT_FDCWD, secretDir, AT_FDCWD, "x", 0));                 // move_mount
  DENIED(syscall(442, AT_FDCWD, secretDir, 0, &nodev, 32));                    // mount_setattr
  DENIED(syscall(443, 0, secretDir, 0, room));                                 // quotactl_fd
  DENIED(syscall(452, AT_FDCWD, secret, 0777, 0));                             // fchmodat2
  DENIED(syscall(463, AT_FDCWD, secret, 0, "user.test", &value, 16));          // setxattrat
  DENIED(syscall(464, AT_FDCWD, secret, 0, "user.test", &value, 16));          // getxattrat
  DENIED(syscall(465, AT_FDCWD, secret, 0, room, sizeof room));                // listxattrat
  DENIED(syscall(466, AT_FDCWD, secret, 0, "user.test"));                      // removexattrat
  KEPT(syscall(467, AT_FDCWD, secretDir, 0x80000, NULL, 0));                   // open_tree_attr
  DENIED(syscall(468, AT_FDCWD, secret, &attributes, 24, 0));                  // file_getattr
  DENIED(syscall(469, AT_FDCWD, secret, &attributes, 24, 0));                  // file_setattr
  for (int number = 470; number < 600; number++) {
    long result = syscall(number, AT_FDCWD, secret, 0, 0, 0, 0);
    if (result >= 0) SAY("call", "%d = %ld", number, result);
  }
}

CASE("old calls that take a path do not reach the host") {
  DENIED(syscall(SYS_uselib, secret));
  DENIED(syscall(SYS_acct, secret));
  DENIED(syscall(SYS_swapon, secret, 0));
  DENIED(syscall(SYS_quotactl, 0, secretDir, 0, NULL));
  DENIED(syscall(SYS_fanotify_mark, 0, 1, 0x20, AT_FDCWD, secretDir));
  DENIED(syscall(SYS_futimesat, AT_FDCWD, secret, NULL));
  DENIED(syscall(SYS_umount2, secretDir, 2) < 0 || access(secretDir, F_OK) < 0 ? -1 : 0);
  KEPT(syscall(SYS_mq_open, secret, O_RDONLY, 0, NULL));
}

#if defined(__x86_64__)
static char* low(const char* text) {
  char* at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  return strcpy(at, text);
}
static long old(long number, const void* a, long b, long c, long d) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory", "r8", "r9", "r10", "r11");
  return result < 0 ? -1 : result;
}
CASE("the old gate of a 64-bit program does not lead out") {
  const char* path = low(secret);
  KEPT(old(5, path, O_RDONLY, 0, 0));
  KEPT(old(295, (void*)(long)AT_FDCWD, (long)path, O_RDONLY, 0));
  DENIED(old(33, path, F_OK, 0, 0));
  DENIED(old(15, path, 0777, 0, 0));
  DENIED(old(10, path, 0, 0, 0));
  DENIED(old(8, low(in(secretDir, "old")), 0644, 0, 0));
  DENIED(old(12, low(secretDir), 0, 0, 0));
  DENIED(old(11, low(in(secretDir, "program")), 0, 0, 0));
  DENIED(old(61, low(secretDir), 0, 0, 0));
  fflush(stdout);
  long child = old(120, (void*)(0x00800000l | SIGCHLD), 0, 0, 0);  // clone, with CLONE_UNTRACED
  if (child == 0) _exit(open(secret, O_RDONLY) >= 0);
  int status = 0;
  if (child > 0) waitpid((pid_t)child, &status, 0);
  HOLDS(status == 0);
}

CASE("the numbers of x32 do not lead out") {
  for (long number = 0; number < 600; number++) {
    if (number == 57 || number == 58 || number == 56 || number == 60 || number == 231 || number == 34 || number == 35) continue;
    if (number != 2 && number != 4 && number != 21 && number != 257 && number != 512 && number != 520 && number != 545) continue;
    long result = number == 257 ? syscall(0x40000000 | number, AT_FDCWD, secret, O_RDONLY) : syscall(0x40000000 | number, secret, 0, 0);
    if (result >= 0) SAY("call", "%ld REACHED", number);
  }
  SAY("calls", "tried");
}
#endif

static int opensSecret(void* nothing) {
  (void)nothing;
  int fd = open(secret, O_RDONLY);
  return fd >= 0 ? 1 : access("/conformance/mark", F_OK) == 0 ? 0 : 2;
}
CASE("a child that is not to be traced is") {
  static char stack[65536] __attribute__((aligned(16)));
  fflush(stdout);
  pid_t child = clone(opensSecret, stack + sizeof stack, CLONE_UNTRACED | SIGCHLD, NULL);
  sayChild("clone", child);
  child = clone(opensSecret, stack + sizeof stack, CLONE_UNTRACED | CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  sayChild("vfork", child);
  struct clone_args how = {.flags = CLONE_UNTRACED, .exit_signal = SIGCHLD};
  child = (pid_t)syscall(SYS_clone3, &how, sizeof how);
  if (child == 0) _exit(opensSecret(NULL));
  int status = 0;
  SAY("clone3", "%s", child < 0 || (waitpid(child, &status, 0) == child && status == 0) ? "kept" : "ESCAPED");
}

static char racing[600];
static volatile int stop;
static void* flips(void* nothing) {
  (void)nothing;
  while (!stop) strcpy(racing, secret), strcpy(racing, "/conformance/mark");
  return NULL;
}
static int isSecret(int fd) {
  char text[64] = "";
  long n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  return n > 0 && strncmp(text, SECRET_TEXT, strlen(SECRET_TEXT)) == 0;
}
CASE("a path that another thread changes in time does not lead out") {
  strcpy(racing, "/conformance/mark");
  pthread_t thread;
  stop = 0;
  pthread_create(&thread, NULL, flips, NULL);
  int reached = 0;
  for (int i = 0; i < 5000; i++) reached += isSecret(open(racing, O_RDONLY));
  stop = 1;
  pthread_join(thread, NULL);
  VALUE(reached);
}

static int root;
static void* exchanges(void* nothing) {
  (void)nothing;
  while (!stop) syscall(SYS_renameat2, root, "way", root, "other", RENAME_EXCHANGE);
  return NULL;
}
CASE("a directory that another thread makes a link in time does not lead out") {
  mkdir("way", 0755), put("way/file", "in the tree\n");
  symlink(secretDir, "other");
  root = open(".", O_PATH);
  pthread_t thread;
  stop = 0;
  pthread_create(&thread, NULL, exchanges, NULL);
  int reached = 0;
  for (int i = 0; i < 5000; i++) reached += isSecret(open("way/file", O_RDONLY));
  stop = 1;
  pthread_join(thread, NULL);
  VALUE(reached);
}
CASE("a directory that another process makes a link in time does not show what is outside") {
  mkdir("way", 0755), put("way/file", "the tree's\n");
  symlink(secretDir, "other");
  root = open(".", O_PATH);
  stop = 0;
  pid_t child = fork();
  if (child == 0) {
    // Who has a filter makes all calls by itself, whatever is done for others at the same time.
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    exchanges(NULL);
  }
  int seen = 0;
  for (int i = 0; i < 5000; i++) {
    struct stat info;
    seen += stat("way/file", &info) == 0 && info.st_size == (off_t)strlen(SECRET_TEXT);
    seen += access("way/program", F_OK) == 0;
  }
  kill(child, SIGKILL), waitpid(child, NULL, 0);
  VALUE(seen);
}

static void* moves(void* nothing) {
  (void)nothing;
  while (!stop) rename("a/b", "/b-moved"), rename("/b-moved", "a/b");
  return NULL;
}
CASE("a directory that is moved while a path goes up from it does not lead out") {
  mkdir("a", 0755), mkdir("a/b", 0755), mkdir("a/b/c", 0755);
  int deep = open("a/b/c", O_PATH);
  pthread_t thread;
  stop = 0;
  pthread_create(&thread, NULL, moves, NULL);
  int reached = 0;
  for (int i = 0; i < 2000; i++) reached += isSecret(openat(deep, up("../../.."), O_RDONLY));
  stop = 1;
  pthread_join(thread, NULL);
  VALUE(reached);
}

CASE("no descriptor of the host is inherited") {
  struct stat info;
  int odd = 0;
  for (int fd = 3; fd < 1024; fd++) odd += fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
  VALUE(odd);
  for (int fd = 0; fd < 3; fd++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d/..%s", fd, secret);
    KEPT(open(path, O_RDONLY));
  }
}

CASE("namespaces of its own do not lead out") {
  CHILD("namespaces", {
    unshare(CLONE_NEWNS);
    KEPT(open(secret, O_RDONLY));
    unshare(CLONE_NEWUSER | CLONE_NEWNS);
    KEPT(open(secret, O_RDONLY));
  });
  CHILD("setns", {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", hostProcess());
    int fd = open(path, O_RDONLY);
    setns(fd, 0);
    KEPT(open(secret, O_RDONLY));
    setns(open("/proc/1/ns/mnt", O_RDONLY), 0);
    KEPT(open(secret, O_RDONLY));
  });
}

// The system calls that the runner makes, by name, with the kernel's own types. Calls newer than 5.0 say since when. What the engine
// ptrace needs goes on without them, on kernels down to 2.6.32: old.hh.
#pragma once

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/reboot.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/un.h>
#include <linux/wait.h>

#include "sys/old.hh"
#include "sys/syscall.hh"
#include "sys/text.hh"

// uapi headers leave these to the C library.
#define AF_UNIX 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5
#define SOCK_CLOEXEC O_CLOEXEC
#define SOCK_NONBLOCK O_NONBLOCK
#define SOL_SOCKET 1
#define SO_PASSCRED 16
#define SO_PEERCRED 17
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000
#define DT_DIR 4
#define DT_REG 8
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MNT_DETACH 2
#define UMOUNT_NOFOLLOW 8
#define AT_STATX_DONT_SYNC 0x4000

/// SIGRTMIN as glibc counts: the first two real-time signals are its own.
constexpr int kRtMin = 34;

namespace sys {

struct Iovec {
  void* base;
  size_t size;
};

struct MessageHeader {
  void* name;
  int nameSize;
  Iovec* parts;
  size_t partCount;
  void* control;
  size_t controlSize;
  unsigned flags;
};

struct ControlHeader {
  size_t size;
  int level, type;
};

struct Credentials {
  int pid;
  uint32_t uid, gid;
};

struct WindowSize {  // struct winsize
  unsigned short rows, columns, x, y;
};

struct SignalInfo {  // struct signalfd_siginfo
  uint32_t signal;
  char rest[124];
};

struct DirectoryEntry {  // struct linux_dirent64
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[1];
};

using SignalSet = uint64_t;
constexpr SignalSet kAllSignals = ~0ull;
constexpr SignalSet signalBit(int signal) { return 1ull << (signal - 1); }

[[noreturn]] inline void exit(int status) {
  for (;;) invoke(__NR_exit_group, status);
}

// descriptors
inline long openat(int dir, const char* path, int flags, unsigned mode = 0) {
  return flags & O_PATH ? openPlace(dir, path, flags) : invoke(__NR_openat, dir, path, flags | O_CLOEXEC, mode);
}
inline long open(const char* path, int flags, unsigned mode = 0) { return openat(AT_FDCWD, path, flags, mode); }
inline long openat2(int dir, const char* path, uint64_t flags, uint64_t resolve) {  // 5.6
  open_how how{flags | O_CLOEXEC, 0, resolve};
  return invoke(__NR_openat2, dir, path, &how, sizeof how);
}
inline long close(int fd) { return invoke(__NR_close, fd); }
inline long read(int fd, void* to, size_t n) { return invoke(__NR_read, fd, to, n); }
inline long write(int fd, const void* from, size_t n) { return invoke(__NR_write, fd, from, n); }
inline long dup3(int from, int to, int flags) { return invoke(__NR_dup3, from, to, flags); }
/// struct flock, and F_OFD_SETLK with it (linux/fcntl.h, 3.15): a lock of the open file, not of the process.
struct FileLock {
  short type, whence;
  long start, length;
  int pid;
};
constexpr int kSetOwnedLock = 37;
inline long fcntl(int fd, int command, long value) { return invoke(__NR_fcntl, fd, command, value); }
/// Locks a whole file, or fails with -EAGAIN: F_RDLCK, F_WRLCK or F_UNLCK.
inline long lockFile(int fd, short type) {
  FileLock lock{type, 0 /* SEEK_SET */, 0, 0, 0};
  long error = fcntl(fd, kSetOwnedLock, reinterpret_cast<long>(&lock));
  return error == -EINVAL ? lockOld(fd, type) : error;
}
inline long ioctl(int fd, unsigned command, void* value) { return invoke(__NR_ioctl, fd, command, value); }
inline long ioctl(int fd, unsigned command, long value) { return invoke(__NR_ioctl, fd, command, value); }
/// `timeout` null: for ever. It is copied, because ppoll(2) writes back what was left of it.
inline long poll(pollfd* fds, unsigned n, const __kernel_timespec* timeout) {
  __kernel_timespec copy{};
  if (timeout) copy = *timeout;
  return invoke(__NR_ppoll, fds, n, timeout ? &copy : nullptr, nullptr, 0);
}
inline long statxat(int dir, const char* path, int flags, unsigned mask, struct statx* to) {
  long error = invoke(__NR_statx, dir, path, flags | AT_STATX_DONT_SYNC, mask, to);
  return error == -ENOSYS ? statOld(dir, path, flags, to) : error;
}
inline long fstatx(int fd, unsigned mask, struct statx* to) { return statxat(fd, "", AT_EMPTY_PATH, mask, to); }
inline long getdents(int fd, void* to, size_t n) { return invoke(__NR_getdents64, fd, to, n); }
inline void closeFrom(unsigned first) {
  if (invoke(__NR_close_range, first, ~0u, 0) < 0) closeOld(first);
}
inline void closeOnExecFrom(unsigned first) {
  if (invoke(__NR_close_range, first, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0) closeOnExecOld(first);
}

// files
inline long mkdirat(int dir, const char* path, unsigned mode) { return invoke(__NR_mkdirat, dir, path, mode); }
inline long mknodat(int dir, const char* path, unsigned mode, uint64_t device) {
  return invoke(__NR_mknodat, dir, path, mode, device);
}
inline long symlinkat(const char* target, int dir, const char* path) {
  return invoke(__NR_symlinkat, target, dir, path);
}
inline long renameat(int dir, const char* from, const char* to) {
#if defined(__NR_renameat)
  return invoke(__NR_renameat, dir, from, dir, to);
#else
  return invoke(__NR_renameat2, dir, from, dir, to, 0);
#endif
}
inline long readlinkat(int dir, const char* path, char* to, size_t n) {
  return invoke(__NR_readlinkat, dir, path, to, n);
}
inline long ftruncate(int fd, uint64_t size) { return invoke(__NR_ftruncate, fd, size); }
inline long unlinkat(int dir, const char* path, int flags) { return invoke(__NR_unlinkat, dir, path, flags); }
inline long chmodat(int dir, const char* path, unsigned mode) { return invoke(__NR_fchmodat, dir, path, mode); }
inline long fchmod(int fd, unsigned mode) { return invoke(__NR_fchmod, fd, mode); }
inline long chdir(const char* path) { return invoke(__NR_chdir, path); }
inline long fchdir(int fd) { return invoke(__NR_fchdir, fd); }
inline long chroot(const char* path) { return invoke(__NR_chroot, path); }

// mounts
inline long mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data) {
  return invoke(__NR_mount, source, target, type, flags, data);
}
inline long umount(const char* target, int flags) { return invoke(__NR_umount2, target, flags); }
inline long pivotRoot(const char* to, const char* old) { return invoke(__NR_pivot_root, to, old); }
inline long openTree(int dir, const char* path, unsigned flags) {  // 5.2
  return invoke(__NR_open_tree, dir, path, flags);
}
inline long moveMount(int fromDir, const char* from, int toDir, const char* to, unsigned flags) {  // 5.2
  return invoke(__NR_move_mount, fromDir, from, toDir, to, flags);
}
inline long fsopen(const char* type, unsigned flags) { return invoke(__NR_fsopen, type, flags); }  // 5.2
inline long fsconfig(int fd, unsigned command, const char* key, const char* value) {               // 5.2
  return invoke(__NR_fsconfig, fd, command, key, value, 0);
}
inline long fsmount(int fd, unsigned flags, unsigned attributes) {  // 5.2
  return invoke(__NR_fsmount, fd, flags, attributes);
}
inline long mountSetattr(int dir, const char* path, unsigned flags, mount_attr* attributes) {  // 5.12
  return invoke(__NR_mount_setattr, dir, path, flags, attributes, sizeof *attributes);
}

// processes
inline long kill(long pid, int signal) { return invoke(__NR_kill, pid, signal); }
inline long wait(long pid, int* status, int options) { return invoke(__NR_wait4, pid, status, options, nullptr); }
inline long setns(int fd, unsigned kind) { return invoke(__NR_setns, fd, kind); }
inline long unshare(unsigned flags) { return invoke(__NR_unshare, flags); }
inline long setsid() { return invoke(__NR_setsid); }
inline long prctl(int option, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0, unsigned long d = 0) {
  return invoke(__NR_prctl, option, a, b, c, d);
}
inline long execve(const char* path, const char* const* argv, const char* const* env) {
  return invoke(__NR_execve, path, argv, env);
}
/// `pid` 0: this process.
inline long prlimit(long pid, int resource, const rlimit64* to, rlimit64* old) {
  long error = invoke(__NR_prlimit64, pid, resource, to, old);
  return error == -ENOSYS ? limitOld(pid, resource, to, old) : error;
}
/// Random bytes, all of them or an error.
inline long random(void* to, size_t n) {
  long got = invoke(__NR_getrandom, to, n, 0);
  return got == -ENOSYS ? randomOld(to, n) : got;
}
inline long setSignalMask(SignalSet set) { return invoke(__NR_rt_sigprocmask, SIG_SETMASK, &set, nullptr, sizeof set); }
long resetSignals();
long forkProcess();

// sockets
inline long socketPair(int fds[2]) { return invoke(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds); }
/// Sends `n` bytes and, unless it is negative, the descriptor `fd`.
long sendMessage(int socket, const void* data, size_t n, int fd = -1, int flags = 0);
struct Received {
  long size;  // -errno, 0 at the end
  int fd = -1;
  Credentials sender{};
};
Received receiveMessage(int socket, void* to, size_t n, int flags = 0);

/// Reads at most n bytes of a file, until its end; returns their number.
long readAll(int fd, char* to, size_t n);
/// Writes all of it, or returns the error.
long writeAll(int fd, const char* from, size_t n);

/// Closes a descriptor when it goes out of scope.
class UniqueFd {
 public:
  explicit UniqueFd(long fd = -1) : fd_(static_cast<int>(fd)) {}
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }
  void reset(long fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = static_cast<int>(fd);
  }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  /// -errno, when the call whose result this holds has failed.
  long error() const { return fd_; }

 private:
  int fd_;
};

}  // namespace sys

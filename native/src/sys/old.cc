#include "sys/old.hh"

#include <asm/stat.h>

#include "sys/kernel.hh"

namespace sys {

namespace {

/// The kernel's dev_t as struct stat has it.
uint32_t majorOf(uint64_t device) {
  return static_cast<uint32_t>(((device >> 8) & 0xfff) | ((device >> 32) & ~uint64_t{0xfff}));
}
uint32_t minorOf(uint64_t device) {
  return static_cast<uint32_t>((device & 0xff) | ((device >> 12) & ~uint64_t{0xff}));
}

void convert(const struct stat& from, struct statx* to) {
  *to = {};
  to->stx_mask = STATX_BASIC_STATS;
  to->stx_blksize = static_cast<uint32_t>(from.st_blksize);
  to->stx_nlink = static_cast<uint32_t>(from.st_nlink);
  to->stx_uid = from.st_uid;
  to->stx_gid = from.st_gid;
  to->stx_mode = static_cast<uint16_t>(from.st_mode);
  to->stx_ino = from.st_ino;
  to->stx_size = static_cast<uint64_t>(from.st_size);
  to->stx_blocks = static_cast<uint64_t>(from.st_blocks);
  to->stx_atime = {static_cast<int64_t>(from.st_atime), static_cast<uint32_t>(from.st_atime_nsec), 0};
  to->stx_mtime = {static_cast<int64_t>(from.st_mtime), static_cast<uint32_t>(from.st_mtime_nsec), 0};
  to->stx_ctime = {static_cast<int64_t>(from.st_ctime), static_cast<uint32_t>(from.st_ctime_nsec), 0};
  to->stx_rdev_major = majorOf(from.st_rdev);
  to->stx_rdev_minor = minorOf(from.st_rdev);
  to->stx_dev_major = majorOf(from.st_dev);
  to->stx_dev_minor = minorOf(from.st_dev);
}

constexpr unsigned kMostDescriptors = 65536;

/// One past the highest descriptor that can be open, as a rule.
unsigned endOfDescriptors() {
  rlimit64 limit;
  bool known = prlimit(0, 7 /* RLIMIT_NOFILE */, nullptr, &limit) == 0 && limit.rlim_cur < kMostDescriptors;
  return known ? static_cast<unsigned>(limit.rlim_cur) : kMostDescriptors;
}

}  // namespace

long statOld(int dir, const char* path, int flags, struct statx* to) {
  struct stat status;
  long error = invoke(__NR_newfstatat, dir, path, &status, flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  // Before 2.6.39 a descriptor has a call of its own; from then on to 3.5 that one does not take what O_PATH has opened.
  if (error == -EINVAL && flags & AT_EMPTY_PATH && !*path) error = invoke(__NR_fstat, dir, &status);
  if (error < 0) return error;
  convert(status, to);
  return 0;
}

long openPlace(int dir, const char* path, int flags) {
  // Where O_PATH is known it makes the kernel forget the other two.
  int all = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  long fd = invoke(__NR_openat, dir, path, all, 0);
  return fd == -EINVAL ? invoke(__NR_openat, dir, path, all & ~O_PATH, 0) : fd;
}

long limitOld(long pid, int resource, const rlimit64* to, rlimit64* old) {
  if (pid != 0) return -ENOSYS;
  long error = old ? invoke(__NR_getrlimit, resource, old) : 0;
  return error == 0 && to ? invoke(__NR_setrlimit, resource, to) : error;
}

void closeOld(unsigned first) {
  for (unsigned fd = first, end = endOfDescriptors(); fd < end; fd++) close(static_cast<int>(fd));
}

void closeOnExecOld(unsigned first) {
  for (unsigned fd = first, end = endOfDescriptors(); fd < end; fd++)
    fcntl(static_cast<int>(fd), F_SETFD, 1 /* FD_CLOEXEC */);
}

long lockOld(int fd, short type) {
  constexpr int kShared = 1, kExclusive = 2, kAtOnce = 4, kUnlock = 8;  // flock(2)
  return invoke(__NR_flock, fd, (type == F_WRLCK ? kExclusive : type == F_RDLCK ? kShared : kUnlock) | kAtOnce);
}

long randomOld(void* to, size_t n) {
  UniqueFd file(open("/dev/urandom", O_RDONLY));
  if (!file.ok()) return file.error();
  long got = readAll(file.get(), static_cast<char*>(to), n);
  return got == static_cast<long>(n) ? got : got < 0 ? got : -EIO;
}

}  // namespace sys

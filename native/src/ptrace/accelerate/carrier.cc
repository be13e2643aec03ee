#include "ptrace/accelerate/carrier.hh"

#include "sys/stat.hh"

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452  // 6.6
#endif

namespace ptrace {

namespace {

constexpr size_t kMostBytes = 1 << 16;  // XATTR_SIZE_MAX, XATTR_LIST_MAX
constexpr int kNone = -1;

/// What the arguments of a call point to.
struct Shape {
  unsigned paths = 0;  // bits
  int text = kNone, in = kNone, out = kNone;
  /// Of what is read or written; 0: the argument behind it says it.
  uint16_t size = 0;
  bool makes = false;  // a file whose mode the mask of the process changes
};

constexpr unsigned first(unsigned n) { return 1u << n; }

Shape shapeOf(long number) {
  switch (number) {
    case __NR_mkdirat:
    case __NR_mknodat:
      return {.paths = first(1), .makes = true};
    case __NR_unlinkat:
    case __NR_fchmodat:
    case __NR_fchmodat2:
    case __NR_fchownat:
    case __NR_faccessat:
    case __NR_faccessat2:
      return {.paths = first(1)};
    case __NR_renameat2:
#if defined(__NR_renameat)
    case __NR_renameat:
#endif
    case __NR_linkat:
      return {.paths = first(1) | first(3)};
    case __NR_symlinkat:
      return {.paths = first(2), .text = 0};
    case __NR_truncate:
      return {.paths = first(0)};
    case __NR_statfs:
      return {.paths = first(0), .out = 1, .size = 120};
    case __NR_statx:
      return {.paths = first(1), .out = 4, .size = sizeof(struct statx)};
    case __NR_newfstatat:
      return {.paths = first(1), .out = 2, .size = sizeof(struct stat)};
    case __NR_utimensat:
      return {.paths = first(1), .in = 2, .size = 32};
    case __NR_getxattr:
    case __NR_lgetxattr:
      return {.paths = first(0), .text = 1, .out = 2};
    case __NR_setxattr:
    case __NR_lsetxattr:
      return {.paths = first(0), .text = 1, .in = 2};
    case __NR_removexattr:
    case __NR_lremovexattr:
      return {.paths = first(0), .text = 1};
    case __NR_listxattr:
    case __NR_llistxattr:
      return {.paths = first(0), .out = 1};
#if defined(__x86_64__)
    case __NR_mkdir:
    case __NR_mknod:
      return {.paths = first(0), .makes = true};
    case __NR_rmdir:
    case __NR_unlink:
    case __NR_chmod:
    case __NR_chown:
    case __NR_lchown:
    case __NR_access:
      return {.paths = first(0)};
    case __NR_rename:
    case __NR_link:
      return {.paths = first(0) | first(1)};
    case __NR_symlink:
      return {.paths = first(1), .text = 0};
    case __NR_stat:
    case __NR_lstat:
      return {.paths = first(0), .out = 1, .size = sizeof(struct stat)};
    case __NR_utime:
      return {.paths = first(0), .in = 1, .size = 16};
    case __NR_utimes:
      return {.paths = first(0), .in = 1, .size = 32};
    case __NR_futimesat:
      return {.paths = first(1), .in = 2, .size = 32};
#endif
    default:
      return {};
  }
}

/// What is there of a process does; a file that is shown in its stead does not.
bool dependsOnAsker(const Place& place) { return place.process != 0 && below(place.host.c_str(), place.rule->host); }

/// Whether a size is beyond what the process may make a file: the kernel has a signal for that.
bool isOverLimit(const Call& call, uint64_t size) {
  rlimit64 limit;
  constexpr int kFileSize = 1;  // RLIMIT_FSIZE
  return sys::prlimit(call.tracee.process, kFileSize, nullptr, &limit) < 0 || size > limit.rlim_cur;
}

/// The mask of the process for modes of new files, for as long as it makes some.
class Masked {
 public:
  explicit Masked(const Call& call) : own_(sys::invoke(__NR_umask, call.tracee.root->mask)) {}
  Masked(const Masked&) = delete;
  Masked& operator=(const Masked&) = delete;
  ~Masked() { sys::invoke(__NR_umask, own_); }

 private:
  long own_;
};

/// Whether to open a file may wait for somebody, or make it the terminal of who does.
bool needsItself(const struct statx& info) {
  constexpr uint32_t kMemory = 1;  // null, zero, full, random …
  switch (info.stx_mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
      return false;
    case S_IFCHR:
      return info.stx_rdev_major != kMemory;
    default:
      return true;
  }
}

}  // namespace

long Held::hold(const Path& host, bool follows, bool dot) {
  // What stands there itself, or, for a call that does not follow a link, the directory that it stands in.
  size_t end = host.size();
  bool slash = end > 1 && host.c_str()[end - 1] == '/';
  while (end > 1 && host.c_str()[end - 1] == '/') end--;
  size_t name = end;
  while (name > 0 && host.c_str()[name - 1] != '/') name--;
  bool whole = follows || dot || name == end;
  Path above;
  above.add(host.c_str(), name > 1 ? name - 1 : 1);
  fd_.reset(sys::openat2(AT_FDCWD, whole ? host.c_str() : above.c_str(), whole ? O_PATH : O_PATH | O_DIRECTORY,
                         RESOLVE_NO_SYMLINKS));
  if (!fd_.ok()) return fd_.error();
  text_ = sys::Text<320>("/proc/self/fd/");
  text_.add(static_cast<int64_t>(fd_.get()));
  if (whole && !follows) text_.add("/.");
  if (!whole) text_.add("/").add(host.c_str() + name, end - name);
  if (!whole && slash) text_.add("/");
  return 0;
}

void Carrier::take(int n, const Place& place) {
  if (count_ == 2) return;
  Taken& taken = taken_[count_++];
  taken.argument = n;
  taken.host = place.host;
  taken.follows = place.follows;
  taken.dot = place.dot;
  taken.missing = place.missing;
  taken.slash = place.slash;
  taken.inProc = dependsOnAsker(place);
}

long Carrier::keep(Place& place) {
  if (dependsOnAsker(place)) return 0;
  long error = kept_.hold(place.host, place.follows, place.dot);
  changed_ = error == -ELOOP;
  if (error == 0) place.host = Path(kept_.path());
  return error;
}

Carrier::Outcome Carrier::carryOut(const Call& call, long& result, sys::UniqueFd& opened) {
  for (unsigned i = 0; i < count_; i++)
    if (taken_[i].inProc) return Outcome::kHandOver;
  if (opens_) return count_ == 1 ? open(call, taken_[0], result, opened) : Outcome::kHandOver;
  static char bytes[kMostBytes], text[4096];
  const long number = call.registers.number();
  const Shape shape = shapeOf(number);
  long arguments[6];
  for (int i = 0; i < 6; i++) arguments[i] = static_cast<long>(call.argument(i));
  unsigned missing = shape.paths;
  Held held[2];
  for (unsigned i = 0; i < count_; i++) {
    const Taken& place = taken_[i];
    if (!(missing & first(static_cast<unsigned>(place.argument)))) return Outcome::kHandOver;
    missing &= ~first(static_cast<unsigned>(place.argument));
    if ((result = held[i].hold(place.host, place.follows, place.dot)) < 0)
      return result == -ELOOP ? Outcome::kAgain : Outcome::kDone;
    arguments[place.argument] = sys::arg(held[i].path());
  }
  // Without a path a descriptor is meant. With one that has no place it is relative to what only the process has.
  for (int i = 0; i < 6; i++)
    if (missing & first(static_cast<unsigned>(i)) && arguments[i] != 0) return Outcome::kHandOver;
  if (count_ == 0) return call.tracee.changed ? Outcome::kHandOver : Outcome::kKernel;
  if (number == __NR_truncate && isOverLimit(call, call.argument(1))) return Outcome::kHandOver;
  result = -EFAULT;
  if (shape.text != kNone) {
    if ((result = call.readText(call.argument(shape.text), text, sizeof text)) < 0) return Outcome::kDone;
    arguments[shape.text] = sys::arg(static_cast<char*>(text));
  }
  int memory = shape.in != kNone ? shape.in : shape.out;
  size_t size = 0;
  if (memory != kNone && arguments[memory] != 0) {
    size = shape.size ? shape.size : call.argument(memory + 1);
    if (size > kMostBytes) {
      if (shape.in != kNone) return Outcome::kHandOver;
      size = kMostBytes;
      arguments[memory + 1] = static_cast<long>(size);
    }
    result = -EFAULT;
    if (shape.in != kNone && !call.read(call.argument(memory), bytes, size)) return Outcome::kDone;
    arguments[memory] = sys::arg(static_cast<char*>(bytes));
  }
  if (shape.makes) {
    Masked masked(call);
    result = sys::call(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  } else {
    result = sys::call(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  }
  if (result >= 0 && shape.out != kNone && size) {
    size_t written = shape.size ? size : static_cast<size_t>(result);
    if (written && !call.write(call.argument(shape.out), bytes, written)) result = -EFAULT;
  }
  return Outcome::kDone;
}

Carrier::Outcome Carrier::open(const Call& call, const Taken& place, long& result, sys::UniqueFd& opened) const {
  const bool makes = flags_ & O_CREAT;
  auto finish = [&](long fd) {
    result = fd;
    if (fd < 0) return Outcome::kDone;
    opened.reset(fd);
    return Outcome::kOpened;
  };
  // The kernel does not give away what is only a place, and who has opened a file without a name may give it one.
  if (flags_ & O_PATH || (flags_ & O_TMPFILE) == O_TMPFILE) return Outcome::kHandOver;
  if (makes && (place.slash || flags_ & O_DIRECTORY)) return Outcome::kHandOver;
  if (makes && place.missing) {
    Held above;
    if ((result = above.hold(place.host, false, false)) < 0) return result == -ELOOP ? Outcome::kAgain : Outcome::kDone;
    Masked masked(call);
    // What stands there now has come in between, and may be anything.
    long fd = sys::open(above.path(), flags_ | O_EXCL | O_NOCTTY, mode_);
    if (fd == -EEXIST && !(flags_ & O_EXCL)) return Outcome::kAgain;
    return finish(fd);
  }
  Held file;
  struct statx info;
  result = file.hold(place.host, true, false);
  if (result == -ELOOP && !place.follows) {
    // A link that is meant itself, and cannot be opened so.
    result = flags_ & O_EXCL && makes ? -EEXIST : flags_ & O_DIRECTORY ? -ENOTDIR : -ELOOP;
    return Outcome::kDone;
  }
  if (result < 0) return result == -ELOOP ? Outcome::kAgain : Outcome::kDone;
  if ((result = sys::fstatx(file.fd(), STATX_TYPE, &info)) < 0) return Outcome::kDone;
  if (makes) {
    bool directory = (info.stx_mode & S_IFMT) == S_IFDIR;
    if (flags_ & O_EXCL || directory) return finish(flags_ & O_EXCL ? -EEXIST : -EISDIR);
  }
  if (needsItself(info)) return Outcome::kHandOver;
  int flags = (flags_ & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_NOCTTY;
  return finish(sys::open(file.path(), flags));
}

}  // namespace ptrace

// Opening files and looking at them.
#include "fakeroot/owners.hh"
#include "ptrace/inprocess/serve.hh"

namespace page {

namespace {

/// What the owner of a file hangs on.
struct Facts {
  uint32_t mode, uid, gid;
  uint64_t size;
};

/// A name by which an attribute can be asked for, of a file that no path leads to without links but this one.
class Name {
 public:
  explicit Name(const Path& path) : directory_(path.directory()), text_(path.host()) {
    if (path.absolute() || directory_ == AT_FDCWD || rules().attributesAt) return;
    // "/proc/self/fd/N/name", in front of the room's last page.
    char* to = const_cast<char*>(path.host()) + 2 * 4096;
    text_ = to;
    to = nameOf(directory_, to);
    *to++ = '/';
    for (const char* p = path.host(); (*to++ = *p); p++) {
    }
  }
  long get(const char* attribute, char* to, size_t n) const {
    if (!rules().attributesAt) return sys::invoke(__NR_lgetxattr, text_, attribute, to, n);
    const ptrace::AttributeRoom room{reinterpret_cast<uint64_t>(to), static_cast<uint32_t>(n), 0};
    return sys::invoke(ptrace::kGetxattrat, directory_, text_, AT_SYMLINK_NOFOLLOW, attribute, &room, sizeof room);
  }

 private:
  int directory_;
  const char* text_;
};

/// The same of an open file.
class Open {
 public:
  explicit Open(int fd) : fd_(fd) {}
  long get(const char* attribute, char* to, size_t n) const {
    long size = sys::invoke(__NR_fgetxattr, fd_, attribute, to, n);
    if (size != -EBADF) return size;
    // It is open as a place alone.
    char name[kNameSize];
    *nameOf(fd_, name) = 0;
    return sys::invoke(__NR_getxattr, name, attribute, to, n);
  }

 private:
  int fd_;
};

/// Puts the owner that the guest sees into the place of the real one, as ownerOf() does. False where that takes the tracer.
template <typename Named>
bool show(const Named& file, Facts& facts) {
  const ptrace::PageRules& all = rules();
  if (!all.fakeIds) return true;
  uint32_t type = facts.mode & kType;
  fakeroot::Owner owner;
  bool tabled = type != kRegular && type != kDirectory;
  if (!tabled) {
    char value[64];
    long size = file.get(fakeroot::kOwnerAttribute, value, sizeof value);
    tabled = size == -EOPNOTSUPP;
    if (!tabled && size < 0 && size != -ENODATA) return false;
    if (size > 0 && !fakeroot::decodeOwner(value, static_cast<size_t>(size), owner)) owner = {};
    // An empty file may stand for a device.
    if (!tabled && type == kRegular && facts.size == 0 &&
        file.get(fakeroot::kDeviceAttribute, value, sizeof value) != -ENODATA)
      return false;
  }
  if (tabled && header().tabled) return false;
  // What others of the host own is theirs.
  bool foreign = facts.uid != all.uid;
  if (!foreign || owner.gid || facts.gid == all.gid) facts.gid = owner.gid;
  if (!foreign || owner.uid) facts.uid = owner.uid;
  return true;
}

template <typename Named>
bool show(const Named& file, struct stat* to) {
  Facts facts{to->st_mode, to->st_uid, to->st_gid, static_cast<uint64_t>(to->st_size)};
  if (!show(file, facts)) return false;
  to->st_uid = facts.uid, to->st_gid = facts.gid;
  return true;
}

template <typename Named>
bool show(const Named& file, struct statx* to) {
  Facts facts{to->stx_mode, to->stx_uid, to->stx_gid, to->stx_size};
  if (!show(file, facts)) return false;
  to->stx_uid = facts.uid, to->stx_gid = facts.gid;
  return true;
}

}  // namespace

long openFile(const Frame& frame, int directory, const char* text, int flags, unsigned mode) {
  constexpr int kReads = O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_LARGEFILE;
  constexpr int kPlace = O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW;
  if (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) return createFile(frame, directory, text, flags, mode);
  if (flags & ~kReads && flags & ~kPlace) return kSlow;
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  return openPath(path, {static_cast<uint64_t>(flags), 0, RESOLVE_NO_SYMLINKS}, room, &frame);
}

long showPath(int directory, const char* text, struct stat* to, bool follow) {
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  if (path.single()) {
    // No link can be on the way.
    long error = sys::invoke(__NR_newfstatat, directory, path.host(), to, AT_SYMLINK_NOFOLLOW);
    if (error == -ENOENT) return error;
    if (error < 0) return kSlow;
    if (!follow || (to->st_mode & kType) != kLink) return show(Name(path), to) ? 0 : kSlow;
  }
  Place place(path, follow);
  if (place.fd() < 0) return place.fd();
  if (sys::invoke(__NR_fstat, place.fd(), to) < 0) return kSlow;
  return show(Name(path), to) ? 0 : kSlow;
}

long showOpen(int fd, struct stat* to) {
  if (sys::invoke(__NR_fstat, fd, to) < 0) return kSlow;
  return show(Open(fd), to) ? 0 : kSlow;
}

long showExtended(int directory, const char* text, int flags, unsigned mask, struct statx* to) {
  constexpr unsigned kNeeded = STATX_BASIC_STATS;
  constexpr int kHow = AT_STATX_SYNC_TYPE;
  if (flags & ~(kHow | AT_SYMLINK_NOFOLLOW) || mask & STATX__RESERVED) return kSlow;
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Place place(path, !(flags & AT_SYMLINK_NOFOLLOW));
  if (place.fd() < 0) return place.fd();
  if (sys::invoke(__NR_statx, place.fd(), "", (flags & kHow) | AT_EMPTY_PATH, mask | kNeeded, to) < 0) return kSlow;
  return show(Name(path), to) ? 0 : kSlow;
}

long access(int directory, const char* text, int mode) {
  constexpr int kRead = 4, kExecute = 1;
  if (mode & ~(kRead | kExecute)) return kSlow;
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Place place(path, true);
  if (place.fd() < 0 || mode == 0) return place.fd() < 0 ? place.fd() : 0;
  return sys::invoke(__NR_faccessat2, place.fd(), "", mode, AT_EMPTY_PATH) == 0 ? 0 : kSlow;
}

long readLink(int directory, const char* text, char* to, int size) {
  if (size <= 0) return kSlow;
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Place place(path, false);
  if (place.fd() < 0) return place.fd();
  long length = sys::invoke(__NR_readlinkat, place.fd(), "", to, size);
  // What is no link has no such text: -ENOENT of an empty path.
  if (length == -ENOENT) return -EINVAL;
  return length < 0 ? kSlow : length;
}

long currentDirectory(char* to, uint64_t size) {
  Room room;
  if (!room.get() || isShown(AT_FDCWD)) return kSlow;
  char *host = room.get(), *guest = room.last();
  auto length = static_cast<unsigned>(sys::invoke(__NR_getcwd, host, kLongest)) - 1;
  // It is gone, or lies nowhere, or the text is too long.
  if (length >= kLongest || *host != '/') return kSlow;
  const ptrace::PageRule* best = ruleOfHost(host, length);
  if (!best || best->closed || best->guestSize + length >= kLongest) return kSlow;
  unsigned end = 0;
  for (; end < best->guestSize; end++) guest[end] = page_end[best->guestAt + end];
  for (unsigned i = best->hostSize; i < length; i++) guest[end++] = host[i];
  if (!end) guest[end++] = '/';
  guest[end] = 0;
  // What a rule covers is not seen.
  if (ruleOf(guest, end) != best) return kSlow;
  if (end >= size) return -ERANGE;
  return page_copy_text(to, guest, end + 1) == end ? static_cast<long>(end) + 1 : kSlow;
}

}  // namespace page

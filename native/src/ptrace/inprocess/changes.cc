// Making, changing and taking away. What may be read-only, belongs to another user, or is refused is the tracer's.
#include "fakeroot/owners.hh"
#include "ptrace/inprocess/serve.hh"

namespace page {

namespace {

/// What is said of the guest's path as it is; all other errors are the tracer's, who may have a right to lend.
long said(long result) {
  return result >= 0 || result == -ENOENT || result == -EEXIST || result == -EINTR ? result : kSlow;
}

/// An open file that may be changed.
bool look(int fd, struct stat& info) {
  Room room;
  return room.get() && sys::invoke(__NR_fstat, fd, &info) == 0 && info.st_dev != rules().procDevice &&
         !isReadOnly(fd, room.last());
}

}  // namespace

long createFile(const Frame& frame, int directory, const char* text, int flags, unsigned mode) {
  constexpr int kKnown =
      O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_LARGEFILE;
  if (flags & ~kKnown) return kSlow;
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  open_how how{static_cast<uint64_t>(flags), flags & O_CREAT ? mode & 07777 : 0, RESOLVE_NO_SYMLINKS};
  if (!(flags & O_CREAT)) return path.mayChange() ? openPath(path, how, room, &frame) : kSlow;
  Parent parent(path, true);
  if (parent.error()) return parent.error();
  // What it leaves behind when it is interrupted is the room alone.
  return said(parent.opened() ? sys::invoke(__NR_openat2, parent.directory(), parent.name(), &how, sizeof how)
                              : page_open(parent.directory(), parent.name(), &how, sizeof how, room.number(), &frame));
}

long makeDirectory(int directory, const char* text, unsigned mode) {
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Parent parent(path, true);
  if (parent.error()) return parent.error();
  return said(sys::invoke(__NR_mkdirat, parent.directory(), parent.name(), mode));
}

long makeLink(const char* target, int directory, const char* text) {
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Parent parent(path, true);
  if (parent.error()) return parent.error();
  return said(sys::invoke(__NR_symlinkat, target, parent.directory(), parent.name()));
}

long removeName(int directory, const char* text, int flags) {
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Parent parent(path, false);
  if (parent.error()) return parent.error();
  long result = sys::invoke(__NR_unlinkat, parent.directory(), parent.name(), flags);
  return result == -ENOTEMPTY ? result : said(result);
}

long changeMode(int directory, const char* text, unsigned mode) {
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Place place(path, true);
  struct stat info;
  if (place.fd() < 0) return place.fd();
  if (!path.mayChange() || sys::invoke(__NR_fstat, place.fd(), &info) < 0) return kSlow;
  if (rules().fakeIds && (!header().asRoot || info.st_uid != rules().uid)) return kSlow;
  char name[kNameSize];
  *nameOf(static_cast<int>(place.fd()), name) = 0;
  return said(sys::invoke(__NR_fchmodat, AT_FDCWD, name, mode));
}

long changeOpen(int fd, unsigned mode) {
  struct stat info;
  if (!look(fd, info)) return kSlow;
  return said(sys::invoke(__NR_fchmod, fd, mode));
}

namespace {

/// Remembers another owner of what is open, be it as a place alone.
long remember(int fd, const struct stat& info, uint32_t uid, uint32_t gid) {
  constexpr uint32_t kNone = 0xffffffff, kPowers = 06000;
  uint32_t type = info.st_mode & kType;
  if (!header().asRoot || !header().marked || info.st_uid != rules().uid) return kSlow;
  if ((type != kRegular && type != kDirectory) || (type == kRegular && info.st_mode & kPowers)) return kSlow;
  char name[kNameSize], value[64];
  *nameOf(fd, name) = 0;
  fakeroot::Owner owner;
  long size = sys::invoke(__NR_getxattr, name, fakeroot::kOwnerAttribute, value, sizeof value);
  if (size < 0 && size != -ENODATA) return kSlow;
  if (size > 0 && !fakeroot::decodeOwner(value, static_cast<size_t>(size), owner)) return kSlow;
  if (uid != kNone) owner.uid = uid;
  if (gid != kNone) owner.gid = gid;
  // To forget one is the tracer's: the root of the tree keeps its attribute.
  if (owner.isRoot()) return size == -ENODATA ? 0 : kSlow;
  size_t written = fakeroot::encodeOwner(owner, value);
  return sys::invoke(__NR_setxattr, name, fakeroot::kOwnerAttribute, value, written, 0) == 0 ? 0 : kSlow;
}

}  // namespace

long give(int directory, const char* text, uint32_t uid, uint32_t gid, bool follow) {
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Place place(path, follow);
  struct stat info;
  if (place.fd() < 0) return place.fd();
  if (!path.mayChange() || sys::invoke(__NR_fstat, place.fd(), &info) < 0) return kSlow;
  return remember(static_cast<int>(place.fd()), info, uid, gid);
}

long giveOpen(int fd, uint32_t uid, uint32_t gid) {
  struct stat info;
  return look(fd, info) ? remember(fd, info, uid, gid) : kSlow;
}

long setTimes(int directory, const char* text, const void* times, int flags) {
  if (!text) {
    struct stat info;
    if (directory < 0 || flags || !look(directory, info)) return kSlow;
    return said(sys::invoke(__NR_utimensat, directory, nullptr, times, 0));
  }
  if (flags != AT_SYMLINK_NOFOLLOW) return kSlow;
  Room room;
  Path path(room);
  if (long error = path.take(directory, text); error) return error;
  Parent parent(path, false);
  if (parent.error()) return parent.error();
  return said(sys::invoke(__NR_utimensat, parent.directory(), parent.name(), times, flags));
}

}  // namespace page

// Files that a process makes belong to its fake user, and in a set-group-id directory to the group of that. Where this is root and
// root's group the kernel makes them; else they are made here, as the process would, and the owner is remembered.
#include <linux/openat2.h>

#include "fakeroot/file.hh"

namespace fakeroot {

namespace {

constexpr unsigned kMostLinks = 40;

/// The directory in which a name is to be made, and the last part of the name.
struct Place {
  sys::UniqueFd directory;
  char name[256];
  Owner owner;  // of what is made there
};

/// The owner of what the process makes in this directory.
long ownerIn(Call& call, int directory, Owner& owner) {
  const Identity& who = call.identity();
  owner = {who.user.file, who.group.file};
  struct statx info;
  if (long error = sys::fstatx(directory, kOwnerMask, &info); error < 0) return error;
  if (info.stx_mode & kSetGid) owner.gid = call.state.owners.of(info, linkTo(directory).c_str(), true).gid;
  return 0;
}

/// What a path is relative to: a descriptor of the process, or one of this process.
struct Base {
  int fd;
  bool own = false;
};

/// Finds the place of `text`. 0 or -errno; -ENOTUNIQ where the last part is no name that could be made.
long find(Call& call, Base base, const char* text, Place& place) {
  size_t end = strlen(text);
  while (end > 0 && text[end - 1] == '/') end--;
  size_t start = end;
  while (start > 0 && text[start - 1] != '/') start--;
  size_t size = end - start;
  if (size == 0 || size >= sizeof place.name) return -ENOTUNIQ;
  memcpy(place.name, text + start, size);
  place.name[size] = 0;
  if (sys::equal(place.name, ".") || sys::equal(place.name, "..")) return -ENOTUNIQ;
  static char above[4096];
  memcpy(above, text, start);
  above[start] = 0;
  Path path;
  if (base.own && *above != '/')
    path.add(linkTo(base.fd).c_str()).add("/").add(above);
  else if (long error = call.pathTo(base.fd, above, true, path); error < 0)
    return error;
  if (path.full()) return -ENAMETOOLONG;
  if (!call.enterRoot()) return -ESRCH;
  place.directory.reset(sys::open(path.c_str(), O_PATH | O_DIRECTORY));
  if (!place.directory.ok()) return place.directory.error();
  return ownerIn(call, place.directory.get(), place.owner);
}

/// With the process's mask for modes in force, until it goes out of scope.
class ModeMask {
 public:
  explicit ModeMask(const Call& call) {
    long mask = call.status("Umask", 8);
    sys::invoke(__NR_umask, mask < 0 ? 022 : mask);
  }
  ModeMask(const ModeMask&) = delete;
  ModeMask& operator=(const ModeMask&) = delete;
  ~ModeMask() { sys::invoke(__NR_umask, 0); }
};

/// Remembers the owner of what has been made.
void own(Call& call, const Place& place, const Owner& owner) {
  sys::UniqueFd fd(sys::openat(place.directory.get(), place.name, O_PATH | O_NOFOLLOW));
  struct statx info;
  if (fd.ok() && sys::fstatx(fd.get(), kOwnerMask, &info) == 0) call.state.owners.set(fd.get(), info, owner);
}

/// The answer to a call that makes a name, carried out by `make` unless the kernel can do it as well. `always`: it cannot.
template <typename Make>
Answer makeName(Call& call, int directory, uint64_t address, bool always, Make make) {
  Place place;
  char text[4096];
  // What is wrong with the path the kernel says better.
  if (!call.readText(address, text, sizeof text) || find(call, Base{directory}, text, place) < 0)
    return Answer::proceed();
  if (place.owner.isRoot() && !always) return Answer::proceed();
  if (!call.isValid()) return Answer::proceed();
  long error;
  {
    ModeMask mask(call);
    error = make(place);
  }
  if (error >= 0) own(call, place, place.owner);
  return Answer::give(error);
}

/// A file without a name.
Answer openUnnamed(Call& call, int directory, const char* text, int flags, unsigned mode) {
  Path path;
  Owner owner;
  if (call.pathTo(directory, text, true, path) < 0 || !call.enterRoot()) return Answer::proceed();
  sys::UniqueFd above(sys::open(path.c_str(), O_PATH | O_DIRECTORY));
  if (!above.ok() || ownerIn(call, above.get(), owner) < 0 || owner.isRoot() || !call.isValid())
    return Answer::proceed();
  sys::UniqueFd fd;
  {
    ModeMask mask(call);
    fd.reset(sys::openat(above.get(), ".", flags, mode));
  }
  struct statx info;
  if (!fd.ok()) return Answer::give(fd.error());
  if (sys::fstatx(fd.get(), kOwnerMask, &info) == 0) call.state.owners.set(fd.get(), info, owner);
  above.reset();
  call.leaveRoot();
  return call.handOver(fd.get(), flags);
}

Answer open(Call& call, int directory, uint64_t address, int flags, unsigned mode) {
  constexpr int kNotMaking = O_PATH | O_DIRECTORY;
  static char text[4096], link[4096];
  bool unnamed = flags & static_cast<int>(kUnnamed);
  if (!unnamed && !(flags & O_CREAT)) return openExisting(call, directory, address, flags);
  if (!unnamed && flags & kNotMaking) return Answer::proceed();
  if (!call.readText(address, text, sizeof text)) return Answer::proceed();
  if (unnamed) return openUnnamed(call, directory, text, flags, mode);
  Place place;
  sys::UniqueFd above;  // where a link stands that was followed
  for (unsigned turn = 0; turn < kMostLinks; turn++) {
    if (text[0] && text[strlen(text) - 1] == '/') return Answer::proceed();
    const Base base = above.ok() ? Base{above.get(), true} : Base{directory};
    if (find(call, base, text, place) < 0) return Answer::proceed();
    if (place.owner.isRoot() || !call.isValid()) return Answer::proceed();
    // Links of procfs do not lead where they say.
    if (fileSystemOf(place.directory.get()).isProcfs()) return Answer::proceed();
    sys::UniqueFd fd;
    {
      ModeMask mask(call);
      // A new one, so a regular file: nothing that could make this process wait.
      fd.reset(sys::openat(place.directory.get(), place.name, flags | O_EXCL | O_NOFOLLOW, mode));
    }
    if (fd.ok()) {
      struct statx info;
      if (sys::fstatx(fd.get(), kOwnerMask, &info) == 0) call.state.owners.set(fd.get(), info, place.owner);
      place.directory.reset();
      call.leaveRoot();
      return call.handOver(fd.get(), flags);
    }
    if (fd.error() != -EEXIST || flags & O_EXCL) return Answer::give(fd.error());
    // It is there, and is opened by the kernel; unless it is a link to what is not.
    long size =
        flags & O_NOFOLLOW ? -EINVAL : sys::readlinkat(place.directory.get(), place.name, link, sizeof link - 1);
    if (size <= 0) return Answer::proceed();
    link[size] = 0;
    memcpy(text, link, static_cast<size_t>(size) + 1);
    above.reset(place.directory.release());
  }
  return Answer::proceed();
}

}  // namespace

Answer openFor(Call& call, unsigned form) {
  switch (form) {
    case kPath:
      return open(call, AT_FDCWD, call.argument(0), call.number(1), static_cast<unsigned>(call.number(2)));
    case kCreate:
      return open(call, AT_FDCWD, call.argument(0), O_CREAT | O_WRONLY | O_TRUNC,
                  static_cast<unsigned>(call.number(1)));
    case kAt:
      return open(call, call.number(0), call.argument(1), call.number(2), static_cast<unsigned>(call.number(3)));
  }
  open_how how;
  // With rules for the resolution the kernel does it, and what it makes is root's.
  if (!call.read(call.argument(2), &how, sizeof how) || how.resolve) return Answer::proceed();
  return open(call, call.number(0), call.argument(1), static_cast<int>(how.flags), static_cast<unsigned>(how.mode));
}

Answer makeDirectoryFor(Call& call, unsigned form) {
  bool at = form == kAt;
  auto mode = static_cast<unsigned>(call.number(at ? 2 : 1));
  return makeName(call, at ? call.number(0) : AT_FDCWD, call.argument(at ? 1 : 0), false,
                  [&](const Place& place) { return sys::mkdirat(place.directory.get(), place.name, mode); });
}

Answer makeLinkFor(Call& call, unsigned form) {
  static char target[4096];
  bool at = form == kAt;
  if (!call.readText(call.argument(0), target, sizeof target)) return Answer::proceed();
  return makeName(call, at ? call.number(1) : AT_FDCWD, call.argument(at ? 2 : 1), call.state.owners.mayMistake(),
                  [&](const Place& place) { return sys::symlinkat(target, place.directory.get(), place.name); });
}

/// A device node becomes an empty file that remembers what it stands for.
Answer makeNodeFor(Call& call, unsigned form) {
  int first = form == kAt ? 1 : 0;
  auto mode = static_cast<uint32_t>(call.argument(first + 1));
  auto number = static_cast<uint32_t>(call.argument(first + 2));
  uint32_t type = mode & 0170000;
  bool device = type == kCharacterType || type == kBlockType;
  // The whiteout of an overlay can be made by everyone.
  if (type == kCharacterType && number == 0) device = false;
  bool privileged = call.identity().privileged(), always = device || call.state.owners.mayMistake();
  return makeName(
      call, form == kAt ? call.number(0) : AT_FDCWD, call.argument(first), always, [&](Place& place) -> long {
        if (device && !privileged) {
          struct statx info;
          return sys::statxat(place.directory.get(), place.name, AT_SYMLINK_NOFOLLOW, 0, &info) < 0 ? -EPERM : -EEXIST;
        }
        if (device) {
          place.owner.deviceType = type;
          place.owner.major = (number & 0xfff00) >> 8;
          place.owner.minor = (number & 0xff) | ((number >> 12) & 0xfff00);
        }
        uint32_t made = device ? kRegularType | (mode & 07777) : mode;
        return sys::mknodat(place.directory.get(), place.name, made, number);
      });
}

/// The socket file that bind(2) makes.
Answer bindFor(Call& call, unsigned) {
  struct {
    sockaddr_un address;
    char end;
  } name{};
  auto size = static_cast<uint32_t>(call.argument(2));
  if (size <= sizeof(name.address.sun_family) || size > sizeof name.address) return Answer::proceed();
  if (!call.read(call.argument(1), &name.address, size)) return Answer::proceed();
  if (name.address.sun_family != AF_UNIX || !name.address.sun_path[0]) return Answer::proceed();
  Place place;
  if (find(call, Base{AT_FDCWD}, name.address.sun_path, place) < 0) return Answer::proceed();
  if (place.owner.isRoot() && !call.state.owners.mayMistake()) return Answer::proceed();
  sys::UniqueFd socket(call.take(call.number(0)));
  if (!socket.ok() || !call.isValid()) return Answer::proceed();
  long error;
  {
    // The address stays as it was given, so the directory has to be the process's.
    Path directory;
    call.addProc(directory, "cwd");
    ModeMask mask(call);
    if (sys::chdir(directory.c_str()) < 0) return Answer::proceed();
    error = sys::invoke(__NR_bind, socket.get(), &name.address, size);
    sys::fchdir(call.state.proc);
  }
  if (error >= 0) own(call, place, place.owner);
  return Answer::give(error);
}

}  // namespace fakeroot

// stat(2), chown(2), chmod(2) and their like: what the fake users of the guest own is not what the kernel knows.
#include "ptrace/compat.hh"
#include "ptrace/owned.hh"
#include "ptrace/procfs.hh"
#include "ptrace/table.hh"
#include "sys/stat.hh"

namespace ptrace {

namespace {

constexpr uint32_t kSetUid = 04000, kSetGid = 02000, kGroupExecutes = 010;

/// A file that a call is about, by a path of the host.
struct Target {
  Path host;
  bool follow = true;
  const Rule* rule = nullptr;
};

/// Finds it. 0, -errno, or 1 where the kernel is to see to the call.
long find(Call& call, int directory, uint64_t address, int flags, Target& target, Look* look = nullptr) {
  static char text[4096];
  *text = 0;
  // Only with the flag there may be none at all.
  if (address || !(flags & AT_EMPTY_PATH))
    if (long size = call.readText(address, text, sizeof text); size < 0) return size;
  if (!*text) {
    if (!(flags & AT_EMPTY_PATH)) return -ENOENT;
    if (directory != AT_FDCWD) {
      target.host = call.descriptor(directory);
      return 0;
    }
    target.host = Path("/proc/");
    target.host.add(static_cast<int64_t>(call.tracee.tid)).add("/cwd");
    return 0;
  }
  static Place place;
  target.follow = !(flags & AT_SYMLINK_NOFOLLOW);
  long error = call.resolve(directory, text, target.follow ? kFollow | kMagic : kNoFollow, place, look);
  if (error == -EBADF) return 1;
  if (error == -EXDEV) {
    // Relative to a directory that is no place of the guest.
    target.host = call.descriptor(directory);
    target.host.add("/").add(text);
    return 0;
  }
  if (error < 0 || (error = call.hold(place)) < 0) return error;
  target.host = place.host;
  target.rule = place.rule;
  return 0;
}

/// Where the users are the kernel's own, it is to say what is true, and what each may do.
Answer leaveToKernel(Call& call, int directory, int n, int flags) {
  char first = 0;
  if (!call.argument(n) || (call.read(call.argument(n), &first, 1) && !first)) return Answer::proceed();
  return rewrite(call, directory, n, flags & AT_SYMLINK_NOFOLLOW ? kNoFollow : kFollow | kMagic);
}

/// Which argument is what.
struct Arguments {
  int directory = AT_FDCWD, flags = 0;
  unsigned mask = STATX_BASIC_STATS;
  uint64_t text = 0, to;
};

Arguments argumentsOf(const Call& call, unsigned form) {
  constexpr unsigned kBasic = STATX_BASIC_STATS;
  switch (form & kLayout) {
    case kPath:
      return {AT_FDCWD, 0, kBasic, call.argument(0), call.argument(1)};
    case kLink:
      return {AT_FDCWD, AT_SYMLINK_NOFOLLOW, kBasic, call.argument(0), call.argument(1)};
    case kFile:
      return {call.number(0), AT_EMPTY_PATH, kBasic, 0, call.argument(1)};
    case kAt:
      return {call.number(0), call.number(3), kBasic, call.argument(1), call.argument(2)};
    default:
      return {call.number(0), call.number(2), static_cast<unsigned>(call.number(3)), call.argument(1),
              call.argument(4)};
  }
}

/// Clears what a change of the owner takes from an executable.
void dropPowers(const Path& host, const struct statx& info) {
  uint32_t gone = kSetUid | (info.stx_mode & kGroupExecutes ? kSetGid : 0);
  if ((info.stx_mode & S_IFMT) == S_IFREG && info.stx_mode & gone)
    sys::chmodat(AT_FDCWD, host.c_str(), info.stx_mode & 07777 & ~gone);
}

long give(Call& call, const Target& target, uint32_t uid, uint32_t gid) {
  State& state = call.state;
  if (target.rule && target.rule->readOnly) return -EROFS;
  sys::UniqueFd fd;
  struct statx info;
  if (long error = openOwned(target.host, target.follow, fd, info); error < 0) return error;
  fakeroot::Owner owner = ownerOf(state, info, target.host.c_str(), target.follow);
  const fakeroot::Identity& who = call.identity();
  if (!who.privileged()) {
    bool same = uid == fakeroot::kNoId || uid == owner.uid;
    bool member = gid == fakeroot::kNoId || gid == owner.gid || who.hasGroup(gid);
    if (owner.uid != who.user.file || !same || !member) return -EPERM;
  }
  if (info.stx_uid != state.uid) {
    // Of the host's own files nothing can be remembered: a terminal is the user's anyway.
    uint32_t type = info.stx_mode & S_IFMT;
    return type == S_IFREG || type == S_IFDIR || type == S_IFLNK ? -EPERM : 0;
  }
  if (uid != fakeroot::kNoId) owner.uid = uid;
  if (gid != fakeroot::kNoId) owner.gid = gid;
  dropPowers(target.host, info);
  return setOwner(state, fd.get(), info, owner);
}

}  // namespace

Answer showFile(Call& call, unsigned form) {
  const Arguments arguments = argumentsOf(call, form);
  State& state = call.state;
  unsigned layout = form & kLayout;
  if (!state.fakeIds)
    return leaveToKernel(call, arguments.directory, layout == kPath || layout == kLink ? 0 : 1, arguments.flags);
  if (arguments.mask & STATX__RESERVED) return Answer::give(-EINVAL);
  constexpr int kOthers = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_STATX_SYNC_TYPE;
  int flags = arguments.flags & ~kOthers;
  Look look{arguments.mask | fakeroot::kOwnerMask, flags};
  Target target;
  long error = find(call, arguments.directory, arguments.text, arguments.flags, target, &look);
  if (error > 0) return Answer::proceed();
  if (error < 0) return Answer::give(error);
  struct statx& info = look.info;
  if (!look.done) {
    flags |= target.follow ? 0 : AT_SYMLINK_NOFOLLOW;
    error = sys::statxat(AT_FDCWD, target.host.c_str(), flags, look.mask, &info);
  }
  if (error < 0) {
    // Of a descriptor that is none. An old kernel would complain of the flag first.
    if (error == -ENOENT && arguments.flags & AT_EMPTY_PATH && arguments.directory >= 0 && state.lacksPlaces)
      return Answer::give(-EBADF);
    if (!arguments.text || target.rule == nullptr) return error == -ENOENT ? Answer::proceed() : Answer::give(error);
    return Answer::give(error);
  }
  const fakeroot::Owner owner = ownerOf(state, info, target.host.c_str(), target.follow);
  info.stx_uid = owner.uid;
  info.stx_gid = owner.gid;
  if (owner.deviceType) {
    info.stx_mode = static_cast<uint16_t>((info.stx_mode & ~S_IFMT) | owner.deviceType);
    info.stx_rdev_major = owner.major;
    info.stx_rdev_minor = owner.minor;
  }
  bool written;
  if (call.compat() && form != kExtended) return Answer::give(showCompat(call, form, info, arguments.to));
  if (form == kExtended) {
    written = call.write(arguments.to, &info, sizeof info);
  } else {
    struct stat plain = sys::nativeStat(info);
    written = call.write(arguments.to, &plain, sizeof plain);
  }
  return Answer::give(written ? 0 : -EFAULT);
}

Answer giveFile(Call& call, unsigned form) {
  Target target;
  int directory = AT_FDCWD, flags = 0, first = 1;
  unsigned width = form & kShort;
  form &= kLayout;
  uint64_t text = call.argument(0);
  if (form == kLink) flags = AT_SYMLINK_NOFOLLOW;
  if (form == kFile) directory = call.number(0), text = 0, flags = AT_EMPTY_PATH;
  if (form == kAt) directory = call.number(0), text = call.argument(1), flags = call.number(4), first = 2;
  if (form == kFile && call.isReadOnly(directory)) return Answer::give(-EROFS);
  if (form == kFile && !call.state.fakeIds) return Answer::proceed();
  if (!call.state.fakeIds) return leaveToKernel(call, directory, form == kAt ? 1 : 0, flags);
  long error = find(call, directory, text, flags, target);
  if (error > 0) return Answer::proceed();
  if (error < 0) return Answer::give(error);
  uint32_t uid = idArgument(call, first, width), gid = idArgument(call, first + 1, width);
  if (call.state.fakeIds) {
    error = give(call, target, uid, gid);
    if (error == -ENOENT && form == kFile) error = -EBADF;
    return Answer::give(error);
  }
  if (target.rule && target.rule->readOnly) return Answer::give(-EROFS);
  return Answer::give(
      sys::invoke(__NR_fchownat, AT_FDCWD, target.host.c_str(), uid, gid, target.follow ? 0 : AT_SYMLINK_NOFOLLOW));
}

Answer changeMode(Call& call, unsigned form) {
  bool at = form != kPath;
  Target target;
  int directory = at ? call.number(0) : AT_FDCWD, flags = form == kAtFlags ? call.number(3) : 0;
  if (!call.state.fakeIds) return leaveToKernel(call, directory, at ? 1 : 0, flags);
  long error = find(call, directory, call.argument(at ? 1 : 0), flags, target);
  if (error > 0) return Answer::proceed();
  if (error < 0) return Answer::give(error);
  if (target.rule && target.rule->readOnly) return Answer::give(-EROFS);
  auto mode = static_cast<uint32_t>(call.argument(at ? 2 : 1));
  if (!target.follow) return Answer::give(-EOPNOTSUPP);
  struct statx info;
  if ((error = sys::statxat(AT_FDCWD, target.host.c_str(), 0, fakeroot::kOwnerMask, &info)) < 0)
    return Answer::give(error);
  const fakeroot::Owner owner = ownerOf(call.state, info, target.host.c_str(), true);
  if (!call.privileged() && owner.uid != call.identity().user.file) return Answer::give(-EPERM);
  uint32_t type = info.stx_mode & S_IFMT;
  if (info.stx_uid != call.state.uid && type != S_IFREG && type != S_IFDIR) return Answer::give(0);
  return Answer::give(sys::chmodat(AT_FDCWD, target.host.c_str(), mode & 07777));
}

/// The attributes in which owners are remembered are nobody's business.
Answer listAttributes(Call& call, unsigned form) {
  static char names[1 << 16];
  if (!call.state.fakeIds) return leaveToKernel(call, AT_FDCWD, 0, form == kLink ? AT_SYMLINK_NOFOLLOW : 0);
  Target target;
  long error = find(call, form == kFile ? call.number(0) : AT_FDCWD, form == kFile ? 0 : call.argument(0),
                    form == kFile   ? AT_EMPTY_PATH
                    : form == kLink ? AT_SYMLINK_NOFOLLOW
                                    : 0,
                    target);
  if (error > 0) return Answer::proceed();
  if (error < 0) return Answer::give(error);
  long size = sys::invoke(target.follow ? __NR_listxattr : __NR_llistxattr, target.host.c_str(), names, sizeof names);
  if (size < 0) return form == kFile && size == -ENOENT ? Answer::give(-EBADF) : Answer::give(size);
  size_t kept = 0;
  for (size_t at = 0; at < static_cast<size_t>(size);) {
    size_t length = strlen(names + at) + 1;
    bool ours = sys::equal(names + at, fakeroot::kOwnerAttribute) || sys::equal(names + at, fakeroot::kDeviceAttribute);
    if (!ours) {
      memmove(names + kept, names + at, length);
      kept += length;
    }
    at += length;
  }
  uint64_t room = call.argument(2);
  if (room == 0) return Answer::give(static_cast<long>(kept));
  if (room < kept) return Answer::give(-ERANGE);
  if (kept && !call.write(call.argument(1), names, kept)) return Answer::give(-EFAULT);
  return Answer::give(static_cast<long>(kept));
}

}  // namespace ptrace

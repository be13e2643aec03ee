// Calls that lead to a file by a path and that the kernel carries out itself, once the path is one of the host.
#include "ptrace/accelerate/page.hh"
#include "ptrace/owned.hh"
#include "ptrace/procfs.hh"
#include "ptrace/table.hh"

namespace ptrace {

Answer rewrite(Call& call, int directory, int n, unsigned how, Place* to) {
  static Place own;
  Place& place = to ? *to : own;
  place.rule = nullptr;
  long error = call.resolveAt(directory, call.argument(n), how, place);
  if (error == -EBADF || error == -EXDEV || error == -ENOTDIR) {
    // Relative to what is no place of the guest: the kernel knows what that is.
    char text[2];
    if (call.read(call.argument(n), text, 1) && *text != '/') return Answer::proceed();
  }
  if (error < 0) return Answer::give(error);
  if (how & kWrites && how & kNoFollow) borrowAbove(call, place);
  if (how & kUses && !place.missing && !place.rule->proc) borrowFile(call, place, how & kWrites);
  if ((error = call.replace(n, place)) < 0) return Answer::give(error);
  return Answer::proceed();
}

namespace {

constexpr unsigned kFormMask = kChange - 1;

unsigned howOf(unsigned form) {
  return ((form & kFormMask) == kLink ? kNoFollow : kUses) | (form & kChange ? kWrites : 0) | kMagic;
}

/// Whether the text at an address is empty.
bool isEmpty(const Call& call, uint64_t address) {
  char first = 1;
  return address == 0 || (call.read(address, &first, 1) && first == 0);
}

/// Whether something else stands there than in the directory around it: a mount point where there are mounts.
bool isBusy(const Place& place) {
  return place.rule && place.guest.size() == place.rule->guest.size() &&
         sys::equal(place.guest.c_str(), place.rule->guest.c_str());
}

/// Whether a link of procfs leads to what the guest may not change.
bool isReadOnlyLink(const Call& call, const Place& place) {
  char text[4096];
  long size = sys::readlinkat(AT_FDCWD, place.host.c_str(), text, sizeof text - 1);
  if (size <= 0) return false;
  text[size] = 0;
  Path guest;
  return *text == '/' && call.state.view.show(text, guest) && call.state.view.ruleOf(guest.c_str())->readOnly;
}

struct At {
  int directory = AT_FDCWD, path = 0;
};

At atOf(const Call& call, unsigned form) {
  unsigned kind = form & kFormMask;
  if (kind == kAt || kind == kAtFlags) return {call.number(0), 1};
  return {};
}

}  // namespace

Answer usePath(Call& call, unsigned form) {
  const At at = atOf(call, form);
  return rewrite(call, at.directory, at.path, howOf(form));
}

Answer changeOpen(Call& call, unsigned) {
  return call.isReadOnly(call.number(0)) ? Answer::give(-EROFS) : Answer::proceed();
}

Answer removeName(Call& call, unsigned form) {
  const At at = atOf(call, form);
  static Place place;
  Answer answer = rewrite(call, at.directory, at.path, kName | kWrites, &place);
  return answer.proceeds && isBusy(place) ? Answer::give(-EBUSY) : answer;
}

Answer openFile(Call& call, unsigned form) {
  bool creat = form == kExtended;
  const At at = atOf(call, form);
  int flags = creat ? O_CREAT | O_WRONLY | O_TRUNC : call.number(at.path + 1);
  static Place place;
  if (flags & O_PATH && call.state.lacksPlaces && !creat) {
    // As such a kernel does it, but without waiting, and not as a terminal of the process's own.
    flags = (flags & (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) | O_NONBLOCK | O_NOCTTY;
    call.setArgument(at.path + 1, static_cast<uint64_t>(flags));
  }
  bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
  bool makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
  unsigned how = (writes && !(flags & O_PATH) ? kWrites : 0) | kMagic;
  if (flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL)) how |= kNoFollow;
  long error = call.resolveAt(at.directory, call.argument(at.path), how, place);
  if (error == -EBADF || error == -EXDEV || error == -ENOTDIR) return rewrite(call, at.directory, at.path, how);
  if (error < 0) return Answer::give(error);
  if (place.missing && flags & O_CREAT && place.rule->readOnly) return Answer::give(-EROFS);
  call.opens(flags, static_cast<uint32_t>(call.argument(creat ? 1 : at.path + 2)));
  if (flags & O_PATH && place.process == 0 && place.rule->proc == false) {
    if ((error = call.replace(at.path, place)) < 0) return Answer::give(error);
    return Answer::proceed();
  }
  if (writes && place.process && isReadOnlyLink(call, place)) return Answer::give(-EROFS);
  if (place.rule->proc && !place.missing) {
    if (long made = standIn(call, place, flags); made < 0) return Answer::give(made);
  }
  if (call.privileged() && !place.rule->proc) {
    bool missing = place.missing;
    if (missing && makes)
      borrowAbove(call, place);
    else if (!missing)
      borrowFile(call, place, writes);
  }
  if (makes && (place.missing || !(flags & O_CREAT))) ownLater(call, place, true);
  if ((error = call.replace(at.path, place)) < 0) return Answer::give(error);
  return Answer::proceed();
}

Answer openExtended(Call& call, unsigned) {
  struct {
    uint64_t flags, mode, resolve, rest[8];
  } how{};
  constexpr uint64_t kNoLinks = 0x04, kBeneath = 0x08, kInRoot = 0x10, kNoMagic = 0x02, kNoCrossing = 0x01;
  uint64_t size = call.argument(3);
  if (size < 24) return Answer::give(-EINVAL);
  if (size > sizeof how) return Answer::give(-E2BIG);
  if (!call.read(call.argument(2), &how, size)) return Answer::give(-EFAULT);
  if ((how.resolve & kBeneath) && (how.resolve & kInRoot)) return Answer::give(-EINVAL);
  if (how.resolve & ~uint64_t{0x3f}) return Answer::give(-EINVAL);
  static char text[4096];
  if (long length = call.readText(call.argument(1), text, sizeof text); length < 0) return Answer::give(length);
  static Path guest, host;
  Base base{&guest, &host};
  base.inRoot = how.resolve & kInRoot;
  base.beneath = how.resolve & kBeneath;
  base.noLinks = how.resolve & kNoLinks;
  base.noMagic = how.resolve & (kNoMagic | kNoLinks);
  int directory = call.number(0);
  if (base.inRoot || *text != '/')
    if (long error = call.placeOf(directory, guest, host); error < 0) return Answer::give(error);
  auto flags = static_cast<int>(how.flags);
  bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
  unsigned mode = (writes && !(flags & O_PATH) ? kWrites : 0) | (how.resolve & kNoMagic ? 0 : kMagic);
  if (flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL)) mode |= kNoFollow;
  Asker who{call.tracee.tid, call.tracee.process, call.tracee.root->path.c_str(),
            call.state.fakeIds && call.privileged()};
  static Place place;
  if (long error = call.state.view.resolve(who, base, text, mode, place); error < 0) return Answer::give(error);
  if (place.missing && flags & O_CREAT && place.rule->readOnly) return Answer::give(-EROFS);
  // The walk has kept the rules; the path that came of it crosses whatever it has to.
  how.resolve &= ~(kNoLinks | kBeneath | kInRoot | kNoMagic | kNoCrossing);
  if (place.rule->proc && !place.missing)
    if (long error = standIn(call, place, flags); error < 0) return Answer::give(error);
  if (flags & O_CREAT && place.missing) ownLater(call, place, true);
  place.changed = true;
  if (long error = call.replace(1, place); error < 0) return Answer::give(error);
  uint64_t at = call.put(&how, size);
  if (!at) return Answer::give(-EFAULT);
  call.setArgument(2, at);
  return Answer::proceed();
}

Answer access(Call& call, unsigned form) {
  constexpr int kWrite = 2, kRead = 4, kExecute = 1;
  const At at = atOf(call, form);
  int mode = call.number(at.path + 1), flags = form == kAtFlags ? call.number(at.path + 2) : 0;
  if (flags & AT_EMPTY_PATH && isEmpty(call, call.argument(at.path))) return Answer::proceed();
  if (!call.state.fakeIds) return rewrite(call, at.directory, at.path, kMagic);
  static Place place;
  unsigned how = flags & AT_SYMLINK_NOFOLLOW ? kNoFollow : kFollow;
  long error = call.resolveAt(at.directory, call.argument(at.path), how | kMagic, place);
  if (error == -EBADF || error == -EXDEV || error == -ENOTDIR)
    return rewrite(call, at.directory, at.path, how | kMagic);
  if (error < 0 || (error = call.hold(place)) < 0) return Answer::give(error);
  if (mode & ~7) return Answer::give(-EINVAL);
  if (mode & kWrite && place.rule->readOnly && !place.missing) return Answer::give(-EROFS);
  if (how & kNoFollow) {
    struct statx info;
    long found = sys::statxat(AT_FDCWD, place.host.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info);
    // Everybody may do everything with a link.
    if (found == 0 && (info.stx_mode & S_IFMT) == S_IFLNK) return Answer::give(0);
  }
  long result = sys::invoke(__NR_faccessat, AT_FDCWD, place.host.c_str(), mode);
  if (result == -EACCES && call.privileged() && mode & (kRead | kWrite | kExecute)) {
    // Root may all but execute what nobody may.
    struct statx info;
    if (long failed = sys::statxat(AT_FDCWD, place.host.c_str(), 0, STATX_MODE | STATX_TYPE | STATX_UID, &info);
        failed < 0)
      return Answer::give(failed);
    bool ours = info.stx_uid == call.state.uid;
    bool executes = (info.stx_mode & S_IFMT) == S_IFDIR || info.stx_mode & 0111;
    if (ours && (!(mode & kExecute) || executes)) result = 0;
  }
  return Answer::give(result);
}

Answer readLink(Call& call, unsigned form) {
  const At at = atOf(call, form);
  static Place place;
  if (form == kAt && isEmpty(call, call.argument(at.path))) return Answer::proceed();
  long error = call.resolveAt(at.directory, call.argument(at.path), kNoFollow, place);
  if (error == -EBADF || error == -EXDEV || error == -ENOTDIR) return rewrite(call, at.directory, at.path, kNoFollow);
  if (error < 0 || (error = call.hold(place)) < 0) return Answer::give(error);
  char text[4096];
  long size = readLinkOf(call, place, text, sizeof text);
  if (size < 0) return Answer::give(size);
  int room = call.number(at.path + 2);
  if (room <= 0) return Answer::give(-EINVAL);
  if (size > room) size = room;
  if (!call.write(call.argument(at.path + 1), text, static_cast<size_t>(size))) return Answer::give(-EFAULT);
  return Answer::give(size);
}

Answer makeName(Call& call, unsigned form) {
  const At at = atOf(call, form);
  static Place place;
  long error = call.resolveAt(at.directory, call.argument(at.path), kName, place);
  if (error == -EBADF || error == -EXDEV || error == -ENOTDIR)
    return rewrite(call, at.directory, at.path, kName | kWrites);
  if (error < 0) return Answer::give(error);
  if (!place.missing) return Answer::give(-EEXIST);
  if (place.rule->readOnly) return Answer::give(-EROFS);
  borrowAbove(call, place);
  ownLater(call, place, false);
  if ((error = call.replace(at.path, place)) < 0) return Answer::give(error);
  return Answer::proceed();
}

Answer makeNode(Call& call, unsigned form) {
  const At at = atOf(call, form);
  auto mode = static_cast<uint32_t>(call.argument(at.path + 1));
  auto device = static_cast<uint32_t>(call.argument(at.path + 2));
  uint32_t type = mode & S_IFMT;
  bool isDevice = (type == S_IFCHR || type == S_IFBLK) && device != 0;
  if (!isDevice || !call.state.fakeIds) return makeName(call, form);
  if (!call.privileged()) return Answer::give(-EPERM);
  // An empty file that remembers what it stands for.
  Answer answer = makeName(call, form);
  if (!answer.proceeds) return answer;
  call.setArgument(at.path + 1, S_IFREG | (mode & 07777));
  call.setArgument(at.path + 2, 0);
  deviceLater(call, type, (device & 0xfff00) >> 8, (device & 0xff) | ((device >> 12) & 0xfff00));
  return answer;
}

Answer makeLink(Call& call, unsigned form) {
  bool at = form == kAt;
  int n = at ? 2 : 1, directory = at ? call.number(1) : AT_FDCWD;
  static Place place;
  long error = call.resolveAt(directory, call.argument(n), kNoFollow, place);
  if (error == -EBADF || error == -EXDEV || error == -ENOTDIR) return rewrite(call, directory, n, kNoFollow | kWrites);
  if (error < 0) return Answer::give(error);
  if (!place.missing) return Answer::give(-EEXIST);
  if (place.rule->readOnly) return Answer::give(-EROFS);
  if (place.slash) return Answer::give(-ENOENT);
  borrowAbove(call, place);
  ownLater(call, place, false);
  if ((error = call.replace(n, place)) < 0) return Answer::give(error);
  return Answer::proceed();
}

Answer rename(Call& call, unsigned form) {
  bool at = form != kPath;
  int first = at ? 1 : 0, second = at ? 3 : 1;
  int from = at ? call.number(0) : AT_FDCWD, to = at ? call.number(2) : AT_FDCWD;
  static Place source, target;
  Answer answer = rewrite(call, from, first, kName | kWrites, &source);
  if (!answer.proceeds) return answer;
  answer = rewrite(call, to, second, kName | kWrites, &target);
  if (!answer.proceeds) return answer;
  if (isBusy(source) || isBusy(target)) return Answer::give(-EBUSY);
  return source.rule && target.rule && source.rule != target.rule ? Answer::give(-EXDEV) : answer;
}

Answer link(Call& call, unsigned form) {
  bool at = form == kAt;
  int first = at ? 1 : 0, second = at ? 3 : 1;
  int from = at ? call.number(0) : AT_FDCWD, to = at ? call.number(2) : AT_FDCWD;
  int flags = at ? call.number(4) : 0;
  static Place source, target;
  source.rule = nullptr;
  if (!(flags & AT_EMPTY_PATH && isEmpty(call, call.argument(first)))) {
    Answer answer = rewrite(call, from, first, flags & AT_SYMLINK_FOLLOW ? kFollow | kMagic : kNoFollow, &source);
    if (!answer.proceeds) return answer;
  }
  Answer answer = rewrite(call, to, second, kName | kWrites, &target);
  if (answer.proceeds && call.state.fakesLinks) {
    symlinkLater(call, from, first, to, second);
    return answer;
  }
  // A link of procfs leads elsewhere.
  if (!answer.proceeds || !source.rule || source.rule->proc || source.missing || !target.missing) return answer;
  return target.rule && source.rule != target.rule ? Answer::give(-EXDEV) : answer;
}

Answer currentDirectory(Call& call, unsigned) {
  static Path guest, host;
  if (long error = call.placeOf(AT_FDCWD, guest, host); error < 0)
    return error == -ENOENT ? Answer::give(-ENOENT) : Answer::proceed();
  const Path& root = call.tracee.root->path;
  const char* text = below(guest.c_str(), root);
  // A directory that is not below the root any more.
  Path shown(text ? *text ? text : "/" : "(unreachable)");
  if (!text) shown.add(guest.c_str());
  size_t size = shown.size() + 1;
  if (call.argument(1) < size) return Answer::give(-ERANGE);
  if (!call.write(call.argument(0), shown.c_str(), size)) return Answer::give(-EFAULT);
  return Answer::give(static_cast<long>(size));
}

Answer changeRoot(Call& call, unsigned) {
  static Place place;
  if (long error = call.resolveAt(AT_FDCWD, call.argument(0), kFollow, place); error < 0) return Answer::give(error);
  struct statx info;
  if (long error = sys::statxat(AT_FDCWD, place.host.c_str(), 0, STATX_TYPE, &info); error < 0)
    return Answer::give(error);
  if ((info.stx_mode & S_IFMT) != S_IFDIR) return Answer::give(-ENOTDIR);
  if (!call.privileged()) return Answer::give(-EPERM);
  if (!call.state.tracees.reroot(call.tracee, place.guest.c_str())) return Answer::give(-ENOMEM);
  useFastPath(call.state, call.tracee, false);
  return Answer::give(0);
}

Answer watch(Call& call, unsigned) {
  constexpr uint32_t kDoNotFollow = 0x02000000;  // IN_DONT_FOLLOW
  return rewrite(call, AT_FDCWD, 1, call.argument(2) & kDoNotFollow ? kNoFollow : kFollow);
}

Answer setTimes(Call& call, unsigned form) {
  // Without a path the descriptor itself is meant.
  if (call.argument(1) == 0) return changeOpen(call, 0);
  int flags = form == kAtFlags ? call.number(3) : 0;
  if (flags & AT_EMPTY_PATH && isEmpty(call, call.argument(1))) return changeOpen(call, 0);
  return rewrite(call, call.number(0), 1, (flags & AT_SYMLINK_NOFOLLOW ? kNoFollow : kFollow | kMagic) | kWrites);
}

}  // namespace ptrace

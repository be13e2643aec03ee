// chown(2) and its like.
#include "fakeroot/file.hh"

namespace fakeroot {

namespace {

uint32_t idArgument(const Call& call, int n, unsigned form) {
  auto id = static_cast<uint32_t>(call.argument(n));
  return form & kShort && (id & 0xffff) == 0xffff ? kNoId : form & kShort ? id & 0xffff : id;
}

/// Whether Linux lets this user make this change.
bool allowed(const Identity& who, const Owner& from, const Owner& to) {
  if (who.privileged()) return true;
  if (who.user.file != from.uid || to.uid != from.uid) return false;
  return to.gid == from.gid || who.hasGroup(to.gid);
}

/// A new owner must not get what the old one meant for itself: set-id bits, capabilities.
void dropPowers(const File& file) {
  if (file.type() == kDirectoryType || file.type() == kLinkType) return;
  uint32_t mode = file.info.stx_mode & 07777, kept = mode & ~kSetUid;
  if (mode & kGroupExecutes) kept &= ~kSetGid;
  sys::Text<32> link = linkTo(file.fd.get());
  if (kept != mode) sys::chmodat(AT_FDCWD, link.c_str(), kept);
  if (file.type() == kRegularType) sys::invoke(__NR_removexattr, link.c_str(), "security.capability");
}

}  // namespace

Answer giveFile(Call& call, unsigned form) {
  unsigned way = form & ~kShort;
  int first = way == kAt ? 2 : 1;
  int flags = way == kAt ? call.number(4) : way == kLink ? AT_SYMLINK_NOFOLLOW : way == kDescriptor ? AT_EMPTY_PATH : 0;
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Answer::give(-EINVAL);
  File file;
  long error = file.open(call, way == kAt || way == kDescriptor ? call.number(0) : AT_FDCWD,
                         way == kDescriptor ? 0 : call.argument(way == kAt ? 1 : 0), flags);
  if (error < 0) return way == kDescriptor && error == -ENOENT ? Answer::give(-EBADF) : Answer::give(error);
  const Owner old = file.owner(call);
  Owner owner = old;
  if (uint32_t uid = idArgument(call, first, form); uid != kNoId) owner.uid = uid;
  if (uint32_t gid = idArgument(call, first + 1, form); gid != kNoId) owner.gid = gid;
  if (!allowed(call.identity(), old, owner)) return Answer::give(-EPERM);
  // Of somebody who is not of the guest: the kernel says no as well.
  if (file.info.stx_uid != 0) return Answer::give(-EPERM);
  const FileSystem system = fileSystemOf(file.fd.get());
  if (system.readOnly()) return Answer::give(-EROFS);
  if (system.nameless()) return Answer::give(0);
  if (!call.isValid()) return Answer::proceed();
  call.leaveRoot();
  dropPowers(file);
  return Answer::give(call.state.owners.set(file.fd.get(), file.info, owner));
}

}  // namespace fakeroot

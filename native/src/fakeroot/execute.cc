// execve(2): set-id programs. The kernel executes them, for the bits change nothing where there is one id only; the fake ids change
// here, by the remembered owner of the program.
#include "fakeroot/file.hh"

namespace fakeroot {

namespace {

/// The kernel takes the bits for nothing where that was promised, and for scripts.
bool powersCount(const Call& call, const File& file) {
  if (fileSystemOf(file.fd.get()).noSetId() || call.status("NoNewPrivs", 10) == 1) return false;
  sys::UniqueFd program(sys::open(linkTo(file.fd.get()).c_str(), O_RDONLY | O_NONBLOCK));
  char magic[4];
  return program.ok() && sys::read(program.get(), magic, sizeof magic) == sizeof magic &&
         memcmp(magic, "\177ELF", sizeof magic) == 0;
}

}  // namespace

Answer execute(Call& call, unsigned form) {
  bool at = form == kAt;
  Identity identity = call.identity();
  File file;
  uint32_t bits = 0;
  if (file.open(call, at ? call.number(0) : AT_FDCWD, call.argument(at ? 1 : 0), at ? call.number(4) : 0) == 0 &&
      file.type() == kRegularType)
    bits = file.info.stx_mode & (kSetUid | kSetGid);
  if (bits && powersCount(call, file)) {
    const Owner owner = file.owner(call);
    if (bits & kSetUid) identity.user.effective = owner.uid;
    if (bits & kSetGid && file.info.stx_mode & kGroupExecutes) identity.group.effective = owner.gid;
  }
  identity.keeps = identity.kept = false;
  char value[32];
  identity.able =
      !identity.privileged() && file.fd.ok() &&
      sys::invoke(__NR_getxattr, linkTo(file.fd.get()).c_str(), "security.capability", value, sizeof value) > 0;
  identity.user.saved = identity.user.file = identity.user.effective;
  identity.group.saved = identity.group.file = identity.group.effective;
  if (call.isValid()) call.state.identities.give(call.thread, identity);
  return Answer::proceed();
}

}  // namespace fakeroot

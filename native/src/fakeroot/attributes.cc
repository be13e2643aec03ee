// Extended attributes: those in which owners are remembered are nobody's business, or cp(1) would carry them along, and access
// control lists can name nobody, because the kernel knows one id only.
#include "fakeroot/file.hh"

namespace fakeroot {

namespace {

/// Opens the file of a call whose first argument says which.
long openFile(Call& call, unsigned form, File& file) {
  return file.open(call, form == kDescriptor ? call.number(0) : AT_FDCWD, form == kDescriptor ? 0 : call.argument(0),
                   form == kDescriptor ? AT_EMPTY_PATH
                   : form == kLink     ? AT_SYMLINK_NOFOLLOW
                                       : 0);
}

bool isOurs(const char* name) { return sys::equal(name, kOwnerAttribute) || sys::equal(name, kDeviceAttribute); }

}  // namespace

Answer listNames(Call& call, unsigned form) {
  static char names[1 << 16];
  File file;
  if (openFile(call, form, file) < 0) return Answer::proceed();
  // A link can carry none of them.
  if (file.type() != kRegularType && file.type() != kDirectoryType) return Answer::proceed();
  long size = sys::invoke(__NR_listxattr, linkTo(file.fd.get()).c_str(), names, sizeof names);
  if (size <= 0) return Answer::proceed();
  size_t kept = 0;
  for (size_t at = 0; at < static_cast<size_t>(size);) {
    size_t length = strlen(names + at) + 1;
    if (!isOurs(names + at)) {
      memmove(names + kept, names + at, length);
      kept += length;
    }
    at += length;
  }
  if (kept == static_cast<size_t>(size) || !call.isValid()) return Answer::proceed();
  uint64_t room = call.argument(2);
  if (room == 0) return Answer::give(static_cast<long>(kept));
  if (room < kept) return Answer::give(-ERANGE);
  if (kept && !call.write(call.argument(1), names, kept)) return Answer::give(-EFAULT);
  return Answer::give(static_cast<long>(kept));
}

/// An access control list that names anybody but root is refused as a file system without such lists refuses it: programs go on
/// without. The kernel would say that it is not valid.
Answer setNamed(Call& call, unsigned) {
  constexpr uint16_t kUser = 2, kGroup = 8;  // ACL_USER, ACL_GROUP
  struct Item {
    uint16_t kind, permissions;
    uint32_t id;
  };
  static Item items[512];
  char name[64];
  if (!call.readText(call.argument(1), name, sizeof name)) return Answer::proceed();
  if (!sys::equal(name, "system.posix_acl_access") && !sys::equal(name, "system.posix_acl_default"))
    return Answer::proceed();
  constexpr uint64_t kVersionSize = 4;
  uint64_t size = call.argument(3);
  if (size < kVersionSize || size - kVersionSize > sizeof items) return Answer::proceed();
  size_t count = (size - kVersionSize) / sizeof(Item);
  if (!call.read(call.argument(2) + kVersionSize, items, count * sizeof(Item))) return Answer::proceed();
  for (size_t i = 0; i < count; i++)
    if ((items[i].kind == kUser || items[i].kind == kGroup) && items[i].id != 0) return Answer::give(-EOPNOTSUPP);
  return Answer::proceed();
}

}  // namespace fakeroot

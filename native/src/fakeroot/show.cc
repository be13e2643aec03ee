// stat(2) and its like: what the kernel says, with the remembered owner in it. Where none is remembered the kernel answers itself.
#include "fakeroot/call.hh"
#include "sys/stat.hh"

namespace fakeroot {

namespace {

constexpr uint32_t kTypeMask = 0170000;

/// struct stat64 of 32-bit programs on x86, where eight bytes are aligned to four.
struct [[gnu::packed]] CompatStat {
  uint64_t device;
  uint32_t pad0, shortInode, mode, links, uid, gid;
  uint64_t node;
  uint32_t pad1;
  int64_t size;
  uint32_t blockSize;
  uint64_t blocks;
  uint32_t accessed, accessedNano, modified, modifiedNano, changed, changedNano;
  uint64_t inode;
};
static_assert(sizeof(CompatStat) == 96);

CompatStat compatStat(const struct statx& info) {
  CompatStat to{};
  to.device = sys::deviceNumber(info.stx_dev_major, info.stx_dev_minor);
  to.shortInode = static_cast<uint32_t>(info.stx_ino);
  to.mode = info.stx_mode;
  to.links = info.stx_nlink;
  to.uid = info.stx_uid;
  to.gid = info.stx_gid;
  to.node = sys::deviceNumber(info.stx_rdev_major, info.stx_rdev_minor);
  to.size = static_cast<int64_t>(info.stx_size);
  to.blockSize = info.stx_blksize;
  to.blocks = info.stx_blocks;
  to.accessed = static_cast<uint32_t>(info.stx_atime.tv_sec);
  to.accessedNano = info.stx_atime.tv_nsec;
  to.modified = static_cast<uint32_t>(info.stx_mtime.tv_sec);
  to.modifiedNano = info.stx_mtime.tv_nsec;
  to.changed = static_cast<uint32_t>(info.stx_ctime.tv_sec);
  to.changedNano = info.stx_ctime.tv_nsec;
  to.inode = info.stx_ino;
  return to;
}

/// Which argument is what.
struct Arguments {
  int directory = AT_FDCWD, flags = 0;
  unsigned mask = 0;
  uint64_t text = 0, to;
};

Arguments argumentsOf(const Call& call, unsigned form) {
  switch (form) {
    case kPath:
      return {AT_FDCWD, 0, 0, call.argument(0), call.argument(1)};
    case kLink:
      return {AT_FDCWD, AT_SYMLINK_NOFOLLOW, 0, call.argument(0), call.argument(1)};
    case kDescriptor:
      return {call.number(0), AT_EMPTY_PATH, 0, 0, call.argument(1)};
    case kAt:
      return {call.number(0), call.number(3), 0, call.argument(1), call.argument(2)};
    default:
      return {call.number(0), call.number(2), static_cast<unsigned>(call.number(3)), call.argument(1),
              call.argument(4)};
  }
}

}  // namespace

Answer showFile(Call& call, unsigned form) {
  const Arguments arguments = argumentsOf(call, form);
  char text[4096] = "";
  // Since 6.11 a null pointer will do for an empty path.
  if (arguments.text && !call.readText(arguments.text, text, sizeof text)) return Answer::proceed();
  bool itself = !*text;
  if (itself && !(arguments.flags & AT_EMPTY_PATH)) return Answer::proceed();
  Path path;
  // A descriptor is reached through a link of procfs, which has to be followed.
  bool follow = itself || !(arguments.flags & AT_SYMLINK_NOFOLLOW);
  if (call.pathTo(arguments.directory, text, follow, path) < 0) return Answer::proceed();
  int flags = (arguments.flags & ~AT_EMPTY_PATH & ~AT_SYMLINK_NOFOLLOW) | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
  if (!itself && !call.enterRoot()) return Answer::proceed();
  struct statx info;
  if (sys::invoke(__NR_statx, AT_FDCWD, path.c_str(), flags, arguments.mask | kOwnerMask, &info) < 0)
    return Answer::proceed();
  const Owner owner = call.state.owners.of(info, path.c_str(), follow);
  if (owner.isPlain()) return Answer::proceed();
  call.leaveRoot();

  info.stx_uid = owner.uid;
  info.stx_gid = owner.gid;
  if (owner.deviceType) {
    info.stx_mode = static_cast<uint16_t>((info.stx_mode & ~kTypeMask) | owner.deviceType);
    info.stx_rdev_major = owner.major;
    info.stx_rdev_minor = owner.minor;
  }
  if (!call.isValid()) return Answer::proceed();
  bool written;
  if (form == kExtended) {
    written = call.write(arguments.to, &info, sizeof info);
  } else if (call.compat) {
    const CompatStat stat = compatStat(info);
    written = call.write(arguments.to, &stat, sizeof stat);
  } else {
    const struct stat stat = sys::nativeStat(info);
    written = call.write(arguments.to, &stat, sizeof stat);
  }
  return written ? Answer::give(0) : Answer::proceed();
}

}  // namespace fakeroot

// A file's state as the older calls of i386 tell it.
#include "ptrace/compat.hh"
#include "ptrace/table.hh"
#include "sys/stat.hh"

namespace ptrace {

namespace {

// asm/stat.h of i386, under other names.
struct CompatStat {
  uint32_t device, node;
  uint16_t mode, links, user, group;
  uint32_t number, size, blockSize, blocks;
  uint32_t read, readNano, written, writtenNano, changed, changedNano, rest[2];
};

struct __attribute__((packed)) CompatStat64 {
  uint64_t device;
  uint32_t gap, shortNode, mode, links, user, group;
  uint64_t number;
  uint32_t otherGap;
  int64_t size;
  uint32_t blockSize;
  uint64_t blocks;
  uint32_t read, readNano, written, writtenNano, changed, changedNano;
  uint64_t node;
};

struct CompatOldest {
  uint16_t device, node, mode, links, user, group, number;
  uint32_t size, read, written, changed;
};
static_assert(sizeof(CompatStat) == 64 && sizeof(CompatStat64) == 96 && sizeof(CompatOldest) == 32);

template <typename To, typename From>
bool fits(From value) {
  return static_cast<From>(static_cast<To>(value)) == value;
}

uint16_t shortId(uint32_t id) { return id > 0xffff ? 65534 : static_cast<uint16_t>(id); }

uint32_t secondsOf(const statx_timestamp& time) { return static_cast<uint32_t>(time.tv_sec); }

template <typename To>
void times(To& to, const struct statx& info) {
  to.read = secondsOf(info.stx_atime), to.readNano = info.stx_atime.tv_nsec;
  to.written = secondsOf(info.stx_mtime), to.writtenNano = info.stx_mtime.tv_nsec;
  to.changed = secondsOf(info.stx_ctime), to.changedNano = info.stx_ctime.tv_nsec;
}

/// What all have.
template <typename To>
void common(To& to, const struct statx& info) {
  to.device = static_cast<decltype(to.device)>(sys::deviceNumber(info.stx_dev_major, info.stx_dev_minor));
  to.number = static_cast<decltype(to.number)>(sys::deviceNumber(info.stx_rdev_major, info.stx_rdev_minor));
  to.mode = info.stx_mode;
  to.links = static_cast<decltype(to.links)>(info.stx_nlink);
  to.node = static_cast<decltype(to.node)>(info.stx_ino);
  to.size = static_cast<decltype(to.size)>(info.stx_size);
}

template <typename To>
long write(Call& call, const To& to, uint64_t at) {
  return call.write(at, &to, sizeof to) ? 0 : -EFAULT;
}

}  // namespace

long showCompat(Call& call, unsigned form, const struct statx& info, uint64_t at) {
  if (form & kLarge) {
    CompatStat64 to{};
    common(to, info);
    times(to, info);
    to.shortNode = static_cast<uint32_t>(info.stx_ino);
    to.user = info.stx_uid, to.group = info.stx_gid;
    to.blockSize = info.stx_blksize, to.blocks = info.stx_blocks;
    return write(call, to, at);
  }
  if (!fits<int32_t>(info.stx_size) || !fits<uint16_t>(info.stx_nlink)) return -EOVERFLOW;
  if (form & kEarliest) {
    if (!fits<uint16_t>(info.stx_ino)) return -EOVERFLOW;
    CompatOldest to{};
    common(to, info);
    to.user = shortId(info.stx_uid), to.group = shortId(info.stx_gid);
    to.read = secondsOf(info.stx_atime), to.written = secondsOf(info.stx_mtime), to.changed = secondsOf(info.stx_ctime);
    return write(call, to, at);
  }
  if (!fits<uint32_t>(info.stx_ino)) return -EOVERFLOW;
  CompatStat to{};
  common(to, info);
  times(to, info);
  to.user = shortId(info.stx_uid), to.group = shortId(info.stx_gid);
  to.blockSize = info.stx_blksize, to.blocks = static_cast<uint32_t>(info.stx_blocks);
  return write(call, to, at);
}

}  // namespace ptrace

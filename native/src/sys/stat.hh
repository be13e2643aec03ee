// A file's state as stat(2) tells it, from what statx(2) does.
#pragma once

#include <asm/stat.h>
#include <linux/stat.h>
#include <stdint.h>

namespace sys {

/// As the kernel packs device numbers for struct stat (include/linux/kdev_t.h, new_encode_dev).
inline uint64_t deviceNumber(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | static_cast<uint64_t>(major) << 8 | static_cast<uint64_t>(minor & ~0xffu) << 12;
}

inline struct stat nativeStat(const struct statx& info) {
  struct stat to {};
  to.st_dev = deviceNumber(info.stx_dev_major, info.stx_dev_minor);
  to.st_ino = info.stx_ino;
  to.st_nlink = info.stx_nlink;
  to.st_mode = info.stx_mode;
  to.st_uid = info.stx_uid;
  to.st_gid = info.stx_gid;
  to.st_rdev = deviceNumber(info.stx_rdev_major, info.stx_rdev_minor);
  to.st_size = static_cast<long>(info.stx_size);
  to.st_blksize = static_cast<decltype(to.st_blksize)>(info.stx_blksize);
  to.st_blocks = static_cast<long>(info.stx_blocks);
  to.st_atime = static_cast<decltype(to.st_atime)>(info.stx_atime.tv_sec);
  to.st_atime_nsec = info.stx_atime.tv_nsec;
  to.st_mtime = static_cast<decltype(to.st_mtime)>(info.stx_mtime.tv_sec);
  to.st_mtime_nsec = info.stx_mtime.tv_nsec;
  to.st_ctime = static_cast<decltype(to.st_ctime)>(info.stx_ctime.tv_sec);
  to.st_ctime_nsec = info.stx_ctime.tv_nsec;
  return to;
}

}  // namespace sys

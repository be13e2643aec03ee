#include "fakeroot/file.hh"

namespace fakeroot {

long File::open(Call& call, int directory, uint64_t address, int atFlags) {
  char text[4096] = "";
  if (address && !call.readText(address, text, sizeof text)) return -EFAULT;
  bool itself = !*text;
  if (itself && !(atFlags & AT_EMPTY_PATH)) return -ENOENT;
  Path path;
  bool follow = itself || !(atFlags & AT_SYMLINK_NOFOLLOW);
  if (long error = call.pathTo(directory, text, follow, path); error < 0) return error;
  if (!itself && !call.enterRoot()) return -ESRCH;
  fd.reset(sys::open(path.c_str(), O_PATH | (follow ? 0 : O_NOFOLLOW)));
  if (!fd.ok()) return fd.error();
  return sys::fstatx(fd.get(), kOwnerMask, &info);
}

FileSystem fileSystemOf(int file) {
  struct {  // struct statfs
    long type, blockSize;
    unsigned long blocks, free, available, files, freeFiles;
    int id[2];
    long nameLength, fragmentSize;
    unsigned long flags;
    long spare[4];
  } info{};
  if (sys::invoke(__NR_fstatfs, file, &info) < 0) return {};
  return {info.type, info.flags};
}

}  // namespace fakeroot

// A file that a call is about, held by a descriptor, so that all that is done is done to the same one.
#pragma once

#include "fakeroot/call.hh"

namespace fakeroot {

struct File {
  sys::UniqueFd fd;
  struct statx info;

  /// Opens it, whatever it is, without waking it. 0 or -errno.
  long open(Call& call, int directory, uint64_t text, int atFlags);
  Owner owner(const Call& call) const { return call.state.owners.of(info, linkTo(fd.get()).c_str(), true); }
  uint32_t type() const { return info.stx_mode & 0170000; }
};

constexpr uint32_t kRegularType = 0100000, kDirectoryType = 0040000, kLinkType = 0120000, kCharacterType = 0020000,
                   kBlockType = 0060000;
constexpr uint32_t kSetUid = 04000, kSetGid = 02000, kGroupExecutes = 010;

/// The file system of a descriptor; zeros where it cannot be found out.
struct FileSystem {
  long type;
  unsigned long flags;

  bool readOnly() const { return flags & 1; }
  bool isProcfs() const { return type == 0x9fa0; }
  bool noSetId() const { return flags & 2; }
  /// Pipes and sockets without a name: they go when they are closed, and their numbers come again.
  bool nameless() const { return type == 0x50495045 /* PIPEFS_MAGIC */ || type == 0x534f434b /* SOCKFS_MAGIC */; }
};
FileSystem fileSystemOf(int file);

}  // namespace fakeroot

// Who owns a file, as far as that is remembered: in extended attributes of regular files and directories, and for what can carry none
// in a table. The part of the table that is about the tree is in a file beside it as well.
#pragma once

#include <stdint.h>

#include "fakeroot/memory.hh"

namespace fakeroot {

struct Owner {
  uint32_t uid = 0, gid = 0;
  /// Of a placeholder for a device node: its type (S_IFCHR, S_IFBLK) and number; else 0.
  uint32_t deviceType = 0, major = 0, minor = 0;

  bool isRoot() const { return uid == 0 && gid == 0; }
  bool isPlain() const { return isRoot() && deviceType == 0; }
};

/// What statx(2) has to be asked for.
constexpr unsigned kOwnerMask = STATX_BASIC_STATS | STATX_BTIME;

class Owners {
 public:
  /// Reads what is remembered in the file beside the tree, which is made when there is something to add. `kept`: it may be written.
  /// False where there is no memory.
  bool load(const char* store, bool kept);
  /// From here on `tree`, the descriptor of a directory, is the root of the tree. 0 or -errno.
  long start(int tree);

  /// The remembered owner. `path` and `follow` lead to the file that `info` is about.
  Owner of(const struct statx& info, const char* path, bool follow);
  /// There is something in the table: what is made now may get the inode number of a file of which this process does not know that
  /// it is gone, within the same tick of the clock that times of birth are taken from. So its owner has to be set, root too.
  bool mayMistake() const { return __atomic_load_n(&count_, __ATOMIC_RELAXED) > 0; }
  /// The tree itself says that there are owners in it.
  bool isMarked() const { return marked_; }
  /// Remembers it. `file` is an O_PATH descriptor. 0 or -errno.
  long set(int file, const struct statx& info, const Owner& owner);

 private:
  struct Key {
    uint64_t device;  // 0: that of the tree
    uint64_t inode;
    int64_t seconds;
    uint32_t nanoseconds;
  };
  struct Entry {
    Key key;
    Owner owner;
    bool used;
  };
  /// What an attribute said when the file had last been changed then.
  struct Seen {
    uint64_t device, inode;
    int64_t seconds;
    uint32_t nanoseconds;
    Owner owner;
  };

  Key keyOf(const struct statx& info) const;
  Seen& seenOf(const struct statx& info);
  /// What is in the table.
  Owner inTable(const struct statx& info);
  Entry* find(const Key& key);
  /// The same; on an overlay, files that lie on a layer in another file system than the changes have a device of their own.
  Entry* findFile(const Key& key);
  long remember(const struct statx& info, const Owner& owner);
  /// Makes the table, for a file of this size and what comes.
  bool makeTable(uint64_t size);
  /// Returns the number of lines.
  uint32_t readLines();
  void takeLine(const char* line, const char* end);
  void rewrite(const char* store);
  long append(int file, const Entry& entry);
  void markTree();
  bool isTree(const struct statx& info) const { return deviceOf(info) == treeDevice_ && info.stx_ino == treeInode_; }
  static uint64_t deviceOf(const struct statx& info) {
    return static_cast<uint64_t>(info.stx_dev_major) << 32 | info.stx_dev_minor;
  }

  Lock lock_;
  int store_ = -1, tree_ = -1;
  bool kept_ = false, marked_ = false, overlay_ = false;
  uint64_t treeDevice_ = 0, treeInode_ = 0;
  Entry* entries_ = nullptr;
  uint64_t capacity_ = 0;
  uint32_t count_ = 0;
  Seen* seen_ = nullptr;
};

/// The attribute's value: the message Resource of the rootlesscontainers project, { uint32 uid = 1; uint32 gid = 2; }.
size_t encodeOwner(const Owner& owner, char* to);
bool decodeOwner(const char* from, size_t n, Owner& owner);
constexpr const char* kOwnerAttribute = "user.rootlesscontainers";
constexpr const char* kDeviceAttribute = "user.tsnspawn.device";

/// The file was last changed long enough ago: of changes in one tick of the kernel's clock, and of a file that got the inode of
/// another one within it, the time does not tell.
bool isSettled(const struct statx& info);

/// "self/fd/N", relative to the procfs that is the working directory.
sys::Text<32> linkTo(int file);

}  // namespace fakeroot

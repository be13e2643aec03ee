// Shifting the owners of a tree into another range of 65536 ids, on the disk: the ids keep their lower half. What chown(2) would
// take away stays: set-id bits, file capabilities; access control lists are shifted too.
#include "steps/context.hh"

namespace {

constexpr unsigned kMostLevels = 1024;
constexpr uint32_t kHalf = 0xffff;

struct Range {
  uint32_t base;
  uint32_t shifted(uint32_t id) const { return base | (id & kHalf); }
};

// linux/posix_acl_xattr.h
struct AclEntry {
  uint16_t tag, permissions;
  uint32_t id;
};
constexpr uint16_t kAclUser = 0x02, kAclGroup = 0x08;
constexpr size_t kAclHeader = 4;

void shiftAcl(const char* name, const char* attribute, const Range& range) {
  alignas(8) char value[4096];
  long size = sys::invoke(__NR_lgetxattr, name, attribute, value, sizeof value);
  if (size < static_cast<long>(kAclHeader + sizeof(AclEntry))) return;
  bool changed = false;
  for (size_t at = kAclHeader; at + sizeof(AclEntry) <= static_cast<size_t>(size); at += sizeof(AclEntry)) {
    AclEntry entry;
    memcpy(&entry, value + at, sizeof entry);
    if (entry.tag != kAclUser && entry.tag != kAclGroup) continue;
    entry.id = range.shifted(entry.id);
    memcpy(value + at, &entry, sizeof entry);
    changed = true;
  }
  if (changed) sys::invoke(__NR_lsetxattr, name, attribute, value, size, 0);
}

// struct vfs_ns_cap_data of linux/capability.h; the second revision ends before the root id.
struct FileCapabilities {
  uint32_t magic, sets[4], root;
};
constexpr const char* kCapability = "security.capability";
constexpr uint32_t kRevisionMask = 0xff000000u, kRevision2 = 0x02000000u, kRevision3 = 0x03000000u;

/// What is executed as somebody in a user namespace keeps its capabilities only when they belong to the root of that namespace.
void restoreCapabilities(const char* name, FileCapabilities& capabilities, const Range& range) {
  capabilities.magic = (capabilities.magic & ~kRevisionMask) | (range.base ? kRevision3 : kRevision2);
  capabilities.root = range.base;
  size_t size = sizeof capabilities - (range.base ? 0 : sizeof capabilities.root);
  sys::invoke(__NR_lsetxattr, name, kCapability, &capabilities, size, 0);
}

/// Shifts one entry of the current directory, which `fd` is opened with O_PATH. What it is called may be something else meanwhile, so
/// owner and mode are changed by the descriptor.
long shiftEntry(int proc, int fd, const char* name, const struct statx& info, const Range& range) {
  bool isFile = (info.stx_mode & S_IFMT) == S_IFREG;
  FileCapabilities capabilities{};
  long size = isFile ? sys::invoke(__NR_lgetxattr, name, kCapability, &capabilities, sizeof capabilities) : 0;
  long error =
      sys::invoke(__NR_fchownat, fd, "", range.shifted(info.stx_uid), range.shifted(info.stx_gid), AT_EMPTY_PATH);
  if (error < 0) return error;
  if ((info.stx_mode & S_IFMT) == S_IFLNK) return 0;
  if (info.stx_mode & 06000) {
    // fchmod(2) takes no descriptor that was opened with O_PATH, and fchmodat(2) knows no AT_EMPTY_PATH before 6.6.
    sys::Text<40> path("self/fd/");
    if ((error = sys::chmodat(proc, path.add(fd).c_str(), info.stx_mode & 07777)) < 0) return error;
  }
  if (size >= static_cast<long>(sizeof capabilities - sizeof capabilities.root))
    restoreCapabilities(name, capabilities, range);
  shiftAcl(name, "system.posix_acl_access", range);
  if ((info.stx_mode & S_IFMT) == S_IFDIR) shiftAcl(name, "system.posix_acl_default", range);
  return 0;
}

long look(int fd, struct statx* info) {
  return sys::invoke(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, info);
}

/// Walks through everything below the current directory, depth first. The position in each directory above is remembered, not a
/// descriptor of it: there may be more levels than descriptors.
class Shift {
 public:
  Shift(const Range& range, int proc) : range_(range), proc_(proc) {}

  long run() {
    dir_.reset(sys::open(".", O_RDONLY | O_DIRECTORY));
    while (dir_.ok()) {
      long descended = readDirectory();
      if (descended < 0) return descended;
      if (descended) continue;
      if (depth_ == 0) return 0;
      depth_--;
      if (long error = enter(dir_.get(), ".."); error < 0) return error;
      sys::invoke(__NR_lseek, dir_.get(), positions_[depth_], 0);
    }
    return dir_.error();
  }

 private:
  long enter(int from, const char* name) {
    dir_.reset(sys::openat(from, name, O_RDONLY | O_DIRECTORY));
    return dir_.ok() ? sys::fchdir(dir_.get()) : dir_.error();
  }

  /// Shifts the entries from here on; 1 when it has gone down into one of them, 0 at the end.
  long readDirectory() {
    alignas(8) char buffer[4096];
    for (;;) {
      long n = sys::getdents(dir_.get(), buffer, sizeof buffer);
      if (n <= 0) return n;
      for (long at = 0; at < n;) {
        auto* entry = reinterpret_cast<sys::DirectoryEntry*>(buffer + at);
        at += entry->size;
        if (sys::equal(entry->name, ".") || sys::equal(entry->name, "..")) continue;
        sys::UniqueFd fd(sys::openat(dir_.get(), entry->name, O_PATH | O_NOFOLLOW));
        if (fd.error() == -ENOENT) continue;
        if (!fd.ok()) return fd.error();
        struct statx info;
        if (long error = look(fd.get(), &info); error < 0) return error;
        if (long error = shiftEntry(proc_, fd.get(), entry->name, info, range_); error < 0) return error;
        if ((info.stx_mode & S_IFMT) != S_IFDIR) continue;
        if (depth_ == kMostLevels) return -ENAMETOOLONG;
        positions_[depth_++] = entry->offset;
        long error = enter(fd.get(), ".");
        return error < 0 ? error : 1;
      }
    }
  }

  const Range& range_;
  int proc_;
  sys::UniqueFd dir_;
  int64_t positions_[kMostLevels];
  unsigned depth_ = 0;
};

}  // namespace

/// from = slot of the tree; a = first id of the range, a multiple of 65536; kRecursive: always. Else a tree whose root lies in the
/// range is right already: the root is shifted last, so that a walk that was interrupted is made again.
long shiftOwners(Context& context, const wire::Step& step) {
  Range range{static_cast<uint32_t>(step.a)};
  long proc = ownProc(context);
  if (proc < 0) return proc;
  // A mount of its own: without what is mounted below the tree, which is not the tree's, and with nothing above it that `..` of a
  // directory could lead to which somebody moves out of the tree meanwhile. Linux before 6.15 copies no detached mount; nothing is
  // above or below that.
  int tree = context.slots[step.from];
  sys::UniqueFd copy(sys::openTree(tree, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!copy.ok() && copy.error() != -EINVAL) return copy.error();
  if (copy.ok()) tree = copy.get();
  if (long error = sys::fchdir(tree); error < 0) return error;
  struct statx top;
  long error = look(tree, &top);
  if (error >= 0 && (step.flags & wire::kRecursive || range.shifted(top.stx_uid) != top.stx_uid ||
                     range.shifted(top.stx_gid) != top.stx_gid)) {
    error = Shift(range, static_cast<int>(proc)).run();
    if (error >= 0) error = sys::fchdir(tree);
    if (error >= 0) error = shiftEntry(static_cast<int>(proc), tree, ".", top, range);
  }
  sys::chdir("/");
  return error < 0 ? error : 0;
}

// Removal of whole trees of directories, of cgroups as well as of files: step by step on one descriptor, since a guest may have
// nested them by the thousand, deeper than a path or a stack goes.
#include "steps/remove.hh"

#include "sys/kernel.hh"

namespace {

/// Takes away what keeps even root from removing a file (chattr +i, +a), or from removing what is in a directory.
void clearFlags(int dir, const char* name, int kind) {
  sys::UniqueFd fd(sys::openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | kind));
  int none = 0;
  if (fd.ok()) sys::ioctl(fd.get(), FS_IOC_SETFLAGS, &none);
}

long removeFile(int dir, const sys::DirectoryEntry& entry) {
  long error = sys::unlinkat(dir, entry.name, 0);
  // Only a file has such flags, and to open a device may do something.
  if (error != -EPERM || entry.type != DT_REG) return error;
  clearFlags(dir, entry.name, 0);
  return sys::unlinkat(dir, entry.name, 0);
}

bool isDots(const char* name) { return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])); }

/// Removes the entries of `dir`, and counts them, up to the first directory that is not empty; returns its name, or an empty one at
/// the end. Whoever comes back from there begins anew: what was before it has gone.
sys::Text<256> removeEntries(int dir, bool files, unsigned* removed) {
  *removed = 0;
  sys::Text<256> full;
  alignas(8) char buffer[2048];
  sys::invoke(__NR_lseek, dir, 0, 0);
  for (;;) {
    long n = sys::getdents(dir, buffer, sizeof buffer);
    if (n <= 0) return full;
    for (long at = 0; at < n;) {
      auto* entry = reinterpret_cast<sys::DirectoryEntry*>(buffer + at);
      at += entry->size;
      bool directory = entry->type == DT_DIR;
      if (isDots(entry->name) || (!directory && !files)) continue;
      long error = directory ? sys::unlinkat(dir, entry->name, AT_REMOVEDIR) : removeFile(dir, *entry);
      if (error == 0) ++*removed;
      // Not every file system tells the type in its directories.
      if (error == 0 || (!directory && error != -EISDIR)) continue;
      if (files) clearFlags(dir, entry->name, O_DIRECTORY);
      full.add(entry->name);
      return full;
    }
  }
}

constexpr unsigned kMostLevels = 500;

/// For who may make no mounts: every directory on the way down is kept open, and none is left by `..`. What is deeper than there are
/// descriptors stays.
void removeHolding(int dir, unsigned depth) {
  for (;;) {
    unsigned removed;
    auto child = removeEntries(dir, true, &removed);
    if (!child.size() || depth == kMostLevels) return;
    // One that its owner has closed to everybody.
    sys::UniqueFd closed(sys::openat(dir, child.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW));
    sys::Text<40> link("/proc/self/fd/");
    sys::chmodat(AT_FDCWD, link.add(static_cast<int64_t>(closed.get())).c_str(), 0700);
    sys::UniqueFd below(sys::openat(dir, child.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!below.ok()) return;
    removeHolding(below.get(), depth + 1);
    if (sys::unlinkat(dir, child.c_str(), AT_REMOVEDIR) < 0) return;
  }
}

}  // namespace

void removeBelow(int top, bool files) {
  sys::UniqueFd dir(sys::openat(top, ".", O_RDONLY | O_DIRECTORY));
  // Coming up from a directory and finding that nothing can go now means that it never will: a cgroup has processes, or a file
  // is kept by the file system.
  bool cameUp = false;
  for (unsigned depth = 0; dir.ok();) {
    unsigned removed;
    auto child = removeEntries(dir.get(), files, &removed);
    if (child.size()) {
      if (cameUp && !removed) return;
      dir.reset(sys::openat(dir.get(), child.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      depth++;
    } else {
      if (depth-- == 0) return;
      dir.reset(sys::openat(dir.get(), "..", O_RDONLY | O_DIRECTORY));
    }
    cameUp = !child.size();
  }
}

void emptyDirectory(int directory) {
  sys::UniqueFd dir(sys::openat(directory, ".", O_RDONLY | O_DIRECTORY));
  if (dir.ok()) removeHolding(dir.get(), 0);
}

void removeDirectory(int directory, const char* path) {
  // A mount of its own, whose root it is: `..` of what somebody has moved out of it is no directory there, where else it would
  // lead up to whatever it was moved to, and on to the root of the host.
  sys::UniqueFd confined(sys::openTree(directory, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (confined.ok())
    removeBelow(confined.get(), true);
  else
    emptyDirectory(directory);
  sys::unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

// Removal of whole trees of directories, of cgroups as well as of files: step by step on one descriptor, since a guest may have
// nested them by the thousand, deeper than a path or a stack goes.
#include "steps/context.hh"

namespace {

/// Takes away what keeps even root from removing a file (chattr +i, +a), or from removing what is in a directory.
void clearFlags(int dir, const char* name) {
  sys::UniqueFd fd(sys::openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY));
  int none = 0;
  if (fd.ok()) sys::ioctl(fd.get(), FS_IOC_SETFLAGS, &none);
}

long removeFile(int dir, const char* name) {
  long error = sys::unlinkat(dir, name, 0);
  if (error != -EPERM) return error;
  clearFlags(dir, name);
  return sys::unlinkat(dir, name, 0);
}

/// Removes each entry of `dir` that can be removed, and counts them; returns the first directory that cannot, or an empty name.
sys::Text<256> removeEntries(int dir, bool files, unsigned* removed) {
  *removed = 0;
  sys::Text<256> kept;
  alignas(8) char buffer[2048];
  sys::invoke(__NR_lseek, dir, 0, 0);
  for (;;) {
    long n = sys::getdents(dir, buffer, sizeof buffer);
    if (n <= 0) return kept;
    for (long at = 0; at < n;) {
      auto* entry = reinterpret_cast<sys::DirectoryEntry*>(buffer + at);
      at += entry->size;
      if (sys::equal(entry->name, ".") || sys::equal(entry->name, "..")) continue;
      if (entry->type == DT_DIR) {
        if (sys::unlinkat(dir, entry->name, AT_REMOVEDIR) == 0) {
          ++*removed;
          continue;
        }
        if (kept.size()) continue;
        if (files) clearFlags(dir, entry->name);
        kept.add(entry->name);
      } else if (files && removeFile(dir, entry->name) == 0) {
        ++*removed;
      }
    }
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

// Paths of a tree that may be hostile: looked up below a descriptor of its root, and never outside of it, whatever its
// symbolic links say and whoever renames parts of it meanwhile.
#pragma once

#include "sys/kernel.hh"

/// What a missing last component, and the directories above it, are made as.
enum class Make { kNothing, kDirectory, kFile };

/// Opens `path` below the directory `root` (AT_FDCWD: this process's own root) with O_PATH: as
/// openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), or component by component where the kernel (before 5.6) or a filter has
/// no openat2. What is made gets mode 0755 or 0644. Returns a descriptor or -errno.
long openInside(int root, const char* path, bool noFollow, Make make = Make::kNothing);

/// The directory of `path` below this process's root, made where it is missing, and in `*name` the last component.
long openParent(const char* path, const char** name, Make make = Make::kDirectory);

/// Makes something in its directory, by `make(directory, name)`; the directories above it first where they are missing.
template <typename Function>
long inParent(const char* path, Function make) {
  const char* name;
  sys::UniqueFd parent(openParent(path, &name));
  return parent.ok() ? make(parent.get(), name) : parent.error();
}

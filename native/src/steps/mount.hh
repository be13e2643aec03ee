// Making mounts that are attached nowhere.
#pragma once

#include "sys/kernel.hh"

/// fsopen(2) to fsmount(2): a new file system of `type` from `source`, with the options in `data` (comma separated) and the
/// MS_* flags of the mount. `readOnly`: the file system itself does not write either. Returns the descriptor or -errno.
long makeMount(const char* type, const char* source, const char* data, uint64_t flags, bool readOnly);

/// Moves a detached mount to a path of this process's root; the mount point is made when it is missing. Returns 0 or -errno.
long attachMount(int mount, const char* path);

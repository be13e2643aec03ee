// Who has a tree or an image for itself.
#pragma once

#include <string>
#include <vector>

/// Opens the directory `path` and locks it with flock(2), for writers (`exclusive`) or readers. Returns the descriptor or
/// -errno; -EWOULDBLOCK when another machine holds it, -ESTALE when it is no longer the directory of this identity.
int lockTree(const std::string& path, bool exclusive, const std::string& expected);

/// Takes the lock files by which systemd-nspawn and machinectl know that `path`, a directory, a file or a block device with its
/// links resolved, is in use: `.#NAME.lck` beside it, and one in /run/systemd/nspawn/locks that goes by its identity, so that it
/// is the same by whatever path it is reached. Returns 0 or -errno, -EWOULDBLOCK when somebody holds one of them; `files` are
/// the descriptors. Where a file cannot be made, as beside a tree on a read-only file system, there is none.
int takeLockFiles(const std::string& path, bool exclusive, std::vector<int>& files);

/// Opens, or makes, the file `path` and locks it. Returns the descriptor or -errno; -EAGAIN when somebody holds it.
int makeLockFile(const std::string& path, bool exclusive);

/// Removes the file of a lock, unless others hold it too, and closes the descriptor.
void releaseLockFile(int fd);

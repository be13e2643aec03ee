// Looking into a tree from outside without leaving it: the launcher runs with privileges and the tree may be hostile.
#pragma once

#include <string>

/// Device and inode of an open file, as text.
std::string identity(int fd);

/// The path of an open file, links resolved.
std::string realPath(int fd);

/// Opens a place (O_PATH); before Linux 2.6.39, which ignores that, what is there, and that without waiting. Returns as openat(2).
int openPlace(int directory, const char* path, int flags);

/// Opens `path` inside the tree; links are followed inside it. Returns a descriptor or -errno.
int openInTree(int tree, const std::string& path, int flags);

/// The path that `path` ends at when all links are followed inside the tree, or empty.
std::string resolveInTree(int tree, const std::string& path);

/// Reads a regular file that was opened by openInTree() or open(2), at most `most` bytes of it, and closes it. False where it is none.
bool readRegular(int fd, size_t most, std::string& content);

// Disk images: opening them, loop devices for their parts, and a first look at a file system. Needs neither udev nor a scan of
// partitions by the kernel.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

struct OpenedImage {
  int fd = -1;
  const char* kind = "other";  // "file" or "block"
  uint64_t size = 0;           // bytes
  unsigned sectorSize = 512;
  bool readOnly = false;
};

/// Opens a regular file or block device; for reading only where the kernel refuses to write. Returns 0 or -errno.
int openImage(const std::string& path, bool writable, OpenedImage& image);

/// flock(2) without waiting. Returns 0 or -errno.
int lockFile(int fd, bool exclusive);

struct ByteRange {
  uint64_t offset, size;  // size 0: to the end
};

/// A loop device for a range of `file`, with sectors of 512 bytes: a file system that was made on larger ones takes these, but not
/// the other way round. Its descriptor, and its path in `path`; or -errno. The kernel frees it with its last
/// user: a descriptor, or a mount.
int attachLoop(int file, ByteRange range, bool readOnly, std::string& path);

/// Whether this kernel has the file system, or a module with it.
bool hasFileSystem(const std::string& type);

/// Mounts a device read-only and attached nowhere. `options` are `name` or `name=value`. Returns a descriptor of its root
/// directory, with which the mount goes; or -errno.
int mountReadOnly(int device, const std::string& type, const std::vector<std::string>& options);

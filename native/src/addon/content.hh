// What a file of the host holds or a socket says, up to a limit, and never for longer than that takes.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

struct Content {
  std::vector<uint8_t> bytes;
  /// 0, or an errno: EINVAL what is no regular file, EFBIG more than the limit, ETIMEDOUT a peer that does not end
  int error = 0;
};

/// A regular file.
Content readFile(const std::string& path, size_t most);
/// What a listening stream socket sends until it hangs up.
Content readSocket(const std::string& path, size_t most);

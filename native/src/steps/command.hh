// Programs of the host that a step runs to their end, or until they have gone into the background.
#pragma once

#include "sys/kernel.hh"

struct Command {
  const char* const* argv;
  /// its errors are expected, and not shown
  bool silent;
  /// it is killed when nobody has the other end of this descriptor any more; -1: in no case
  int lifeline;
  /// a descriptor that it finds as kHandedFd, or -1
  int handed = -1;
  /// it sees the mounts as they are now: whoever shares a mount namespace is taken along by pivot_root(2)
  bool ownMounts = false;

  static constexpr int kHandedFd = 3;
};

/// 0 or -errno: -ENOENT where the program is not there, -EREMOTEIO where it fails, -ETIMEDOUT where it takes too long.
long runCommand(const Command& command);

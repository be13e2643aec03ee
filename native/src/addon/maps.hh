// The maps of a user namespace that a process of this one has made.
#pragma once

#include <sys/types.h>

#include <string>

#include "addon/spawn.hh"

struct MapResult {
  int error = 0;      // errno, or 0
  std::string about;  // what the program said that failed
};

/// Writes the maps of the user namespace that `pid` has just made, by the set-id programs of shadow-utils where they are named.
/// newuidmap(1) refuses what /etc/subuid does not give to the caller.
MapResult writeMaps(pid_t pid, const UserMaps& maps);

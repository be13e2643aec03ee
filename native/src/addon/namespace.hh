// A program in a user namespace of its own.
#pragma once

#include <string>

#include "addon/spawn.hh"

struct NamespaceRequest {
  const char* const* argv;  // argv[0] is executed
  const char* const* env;
  UserMaps maps;
};

struct NamespaceResult {
  int status = -1;               // as of a shell: 128 and its number for a signal
  const char* failed = nullptr;  // what failed: clone, map, exec
  int error = 0;                 // its errno
  std::string about;             // what a program said that failed
};

/// Runs a program as root of a new user namespace, with a mount namespace of its own, and waits for its end. It has the standard
/// descriptors of this process, is told of the signals that ask for the end, and gets SIGTERM when this process dies.
NamespaceResult runInNamespace(const NamespaceRequest& request);

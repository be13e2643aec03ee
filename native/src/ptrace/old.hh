// Programs of a guest that are newer than the kernel.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// Where the kernel is older than the C libraries of today want it, the guest is told of another release, unless one was asked for.
void sayNewer(State& state);

/// prlimit(2) is not there (2.6.36), by which newer C libraries get and set all limits.
bool lacksLimits();

/// O_PATH is not there (2.6.39).
bool lacksPlaces();

}  // namespace ptrace

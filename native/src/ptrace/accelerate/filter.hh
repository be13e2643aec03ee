// The filter by which seccomp tells the tracer of a call, and of no other.
#pragma once

#include <linux/filter.h>

#include "ptrace/table.hh"

namespace ptrace {

constexpr unsigned kMostInstructions = 2048;

/// What comes with the event of a call: a filter of the guest's own gives another number.
constexpr unsigned kOurs = 0x7473;
/// The same of the filter that stands for the strict mode: the process has made a call that it must not.
constexpr unsigned kStrict = 0x7474;

/// Writes the filter; returns the number of its instructions. `carries`: what needs no stop goes to a listener.
unsigned makeFilter(bool fakeIds, bool boots, bool carries, sock_filter (&to)[kMostInstructions]);

}  // namespace ptrace

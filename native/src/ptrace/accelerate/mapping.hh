// Where the code of a process comes from.
#pragma once

#include "ptrace/tracee.hh"

namespace ptrace {

/// The mapping that an address of the process lies in, if it is code of a file that the process has for itself and does not write; else
/// an empty one.
Code codeAt(int tid, uint64_t address);

}  // namespace ptrace

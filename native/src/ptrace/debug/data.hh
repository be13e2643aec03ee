// What a tracer of the guest reads and writes of a tracee that is held for it.
#pragma once

#include "ptrace/call.hh"
#include "ptrace/debug/traced.hh"

namespace ptrace {

/// 0 or -errno.
long serveData(Call& call, Tracee& target, long what, uint64_t address, uint64_t data);

}  // namespace ptrace

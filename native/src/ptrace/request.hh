// What the tracer asks of the kernel about a tracee that stands still: ptrace(2).
#pragma once

#include <linux/ptrace.h>

#include "ptrace/arch/registers.hh"
#include "sys/kernel.hh"

namespace ptrace {

template <typename T>
long request(int what, int tid, uint64_t address, T data) {
  return sys::invoke(__NR_ptrace, what, tid, address, data);
}

inline bool getRegisters(int tid, Registers& to) {
  if (request(PTRACE_GETREGS, tid, 0, &to) < 0) return false;
  to.compat = to.narrow();
  return true;
}
inline bool setRegisters(int tid, Registers& from) { return request(PTRACE_SETREGS, tid, 0, &from) == 0; }

}  // namespace ptrace

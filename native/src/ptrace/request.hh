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

#if defined(__aarch64__)

/// Sets of registers (linux/elf.h).
constexpr uint64_t kGeneral = 1, kSystemCall = 0x404;  // NT_PRSTATUS, NT_ARM_SYSTEM_CALL

inline bool getRegisters(int tid, Registers& to) {
  sys::Iovec general{&to, kRegisterBytes}, call{&to.call, sizeof to.call};
  return request(PTRACE_GETREGSET, tid, kGeneral, &general) == 0 &&
         request(PTRACE_GETREGSET, tid, kSystemCall, &call) == 0;
}
inline bool setRegisters(int tid, Registers& from) {
  sys::Iovec general{&from, kRegisterBytes}, call{&from.call, sizeof from.call};
  return request(PTRACE_SETREGSET, tid, kGeneral, &general) == 0 &&
         request(PTRACE_SETREGSET, tid, kSystemCall, &call) == 0;
}

#else

inline bool getRegisters(int tid, Registers& to) {
  if (request(PTRACE_GETREGS, tid, 0, &to) < 0) return false;
  to.compat = to.narrow();
  return true;
}
inline bool setRegisters(int tid, Registers& from) { return request(PTRACE_SETREGS, tid, 0, &from) == 0; }

#endif

}  // namespace ptrace

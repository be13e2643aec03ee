// The registers of a tracee that stands still at a system call, by what they mean and not by their names.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace ptrace {

#if defined(__x86_64__)

/// struct user_regs_struct (sys/user.h): PTRACE_GETREGS.
struct Registers {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig, rip, cs, flags, rsp, ss,
      fsBase, gsBase, ds, es, fs, gs;

  /// A program of 32 bits, or a call through int 0x80 of one of 64 bits where `ip` tells.
  bool compat() const { return cs == 0x23; }
  long number() const { return static_cast<long>(orig); }
  void setNumber(long value) { orig = static_cast<uint64_t>(value); }
  long result() const { return static_cast<long>(rax); }
  void setResult(long value) { rax = static_cast<uint64_t>(value); }
  uint64_t ip() const { return rip; }
  void setIp(uint64_t value) { rip = value; }
  uint64_t sp() const { return rsp; }
  uint64_t& slot(int n) {
    switch (n) {
      case 0:
        return rdi;
      case 1:
        return rsi;
      case 2:
        return rdx;
      case 3:
        return r10;
      case 4:
        return r8;
      default:
        return r9;
    }
  }
  uint64_t argument(int n) const { return const_cast<Registers*>(this)->slot(n); }
};
static_assert(sizeof(Registers) == 27 * 8);

/// Length of the instruction that makes a system call: a call is made again by going back so far.
constexpr uint64_t kCallSize = 2;
/// AUDIT_ARCH_X86_64
constexpr uint32_t kNativeArchitecture = 0xc000003e;
/// The bit of the numbers of x32 programs.
constexpr long kForeignBit = 0x40000000;

#else
#error "the ptrace engine has no registers for this architecture"
#endif

}  // namespace ptrace

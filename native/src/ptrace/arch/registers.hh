// The registers of a tracee that stands still at a system call, by what they mean and not by their names.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace ptrace {

#if defined(__x86_64__)

/// struct user_regs_struct (sys/user.h): PTRACE_GETREGS; and through which gate the call has come, on which the rest depends.
struct Registers {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig, rip, cs, flags, rsp, ss,
      fsBase, gsBase, ds, es, fs, gs;
  /// The call is one of i386: of a program of 32 bits, or by int 0x80 of one of 64 bits.
  uint64_t compat = 0;

  /// A program of 32 bits is running.
  bool narrow() const { return cs == 0x23; }
  /// It has come by the syscall instruction, which leaves this behind. Where it does not, that is not known.
  bool fast() const { return rcx == rip && r11 == flags; }
  long number() const { return compat ? static_cast<int>(orig) : static_cast<long>(orig); }
  void setNumber(long value) { orig = static_cast<uint64_t>(value); }
  long result() const { return static_cast<long>(rax); }
  void setResult(long value) { rax = static_cast<uint64_t>(value); }
  uint64_t ip() const { return rip; }
  void setIp(uint64_t value) { rip = value; }
  uint64_t sp() const { return rsp; }
  uint64_t& slot(int n) {
    if (compat) return compatSlot(n);
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
  uint64_t argument(int n) const {
    uint64_t value = const_cast<Registers*>(this)->slot(n);
    return compat ? static_cast<uint32_t>(value) : value;
  }
  /// The arguments of a call are again what they were.
  void restore(const Registers& from) {
    compat = from.compat;
    for (int i = 0; i < 6; i++) slot(i) = const_cast<Registers&>(from).slot(i);
  }

 private:
  uint64_t& compatSlot(int n) {
    switch (n) {
      case 0:
        return rbx;
      case 1:
        return rcx;
      case 2:
        return rdx;
      case 3:
        return rsi;
      case 4:
        return rdi;
      default:
        return rbp;
    }
  }
};
/// As the kernel has them.
constexpr size_t kRegisterBytes = offsetof(Registers, compat);
static_assert(kRegisterBytes == 27 * 8);

/// Length of the instruction that makes a system call: a call is made again by going back so far.
constexpr uint64_t kCallSize = 2;
/// AUDIT_ARCH_X86_64
constexpr uint32_t kNativeArchitecture = 0xc000003e;
/// AUDIT_ARCH_I386: that of programs of 32 bits; 0 where there are none.
constexpr uint32_t kCompatArchitecture = 0x40000003;
/// What uname(2) calls their machine.
constexpr const char* kCompatMachine = "i686";
/// The bit of the numbers of x32 programs.
constexpr long kForeignBit = 0x40000000;

#else
#error "the ptrace engine has no registers for this architecture"
#endif

}  // namespace ptrace

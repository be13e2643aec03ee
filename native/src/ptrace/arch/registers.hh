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
  /// Where the code in the process is told that it is to return to.
  uint64_t leftIp() const { return rcx; }
  uint64_t sp() const { return rsp; }
  void setSp(uint64_t value) { rsp = value; }
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

  /// The call of `from` is still to be made, by its instruction.
  void begin(const Registers& from) {
    *this = from;
    rip -= 2;
    rax = orig;
    orig = ~uint64_t{0};
  }
  /// A call was made elsewhere, and what it has not changed is what it was.
  void end(const Registers& from) {
    restore(from);
    rip = from.rip, rsp = from.rsp, rcx = from.rcx;
  }
  /// The loader begins, with a list of calls.
  void load(uint64_t code, uint64_t calls) {
    rip = code;
    (narrow() ? rsp : rbx) = calls;
  }
  /// Of kPlantedPair: where, how much and how the second call maps, and what the first one has mapped.
  void setSecond(uint64_t address, uint64_t size, uint64_t flags) { r13 = address, r14 = size, r15 = flags; }
  uint64_t first() const { return r12; }

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
/// How far the instruction that traps moves on.
constexpr uint64_t kTrapSize = 1;
/// A call can be made elsewhere without a register being lost: accelerate/stub.cc.
constexpr bool kHasStub = true;
/// mov $9, %eax (mmap); syscall; int3, and the same for 32 bits
constexpr unsigned char kPlanted[] = {0xb8, 9, 0, 0, 0, 0x0f, 0x05, 0xcc};
constexpr unsigned char kCompatPlanted[] = {0xb8, 192, 0, 0, 0, 0xcd, 0x80, 0xcc};
/// The same, after which another one is made: mov %rax, %r12; mov %r13, %rdi; mov %r14, %rsi; mov %r15, %r10; mov $9, %eax; syscall; int3
constexpr unsigned char kPlantedPair[] = {0xb8, 9,    0,    0,    0,    0x0f, 0x05, 0x49, 0x89,
                                          0xc4, 0x4c, 0x89, 0xef, 0x4c, 0x89, 0xf6, 0x4d, 0x89,
                                          0xfa, 0xb8, 9,    0,    0,    0,    0x0f, 0x05, 0xcc};
/// AUDIT_ARCH_X86_64
constexpr uint32_t kNativeArchitecture = 0xc000003e;
/// AUDIT_ARCH_I386: that of programs of 32 bits; 0 where there are none.
constexpr uint32_t kCompatArchitecture = 0x40000003;
/// What uname(2) calls their machine.
constexpr const char* kCompatMachine = "i686";
/// The bit of the numbers of x32 programs.
constexpr long kForeignBit = 0x40000000;

#elif defined(__aarch64__)

/// struct user_pt_regs: NT_PRSTATUS.
struct Registers {
  uint64_t regs[31], stack, pc, state;
  /// The number of the call, which the kernel keeps apart: NT_ARM_SYSTEM_CALL.
  int32_t call;
  /// There are no calls of another width: programs of 32 bits are refused.
  uint32_t compat = 0;

  bool narrow() const { return false; }
  bool fast() const { return true; }
  long number() const { return call; }
  void setNumber(long value) { call = static_cast<int32_t>(value); }
  long result() const { return static_cast<long>(regs[0]); }
  void setResult(long value) { regs[0] = static_cast<uint64_t>(value); }
  uint64_t ip() const { return pc; }
  void setIp(uint64_t value) { pc = value; }
  uint64_t leftIp() const { return pc; }
  uint64_t sp() const { return stack; }
  void setSp(uint64_t value) { stack = value; }
  uint64_t& slot(int n) { return regs[n]; }
  uint64_t argument(int n) const { return regs[n]; }
  /// The arguments of a call are again what they were. Where the first one was is the result.
  void restore(const Registers& from) {
    for (int i = 1; i < 6; i++) regs[i] = from.regs[i];
  }
  /// The call of `from` is still to be made, by its instruction.
  void begin(const Registers& from) {
    *this = from;
    pc -= 4;
    regs[8] = static_cast<uint64_t>(call);
    call = -1;
  }
  /// A call was made elsewhere, and what it has not changed is what it was.
  void end(const Registers& from) {
    restore(from);
    pc = from.pc, stack = from.stack;
  }
  /// The loader begins, with a list of calls.
  void load(uint64_t code, uint64_t calls) {
    pc = code;
    regs[19] = calls;
  }
  void setSecond(uint64_t, uint64_t, uint64_t) {}
  uint64_t first() const { return 0; }
};
constexpr size_t kRegisterBytes = offsetof(Registers, call);
static_assert(kRegisterBytes == 34 * 8);

/// Length of the instruction that makes a system call: a call is made again by going back so far.
constexpr uint64_t kCallSize = 4;
/// How far the instruction that traps moves on.
constexpr uint64_t kTrapSize = 0;
/// Every register is kept over a call, and to come back from a stub takes one: calls that are changed take two stops.
constexpr bool kHasStub = false;
/// mov x0, x6; mov x8, #222 (mmap); svc #0; brk #0. The result of the exec itself is still to be put into x0.
constexpr unsigned char kPlanted[] = {0xe0, 0x03, 0x06, 0xaa, 0xc8, 0x1b, 0x80, 0xd2,
                                      0x01, 0x00, 0x00, 0xd4, 0x00, 0x00, 0x20, 0xd4};
constexpr unsigned char kCompatPlanted[sizeof kPlanted] = {};
constexpr unsigned char kPlantedPair[sizeof kPlanted] = {};
/// AUDIT_ARCH_AARCH64
constexpr uint32_t kNativeArchitecture = 0xc00000b7;
constexpr uint32_t kCompatArchitecture = 0;
constexpr const char* kCompatMachine = nullptr;
constexpr long kForeignBit = 0x40000000;

#else
#error "the ptrace engine has no registers for this architecture"
#endif

}  // namespace ptrace

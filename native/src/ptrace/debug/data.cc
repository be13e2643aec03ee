#include "ptrace/debug/data.hh"

#include "ptrace/compat.hh"
#include "ptrace/request.hh"

namespace ptrace {

namespace {

constexpr size_t kWord = 8;
constexpr size_t kMostState = 1 << 15;  // of the vector registers (XSAVE)
alignas(64) char block[kMostState];

/// The kernel writes `n` bytes, for the guest.
long get(Call& call, int tid, long what, uint64_t address, uint64_t to, size_t n) {
  long error = request(static_cast<int>(what), tid, address, block);
  if (error < 0) return error;
  return call.write(to, block, n) ? error : -EFAULT;
}

long set(Call& call, int tid, long what, uint64_t address, uint64_t from, size_t n) {
  if (!call.read(from, block, n)) return -EFAULT;
  return request(static_cast<int>(what), tid, address, block);
}

/// A set of registers: the place for it, and its size, are in a structure.
long registerSet(Call& call, int tid, long what, uint64_t kind, uint64_t at) {
  sys::Iovec theirs, ours;
  if (!call.read(at, &theirs, sizeof theirs)) return -EFAULT;
  ours = {block, theirs.size < sizeof block ? theirs.size : sizeof block};
  auto there = reinterpret_cast<uint64_t>(theirs.base);
  if (what == PTRACE_SETREGSET && !call.read(there, block, ours.size)) return -EFAULT;
  if (long error = request(static_cast<int>(what), tid, kind, &ours); error < 0) return error;
  if (what == PTRACE_GETREGSET && !call.write(there, block, ours.size)) return -EFAULT;
  theirs.size = ours.size;
  return call.write(at, &theirs, sizeof theirs) ? 0 : -EFAULT;
}

long peekSignals(Call& call, int tid, uint64_t at, uint64_t to) {
  struct {
    uint64_t offset;
    uint32_t flags;
    int32_t count;
  } which;
  constexpr int kMost = static_cast<int>(kMostState / sizeof(SignalInfo));
  if (!call.read(at, &which, sizeof which)) return -EFAULT;
  if (which.count > kMost) which.count = kMost;
  long got = request(PTRACE_PEEKSIGINFO, tid, reinterpret_cast<uint64_t>(&which), block);
  if (got > 0 && !call.write(to, block, static_cast<size_t>(got) * sizeof(SignalInfo))) return -EFAULT;
  return got;
}

long signalInfo(Call& call, const Traced& traced, long what, uint64_t data) {
  // Who was not seized is told by this of a stop of the whole process.
  if (traced.point == Point::kGroup && !traced.seized) return -EINVAL;
  if (what == PTRACE_SETSIGINFO)
    return traced.made ? -EINVAL : set(call, traced.tid, what, 0, data, sizeof(SignalInfo));
  if (!traced.made) return get(call, traced.tid, what, 0, data, sizeof(SignalInfo));
  return call.write(data, &traced.info, sizeof traced.info) ? 0 : -EFAULT;
}

/// PTRACE_GET_SYSCALL_INFO: how many bytes there are.
long callInfo(Call& call, const Tracee& target, uint64_t room, uint64_t to) {
  const Traced& traced = *target.traced;
  ptrace_syscall_info info{};
  Registers registers;
  if (!getRegisters(traced.tid, registers)) return -ESRCH;
  registers.compat = isCompat(target, registers);
  info.arch = registers.compat ? kCompatArchitecture : kNativeArchitecture;
  info.instruction_pointer = registers.ip();
  info.stack_pointer = registers.sp();
  size_t size = offsetof(ptrace_syscall_info, entry);
  bool filter = traced.point == Point::kFilter, apart = traced.options & PTRACE_O_TRACESYSGOOD;
  if (filter || (apart && traced.point == Point::kEnter)) {
    info.op = filter ? PTRACE_SYSCALL_INFO_SECCOMP : PTRACE_SYSCALL_INFO_ENTRY;
    // entry and seccomp begin alike.
    info.seccomp.nr = static_cast<uint64_t>(registers.number());
    for (int i = 0; i < 6; i++) info.seccomp.args[i] = registers.argument(i);
    size = offsetof(ptrace_syscall_info, entry) + sizeof info.entry;
    if (filter) {
      info.seccomp.ret_data = static_cast<uint32_t>(traced.message);
      size = offsetof(ptrace_syscall_info, seccomp.ret_data) + sizeof info.seccomp.ret_data;
    }
  } else if (apart && traced.point == Point::kLeave && traced.message == kLeaves) {
    info.op = PTRACE_SYSCALL_INFO_EXIT;
    info.exit.rval = registers.result();
    info.exit.is_error = registers.result() < 0 && registers.result() >= -4095;
    size = offsetof(ptrace_syscall_info, exit.is_error) + sizeof info.exit.is_error;
  }
  return call.write(to, &info, size < room ? size : room) ? static_cast<long>(size) : -EFAULT;
}

#if defined(__x86_64__)
constexpr size_t kFloats = 512;  // struct user_fpregs_struct
constexpr long kThreadArea = 25, kSetThreadArea = 26, kArchitecture = 30;

long baseRegister(Call& call, int tid, uint64_t address, uint64_t code) {
  constexpr uint64_t kGetFs = 0x1003, kGetGs = 0x1004;  // ARCH_GET_FS, ARCH_GET_GS
  if (code != kGetFs && code != kGetGs) return request(kArchitecture, tid, address, code);
  uint64_t value;
  long error = request(kArchitecture, tid, reinterpret_cast<uint64_t>(&value), code);
  return error < 0 ? error : call.write(address, &value, sizeof value) ? 0 : -EFAULT;
}
#endif

}  // namespace

long serveData(Call& call, Tracee& target, long what, uint64_t address, uint64_t data) {
  int tid = target.tid;
  Traced& traced = *target.traced;
  switch (what) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_PEEKUSR:
      return get(call, tid, what, address, data, kWord);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
    case PTRACE_POKEUSR:
      return request(static_cast<int>(what), tid, address, data);
#if defined(__x86_64__)
    case PTRACE_GETREGS:
      return get(call, tid, what, address, data, kRegisterBytes);
    case PTRACE_SETREGS:
      return set(call, tid, what, address, data, kRegisterBytes);
    case PTRACE_GETFPREGS:
      return get(call, tid, what, address, data, kFloats);
    case PTRACE_SETFPREGS:
      return set(call, tid, what, address, data, kFloats);
#endif
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
      return registerSet(call, tid, what, address, data);
    case PTRACE_GETSIGINFO:
    case PTRACE_SETSIGINFO:
      return signalInfo(call, traced, what, data);
    case PTRACE_PEEKSIGINFO:
      return peekSignals(call, tid, address, data);
    case PTRACE_GETSIGMASK:
      return address == kWord ? get(call, tid, what, address, data, kWord) : -EINVAL;
    case PTRACE_SETSIGMASK:
      return address == kWord ? set(call, tid, what, address, data, kWord) : -EINVAL;
    case PTRACE_GETEVENTMSG:
      return call.write(data, &traced.message, sizeof traced.message) ? 0 : -EFAULT;
    case PTRACE_GET_SYSCALL_INFO:
      return callInfo(call, target, address, data);
    case PTRACE_SECCOMP_GET_FILTER:
    case PTRACE_SECCOMP_GET_METADATA:
      // They are for root, and what there is is the engine's.
      return -EACCES;
#if defined(__x86_64__)
    case kThreadArea:
      return get(call, tid, what, address, data, 16);
    case kSetThreadArea:
      return set(call, tid, what, address, data, 16);
    case kArchitecture:
      return baseRegister(call, tid, address, data);
#endif
    default:
      // PTRACE_SINGLEBLOCK and PTRACE_SYSEMU among them, which other machines do not have either.
      return -EIO;
  }
}

}  // namespace ptrace

// What the tracer does at the two ends of a system call.
#include "ptrace/accelerate/page.hh"
#include "ptrace/accelerate/stub.hh"
#include "ptrace/owned.hh"
#include "ptrace/request.hh"
#include "ptrace/table.hh"
#include "ptrace/tracer.hh"

namespace ptrace {

namespace {

/// Whether the call is of the 32-bit kind, which a 64-bit program may make, too, and which have other numbers.
bool entersByOldGate(const Tracee& tracee, const Registers& registers) {
  unsigned char code[kCallSize];
  return registers.compat() ||
         (readMemory(tracee.tid, registers.ip() - kCallSize, code, sizeof code) && code[0] == 0xcd);
}

}  // namespace

/// Whether a call is one of those that the kernel answers as it is. Where the kernel can tell which one it is, with little (5.3).
bool Tracer::isNone(Tracee& tracee, bool told) {
  ptrace_syscall_info info;
  if (told || !tellsCalls_) return false;
  constexpr long kNeeded = offsetof(ptrace_syscall_info, entry) + sizeof info.entry;
  long size = request(PTRACE_GET_SYSCALL_INFO, tracee.tid, sizeof info, &info);
  if (size < kNeeded) tellsCalls_ = false;
  if (size < kNeeded || info.op != PTRACE_SYSCALL_INFO_ENTRY || info.arch != kNativeArchitecture) return false;
  return info.entry.nr <= kHighest && !kTable.rows[info.entry.nr].handler;
}

/// At the start of a call; `told` of it by seccomp, or stopped there, where the filter has not seen it yet.
void Tracer::enter(Tracee& tracee, bool told) {
  tracee.waits = false;
  if (isNone(tracee, told)) {
    tracee.inStub = tracee.changed = false;
    tracee.after = nullptr;
    tracee.inCall = true;
    return resume(tracee);
  }
  Registers registers;
  if (!getRegisters(tracee.tid, registers)) return;
  tracee.inStub = false;
  tracee.saved = registers;
  tracee.changed = false;
  tracee.after = nullptr;
  lendTo(&tracee, state_.uid);
  if (considerSite(state_, tracee, registers)) {
    setRegisters(tracee.tid, registers);
    return resume(tracee);
  }
  Call call(state_, tracee, registers);
  const fakeroot::Identity before = tracee.identity;
  Answer result = answer(call, told);
  tellChanges(tracee, before);
  if (!result.proceeds) {
    repay(tracee);
    tracee.after = nullptr;
    tracee.changed = false;
    registers = tracee.saved;
    if (told) {
      registers.setNumber(-1);
      registers.setResult(result.value);
    } else {
      // A filter around this program judges the number that is left here, and its verdict on -1 would be the result.
      constexpr long kOldGetpid = 20;  // where 64-bit programs have writev(2), and that number there is mkdir(2)
      registers.setNumber(entersByOldGate(tracee, registers) ? kOldGetpid : __NR_getpid);
      tracee.given = tracee.inCall = true;
      tracee.result = result.value;
    }
    setRegisters(tracee.tid, registers);
    if (told && tracee.traced && tracee.traced->pace == Pace::kCalls) tracee.inCall = true;
    resume(tracee);
    // What the call was about: a tracee of this one's that may go on.
    if (Tracee* released = state_.guestTracers.released) {
      state_.guestTracers.released = nullptr;
      release(*released);
    }
    return;
  }
  bool watched = tracee.after || tracee.loans;
  if (tracee.changed) {
    if (told && !tracee.traced && !watched && tracee.slot >= 0 && registers.number() != __NR_clone)
      takeStub(tracee, registers);
    else
      watched = true;
    setRegisters(tracee.tid, registers);
  }
  tracee.inCall = !told || watched || (tracee.traced && tracee.traced->pace == Pace::kCalls);
  resume(tracee);
}

/// What the code in the processes has to know of what a call has changed.
void Tracer::tellChanges(Tracee& tracee, const fakeroot::Identity& before) {
  if (!state_.inProcess) return;
  if (!state_.tabled && state_.owners.mayMistake()) {
    state_.tabled = true;
    tellPages(state_);
  }
  const fakeroot::Identity& now = tracee.identity;
  if (memcmp(&before.user, &now.user, sizeof now.user) == 0 && memcmp(&before.group, &now.group, sizeof now.group) == 0)
    return;
  tracee.memory->idsDiffer |= tracee.memory->users > 1;
  tellPage(state_, tracee);
}

/// At its end.
void Tracer::leave(Tracee& tracee) {
  tracee.inCall = false;
  if (tracee.waits || tracee.sleeps) wakeWaiting(state_, tracee, false);
  if (tracee.given) {
    tracee.given = false;
    Registers registers;
    if (!getRegisters(tracee.tid, registers)) return;
    registers.setResult(tracee.result);
    if (tracee.traced) registers.setNumber(tracee.saved.number());
    setRegisters(tracee.tid, registers);
    return endCall(tracee);
  }
  if (tracee.after || tracee.changed || tracee.loans) {
    Registers registers;
    if (!getRegisters(tracee.tid, registers)) return;
    Registers before = registers;
    Call call(state_, tracee, registers);
    if (tracee.after) tracee.after(call);
    tracee.after = nullptr;
    tellChanges(tracee, tracee.identity);
    if (tracee.changed)
      for (int i = 0; i < 6; i++) registers.slot(i) = tracee.saved.argument(i);
    tracee.changed = false;
    repay(tracee);
    if (memcmp(&before, &registers, sizeof before) != 0) setRegisters(tracee.tid, registers);
  }
  endCall(tracee);
}

/// Instead of this call the process makes it in the stub, which puts back the registers.
void Tracer::takeStub(Tracee& tracee, Registers& registers) {
  uint64_t slot = slotOf(tracee);
  Record record;
  for (int i = 0; i < 6; i++) record.arguments[i] = tracee.saved.argument(i);
  record.ip = tracee.saved.ip();
  record.sp = tracee.saved.sp();
  if (!writeMemory(tracee.tid, slot, &record, sizeof record)) return;
  registers.setResult(registers.number());
  registers.setNumber(-1);
  registers.setIp(kRegion);
  registers.rsp = slot;
  tracee.changed = false;
  tracee.inStub = true;
}

/// Before a handler of the guest runs: the call is one of the guest's own again. Its slot may then be used for others.
bool Tracer::leaveStub(Tracee& tracee) {
  if (!tracee.inStub) return false;
  tracee.inStub = false;
  Registers registers;
  if (!getRegisters(tracee.tid, registers)) return false;
  uint64_t ip = registers.ip();
  if (ip < kRegion || ip >= kRegion + stubSize()) return false;
  for (int i = 0; i < 6; i++) registers.slot(i) = tracee.saved.argument(i);
  registers.rsp = tracee.saved.sp();
  registers.rcx = tracee.saved.rcx;
  if (ip == kRegion) {
    // Not made yet.
    registers.setIp(tracee.saved.ip() - kCallSize);
    registers.setResult(tracee.saved.number());
    registers.setNumber(-1);
  } else {
    registers.setIp(tracee.saved.ip());
  }
  return setRegisters(tracee.tid, registers);
}

Answer Tracer::answer(Call& call, bool told) {
  const Registers& registers = call.registers;
  long number = registers.number();
  if (registers.compat() || (!told && entersByOldGate(call.tracee, registers))) return Answer::give(-ENOSYS);
  if (number == kStepCall && call.tracee.runner) return Answer::give(carryOut(call));
  // What a filter would say of that number is not what the guest's tracer has put there.
  if (number < 0) return told ? Answer::proceed() : Answer::give(registers.result());
  if (number & kForeignBit || number > kHighest) return Answer::give(-ENOSYS);
  const Row& row = kTable.rows[number];
  if (!row.handler || (row.when == When::kFakeIds && !state_.fakeIds) || (row.when == When::kBoot && !state_.boots) ||
      (row.when == When::kOld && !state_.lacksLimits))
    return Answer::proceed();
  return row.handler(call, row.form);
}

}  // namespace ptrace

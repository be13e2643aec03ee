// What the tracer does at the two ends of a system call.
#include "ptrace/accelerate/page.hh"
#include "ptrace/accelerate/stub.hh"
#include "ptrace/compat.hh"
#include "ptrace/owned.hh"
#include "ptrace/request.hh"
#include "ptrace/table.hh"
#include "ptrace/tracer.hh"

namespace ptrace {

/// Whether there is a handler for a call of a table, for this guest.
bool Tracer::answers(const Row& row) const {
  return row.handler && (row.when != When::kFakeIds || state_.fakeIds) && (row.when != When::kBoot || state_.boots) &&
         (row.when != When::kOld || state_.lacksLimits) && (row.when != When::kCarried || state_.carries);
}

/// Whether a call is one of those that the kernel answers as it is. Where the kernel can tell which one it is, with little (5.3).
bool Tracer::isNone(Tracee& tracee, bool told) {
  ptrace_syscall_info info;
  if (told || !tellsCalls_) return false;
  constexpr long kNeeded = offsetof(ptrace_syscall_info, entry) + sizeof info.entry;
  long size = request(PTRACE_GET_SYSCALL_INFO, tracee.tid, sizeof info, &info);
  if (size < kNeeded) tellsCalls_ = false;
  if (size < kNeeded || info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr > kHighest) return false;
  const Table& table = info.arch == kNativeArchitecture ? kTable : kCompatTable;
  return !answers(table.rows[info.entry.nr]);
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
  registers.compat = isCompat(tracee, registers);
  tracee.inStub = false;
  tracee.saved = registers;
  tracee.changed = false;
  tracee.after = nullptr;
  lendTo(&tracee, state_.uid);
  if (!registers.compat && considerSite(state_, tracee, registers)) {
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
      registers.setNumber(registers.compat ? kCompatGetpid : __NR_getpid);
      tracee.given = tracee.inCall = true;
      tracee.result = result.value;
    }
    setRegisters(tracee.tid, registers);
    if (told && callStops(tracee)) tracee.inCall = true;
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
    bool clones = registers.number() == (registers.compat ? kCompatClone : __NR_clone);
    bool reached = registers.compat == registers.narrow();
    bool stub = kHasStub && told && !tracee.traced && !watched && tracee.slot >= 0 && !clones && reached;
    if (!stub || !takeStub(tracee, registers)) watched = true;
    setRegisters(tracee.tid, registers);
  }
  tracee.inCall = !told || watched || callStops(tracee);
  resume(tracee);
}

/// What the code in the processes has to know of what a call has changed.
void Tracer::tellChanges(Tracee& tracee, const fakeroot::Identity& before) {
  if (!state_.inProcess) return;
  bool tabled = state_.owners.mayMistake(), marked = state_.owners.isMarked();
  if (tabled != state_.tabled || marked != state_.marked) {
    state_.tabled = tabled;
    state_.marked = marked;
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
  if (passOwn(tracee)) return;
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
    registers.compat = tracee.saved.compat;
    Registers before = registers;
    Call call(state_, tracee, registers);
    if (tracee.after) tracee.after(call);
    tracee.after = nullptr;
    tellChanges(tracee, tracee.identity);
    if (tracee.changed) registers.restore(tracee.saved);
    tracee.changed = false;
    repay(tracee);
    if (memcmp(&before, &registers, sizeof before) != 0) setRegisters(tracee.tid, registers);
  }
  endCall(tracee);
}

namespace {

template <typename Record>
bool writeRecord(const Tracee& tracee, uint64_t slot) {
  Record record;
  const Registers& saved = tracee.saved;
  for (int i = 0; i < 6; i++) record.arguments[i] = static_cast<decltype(record.sp)>(saved.argument(i));
  record.ip = static_cast<decltype(record.ip)>(saved.ip());
  record.sp = static_cast<decltype(record.sp)>(saved.sp());
  return writeMemory(tracee.tid, slot, &record, sizeof record);
}

uint64_t stubOf(const Tracee& tracee, const Registers& registers) {
  return registers.compat ? kCompatStubs + static_cast<unsigned>(tracee.slot) * kCompatStubSize : kRegion;
}

}  // namespace

/// Instead of this call the process makes it in the stub, which puts back the registers.
bool Tracer::takeStub(Tracee& tracee, Registers& registers) {
  uint64_t slot = slotOf(tracee, registers.compat);
  if (registers.compat ? !writeRecord<CompatRecord>(tracee, slot) : !writeRecord<Record>(tracee, slot)) return false;
  registers.setResult(registers.number());
  registers.setNumber(-1);
  registers.setIp(stubOf(tracee, registers));
  registers.setSp(slot);
  tracee.changed = false;
  tracee.inStub = true;
  return true;
}

/// Before a handler of the guest runs: the call is one of the guest's own again. Its slot may then be used for others.
bool Tracer::leaveStub(Tracee& tracee) {
  if (!tracee.inStub) return false;
  tracee.inStub = false;
  if (tracee.inPage) {
    tracee.inPage = tracee.inCall = false;
    tracee.after = nullptr;
    repay(tracee);
  }
  Registers registers;
  if (!getRegisters(tracee.tid, registers)) return false;
  uint64_t ip = registers.ip(), stub = stubOf(tracee, registers);
  if (ip < stub || ip >= stub + (registers.compat ? kCompatStubSize : stubSize())) return false;
  if (ip == stub)
    registers.begin(tracee.saved);
  else
    registers.end(tracee.saved);
  return setRegisters(tracee.tid, registers);
}

Answer Tracer::answer(Call& call, bool told) {
  const Registers& registers = call.registers;
  long number = registers.number();
  if (number == kStepCall && call.tracee.runner)
    return Answer::give(call.argument(0) == kListenerStep ? takeListener(call) : carryOut(call));
  // What a filter would say of that number is not what the guest's tracer has put there.
  if (number < 0) return told ? Answer::proceed() : Answer::give(registers.result());
  if (number & kForeignBit || number > kHighest) return Answer::give(-ENOSYS);
  const Row& row = (registers.compat ? kCompatTable : kTable).rows[number];
  if (!answers(row)) return Answer::proceed();
  if (registers.compat && !call.tracee.memory->compatSlots) return mapSlots(call);
  return row.handler(call, row.form);
}

}  // namespace ptrace

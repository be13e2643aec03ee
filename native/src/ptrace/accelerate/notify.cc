// Calls that a process waits for without standing still: seccomp tells of them by a notification, and the tracer answers it. What only
// the process itself can do it is stopped for, and does it as one that is traced.
#include "ptrace/accelerate/carrier.hh"
#include "ptrace/accelerate/listener.hh"
#include "ptrace/owned.hh"
#include "ptrace/request.hh"
#include "ptrace/table.hh"
#include "ptrace/tracer.hh"

namespace ptrace {

namespace {

Registers registersOf(const seccomp_data& data) {
  Registers registers{};
  registers.setNumber(data.nr);
  registers.setIp(data.instruction_pointer);
  for (int i = 0; i < 6; i++) registers.slot(i) = data.args[i];
  return registers;
}

}  // namespace

/// The same where calls are told of by the listener, too.
long Tracer::await(int* status) {
  for (;;) {
    if (mayWait_) {
      long tid = sys::wait(-1, status, kWaitAll | WNOHANG);
      if (tid != 0) return tid;
      mayWait_ = false;
    }
    Listener::Ready ready = listener_.await();
    mayWait_ = ready.child;
    if (ready.call) serveNotice();
  }
}

/// The listener is a descriptor of the process that stands still. 0 or -errno.
long Tracer::takeListener(Call& call) {
  long error = listener_.take(call.tracee.process, call.number(1));
  state_.carries = error == 0;
  return error;
}

void Tracer::serveNotice() {
  seccomp_notif notice{};
  if (!listener_.receive(notice)) return;
  Tracee* tracee = state_.tracees.find(static_cast<int>(notice.pid));
  if (!tracee || !tracee->known) return listener_.answer(notice.id, -ENOSYS);
  // A call at whose start it has stopped already has been looked at.
  if (tracee->inCall) return listener_.letGo(notice.id);
  // A notification outranks most of what a filter of the guest's own can say: that has the last word where the process makes the call.
  if (tracee->filtered) return handOver(*tracee, notice.id);
  Carrier carrier;
  Carrier::Outcome outcome;
  long result;
  sys::UniqueFd opened;
  lendTo(tracee, state_.uid);
  constexpr int kMostTurns = 32;
  for (int turn = 0;; turn++) {
    Registers registers = registersOf(notice.data);
    tracee->saved = registers;
    tracee->inStub = tracee->changed = false;
    tracee->after = nullptr;
    carrier.start();
    Call call(state_, *tracee, registers);
    call.carrier = &carrier;
    Answer answered = answer(call, true);
    result = answered.value;
    outcome = carrier.hasChanged() ? Carrier::Outcome::kAgain
              : answered.proceeds  ? carrier.carryOut(call, result, opened)
                                   : Carrier::Outcome::kDone;
    if (outcome == Carrier::Outcome::kAgain) {
      repay(*tracee);
      if (turn < kMostTurns) continue;
      result = -ELOOP;
      outcome = Carrier::Outcome::kDone;
    }
    bool owns = tracee->after && answered.proceeds;
    if (outcome == Carrier::Outcome::kOpened && owns)
      result = listener_.give(notice.id, opened.get(), carrier.closesOnExec(), false);
    if (owns && (outcome == Carrier::Outcome::kDone || outcome == Carrier::Outcome::kOpened)) {
      call.setResult(result);
      tracee->after(call);
      result = call.result();
      outcome = Carrier::Outcome::kDone;
    }
    break;
  }
  repay(*tracee);
  tracee->after = nullptr;
  tracee->changed = false;
  switch (outcome) {
    case Carrier::Outcome::kOpened:
      if (result = listener_.give(notice.id, opened.get(), carrier.closesOnExec(), true); result >= 0) return;
      return listener_.answer(notice.id, result);
    case Carrier::Outcome::kKernel:
      return listener_.letGo(notice.id);
    case Carrier::Outcome::kHandOver:
      return handOver(*tracee, notice.id);
    default:
      return listener_.answer(notice.id, result);
  }
}

/// The process is to make the call itself: it stops before it is back in its own code, and what the call returns is not seen.
void Tracer::handOver(Tracee& tracee, uint64_t id) {
  tracee.handedOver = request(PTRACE_INTERRUPT, tracee.tid, 0, 0) == 0;
  listener_.answer(id, -ENOSYS);
}

/// It has stopped for that. The call is made in the page, from which the filter lets it through, and watched.
void Tracer::takeOver(Tracee& tracee) {
  tracee.handedOver = false;
  Registers registers;
  if (!getRegisters(tracee.tid, registers)) return;
  tracee.saved = registers;
  tracee.changed = false;
  tracee.after = nullptr;
  lendTo(&tracee, state_.uid);
  Call call(state_, tracee, registers);
  Answer result = answer(call, true);
  if (result.proceeds) {
    registers.setResult(registers.number());
    registers.setIp(kRegion);
    tracee.inStub = tracee.inPage = tracee.inCall = true;
  } else {
    repay(tracee);
    tracee.after = nullptr;
    registers = tracee.saved;
    registers.setResult(result.value);
  }
  tracee.changed = false;
  // It is no call any more that could be made again.
  registers.setNumber(-1);
  setRegisters(tracee.tid, registers);
}

/// At the two ends of that call. Whether it was one.
bool Tracer::passOwn(Tracee& tracee) {
  if (!tracee.inPage) return false;
  Registers registers;
  if (!getRegisters(tracee.tid, registers)) return true;
  if (tracee.inStub) {
    // Its start. From here on no handler of the guest's runs before the end.
    tracee.inStub = false;
  } else {
    tracee.inPage = tracee.inCall = false;
    Call call(state_, tracee, registers);
    if (tracee.after) tracee.after(call);
    tracee.after = nullptr;
    repay(tracee);
    long result = registers.result();
    registers = tracee.saved;
    registers.setResult(result);
    setRegisters(tracee.tid, registers);
  }
  resume(tracee);
  return true;
}

}  // namespace ptrace

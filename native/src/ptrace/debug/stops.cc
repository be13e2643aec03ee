// The stops of a tracee that another process of the guest traces: it is held at them until that lets it go.
#include <linux/sched.h>

#include "ptrace/compat.hh"
#include "ptrace/exec.hh"
#include "ptrace/request.hh"
#include "ptrace/tracer.hh"

namespace ptrace {

namespace {

constexpr int kTrapOfCall = SIGTRAP | 0x80;

/// What is told of a call, if calls are told apart from signals.
int callStop(const Traced& traced) { return traced.options & PTRACE_O_TRACESYSGOOD ? kTrapOfCall : SIGTRAP; }

/// Whether the next instruction makes a call: steps over it are none that a filter would have to tell us of.
bool isAtCall(const Tracee& tracee) {
  unsigned char code[15];
  Registers registers;
  if (!getRegisters(tracee.tid, registers)) return false;
  size_t size = 0;
  while (size < sizeof code && readMemory(tracee.tid, registers.ip() + size, code + size, 1)) {
    unsigned char last = code[size++];
    if (size >= 2) {
      unsigned char before = code[size - 2];
      // syscall, sysenter, int 0x80
      if ((before == 0x0f && (last == 0x05 || last == 0x34)) || (before == 0xcd && last == 0x80)) return true;
    }
    bool prefix = (last & 0xf0) == 0x40 || last == 0x66 || last == 0x67 || last == 0xf2 || last == 0xf3 ||
                  last == 0x2e || last == 0x36 || last == 0x3e || last == 0x26 || last == 0x64 || last == 0x65;
    if (!prefix && !(last == 0x0f || last == 0xcd)) return false;
  }
  return false;
}

}  // namespace

void setKernelOptions(const State& state, const Tracee& tracee) {
  tracee.traced->fresh = false;
  constexpr uint32_t kMore = PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE;
  request(PTRACE_SETOPTIONS, tracee.tid, 0, state.kernelOptions | (tracee.traced->options & kMore));
}

void Tracer::hold(Tracee& tracee, Point point, int code, uint64_t message) {
  Traced& traced = *tracee.traced;
  if (killing_) return go(tracee, PTRACE_CONT, 0);
  traced.point = point;
  traced.status = code << 8 | 0x7f;
  traced.news = true;
  traced.message = message;
  traced.made = false;
  tellTracer(state_, traced);
}

/// The same where the kernel has no signal to show for it.
void Tracer::holdWith(Tracee& tracee, Point point, int signal, int code) {
  Traced& traced = *tracee.traced;
  hold(tracee, point, signal);
  traced.made = true;
  traced.info = {};
  traced.info.number = signal;
  traced.info.code = code;
}

/// An event of a call: whether its tracer is told of it.
bool Tracer::holdAtEvent(Tracee& tracee, int event, uint64_t message) {
  const Traced* traced = tracee.traced;
  if (!traced || !(traced->options & 1u << event)) return false;
  hold(tracee, event == PTRACE_EVENT_SECCOMP && !tracee.inCall ? Point::kFilter : Point::kEvent, SIGTRAP | event << 8,
       message);
  return true;
}

/// A call of the engine's own code in the process, which was on its way when that came to be traced: it is made, and not told.
bool Tracer::passPage(Tracee& tracee) {
  Registers registers;
  if (!state_.traces || !getRegisters(tracee.tid, registers)) return false;
  if (registers.ip() < kRegion || registers.ip() >= kRegion + kCodeSize) return false;
  tracee.inCall = tracee.byEngine = true;
  resume(tracee);
  return true;
}

/// The end of a call.
void Tracer::endCall(Tracee& tracee) {
  constexpr int kTrapOfStep = 2;  // TRAP_TRACE
  const Traced* traced = tracee.byEngine ? nullptr : tracee.traced;
  tracee.byEngine = false;
  if (traced && traced->pace == Pace::kCalls) return hold(tracee, Point::kLeave, callStop(*traced), kLeaves);
  if (traced && traced->pace == Pace::kSteps) return holdWith(tracee, Point::kLeave, SIGTRAP, kTrapOfStep);
  resume(tracee);
}

/// The beginning of a call, of which its tracer hears before anything is done. False where it does not want to.
bool Tracer::holdAtCall(Tracee& tracee) {
  const Traced* traced = tracee.traced;
  if (!traced || traced->pace != Pace::kCalls || tracee.sleeps) return false;
  hold(tracee, Point::kEnter, callStop(*traced), kEnters);
  return true;
}

/// A stop that no signal is the reason of, or that of the whole process.
bool Tracer::holdAtTrap(Tracee& tracee, int signal, bool group) {
  Traced* traced = tracee.traced;
  if (!traced) return false;
  leaveStub(tracee);
  constexpr int kEvent = PTRACE_EVENT_STOP << 8;
  if (group) {
    traced->interrupted = traced->listens = false;
    hold(tracee, Point::kGroup, traced->seized ? signal | kEvent : signal);
    return true;
  }
  if (!traced->interrupted && !traced->listens) return false;
  traced->interrupted = traced->listens = false;
  hold(tracee, Point::kTrap, SIGTRAP | kEvent);
  return true;
}

/// The first stop of a child: its maker's tracer may be its own, too.
bool Tracer::holdAtFirst(Tracee& tracee) {
  Traced& traced = *tracee.traced;
  if (!traced.born) return holdAtTrap(tracee, SIGTRAP, false);
  traced.born = false;
  if (traced.seized)
    hold(tracee, Point::kFirst, SIGTRAP | PTRACE_EVENT_STOP << 8);
  else
    holdWith(tracee, Point::kFirst, SIGSTOP, 0);
  return true;
}

/// Whether the tracer of `maker` is that of its new child, too.
void Tracer::inheritTracer(Tracee& child, const Tracee& maker, int event, uint64_t flags) {
  const Traced* traced = maker.traced;
  if (!traced || flags & CLONE_UNTRACED || !(traced->options & 1u << event || flags & CLONE_PTRACE)) return;
  if (Traced* born = state_.guestTracers.begin(state_, child, traced->tracer, traced->seized, traced->options))
    born->born = true;
}

/// A program has been loaded: the stops of its exec, one after the other.
void Tracer::tellExec(Tracee& tracee) {
  Traced& traced = *tracee.traced;
  auto takes = [&](unsigned stop) {
    bool is = traced.execStops & stop;
    traced.execStops &= ~stop;
    return is;
  };
  if (traced.delayed) {
    traced.delayed = false;
    sys::invoke(__NR_tgkill, tracee.process, tracee.tid, SIGSTOP);
  }
  bool event = takes(kExecEvent);
  Registers registers;
  if (getRegisters(tracee.tid, registers)) {
    // As within the call, and at its end.
    registers.setNumber(registers.narrow() ? kCompatExecve : __NR_execve);
    registers.setResult(event ? -ENOSYS : 0);
    setRegisters(tracee.tid, registers);
  }
  if (event) return hold(tracee, Point::kEvent, SIGTRAP | PTRACE_EVENT_EXEC << 8, traced.message);
  if (takes(kExecLeave) && traced.pace != Pace::kFree) return endCall(tracee);
  if (takes(kExecTrap)) return holdWith(tracee, Point::kLeave, SIGTRAP, 0);
  if (traced.interrupted) return void(holdAtTrap(tracee, SIGTRAP, false));
  resume(tracee);
}

void Tracer::startExec(Tracee& tracee, int former) {
  Traced& traced = *tracee.traced;
  bool event = traced.options & PTRACE_O_TRACEEXEC;
  traced.message = static_cast<uint64_t>(former);
  traced.execStops = kExecLeave | (event ? kExecEvent : traced.seized ? 0u : kExecTrap);
}

/// Its tracer lets it go: what was left to be done is done now.
void Tracer::release(Tracee& tracee) {
  Traced traced = *tracee.traced;
  tracee.traced->point = Point::kRuns;
  tracee.traced->news = false;
  if (traced.leaves) state_.guestTracers.end(tracee);
  // Where the kernel does not stand at a signal it would not take one.
  if (traced.signal && (traced.made || traced.point == Point::kEnter)) {
    sys::invoke(__NR_tgkill, tracee.process, tracee.tid, traced.signal);
    traced.signal = 0;
  }
  if (tracee.traced && traced.execStops) return tellExec(tracee);
  switch (traced.point) {
    case Point::kEnter:
      return enter(tracee, false);
    case Point::kFilter:
      return enter(tracee, true);
    case Point::kGroup:
      return traced.listens || traced.leaves ? listen(tracee) : resume(tracee);
    case Point::kTrap:
      return traced.listens ? listen(tracee) : resume(tracee);
    case Point::kEvent:
      if (callStops(tracee)) tracee.inCall = true;
      return resume(tracee);
    case Point::kSignal:
      return resume(tracee, isShielded(tracee, traced.signal) ? 0 : traced.signal);
    default:
      return resume(tracee, traced.signal);
  }
}

/// One instruction.
void Tracer::step(Tracee& tracee, int signal) {
  bool call = !isTold(tracee) && (!signal || !handles(tracee.process, signal)) && isAtCall(tracee);
  go(tracee, call ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, signal);
}

/// A tracee is gone: its tracer hears of it, unless the kernel tells it as the parent.
void Tracer::tellGone(Tracee& tracee, int status) {
  Traced& traced = *tracee.traced;
  const Tracee* parent = state_.tracees.anyOf(tracee.parent);
  bool isChild = tracee.tid == tracee.process && traced.tracer == (parent ? parent->process : state_.view.first());
  if (isChild || killing_) return state_.guestTracers.end(tracee);
  traced.dead = true;
  traced.status = status;
  traced.news = true;
  traced.point = Point::kRuns;
  tracee.traced = nullptr;
  tellTracer(state_, traced);
}

/// A tracer is gone: its tracees go on without, or are killed.
void Tracer::freeTracees(int process) {
  state_.guestTracers.each([&](Traced& one) {
    if (one.tracer != process) return;
    Tracee* tracee = state_.tracees.find(one.tid);
    if (one.dead || !tracee || tracee->traced != &one) return state_.guestTracers.drop(one);
    if (one.options & PTRACE_O_EXITKILL) sys::kill(tracee->process, SIGKILL);
    if (one.point == Point::kRuns) return state_.guestTracers.end(*tracee);
    one.pace = Pace::kFree;
    one.leaves = true;
    // A signal of which it has not heard is delivered.
    one.signal = one.point == Point::kSignal && one.news ? one.status >> 8 & 0xff : 0;
    release(*tracee);
  });
}

}  // namespace ptrace

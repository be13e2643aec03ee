// ptrace(2) of the guest: who traces whom, and from when to when.
#include "ptrace/debug/data.hh"
#include "ptrace/debug/traced.hh"
#include "ptrace/procfs.hh"
#include "ptrace/request.hh"
#include "ptrace/table.hh"

namespace ptrace {

namespace {

constexpr uint64_t kPlainOptions = 0x7f | PTRACE_O_EXITKILL;

bool sendToThread(const Tracee& to, int signal) { return sys::invoke(__NR_tgkill, to.process, to.tid, signal) == 0; }

/// 0 or -errno.
long checkOptions(const State& state, uint64_t options) {
  // Where the kernel tells us of calls by a filter, it tells of the guest's filters, too.
  uint64_t known = kPlainOptions | (state.traces ? PTRACE_O_TRACESECCOMP : 0);
  return options & ~known ? -EINVAL : 0;
}

long traceMe(Call& call) {
  Tracee& tracee = call.tracee;
  State& state = call.state;
  if (tracee.traced) return -EPERM;
  int first = state.view.first();
  if (tracee.process == first) return -EPERM;
  const Tracee* parent = state.tracees.anyOf(tracee.parent);
  return state.guestTracers.begin(state, tracee, parent ? parent->process : first, false, 0) ? 0 : -ENOMEM;
}

long attach(Call& call, int number, bool seizes, uint64_t address, uint64_t options) {
  State& state = call.state;
  int tid = number == 1 ? state.view.first() : number;
  Tracee* target = state.tracees.find(tid);
  if (seizes) {
    if (address || checkOptions(state, options) < 0) return -EIO;
  } else {
    options = 0;
  }
  if (!target || !target->known) return -ESRCH;
  if (target->traced || target->process == call.tracee.process || !mayTrace(state, call.tracee, *target)) return -EPERM;
  Traced* traced =
      state.guestTracers.begin(state, *target, call.tracee.process, seizes, static_cast<uint32_t>(options));
  if (!traced) return -ENOMEM;
  traced->fresh = true;
  // What it has of the engine's in its registers goes at its next stop. Who is stopped with its process says so again.
  if (seizes || target->halted)
    request(PTRACE_INTERRUPT, tid, 0, 0);
  else
    sendToThread(*target, SIGSTOP);
  return 0;
}

/// Lets it go.
long release(Call& call, Tracee& target, Pace pace, uint64_t signal) {
  constexpr uint64_t kMostSignals = 64;
  if (signal > kMostSignals) return -EIO;
  Traced& traced = *target.traced;
  traced.pace = pace;
  traced.signal = static_cast<int>(signal);
  traced.listens = false;
  call.state.guestTracers.released = &target;
  return 0;
}

}  // namespace

Answer traceProcess(Call& call, unsigned) {
  State& state = call.state;
  auto what = static_cast<long>(call.argument(0));
  int number = call.number(1);
  uint64_t address = call.argument(2), data = call.argument(3);
  // To wake who waits for a tracee there has to be PTRACE_INTERRUPT (3.4).
  if (!state.interrupts) return Answer::give(-EPERM);
  if (what == PTRACE_TRACEME) return Answer::give(traceMe(call));
  if (what == PTRACE_ATTACH || what == PTRACE_SEIZE)
    return Answer::give(attach(call, number, what == PTRACE_SEIZE, address, data));
  Tracee* target = state.tracees.find(number == 1 ? state.view.first() : number);
  if (!target || !target->traced || target->traced->tracer != call.tracee.process) return Answer::give(-ESRCH);
  Traced& traced = *target->traced;
  if (what == PTRACE_KILL) {
    sys::kill(target->process, SIGKILL);
    return Answer::give(0);
  }
  if (what == PTRACE_INTERRUPT) {
    if (!traced.seized) return Answer::give(-EIO);
    traced.interrupted = true;
    request(PTRACE_INTERRUPT, target->tid, 0, 0);
    return Answer::give(0);
  }
  if (traced.point == Point::kRuns) return Answer::give(-ESRCH);
  switch (what) {
    case PTRACE_CONT:
      return Answer::give(release(call, *target, Pace::kFree, data));
    case PTRACE_SYSCALL:
      return Answer::give(release(call, *target, Pace::kCalls, data));
    case PTRACE_SINGLESTEP:
      return Answer::give(release(call, *target, Pace::kSteps, data));
    case PTRACE_LISTEN:
      if (!traced.seized || (traced.point != Point::kGroup && traced.point != Point::kTrap)) return Answer::give(-EIO);
      release(call, *target, Pace::kFree, 0);
      traced.listens = true;
      return Answer::give(0);
    case PTRACE_DETACH:
      if (long error = release(call, *target, Pace::kFree, data); error < 0) return Answer::give(error);
      traced.leaves = true;
      return Answer::give(0);
    case PTRACE_SETOPTIONS:
      if (long error = checkOptions(state, data); error < 0) return Answer::give(error);
      traced.options = static_cast<uint32_t>(data);
      setKernelOptions(state, *target);
      return Answer::give(0);
    default:
      return Answer::give(serveData(call, *target, what, address, data));
  }
}

/// process_vm_readv(2) and process_vm_writev(2): between processes of the guest the kernel does it.
Answer useMemory(Call& call, unsigned) {
  State& state = call.state;
  int number = call.number(0), process = processOf(number);
  Tracee* target = state.tracees.find(process);
  if (!target) return Answer::give(-ESRCH);
  if (target->process != call.tracee.process && !mayTrace(state, call.tracee, *target)) return Answer::give(-EPERM);
  if (process != number) call.setArgument(0, static_cast<uint64_t>(process));
  return Answer::proceed();
}

}  // namespace ptrace

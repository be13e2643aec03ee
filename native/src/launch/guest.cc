#include "launch/guest.hh"

#include "launch/stub.hh"
#include "ptrace/tracer.hh"

namespace {

[[noreturn]] void fail(Context& context, int step, long error) {
  GuestReport report{GuestMessage::kFailed, step, static_cast<int32_t>(-error), {}};
  memcpy(report.text, context.about.c_str(), context.about.size() + 1);
  // Where a filter that is in force refuses sendmsg(2).
  if (sys::sendMessage(context.toMonitor, &report, sizeof report) < 0)
    sys::invoke(__NR_write, context.toMonitor, &report, sizeof report);
  sys::exit(1);
}

/// Gives the payload the descriptors of the service manager under the numbers where sd_listen_fds(3) looks for them, and
/// no other one.
long arrangeDescriptors(Context& context) {
  int count = static_cast<int>(context.plan.header().listen), first = wire::kFirstHandedFd + context.kept();
  constexpr int kStart = 3;
  if (count > 0 && context.toMonitor < first + count) {
    long moved = sys::fcntl(context.toMonitor, F_DUPFD_CLOEXEC, first + count);
    if (moved < 0) return moved;
    context.toMonitor = static_cast<int>(moved);
  }
  // In ascending order none is overwritten before it has been copied: they only move down.
  for (int i = 0; i < count; i++)
    if (long error = sys::invoke(__NR_dup3, first + i, kStart + i, 0); error < 0) return error;
  // Descriptors that were open in the launcher without close-on-exec (CVE-2024-21626). The socket to the monitor closes with
  // them, at the exec: that is how the monitor knows that it succeeded.
  sys::closeOnExecFrom(static_cast<unsigned>(kStart + count));
  return 0;
}

/// All that is left to do for the exec but the exec itself.
long prepareExec(Context& context) {
  if (long error = arrangeDescriptors(context); error < 0) return error;
  // For a stub they stay blocked, and wait, until it takes them.
  if (!context.plan.header().stub) sys::resetSignals();
  GuestReport ready{GuestMessage::kExecuting, 0, 0, {}};
  sys::sendMessage(context.toMonitor, &ready, sizeof ready);
  return 0;
}

[[noreturn]] void runGuest(Context& context) {
  char go;
  // Nothing to read means that the monitor has gone: its PID namespace takes this process along.
  if (sys::receiveMessage(context.toMonitor, &go, 1).size != 1) sys::exit(1);
  if (long error = ptrace::becomeTracee(context.plan); error < 0) fail(context, -1, error);
  const wire::Header& header = context.plan.header();
  const wire::Step* steps = context.plan.inner();
  int last = static_cast<int>(header.innerCount) - 1;
  bool filtered = false;
  for (int i = 0; i < last; i++) {
    // What follows may be refused by a filter: it is done before the first one is in force.
    if (steps[i].op == wire::Op::kSeccomp && !filtered) {
      if (long error = prepareExec(context); error < 0) fail(context, last, error);
      filtered = true;
    }
    if (long error = runStep(context, steps[i]); error < 0) fail(context, i, error);
  }
  if (!filtered)
    if (long error = prepareExec(context); error < 0) fail(context, last, error);

  if (header.stub) {
    // The stub is not the payload's to look into (startFakeRoot() has opened it).
    sys::prctl(PR_SET_DUMPABLE, 0);
    long payload = sys::forkProcess();
    if (payload < 0) fail(context, last, payload);
    if (payload > 0) runStub(context, payload);
    // A session of its own: only the leader of one can have the terminal.
    sys::setsid();
    if (header.console != wire::Console::kPipe) sys::ioctl(0, TIOCSCTTY, 0L);
    sys::resetSignals();
  }
  fail(context, last, runStep(context, steps[last]));
}

long cloneInto(unsigned long flags, int cgroup) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    // Born in its cgroup (5.7): moving a process there later waits for a grace period of the whole system, milliseconds.
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
  }
  long pid = sys::invoke(__NR_clone3, &arguments, sizeof arguments);
  // Filters of other containers hide clone3; clone(2) makes the same namespaces, but in the caller's cgroup.
  if (pid == -ENOSYS && cgroup < 0) pid = sys::invoke(__NR_clone, flags | SIGCHLD, 0, 0, 0, 0);
  return pid;
}

}  // namespace

long cloneGuest(Context& context, int cgroup, int* channel) {
  int ends[2];
  if (long error = sys::socketPair(ends); error < 0) return error;
  long pid = cloneInto(context.plan.header().cloneGuest, cgroup);
  if (pid == 0) {
    sys::close(ends[0]);
    context.toMonitor = ends[1];
    sys::close(wire::kEventsFd);
    sys::close(wire::kLockFd);
    for (int i = 0; i < context.kept(); i++) sys::close(wire::kFirstHandedFd + i);
    runGuest(context);
  }
  sys::close(ends[1]);
  if (pid < 0) {
    sys::close(ends[0]);
    return pid;
  }
  *channel = ends[0];
  return pid;
}

long letGuestGo(int channel) {
  char go = 1;
  long sent = sys::sendMessage(channel, &go, 1);
  return sent < 0 ? sent : 0;
}

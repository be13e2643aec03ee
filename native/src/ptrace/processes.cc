// Processes of the guest: they reach each other and none of the host's, and the payload is PID 1 to them.
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "ptrace/accelerate/page.hh"
#include "ptrace/procfs.hh"
#include "ptrace/table.hh"

namespace ptrace {

namespace {

/// Sends a signal to every process of the guest but the first and the sender: what kill(-1) means in a container.
long sendToAll(Call& call, int signal) {
  bool any = false;
  call.state.tracees.each([&](Tracee& tracee) {
    bool leader = tracee.tid == tracee.process;
    if (!leader || tracee.process == call.state.view.first() || tracee.process == call.tracee.process) return;
    any |= sys::kill(tracee.process, signal) == 0;
  });
  return any ? 0 : -ESRCH;
}

/// Whether a process of the guest is in this group.
bool hasGroup(Call& call, int group) {
  bool found = false;
  call.state.tracees.each([&](Tracee& tracee) {
    if (!found && tracee.tid == tracee.process) found = sys::invoke(__NR_getpgid, tracee.process) == group;
  });
  return found;
}

}  // namespace

/// Whether a fake user may send a signal to another process: kill(2).
bool maySend(Call& call, int process) {
  const Tracee* target = call.state.tracees.anyOf(process);
  if (!call.state.fakeIds || !target || call.privileged()) return true;
  const fakeroot::Four &mine = call.identity().user, &theirs = target->identity.user;
  return mine.real == theirs.real || mine.real == theirs.saved || mine.effective == theirs.real ||
         mine.effective == theirs.saved;
}

/// sched_getaffinity(2), and with kChange sched_setaffinity(2): about the processors that the guest knows of.
Answer freeAffinity(Call& call, unsigned form) {
  call.state.pair.part();
  int number = call.number(0);
  Tracee* tracee = number ? call.state.tracees.find(number) : &call.tracee;
  // From here on what it makes is bound as it is.
  if (form & kChange && tracee) tracee->bound = false;
  return Answer::proceed();
}

/// kill(2), rt_sigqueueinfo(2), and with kFile pidfd_open(2).
Answer send(Call& call, unsigned form) {
  int number = call.number(0);
  bool signals = form == kPath;
  if (number > 0) {
    int process = processOf(number);
    if (!process) return Answer::give(-ESRCH);
    if (signals && !maySend(call, process)) return Answer::give(-EPERM);
    if (process != number) call.setArgument(0, static_cast<uint64_t>(process));
    return Answer::proceed();
  }
  if (!signals || number == 0) return Answer::proceed();
  if (number == -1) return Answer::give(sendToAll(call, call.number(1)));
  int group = -number == 1 ? call.state.view.first() : -number;
  if (!hasGroup(call, group)) return Answer::give(-ESRCH);
  if (group != -number) call.setArgument(0, static_cast<uint64_t>(static_cast<int64_t>(-group)));
  return Answer::proceed();
}

Answer sendToThread(Call& call, unsigned form) {
  for (int n = 0; n <= (form == kAt ? 1 : 0); n++) {
    int number = call.number(n), process = processOf(number);
    if (number <= 0) return Answer::proceed();
    if (!process) return Answer::give(-ESRCH);
    if (process != number) call.setArgument(n, static_cast<uint64_t>(process));
  }
  return Answer::proceed();
}

Answer ownNumber(Call& call, unsigned) {
  return call.tracee.process == call.state.view.first() ? Answer::give(1) : Answer::proceed();
}

Answer parentNumber(Call& call, unsigned) {
  int first = call.state.view.first();
  if (call.tracee.process == first) return Answer::give(0);
  int parent = call.tracee.parent;
  // Whose parent has ended is a child of the first one.
  const Tracee* known = call.state.tracees.anyOf(parent);
  return Answer::give(!known || parent == first ? 1 : parent);
}

/// clone(2) with flags that would take the child out of reach: it is made without the one, and not at all with the others.
/// `form`: vfork(2), which is one with flags.
Answer makeProcess(Call& call, unsigned form) {
  if (form) return Answer::proceed();
  constexpr uint64_t kNamespaces =
      CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  uint64_t flags = call.argument(0);
  if (flags & kNamespaces) return Answer::give(-EPERM);
  if (flags & CLONE_UNTRACED) call.setArgument(0, flags & ~uint64_t{CLONE_UNTRACED});
  return Answer::proceed();
}

/// unshare(2): what a namespace of mounts or names would keep apart is not shared with the host anyway.
Answer leaveNamespace(Call& call, unsigned) {
  constexpr uint64_t kHarmless = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
  constexpr uint64_t kOther = CLONE_NEWCGROUP | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  uint64_t flags = call.argument(0);
  if (flags & kOther) return Answer::give(-EPERM);
  if (flags & CLONE_FS && !call.state.tracees.reroot(call.tracee, Path(call.tracee.root->path).c_str()))
    return Answer::give(-ENOMEM);
  if (!(flags & kHarmless)) return Answer::proceed();
  if (!call.privileged()) return Answer::give(-EPERM);
  call.setArgument(0, flags & ~kHarmless);
  return Answer::proceed();
}

/// seccomp(2).
Answer loadFilter(Call& call, unsigned form) {
  constexpr uint64_t kMode = 1;  // SECCOMP_SET_MODE_FILTER
  if (!form && call.argument(0) == SECCOMP_SET_MODE_STRICT && !call.argument(1) && !call.argument(2))
    return becomeStrict(call, 0);
  if (!form && call.argument(0) != kMode) return Answer::proceed();
  if (!call.privileged() && !call.tracee.noNewPrivileges) return Answer::give(-EACCES);
  call.state.guestFilters = call.tracee.filtered = true;
  useFastPath(call.state, call.tracee, false);
  return Answer::proceed();
}

/// prctl(2).
Answer control(Call& call, unsigned) {
  Tracee& tracee = call.tracee;
  switch (call.number(0)) {
    case PR_SET_DUMPABLE:
      // A process that is not dumpable could not be looked into any more; who asks is told what was said.
      if (call.argument(1) > 1) return Answer::give(-EINVAL);
      tracee.dumpable = call.argument(1) != 0;
      return Answer::give(0);
    case PR_GET_DUMPABLE:
      return Answer::give(tracee.dumpable ? 1 : 0);
    case PR_SET_NO_NEW_PRIVS:
      if (call.argument(1) != 1) return Answer::proceed();
      tracee.noNewPrivileges = true;
      return Answer::give(0);
    case PR_GET_NO_NEW_PRIVS:
      return Answer::give(tracee.noNewPrivileges ? 1 : 0);
    case PR_CAPBSET_READ:
      return Answer::give(call.argument(1) <= 40 ? 1 : -EINVAL);
    case PR_CAPBSET_DROP:
      return call.state.fakeIds ? Answer::give(call.privileged() ? 0 : -EPERM) : Answer::proceed();
    case PR_SET_KEEPCAPS:
    case PR_SET_SECUREBITS:
      return call.state.fakeIds ? keepPowers(call) : Answer::proceed();
    case PR_GET_KEEPCAPS:
      return call.state.fakeIds ? Answer::give(call.identity().keeps) : Answer::proceed();
    case PR_CAP_AMBIENT:
      return call.state.fakeIds ? Answer::give(0) : Answer::proceed();
    case PR_SET_SECCOMP:
      if (call.argument(1) == SECCOMP_MODE_STRICT) return becomeStrict(call, 1);
      return call.argument(1) == SECCOMP_MODE_FILTER ? loadFilter(call, 1) : Answer::proceed();
    case PR_GET_SECCOMP:
      return call.state.traces ? Answer::give(call.tracee.filtered ? 2 : 0) : Answer::proceed();
    case PR_SET_CHILD_SUBREAPER:
      // Orphans go to the first process in any case.
      return Answer::proceed();
    default:
      return Answer::proceed();
  }
}

}  // namespace ptrace

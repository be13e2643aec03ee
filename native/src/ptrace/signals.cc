// A signal before it reaches a process of the guest: who has sent it.
#include "ptrace/call.hh"
#include "ptrace/debug/traced.hh"
#include "ptrace/request.hh"

namespace ptrace {

void showSender(State& state, int tid, int signal) {
  constexpr int kUser = 0, kThread = -6;  // SI_USER, SI_TKILL
  SignalInfo info{};
  if (request(PTRACE_GETSIGINFO, tid, 0, &info) < 0) return;
  // What the kernel says of the sender; in sigqueue(3) the sender has spoken for itself.
  if (info.code != kUser && info.code != kThread && !(signal == SIGCHLD && info.code > 0)) return;
  SignalInfo shown = info;
  if (state.fakeIds) {
    const Tracee* sender = state.tracees.anyOf(info.process);
    shown.user = sender ? sender->identity.user.real : info.user == state.uid ? 0 : info.user;
  }
  shown.process = static_cast<int>(state.view.numberOf(info.process));
  if (shown.user != info.user || shown.process != info.process) request(PTRACE_SETSIGINFO, tid, 0, &shown);
}

}  // namespace ptrace

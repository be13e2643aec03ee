// Sockets: the calls with an address, and whose socket it is.
#include "ptrace/addresses.hh"
#include "ptrace/messages.hh"
#include "ptrace/table.hh"

namespace ptrace {

namespace {

/// The guest's name in the place of the host's.
void showLater(Call& call) {
  if (call.result() < 0) return;
  const uint64_t* notes = call.tracee.notes;
  showName(call, notes[0], notes[1], static_cast<uint32_t>(notes[2]));
}

/// The fake ids of the process at the other end.
void showPeerIds(Call& call) {
  sys::Credentials peer;
  if (call.result() < 0 || !call.read(call.tracee.notes[0], &peer, sizeof peer)) return;
  showCredentials(call, peer, true);
  call.write(call.tracee.notes[0], &peer, sizeof peer);
}

}  // namespace

/// bind(2) and connect(2).
Answer useAddress(Call& call, unsigned form) {
  uint64_t at = call.argument(1), size = call.argument(2);
  if (long error = mapPort(call, at, size, form == kChange); error <= 0) {
    if (error < 0) return Answer::give(error);
    call.setArgument(1, at);
    return Answer::proceed();
  }
  if (long error = translateAddress(call, at, size, form == kChange); error < 0)
    return Answer::give(error == -EEXIST ? -EADDRINUSE : error);
  if (at == call.argument(1)) return Answer::proceed();
  call.setArgument(1, at);
  call.setArgument(2, size);
  return Answer::proceed();
}

/// sendto(2).
Answer sendTo(Call& call, unsigned) {
  uint64_t at = call.argument(4), size = call.argument(5);
  if (!at) return Answer::proceed();
  if (long error = translateAddress(call, at, size, false); error < 0) return Answer::give(error);
  if (at == call.argument(4)) return Answer::proceed();
  call.setArgument(4, at);
  call.setArgument(5, size);
  return Answer::proceed();
}

/// getsockname(2), getpeername(2), accept(2) and accept4(2); with `form` recvfrom(2).
Answer showAddress(Call& call, unsigned form) {
  int n = form ? 4 : 1;
  uint32_t room = 0;
  if (!call.argument(n) || !call.read(call.argument(n + 1), &room, sizeof room)) return Answer::proceed();
  call.tracee.notes[0] = call.argument(n);
  call.tracee.notes[1] = call.argument(n + 1);
  call.tracee.notes[2] = room;
  call.then(showLater);
  return Answer::proceed();
}

/// socket(2): there is no audit for a guest, and who is told so does without.
Answer openSocket(Call& call, unsigned) {
  constexpr int kNetlink = 16, kAudit = 9;  // AF_NETLINK, NETLINK_AUDIT
  bool audit = call.number(0) == kNetlink && call.number(2) == kAudit;
  return audit && call.state.fakeIds ? Answer::give(-EPROTONOSUPPORT) : Answer::proceed();
}

Answer showPeer(Call& call, unsigned) {
  if (call.number(1) != SOL_SOCKET || call.number(2) != SO_PEERCRED) return Answer::proceed();
  call.tracee.notes[0] = call.argument(3);
  call.then(showPeerIds);
  return Answer::proceed();
}

}  // namespace ptrace

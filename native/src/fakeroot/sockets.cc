// Who is at the other end of a local socket.
#include "fakeroot/call.hh"

namespace fakeroot {

/// connect(2) of a local socket: the other end may ask about this process when it is gone.
Answer noteConnection(Call& call, unsigned) {
  uint16_t family;
  if (call.read(call.argument(1), &family, sizeof family) && family == AF_UNIX)
    call.state.identities.note(call.group());
  return Answer::proceed();
}

/// getsockopt(2) SO_PEERCRED and SO_PEERGROUPS.
Answer showPeer(Call& call, unsigned) {
  if (call.number(1) != SOL_SOCKET) return Answer::proceed();
  sys::UniqueFd socket(call.take(call.number(0)));
  if (!socket.ok()) return Answer::proceed();
  sys::Credentials peer;
  uint32_t size = sizeof peer;
  if (sys::invoke(__NR_getsockopt, socket.get(), SOL_SOCKET, kPeerCredentials, &peer, &size) < 0 ||
      size != sizeof peer || peer.pid <= 0)
    return Answer::proceed();
  const Identity& identity = call.state.identities.ofPast(peer.pid);
  uint32_t room;
  if (!call.read(call.argument(4), &room, sizeof room) || !call.isValid()) return Answer::proceed();
  if (call.number(2) == static_cast<int>(kPeerGroups)) {
    auto needed = identity.groupCount * static_cast<uint32_t>(sizeof(uint32_t));
    if (!call.write(call.argument(4), &needed, sizeof needed)) return Answer::give(-EFAULT);
    if (room < needed) return Answer::give(-ERANGE);
    if (needed && !call.write(call.argument(3), identity.groups, needed)) return Answer::give(-EFAULT);
    return Answer::give(0);
  }
  peer.pid = call.numberOf(peer.pid);
  peer.uid = identity.user.effective;
  peer.gid = identity.group.effective;
  if (room > sizeof peer) room = sizeof peer;
  if (!call.write(call.argument(3), &peer, room) || !call.write(call.argument(4), &room, sizeof room))
    return Answer::give(-EFAULT);
  return Answer::give(0);
}

/// sendmsg(2) with SCM_CREDENTIALS: the kernel takes the ids that it knows, so those are put in their place.
Answer sendCredentials(Call& call, unsigned) {
  static char control[4096];
  uint64_t at, size;
  size_t header, unit;
  if (call.compat) {
    uint32_t fields[7];  // struct compat_msghdr
    if (!call.read(call.argument(1), fields, sizeof fields)) return Answer::proceed();
    at = fields[4], size = fields[5], header = 12, unit = 4;
  } else {
    sys::MessageHeader message;
    if (!call.read(call.argument(1), &message, sizeof message)) return Answer::proceed();
    at = reinterpret_cast<uint64_t>(message.control), size = message.controlSize, header = 16, unit = 8;
  }
  if (!at || size < header || size > sizeof control || !call.read(at, control, size)) return Answer::proceed();
  for (size_t i = 0; i + header <= size;) {
    uint64_t length = 0;
    int kind[2];
    memcpy(&length, control + i, unit);
    memcpy(kind, control + i + unit, sizeof kind);
    if (length < header || length > size - i) break;
    sys::Credentials sent;
    if (kind[0] == SOL_SOCKET && kind[1] == SCM_CREDENTIALS && length >= header + sizeof sent) {
      memcpy(&sent, control + i + header, sizeof sent);
      if ((sent.uid || sent.gid) && call.isValid()) {
        sent.uid = sent.gid = 0;
        call.write(at + i + header, &sent, sizeof sent);
      }
    }
    i += (length + unit - 1) & ~(unit - 1);
  }
  return Answer::proceed();
}

/// socketcall(2), by which older C libraries of 32-bit programs make all calls about sockets: the arguments lie in memory.
Answer socketCall(Call& call, unsigned) {
  constexpr int kMost = 5;
  uint32_t narrow[kMost]{};
  uint64_t wide[kMost];
  auto which = static_cast<uint32_t>(call.argument(0));
  // As many as the call has: what is behind them need not be there.
  size_t count = which == kGetOption ? 5 : 3;
  if (!call.read(call.argument(1), narrow, count * sizeof *narrow)) return Answer::proceed();
  for (int i = 0; i < kMost; i++) wide[i] = narrow[i];
  call.setArguments(wide);
  switch (which) {
    case kBind:
      return bindFor(call, 0);
    case kConnect:
      return noteConnection(call, 0);
    case kSendMessage:
      return sendCredentials(call, 0);
  }
  return wide[2] == kPeerCredentials || wide[2] == kPeerGroups ? showPeer(call, 0) : Answer::proceed();
}

}  // namespace fakeroot

// Who is at the other end of a local socket.
#include "fakeroot/call.hh"

namespace fakeroot {

namespace {

/// The end of the list of process ids of a process, one for each PID namespace from this one inwards.
struct Numbers {
  static constexpr unsigned kMost = 32;
  uint32_t list[kMost];
  unsigned count = 0;
};

Numbers numbersOf(const State&, long process) {
  Numbers numbers;
  sys::Text<40> path;
  path.add(process).add("/status");
  sys::UniqueFd file(sys::open(path.c_str(), O_RDONLY));
  char text[4096];
  long size = file.ok() ? sys::readAll(file.get(), text, sizeof text - 1) : 0;
  text[size < 0 ? 0 : size] = 0;
  for (const char* line = text; line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    if (!sys::startsWith(line, "NSpid:")) continue;
    const char* p = line + 6;
    while (*p && *p != '\n' && numbers.count < Numbers::kMost) {
      const char* first = ++p;  // behind the tabulator
      while (*p >= '0' && *p <= '9') p++;
      if (!sys::parseNumber(first, p, &numbers.list[numbers.count])) break;
      numbers.count++;
    }
    break;
  }
  return numbers;
}

/// The number that `process` has where the caller lives; 0 where it has none there.
int numberFor(const Call& call, long process) {
  const Numbers mine = numbersOf(call.state, call.thread), theirs = numbersOf(call.state, process);
  return mine.count > 0 && theirs.count >= mine.count ? static_cast<int>(theirs.list[mine.count - 1]) : 0;
}

}  // namespace

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
  peer.pid = numberFor(call, peer.pid);
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

}  // namespace fakeroot

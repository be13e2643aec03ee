// Addresses of local sockets, which are paths.
#include "ptrace/owned.hh"
#include "ptrace/procfs.hh"
#include "ptrace/table.hh"

namespace ptrace {

namespace {

constexpr size_t kPathRoom = sizeof(sockaddr_un::sun_path);

struct Address {
  sockaddr_un local;
  char end;
};

/// Where the longer name of the host does not fit, a link in the scratch directory leads there.
long shorten(State& state, const Path& host, bool makes, Path& shorter) {
  Path target = host;
  const char* name = "";
  if (makes) {
    size_t size = host.size();
    while (size > 1 && host.c_str()[size - 1] != '/') size--;
    name = host.c_str() + size;
    target = Path();
    target.add(host.c_str(), size > 1 ? size - 1 : 1);
  }
  shorter = state.scratch;
  shorter.add("/s").add(static_cast<int64_t>(state.tickets++));
  if (long error = sys::symlinkat(target.c_str(), AT_FDCWD, shorter.c_str()); error < 0) return error;
  if (makes) shorter.add("/").add(name);
  return shorter.size() < kPathRoom ? 0 : -ENAMETOOLONG;
}

constexpr uint16_t kInternet = 2, kInternet6 = 10;  // AF_INET, AF_INET6

/// Another port in an internet address of the guest's own machine. 0, -errno, or 1 where nothing is to change.
long mapPort(Call& call, uint64_t& at, uint64_t size, bool makes) {
  struct {
    uint16_t family;
    uint8_t port[2], rest[60];
  } address{};
  if (call.state.portCount == 0 || size < 8 || size > sizeof address) return 1;
  if (!call.read(at, &address, size)) return -EFAULT;
  if (address.family != kInternet && address.family != kInternet6) return 1;
  // The address is behind the port, or behind the flow label.
  bool loopback = address.family == kInternet ? address.rest[0] == 127 : address.rest[4 + 15] == 1 && !address.rest[4];
  if (!makes && !loopback) return 1;
  for (unsigned i = 0; i < call.state.portCount; i++) {
    const State::PortMap& map = call.state.ports[i];
    if ((address.port[0] << 8 | address.port[1]) != map.guest) continue;
    address.port[0] = static_cast<uint8_t>(map.host >> 8);
    address.port[1] = static_cast<uint8_t>(map.host);
    at = call.put(&address, size);
    return at ? 0 : -EFAULT;
  }
  return 1;
}

/// The guest's port in the place of the host's.
bool mapPortBack(Call& call, uint64_t at) {
  uint16_t family;
  uint8_t port[2];
  if (call.state.portCount == 0 || !call.read(at, &family, sizeof family) || !call.read(at + 2, port, sizeof port))
    return false;
  if (family != kInternet && family != kInternet6) return false;
  for (unsigned i = 0; i < call.state.portCount; i++) {
    const State::PortMap& map = call.state.ports[i];
    if ((port[0] << 8 | port[1]) != map.host) continue;
    port[0] = static_cast<uint8_t>(map.guest >> 8);
    port[1] = static_cast<uint8_t>(map.guest);
    return call.write(at + 2, port, sizeof port);
  }
  return true;
}

/// Puts the host's name in the place of the address at an argument. 0 or -errno.
long translate(Call& call, uint64_t& at, uint64_t& size, bool makes) {
  Address address{};
  if (size <= sizeof address.local.sun_family || size > sizeof address.local) return 0;
  if (!call.read(at, &address.local, size)) return -EFAULT;
  if (address.local.sun_family != AF_UNIX || !address.local.sun_path[0]) return 0;
  static Place place;
  if (long error = call.resolve(AT_FDCWD, address.local.sun_path, makes ? kNoFollow : kFollow | kMagic, place);
      error < 0)
    return error;
  if (makes && place.missing && place.rule->readOnly) return -EROFS;
  if (makes) ownLater(call, place, false);
  if (!place.changed) return 0;
  Path host = place.host;
  if (host.size() >= kPathRoom)
    if (long error = shorten(call.state, place.host, makes, host); error < 0) return error;
  Address other{};
  other.local.sun_family = AF_UNIX;
  memcpy(other.local.sun_path, host.c_str(), host.size() + 1);
  size = sizeof other.local.sun_family + host.size() + 1;
  at = call.put(&other, size);
  return at ? 0 : -EFAULT;
}

/// The guest's name in the place of the host's.
void translateBack(Call& call) {
  if (call.result() < 0) return;
  uint64_t at = call.tracee.notes[0], sizeAt = call.tracee.notes[1];
  auto room = static_cast<uint32_t>(call.tracee.notes[2]);
  uint32_t size;
  Address address{};
  if (mapPortBack(call, at)) return;
  if (!call.read(sizeAt, &size, sizeof size)) return;
  if (size <= sizeof address.local.sun_family || size > sizeof address.local || size > room) return;
  if (!call.read(at, &address.local, size)) return;
  if (address.local.sun_family != AF_UNIX || address.local.sun_path[0] != '/') return;
  Path host(address.local.sun_path), guest;
  // Through a link of the scratch directory.
  Path prefix = call.state.scratch;
  prefix.add("/s");
  if (sys::startsWith(host.c_str(), prefix.c_str())) {
    const char* rest = sys::find(host.c_str() + prefix.size(), '/');
    Path link;
    link.add(host.c_str(), rest ? static_cast<size_t>(rest - host.c_str()) : host.size());
    char target[4096];
    long length = sys::readlinkat(AT_FDCWD, link.c_str(), target, sizeof target - 1);
    if (length > 0) {
      target[length] = 0;
      Path whole(target);
      host = whole.add(rest ? rest : "");
    }
  }
  if (!call.state.view.show(host.c_str(), guest)) return;
  Address other{};
  other.local.sun_family = AF_UNIX;
  size_t length = guest.size() < kPathRoom ? guest.size() : kPathRoom;
  memcpy(other.local.sun_path, guest.c_str(), length);
  size = static_cast<uint32_t>(sizeof other.local.sun_family + length + (length < kPathRoom ? 1 : 0));
  call.write(at, &other, size < room ? size : room);
  call.write(sizeAt, &size, sizeof size);
}

/// The fake ids of the process at the other end.
void showPeerIds(Call& call) {
  sys::Credentials peer;
  if (call.result() < 0 || !call.read(call.tracee.notes[0], &peer, sizeof peer)) return;
  const Tracee* other = call.state.tracees.anyOf(peer.pid);
  peer.uid = other ? other->identity.user.effective : peer.uid == call.state.uid ? 0 : peer.uid;
  peer.gid = other ? other->identity.group.effective : peer.gid == call.state.gid ? 0 : peer.gid;
  if (peer.pid == call.state.view.first()) peer.pid = 1;
  call.write(call.tracee.notes[0], &peer, sizeof peer);
}

/// The address and the ids in one struct msghdr.
long translateMessage(Call& call, uint64_t at) {
  sys::MessageHeader message;
  if (!call.read(at, &message, sizeof message)) return -EFAULT;
  bool changed = false;
  if (message.name) {
    auto name = reinterpret_cast<uint64_t>(message.name);
    auto size = static_cast<uint64_t>(message.nameSize);
    if (long error = translate(call, name, size, false); error < 0) return error;
    changed = name != reinterpret_cast<uint64_t>(message.name);
    message.name = reinterpret_cast<void*>(name);
    message.nameSize = static_cast<int>(size);
  }
  static char control[4096];
  if (call.state.fakeIds && message.control && message.controlSize >= sizeof(sys::ControlHeader) &&
      message.controlSize <= sizeof control &&
      call.read(reinterpret_cast<uint64_t>(message.control), control, message.controlSize)) {
    bool ids = false;
    for (size_t i = 0; i + sizeof(sys::ControlHeader) <= message.controlSize;) {
      auto* header = reinterpret_cast<sys::ControlHeader*>(control + i);
      if (header->size < sizeof *header || header->size > message.controlSize - i) break;
      if (header->level == SOL_SOCKET && header->type == SCM_CREDENTIALS &&
          header->size >= sizeof *header + sizeof(sys::Credentials)) {
        // The kernel takes the ids that it knows.
        sys::Credentials sent;
        memcpy(&sent, header + 1, sizeof sent);
        sent.uid = call.state.uid;
        sent.gid = call.state.gid;
        // Root may speak for another process. The kernel does not let it here, so it is remembered.
        bool first = sent.pid == 1 || sent.pid == call.state.view.first();
        if (first && call.privileged()) call.state.spokesman = call.tracee.process;
        sent.pid = call.tracee.process;
        memcpy(header + 1, &sent, sizeof sent);
        ids = true;
      }
      i += (header->size + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1);
    }
    if (ids) {
      uint64_t copy = call.put(control, message.controlSize);
      if (!copy) return -EFAULT;
      message.control = reinterpret_cast<void*>(copy);
      changed = true;
    }
  }
  if (!changed) return 0;
  uint64_t copy = call.put(&message, sizeof message);
  if (!copy) return -EFAULT;
  call.setArgument(1, copy);
  return 0;
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
  if (long error = translate(call, at, size, form == kChange); error < 0)
    return Answer::give(error == -EEXIST ? -EADDRINUSE : error);
  if (at == call.argument(1)) return Answer::proceed();
  call.setArgument(1, at);
  call.setArgument(2, size);
  return Answer::proceed();
}

/// sendto(2), sendmsg(2), sendmmsg(2).
Answer sendMessage(Call& call, unsigned form) {
  if (form == kPath) {
    uint64_t at = call.argument(4), size = call.argument(5);
    if (!at) return Answer::proceed();
    if (long error = translate(call, at, size, false); error < 0) return Answer::give(error);
    if (at == call.argument(4)) return Answer::proceed();
    call.setArgument(4, at);
    call.setArgument(5, size);
    return Answer::proceed();
  }
  uint64_t before = call.argument(1);
  // Of several messages the first is looked at: names in them are rare.
  if (long error = translateMessage(call, before); error < 0 && error != -EFAULT) return Answer::give(error);
  if (form & kChange && call.argument(1) != before) {
    // One of them is sent, and the caller goes on with the next.
    call.setArgument(2, 1);
  }
  return Answer::proceed();
}

/// getsockname(2) and getpeername(2).
Answer showAddress(Call& call, unsigned) {
  uint32_t room = 0;
  if (!call.read(call.argument(2), &room, sizeof room)) return Answer::proceed();
  call.tracee.notes[0] = call.argument(1);
  call.tracee.notes[1] = call.argument(2);
  call.tracee.notes[2] = room;
  call.then(translateBack);
  return Answer::proceed();
}

/// socket(2): there is no audit for a guest, and who is told so does without.
Answer openSocket(Call& call, unsigned) {
  constexpr int kNetlink = 16, kAudit = 9;  // AF_NETLINK, NETLINK_AUDIT
  bool audit = call.number(0) == kNetlink && call.number(2) == kAudit;
  return audit && call.state.fakeIds ? Answer::give(-EPROTONOSUPPORT) : Answer::proceed();
}

Answer showPeer(Call& call, unsigned) {
  if (call.number(1) != SOL_SOCKET || !call.state.fakeIds || call.number(2) != 17) return Answer::proceed();
  call.tracee.notes[0] = call.argument(3);
  call.then(showPeerIds);
  return Answer::proceed();
}

}  // namespace ptrace

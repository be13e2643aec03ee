#include "net/relay.hh"

#include "net/address.hh"
#include "net/netlink.hh"

namespace net {

namespace {

constexpr int kStream = 1;  // SOCK_STREAM
/// MAX_PORTS of packages/core/src/view/network.ts, in two families.
constexpr unsigned kMaxListeners = 2 * 200;
/// Of TCP, at a time; the next ones wait in the kernel's queue.
constexpr unsigned kMaxConnections = 256;
/// Of UDP; the one that has been silent the longest makes room.
constexpr unsigned kMaxSessions = 64;

constexpr uint16_t kFamilies[] = {kInet, kInet6};

struct Listener {
  int fd;
  uint16_t family, guestPort, udp;
};

constexpr uint8_t kAny[16] = {};
constexpr uint8_t kLoopback4[] = {127, 0, 0, 1};
constexpr uint8_t kLoopback6[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

constexpr int kIpv4 = 0, kIpv6 = 41;                     // IPPROTO_IP, IPPROTO_IPV6
constexpr int kInfo4 = 8, kWantInfo6 = 49, kInfo6 = 50;  // IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO

/// Which of the host's addresses a datagram was sent to: in_pktinfo or in6_pktinfo, as it travels beside it. An answer from another
/// one would not be taken for one.
struct LocalAddress {
  uint8_t bytes[20] = {};
  unsigned size = 0;

  /// An answer may take another interface than the question, but not to an address of a link.
  void leaveInterface() {
    bool ofLink = size == 20 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    if (!ofLink) memset(bytes + (size == 20 ? 16 : 0), 0, 4);
  }
  bool operator==(const LocalAddress& other) const { return memcmp(bytes, other.bytes, sizeof bytes) == 0; }
};

/// Receives a datagram; its size, or -errno.
long receiveFrom(int socket, void* to, size_t size, SocketAddress* client, LocalAddress* local) {
  alignas(8) char control[128];
  sys::Iovec part{to, size};
  sys::MessageHeader message{client, sizeof *client, &part, 1, control, sizeof control, 0};
  long n = sys::invoke(__NR_recvmsg, socket, &message, 0);
  auto* header = reinterpret_cast<sys::ControlHeader*>(control);
  if (n < 0 || message.controlSize < sizeof *header) return n;
  bool v4 = header->level == kIpv4 && header->type == kInfo4, v6 = header->level == kIpv6 && header->type == kInfo6;
  if (!v4 && !v6) return n;
  local->size = v4 ? 12 : 20;
  memcpy(local->bytes, header + 1, local->size);
  local->leaveInterface();
  return n;
}

void sendTo(int socket, const void* from, size_t size, const SocketAddress& client, const LocalAddress& local) {
  alignas(8) char control[64] = {};
  sys::Iovec part{const_cast<void*>(from), size};
  sys::MessageHeader message{
      const_cast<SocketAddress*>(&client), static_cast<int>(client.size()), &part, 1, nullptr, 0, 0};
  if (local.size) {
    auto* header = reinterpret_cast<sys::ControlHeader*>(control);
    bool v4 = client.family == kInet;
    *header = {sizeof *header + local.size, v4 ? kIpv4 : kIpv6, v4 ? kInfo4 : kInfo6};
    memcpy(header + 1, local.bytes, local.size);
    message.control = control;
    message.controlSize = sizeof *header + ((local.size + 7u) & ~7u);
  }
  sys::invoke(__NR_sendmsg, socket, &message, MSG_NOSIGNAL);
}

/// A listening socket, or -errno.
long listenOn(const wire::Port& port, uint16_t family, bool all) {
  constexpr int kReuseAddress = 2, kIpv6Only = 26, kBacklog = 128;
  sys::UniqueFd socket(
      sys::invoke(__NR_socket, family, (port.udp ? SOCK_DGRAM : kStream) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.ok()) return socket.error();
  int on = 1;
  // Connections of a machine that has just ended are no hindrance. Not for UDP, where it would let two take the same port.
  if (!port.udp) sys::invoke(__NR_setsockopt, socket.get(), SOL_SOCKET, kReuseAddress, &on, sizeof on);
  if (family == kInet6) sys::invoke(__NR_setsockopt, socket.get(), kIpv6, kIpv6Only, &on, sizeof on);
  bool v4 = family == kInet;
  if (port.udp)
    sys::invoke(__NR_setsockopt, socket.get(), v4 ? kIpv4 : kIpv6, v4 ? kInfo4 : kWantInfo6, &on, sizeof on);
  SocketAddress address(family, all ? kAny : family == kInet ? kLoopback4 : kLoopback6, port.host);
  if (long error = sys::invoke(__NR_bind, socket.get(), &address, address.size()); error < 0) return error;
  if (!port.udp)
    if (long error = sys::invoke(__NR_listen, socket.get(), kBacklog); error < 0) return error;
  return socket.release();
}

/// The host has no such address: IPv6 is off, or its loopback interface down.
bool hasNoLoopback(long error) { return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL; }

/// A socket that is connected to the guest: at its address of the family, else at one of the other. -1: it has none.
int connectToGuest(uint16_t family, uint16_t port, int type) {
  sys::UniqueFd netlink(netlink::open());
  const uint16_t families[] = {family, family == kInet ? kInet6 : kInet};
  for (uint16_t tried : families) {
    GuestAddress guest = guestAddress(netlink.get(), tried);
    if (!guest.size) continue;
    sys::UniqueFd socket(sys::invoke(__NR_socket, tried, type | SOCK_CLOEXEC, 0));
    SocketAddress address(tried, guest.bytes, port);
    if (sys::invoke(__NR_connect, socket.get(), &address, address.size()) == 0) return socket.release();
  }
  return -1;
}

/// Copies until the one ends, and tells the other.
void copy(int from, int to) {
  constexpr int kWrite = 1, kBoth = 2;  // SHUT_*
  char buffer[16384];
  long n;
  while ((n = sys::read(from, buffer, sizeof buffer)) > 0)
    if (sys::writeAll(to, buffer, static_cast<size_t>(n)) < 0) break;
  sys::invoke(__NR_shutdown, to, n == 0 ? kWrite : kBoth);
  if (n != 0) sys::invoke(__NR_shutdown, from, kBoth);
}

/// Forks a process that ends with this one.
long forkBound() {
  long parent = sys::invoke(__NR_getpid);
  long child = sys::forkProcess();
  if (child == 0) {
    sys::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sys::invoke(__NR_getppid) != parent) sys::exit(0);
  }
  return child;
}

class Relay {
 public:
  Relay(const Listener* listeners, unsigned count) : listeners_(listeners), count_(count) {}

  [[noreturn]] void run() {
    for (;;) {
      pollfd fds[kMaxListeners + kMaxSessions];
      for (unsigned i = 0; i < count_; i++) fds[i] = {listeners_[i].fd, POLLIN, 0};
      for (unsigned i = 0; i < sessionCount_; i++) fds[count_ + i] = {sessions_[i].guest, POLLIN, 0};
      unsigned sessions = sessionCount_;
      if (sys::poll(fds, count_ + sessions, nullptr) < 0) continue;
      for (unsigned i = 0; i < sessions; i++)
        if (fds[count_ + i].revents) answer(sessions_[i]);
      for (unsigned i = 0; i < count_; i++)
        if (fds[i].revents) listeners_[i].udp ? send(listeners_[i]) : accept(listeners_[i]);
    }
  }

 private:
  struct Session {
    const Listener* listener;
    SocketAddress client;
    LocalAddress local;
    int guest;
    uint64_t lastUse;
  };

  void accept(const Listener& listener) {
    while (connections_ > 0 && sys::wait(-1, nullptr, connections_ < kMaxConnections ? WNOHANG : 0) > 0) connections_--;
    // Blocking, unlike the socket it comes from.
    sys::UniqueFd client(sys::invoke(__NR_accept4, listener.fd, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.ok()) return;
    long child = forkBound();
    if (child > 0) connections_++;
    if (child != 0) return;
    int guest = connectToGuest(listener.family, listener.guestPort, kStream);
    if (guest < 0) sys::exit(1);
    // A process for each direction: neither waits for the other.
    long back = forkBound();
    if (back == 0) {
      copy(guest, client.get());
      sys::exit(0);
    }
    if (back > 0) copy(client.get(), guest);
    while (sys::wait(-1, nullptr, 0) > 0) {
    }
    sys::exit(0);
  }

  /// A datagram of the host to the guest.
  void send(const Listener& listener) {
    SocketAddress client;
    LocalAddress local;
    long n = receiveFrom(listener.fd, datagram_, sizeof datagram_, &client, &local);
    if (n < 0) return;
    Session* session = sessionOf(listener, client, local);
    if (!session) return;
    // An address that the guest has given up: the next datagram finds the new one.
    if (sys::invoke(__NR_sendto, session->guest, datagram_, n, MSG_NOSIGNAL, nullptr, 0) < 0) drop(*session);
  }

  Session* sessionOf(const Listener& listener, const SocketAddress& client, const LocalAddress& local) {
    Session* oldest = sessions_;
    for (Session* session = sessions_; session < sessions_ + sessionCount_; session++) {
      if (session->listener == &listener && memcmp(&session->client, &client, client.size()) == 0 &&
          session->local == local) {
        session->lastUse = ++uses_;
        return session;
      }
      if (session->lastUse < oldest->lastUse) oldest = session;
    }
    int guest = connectToGuest(listener.family, listener.guestPort, SOCK_DGRAM | SOCK_NONBLOCK);
    if (guest < 0) return nullptr;
    if (sessionCount_ == kMaxSessions) drop(*oldest);
    Session& session = sessions_[sessionCount_++];
    session = {&listener, client, local, guest, ++uses_};
    return &session;
  }

  /// A datagram of the guest to the one who asked.
  void answer(Session& session) {
    long n = sys::read(session.guest, datagram_, sizeof datagram_);
    if (n < 0) return;
    session.lastUse = ++uses_;
    sendTo(session.listener->fd, datagram_, static_cast<size_t>(n), session.client, session.local);
  }

  void drop(Session& session) {
    sys::close(session.guest);
    session = sessions_[--sessionCount_];
  }

  const Listener* listeners_;
  unsigned count_;
  unsigned connections_ = 0;
  Session sessions_[kMaxSessions];
  unsigned sessionCount_ = 0;
  uint64_t uses_ = 0;
  char datagram_[65536];
};

/// Closes what the monitor has open beyond the listeners and the namespace.
void closeOthers(const Listener* listeners, unsigned count, int netns) {
  int highest = netns;
  for (unsigned i = 0; i < count; i++)
    if (listeners[i].fd > highest) highest = listeners[i].fd;
  sys::closeFrom(static_cast<unsigned>(highest) + 1);
  for (int fd = 0; fd < highest; fd++) {
    bool needed = fd == netns;
    for (unsigned i = 0; i < count && !needed; i++) needed = listeners[i].fd == fd;
    if (!needed) sys::close(fd);
  }
}

}  // namespace

long startRelay(const wire::Port* ports, unsigned count, bool all, int netns, sys::Text<400>* about) {
  Listener listeners[kMaxListeners];
  unsigned n = 0;
  long error = 0;
  for (unsigned i = 0; i < count && error == 0; i++) {
    for (uint16_t family : kFamilies) {
      long fd = listenOn(ports[i], family, all);
      if (fd >= 0) {
        listeners[n++] = {static_cast<int>(fd), family, ports[i].guest, ports[i].udp};
      } else if (!hasNoLoopback(fd)) {
        error = fd;
        about->add(ports[i].udp ? "udp:" : "tcp:").add(int64_t{ports[i].host});
        break;
      }
    }
  }
  long child = error < 0 ? error : sys::forkProcess();
  if (child == 0) {
    sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("tsnspawn-relay"));
    closeOthers(listeners, n, netns);
    if (sys::setns(netns, CLONE_NEWNET) < 0) sys::exit(1);
    sys::close(netns);
    // It speaks with the guest; it needs no right to do so.
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    sys::invoke(__NR_capset, &header, none);
    Relay(listeners, n).run();
  }
  for (unsigned i = 0; i < n; i++) sys::close(listeners[i].fd);
  return child;
}

}  // namespace net

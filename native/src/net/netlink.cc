#include "net/netlink.hh"

#include <linux/sockios.h>

namespace netlink {

namespace {

// struct ifreq of net/if.h, whose uapi twin cannot be had without the C library's headers.
struct InterfaceRequest {
  char name[16];
  int index;
  char rest[20];
};

}  // namespace

long open(uint32_t groups, int flags) {
  constexpr int kNetlink = 16, kRaw = 3;  // AF_NETLINK, SOCK_RAW
  sys::UniqueFd socket(sys::invoke(__NR_socket, kNetlink, kRaw | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  if (!socket.ok()) return socket.error();
  sockaddr_nl address{kNetlink, 0, 0, groups};
  if (long error = sys::invoke(__NR_bind, socket.get(), &address, sizeof address); error < 0) return error;
  return socket.release();
}

long sendRequest(int socket, Request& request, uint32_t* sequence) {
  // Answers to an earlier request that was given up on are told by their number.
  static uint32_t last = 0;
  *sequence = ++last;
  nlmsghdr* message = request.finish(*sequence);
  long sent = sys::invoke(__NR_sendto, socket, message, message->nlmsg_len, 0, nullptr, 0);
  return sent < 0 ? sent : 0;
}

long receivePart(int socket, char* buffer, size_t size) {
  long received;
  do received = sys::invoke(__NR_recvfrom, socket, buffer, size, 0, nullptr, nullptr);
  while (received == -EINTR);
  return received;
}

long ask(int socket, Request& request) {
  // With NLM_F_ACK the answer to a request that is no list is one NLMSG_ERROR message, of error 0 when it went well.
  long error = list(socket, request, [](const nlmsghdr*) {});
  return error;
}

long indexOf(int socket, const char* name) {
  InterfaceRequest request{};
  size_t size = strlen(name);
  if (size >= sizeof request.name) return -ENODEV;
  memcpy(request.name, name, size);
  long error = sys::ioctl(socket, SIOCGIFINDEX, &request);
  return error < 0 ? error : request.index;
}

}  // namespace netlink

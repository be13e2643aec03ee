// The guest's own network namespace.
#include <linux/sockios.h>

#include "steps/context.hh"

namespace {

// struct ifreq of net/if.h, whose uapi twin cannot be had without the C library's headers.
struct InterfaceRequest {
  char name[16];
  short flags;
  char rest[22];
};
constexpr short kInterfaceUp = 1;

}  // namespace

/// Brings `lo` up: a new network namespace has it, but down.
long raiseLoopback(Context&, const wire::Step&) {
  constexpr int kInet = 2;
  sys::UniqueFd socket(sys::invoke(__NR_socket, kInet, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.ok()) return socket.error();
  InterfaceRequest request{"lo", kInterfaceUp, {}};
  return sys::ioctl(socket.get(), SIOCSIFFLAGS, &request);
}

// The guest's network namespace, and the steps of the host side that fill it: net/network.cc does their work.
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

/// Tells the supervisor at once, also of what has failed half-way: the next moment somebody may kill the monitor.
long told(Context& context, long result) {
  context.network.publish();
  return result;
}

}  // namespace

/// Brings `lo` up: a new network namespace has it, but down.
long raiseLoopback(Context&, const wire::Step&) {
  constexpr int kInet = 2;
  sys::UniqueFd socket(sys::invoke(__NR_socket, kInet, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.ok()) return socket.error();
  InterfaceRequest request{"lo", kInterfaceUp, {}};
  return sys::ioctl(socket.get(), SIOCSIFFLAGS, &request);
}

long joinNetwork(Context& context, const wire::Step& step) { return context.network.join(step); }

long makeVeth(Context& context, const wire::Step& step) {
  return told(context, context.network.makeVeth(step, context.guest));
}

long makeSharedInterface(Context& context, const wire::Step& step) {
  return told(context, context.network.makeShared(step, context.guest));
}

long moveInterface(Context& context, const wire::Step& step) {
  return told(context, context.network.moveIn(step, context.guest));
}

long forwardPorts(Context& context, const wire::Step& step) {
  return context.network.forwardPorts(step, context.guest, &context.about);
}

long relayPorts(Context& context, const wire::Step& step) {
  return context.network.relayPorts(step, context.guest, &context.about);
}

long startHelper(Context& context, const wire::Step& step) {
  sys::Text<24> pid;
  if (long error = hostPid(context.guest, pid); error < 0) return error;
  return context.network.startHelper(step, context.guest, pid.c_str(), &context.about);
}

// Addresses of sockets: a local one is a path, and a port of the internet may be another on the host.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// Puts the host's path in the place of the one in a local address, at another place then. `makes`: bind(2). 0 or -errno.
long translateAddress(Call& call, uint64_t& at, uint64_t& size, bool makes);
/// Another port in an internet address of the guest's own machine. 0, -errno, or 1 where nothing is to change.
long mapPort(Call& call, uint64_t& at, uint64_t size, bool makes);
/// What the kernel has written there, as the guest knows it; `room`: for how much there was place.
void showName(Call& call, uint64_t at, uint64_t sizeAt, uint32_t room);

}  // namespace ptrace

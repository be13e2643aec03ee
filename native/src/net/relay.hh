// The relay: what programs of the host send to 127.0.0.1 and ::1 at a forwarded port, handed to the guest by a process of the
// monitor. The kernel does not take such packets out of the host: decision 14. Where the monitor may set no rules for what comes to
// the other addresses, the relay listens there too: decision 18.
#pragma once

#include "plan/wire.hh"
#include "sys/text.hh"

namespace net {

/// Listens on the ports, of the loopback interface or of `all` addresses, and starts the relay. `netns`: the guest's network
/// namespace. Its process id, or -errno; `about` then says which port.
long startRelay(const wire::Port* ports, unsigned count, bool all, int netns, sys::Text<400>* about);

}  // namespace net

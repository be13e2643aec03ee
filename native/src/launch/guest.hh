// The guest's first process: from its clone to the payload.
#pragma once

#include "steps/context.hh"

/// Starts it. It waits for letGuestGo() before it carries out the inner steps. `cgroup`: a cgroup2 directory to be born
/// in, or -1. Returns its process id, as seen from here, or -errno; `*channel` is the monitor's end of the socket to it.
long cloneGuest(Context& context, int cgroup, int* channel);

/// Tells the waiting guest that the host's side is ready.
long letGuestGo(int channel);

// What travels with messages between sockets: whose they are.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// What the kernel says of a process, as the guest knows it. `effective`: the ids of its rights, not those of its user.
void showCredentials(Call& call, sys::Credentials& who, bool effective);

}  // namespace ptrace

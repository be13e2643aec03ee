// The supervisor: what the launcher's process becomes once the monitor has been started. Node is replaced, exec(2) under the
// same process id, so that a running container does not hold Node's 40 MB, and their release is done before the payload
// ends. It passes signals on, tells the service manager and the user what happens, and returns the status.
#pragma once

#include "plan/plan.hh"

/// Waits until nothing of the guest is left; the exit status. `argv` and `env` are those of the launcher: when the guest
/// could not be started, Node is executed again with them, to put the failure into words.
int supervise(const Plan& plan, const char* const* argv, const char* const* env);

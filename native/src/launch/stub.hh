// The stub PID 1 of --as-pid2: it reaps what is orphaned, and ends when the payload does.
#pragma once

#include "steps/context.hh"

/// Serves as PID 1 for the payload `payload`; ends with its exit status, or 255 when a signal killed it.
/// Where the program's command line stands, as the kernel laid it out: the stub writes its own name there.
void keepCommandLine(char* argv0);

[[noreturn]] void runStub(Context& context, long payload);

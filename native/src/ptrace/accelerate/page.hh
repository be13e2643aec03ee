// What each process of the guest has from the engine as code: the stub, and with the accelerator `inprocess` what answers calls in the
// process itself, with the rules of the view as that reads them.
#pragma once

#include "ptrace/call.hh"
#include "ptrace/inprocess/page.hh"

namespace ptrace {

extern "C" const char tsnspawn_image_start[], tsnspawn_image_end[];

/// Whether the kernel has what answers in the process need (openat2(2), 5.6; faccessat2(2), 5.8).
bool canAnswerInProcess();

/// Puts the code into a process that has the region mapped. False where it has died.
bool putPage(State& state, ForcedMemory& to);

/// What the code in the process is to know of it.
Header headerOf(const State& state, const Tracee& tracee);
/// Tells the process of `tracee` what has changed.
void tellPage(State& state, const Tracee& tracee);
/// The same of all.
void tellPages(State& state);
/// With `false` every call of the address space goes to the tracer from here on.
void useFastPath(State& state, Tracee& tracee, bool use);

/// At a call: patches the place that it comes from, where that is worth it. The call is to be left then, with these registers.
bool considerSite(const State& state, Tracee& tracee, Registers& registers);
/// Patches, in a process that has not run yet, the places of `code` that were worth it in others.
void patchBefore(const Tracee& tracee, const Code& code, ForcedMemory& to);
/// Whether a trap is of a place that has been patched meanwhile, and the process can go on with these registers.
bool mendTrap(const State& state, const Tracee& tracee, Registers& registers);
/// Before a handler of the guest runs: a call that waits in the code in the process is made where it comes from again. Whether it was
/// there.
bool leavePage(const State& state, const Tracee& tracee, Registers& registers);
/// A fault of the code in the process: whether it can go on, with these registers.
bool mendFault(const State& state, Registers& registers);

}  // namespace ptrace

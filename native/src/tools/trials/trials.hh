// What tsnspawn-trials tries, and how it tells: a line "NAME ERRNO" for each trial, ERRNO 0 where it went well. The names are those
// of packages/runtime/src/doctor/trials.ts. A trial that there is no line for was not reached.
#pragma once

#include "sys/kernel.hh"

/// Says how a trial went, in one write, so that any process may do it. `result`: negative is -errno.
void report(const char* name, long result);

/// Runs a function in a process of its own; what it returns, or -EINTR where a signal killed it.
template <typename Trial>
long inProcess(Trial trial) {
  const long pid = sys::forkProcess();
  if (pid < 0) return pid;
  if (pid == 0) {
    const long result = trial();
    // errno fits into an exit status
    sys::exit(result < 0 ? static_cast<int>(-result) & 0xff : 0);
  }
  int status = 0;
  while (sys::wait(pid, &status, 0) == -EINTR) {
  }
  return status & 0x7f ? -EINTR : -(status >> 8 & 0xff);
}

/// What needs no namespaces. The working directory is the place that is asked about.
void tryHere();

/// What a launch needs of its namespaces. `asRoot`: in a mount namespace alone, else in a user namespace with the caller's one id.
/// `layers`: a directory with the directories l, u and w for an overlay, or null.
void tryNamespaces(bool asRoot, const char* layers);

/// Is in a user namespace without maps until standard input ends: for whoever wants to write some.
void holdUserNamespace();

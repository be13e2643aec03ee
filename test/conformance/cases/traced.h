// A child that is traced, and what its tracer hears of it.
#pragma once
#include <sys/ptrace.h>

#include "case.h"

/// Stops before the function, so that its tracer has time to say what it wants to hear of.
static pid_t traced(void (*function)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) SAY("PTRACE_TRACEME", "%s", nameOf(errno)), _exit(99);
    raise(SIGSTOP);
    function();
    _exit(0);
  }
  return child;
}
static int waited(pid_t child) {
  int status = -1;
  if (waitpid(child, &status, __WALL) < 0) SAY("wait", "%s", nameOf(errno));
  return status;
}

// Resource limits of a process.
#pragma once

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/// prlimit(2), and before Linux 2.6.36, for this process (pid 0), getrlimit(2). That of the C library is prlimit(2), too. System calls only.
inline int limitsOfProcess(pid_t pid, int resource, rlimit64* to) {
  if (syscall(SYS_prlimit64, pid, resource, nullptr, to) == 0) return 0;
  return errno == ENOSYS && pid == 0 ? static_cast<int>(syscall(SYS_getrlimit, resource, to)) : -1;
}

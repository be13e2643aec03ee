// Ends a guest whose tracer has died, where the kernel does not (PTRACE_O_EXITKILL, 3.8): its processes would go on, and see the host.
#pragma once

#include "sys/kernel.hh"

namespace ptrace {

class Watchdog {
 public:
  Watchdog() = default;
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  /// Starts the process that waits for this one's end. `most`: how many processes of a guest there can be. 0 or -errno.
  long start(uint32_t most);
  /// Notes the process in row `row`, or with 0 that it has gone. Without a watchdog it does nothing.
  void note(uint32_t row, int process) {
    if (processes_) __atomic_store_n(&processes_[row], process, __ATOMIC_RELAXED);
  }

 private:
  int32_t* processes_ = nullptr;  // shared with the watchdog
  uint32_t most_ = 0;
  sys::UniqueFd life_;  // closes with this process
};

}  // namespace ptrace

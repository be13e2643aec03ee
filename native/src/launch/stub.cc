#include "launch/stub.hh"

namespace {

constexpr int64_t kGraceSeconds = 90;

bool oneOf(int signal, const int* set, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (set[i] == signal) return true;
  return false;
}

// systemd(1), "SIGNALS": what an init is told with. The stub knows ending and starting again.
bool asksForPoweroff(int signal) {
  constexpr int kSet[] = {kRtMin + 3, kRtMin + 4, kRtMin + 13, kRtMin + 14};
  return oneOf(signal, kSet, 4);
}
bool asksForReboot(int signal) {
  constexpr int kSet[] = {SIGINT, kRtMin + 5, kRtMin + 6, kRtMin + 15, kRtMin + 16};
  return oneOf(signal, kSet, 5);
}

long reboot(unsigned command) {
  return sys::invoke(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, nullptr);
}

int64_t now() {
  __kernel_timespec time;
  sys::invoke(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, &time);
  return time.tv_sec;
}

char* commandLine = nullptr;

/// What ps(1) and /proc/PID/cmdline show. The rest of the space stays zero: its size is fixed at exec.
void setCommandLine(const char* name) {
  if (!commandLine) return;
  size_t space = strlen(commandLine);
  size_t size = strlen(name);
  memset(commandLine, 0, space);
  memcpy(commandLine, name, size < space ? size : space);
}

}  // namespace

void keepCommandLine(char* argv0) { commandLine = argv0; }

void runStub(Context& context, long payload) {
  sys::close(context.toMonitor);
  // The stub does not exec, so it must let go by hand of what the payload may not have: with CAP_SYS_PTRACE the guest could
  // take it over.
  sys::prctl(PR_SET_DUMPABLE, 0);
  dropToBoundingSet();
  sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("(stubinit)"));
  setCommandLine("(stubinit)");
  // All of them, the monitor's own too.
  sys::closeFrom(0);

  sys::setSignalMask(sys::kAllSignals);
  unsigned endCommand = 0;
  int64_t deadline = 0;
  for (;;) {
    int status;
    long pid;
    while ((pid = sys::wait(-1, &status, WNOHANG | __WALL)) > 0) {
      if (pid != payload) continue;
      if (endCommand) reboot(endCommand);
      sys::exit((status & 0x7f) == 0 ? (status >> 8) & 0xff : 255);
    }
    __kernel_timespec timeout{endCommand ? deadline - now() : 3600, 0};
    if (timeout.tv_sec < 0) {
      reboot(endCommand);
      sys::exit(255);
    }
    sys::SignalSet all = sys::kAllSignals;
    long signal = sys::invoke(__NR_rt_sigtimedwait, &all, nullptr, &timeout, sizeof all);
    if (signal <= 0 || endCommand) continue;
    if (asksForPoweroff(static_cast<int>(signal))) endCommand = LINUX_REBOOT_CMD_POWER_OFF;
    if (asksForReboot(static_cast<int>(signal))) endCommand = LINUX_REBOOT_CMD_RESTART;
    if (!endCommand) continue;
    sys::kill(payload, SIGTERM);
    sys::kill(payload, SIGCONT);
    sys::kill(payload, SIGHUP);
    deadline = now() + kGraceSeconds;
  }
}

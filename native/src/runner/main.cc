// The runner: the static program that the launcher executes from a sealed memory file. It has two parts. Without arguments,
// in a new PID namespace, it carries out the plan and stays as the monitor. With the launcher's own arguments it takes the
// launcher's place and supervises. Its descriptors are in plan/wire.hh.
#include "launch/stub.hh"
#include "monitor/monitor.hh"
#include "supervisor/supervisor.hh"
#include "sys/kernel.hh"
#include "sys/start.hh"

/// `stack` is as the kernel leaves it: argc, argv, null, environment, null.
extern "C" [[noreturn]] void runnerMain(const long* stack) {
  long argc = stack[0];
  auto* argv = reinterpret_cast<const char* const*>(stack + 1);
  bool supervises = argc > 1;
  int base = supervises ? wire::kSupervisorBase : wire::kMonitorBase;
  Plan plan;
  if (!plan.map(base + wire::kPlan)) sys::exit(2);
  sys::close(base + wire::kPlan);
  // Whoever reads this memory has the host's descriptors.
  sys::prctl(PR_SET_DUMPABLE, 0);
  if (supervises) {
    sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("tsnspawn"));
    sys::exit(supervise(plan, argv, argv + argc + 1));
  }
  sys::resetSignals();
  sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("tsnspawn-mon"));
  // So that no file system of the host stays busy because of a waiting monitor.
  sys::chdir("/");
  keepCommandLine(const_cast<char*>(argv[0]));
  runMonitor(plan);
  sys::exit(0);
}

SYS_START(runnerMain);

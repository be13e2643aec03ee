// The inner side of the fake root: the filter, and its listener on the way to the monitor.
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "steps/context.hh"

/// s0, n = the filter, an array of n / 8 instructions; s1 = path of the file that owners are remembered in, for the
/// monitor; mode = 1: it may be added to.
///
/// What this process calls until the monitor has answered must not be in the filter: nobody serves yet. So messages go by write(2).
long startFakeRoot(Context& context, const wire::Step& step) {
  sock_fprog program{static_cast<unsigned short>(step.n / sizeof(sock_filter)),
                     const_cast<sock_filter*>(static_cast<const sock_filter*>(context.plan.data(step.s0)))};
  // A process whose call is being served is not interrupted by signals that it handles: else what has been done would be
  // done twice (5.19).
  constexpr unsigned long kWaitKillable = 1UL << 5;
  auto load = [&](unsigned long flags) {
    return sys::invoke(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  };
  // Later kernels have nothing to say to a program, and its locks need none: what is written there is the process's fake ids.
  rlimit64 none{RLIM64_INFINITY, RLIM64_INFINITY};
  if (long error = sys::prlimit(0, 10 /* RLIMIT_LOCKS */, &none, nullptr); error < 0) return error;
  // Its memory, that of the monitor until the exec, is read by who has no power over the monitor. There is nobody else yet in
  // the guest who could.
  if (long error = sys::prctl(PR_SET_DUMPABLE, 1); error < 0) return error;
  long listener = load(kWaitKillable);
  if (listener == -EINVAL) listener = load(0);
  if (listener < 0) return listener;
  GuestReport report{
      GuestMessage::kFakeRoot, static_cast<int32_t>(&step - context.plan.inner()), static_cast<int32_t>(listener), {}};
  int32_t error = 0;
  if (sys::write(context.toMonitor, &report, sizeof report) != sizeof report ||
      sys::read(context.toMonitor, &error, sizeof error) != sizeof error)
    error = EPIPE;
  sys::close(static_cast<int>(listener));
  return -error;
}

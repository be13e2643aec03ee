// The guest's first process, before its first step.
#include <linux/seccomp.h>

#include "ptrace/accelerate/filter.hh"
#include "ptrace/accelerate/listener.hh"
#include "ptrace/accelerate/stub.hh"
#include "ptrace/table.hh"
#include "ptrace/tracer.hh"

namespace ptrace {

namespace {

/// The page of the stub and the slots, as the loader maps them for every later program.
long mapRegion() {
  constexpr int kFixed = 0x10, kNoReserve = 0x4000, kExecute = 4;
  long at = sys::invoke(__NR_mmap, kRegion, kRegionSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | kFixed | kNoReserve, -1, 0);
  if (at != static_cast<long>(kRegion)) return at < 0 ? at : -EEXIST;
  memcpy(reinterpret_cast<void*>(kRegion), tsnspawn_stub_start, codeSize());
  return sys::invoke(__NR_mprotect, kRegion, kCodeSize, PROT_READ | kExecute);
}

}  // namespace

bool usesSeccomp(const wire::Step& step) {
  // A filter that is not there is read only where filters are known (3.5).
  return step.a & wire::kBySeccomp && sys::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0) == -EFAULT;
}

long becomeTracee(const Plan& plan) {
  const wire::Step* step = tracingOf(plan);
  if (!step) return 0;
  if (long error = mapRegion(); error < 0) return error;
  // Whose parents have died become children of the payload (3.4).
  sys::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (usesSeccomp(*step)) {
    static sock_filter filter[kMostInstructions];
    const bool carries = step->a & wire::kMustNotify;
    auto size =
        static_cast<unsigned short>(makeFilter(step->a & wire::kFakeIds, step->a & wire::kBoots, carries, filter));
    sock_fprog program{size, filter};
    auto load = [&] {
      return carries ? loadWithListener(program)
                     : sys::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, reinterpret_cast<unsigned long>(&program));
    };
    long error = load();
    // Root that lacks CAP_SYS_ADMIN, as that of most containers: set-id programs have no effect then.
    if (error == -EACCES && (error = sys::prctl(PR_SET_NO_NEW_PRIVS, 1)) == 0) error = load();
    if (error < 0) return error;
    if (carries) {
      const auto listener = static_cast<int>(error);
      error = sys::invoke(kStepCall, kListenerStep, listener);
      sys::close(listener);
      if (error < 0) return error;
    }
  }
  // From the directory of the host that the monitor is in to one of the guest.
  return sys::chdir("/");
}

}  // namespace ptrace

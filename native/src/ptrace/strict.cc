// The strict mode of seccomp(2). The kernel has one mode for a process, and that of the engine's filter is another: a filter of the
// guest's own does the same, but that the tracer is the one who kills.
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "ptrace/accelerate/filter.hh"
#include "ptrace/accelerate/page.hh"
#include "ptrace/table.hh"

namespace ptrace {

Answer becomeStrict(Call& call, int argument) {
  Tracee& tracee = call.tracee;
  // Where there is no filter the kernel's own is free.
  if (!call.state.traces) return Answer::proceed();
  if (tracee.filtered || call.registers.compat()) return Answer::give(-EINVAL);
  constexpr uint32_t kKill = SECCOMP_RET_TRACE | kStrict;
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_read, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, kKill),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  uint64_t at = call.put(filter, sizeof filter);
  const struct {
    uint64_t size, at;  // struct sock_fprog
  } program{sizeof filter / sizeof *filter, at};
  uint64_t copy = at ? call.put(&program, sizeof program) : 0;
  if (!copy) return Answer::give(-ENOMEM);
  call.state.guestFilters = tracee.filtered = true;
  useFastPath(call.state, tracee, false);
  bool byPrctl = argument == 1;
  call.setArgument(argument, byPrctl ? uint64_t{SECCOMP_MODE_FILTER} : uint64_t{SECCOMP_SET_MODE_FILTER});
  call.setArgument(2, copy);
  return Answer::proceed();
}

}  // namespace ptrace

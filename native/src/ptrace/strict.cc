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
  if (tracee.filtered) return Answer::give(-EINVAL);
  constexpr uint32_t kKill = SECCOMP_RET_TRACE | kStrict;
  struct Numbers {
    uint32_t read, write, exit, comeBack;  // comeBack: from a handler
  };
  // On i386 that is sigreturn(2), as it is for the kernel's own mode.
  const Numbers known =
      call.compat() ? Numbers{3, 4, 1, 119} : Numbers{__NR_read, __NR_write, __NR_exit, __NR_rt_sigreturn};
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, known.read, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, known.write, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, known.exit, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, known.comeBack, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, kKill),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  uint64_t at = call.put(filter, sizeof filter);
  // struct sock_fprog, and the same of i386
  const uint64_t program[] = {sizeof filter / sizeof *filter, at};
  const uint32_t narrow[] = {sizeof filter / sizeof *filter, static_cast<uint32_t>(at)};
  uint64_t copy = !at ? 0 : call.compat() ? call.put(narrow, sizeof narrow) : call.put(program, sizeof program);
  if (!copy) return Answer::give(-ENOMEM);
  call.state.guestFilters = tracee.filtered = true;
  useFastPath(call.state, tracee, false);
  bool byPrctl = argument == 1;
  call.setArgument(argument, byPrctl ? uint64_t{SECCOMP_MODE_FILTER} : uint64_t{SECCOMP_SET_MODE_FILTER});
  call.setArgument(2, copy);
  return Answer::proceed();
}

}  // namespace ptrace

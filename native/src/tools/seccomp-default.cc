// Build-time tool: lets libseccomp write one of the seccomp programs that never change to stdout, as the array of struct
// sock_filter that seccomp(2) takes.
//
//   seccomp-default default          what a container may call while it keeps the default capabilities
//   seccomp-default privileged       the same while it keeps all that open calls; what it lacks, a second one closes
//   seccomp-default arguments        which arguments it may not use in these calls
//   seccomp-default suppress-sync    turns everything that waits for the disk into a success that did nothing
//   seccomp-default fakeroot         asks the fake root (fakeroot/) about ids and owners
//
// 'default' and 'arguments' belong together: of the answers of all loaded programs the kernel takes the most restrictive
// one. One program could not say both: a rule for a whole call makes libseccomp drop those for some of its arguments.

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "fakeroot/table.hh"
#include "seccomp/filter.hh"

namespace {

using seccomp::Builder;
using seccomp::Program;

// Those that open calls and that a container keeps unless told otherwise (packages/core/src/view/privileges.ts).
Program defaultProgram() { return seccomp::compileOpen({"sys_boot", "sys_ptrace", "sys_tty_config"}, {}); }

// Rules compare the low half of an argument only: the kernel looks at no more of an int, so a filter that compared all 64
// bits would let garbage above pass.

Program argumentsProgram() {
  // Other architectures are the business of 'default', which refuses them; so in the next program.
  Builder program(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW);
  program.addCompat();
  // Both push input into a terminal as if it had been typed there: TIOCSTI into any, TIOCLINUX into a virtual console
  // (by pasting).
  for (const uint32_t request : {TIOCSTI, TIOCLINUX}) {
    program.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), {SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, request)});
  }
  // Audit is not namespaced: a guest that could open the socket would take the host's audit log away. "No such family"
  // makes the guest's programs take the machine for one without audit.
  //
  // 32-bit x86 programs can still get one through socketcall(2), whose arguments lie in memory, where no filter can look.
  // For socket() libseccomp adds a rule for socketcall(SYS_SOCKET) all the same, with our conditions on registers that
  // mean something else there. The one for the type (no bits but those that socket(2) takes) is never true of the
  // pointer that socketcall(2) has in its place; so that call always passes.
  constexpr uint32_t notInType = ~static_cast<uint32_t>(0xf | SOCK_CLOEXEC | SOCK_NONBLOCK);
  program.add(SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
              {SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK), SCMP_A1(SCMP_CMP_MASKED_EQ, notInType, 0),
               SCMP_A2(SCMP_CMP_MASKED_EQ, UINT32_MAX, NETLINK_AUDIT)});
  return program.finish();
}

Program suppressSyncProgram() {
  Builder program(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW);
  program.addCompat();
  const auto calls = seccomp::membersOf("@sync");
  for (const std::string& name : *calls) program.add(SCMP_ACT_ERRNO(0), seccomp_syscall_resolve_name(name.c_str()));
  // A descriptor opened for synchronous writing would wait at every write; EINVAL is what a file system says that cannot
  // do it. openat2(2) keeps its flags in memory, out of a filter's sight: programs go on with openat(2) where it is missing.
  // io_uring does the same, and stays.
  program.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2));
  for (const uint32_t bit : {O_DSYNC, O_SYNC & ~O_DSYNC}) {
    program.add(SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(open), {SCMP_A1(SCMP_CMP_MASKED_EQ, bit, bit)});
    program.add(SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(openat), {SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit)});
  }
  return program.finish();
}

Program fakeRootProgram() {
  using namespace fakeroot;
  Builder program(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW);
#define CALL(name, ...) program.add(SCMP_ACT_NOTIFY, seccomp_syscall_resolve_name(#name));
#define CALL_IF(name, handler, form, argument, mask, value)         \
  program.add(SCMP_ACT_NOTIFY, seccomp_syscall_resolve_name(#name), \
              {SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value)});
#include "fakeroot/native-calls.def"
#if defined(__x86_64__)
  program.addCompat();
#include "fakeroot/i386-calls.def"
#endif
#undef CALL_IF
#undef CALL
  return program.finish();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string which = argc == 2 ? argv[1] : "";
  const Program program = which == "default"         ? defaultProgram()
                          : which == "privileged"    ? seccomp::compileOpen(seccomp::allCapabilities(), {})
                          : which == "arguments"     ? argumentsProgram()
                          : which == "suppress-sync" ? suppressSyncProgram()
                          : which == "fakeroot"
                              ? fakeRootProgram()
                              : Program{{}, "usage: default|privileged|arguments|suppress-sync|fakeroot"};
  if (!program.failure.empty()) {
    fprintf(stderr, "seccomp-default: %s\n", program.failure.c_str());
    return 1;
  }
  return fwrite(program.bytes.data(), 1, program.bytes.size(), stdout) == program.bytes.size() ? 0 : 1;
}

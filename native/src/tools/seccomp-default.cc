// Build-time tool: lets libseccomp write one of the seccomp programs that never change to stdout, as the array of struct
// sock_filter that seccomp(2) takes.
//
//   seccomp-default default          what a container may call while it keeps the default capabilities
//   seccomp-default arguments        which arguments it may not use in these calls
//   seccomp-default suppress-sync    turns everything that waits for the disk into a success that did nothing
//
// 'default' and 'arguments' belong together: of the answers of all loaded programs the kernel takes the most restrictive
// one. One program could not say both: a rule for a whole call makes libseccomp drop those for some of its arguments.

#include <fcntl.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "tools/syscall-groups.hh"

namespace {

#if defined(__x86_64__)
constexpr uint32_t kCompatArch = SCMP_ARCH_X86;
#elif defined(__aarch64__)
constexpr uint32_t kCompatArch = SCMP_ARCH_ARM;
#else
#error "the default seccomp filter knows x86-64 and aarch64 so far"
#endif

void check(int result, const char* what) {
  if (result >= 0) return;
  fprintf(stderr, "seccomp-default: %s: %s\n", what, strerror(-result));
  exit(1);
}

/// A program of the native architecture alone, until addCompat(). Both actions are for what no rule names.
scmp_filter_ctx newProgram(uint32_t call, uint32_t arch) {
  scmp_filter_ctx program = seccomp_init(call);
  check(program == nullptr ? -ENOMEM : 0, "seccomp_init");
  check(seccomp_attr_set(program, SCMP_FLTATR_ACT_BADARCH, arch), "action for other architectures");
  check(seccomp_attr_set(program, SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");
  return program;
}

/// The rules that follow are for both architectures, as far as each has the call.
void addCompat(scmp_filter_ctx program) { check(seccomp_arch_add(program, kCompatArch), "compat architecture"); }

void addRule(scmp_filter_ctx program, uint32_t action, int call, const std::vector<scmp_arg_cmp>& arguments = {}) {
  check(seccomp_rule_add_array(program, action, call, static_cast<unsigned>(arguments.size()), arguments.data()),
        std::to_string(call).c_str());
}

std::vector<std::string> callsOf(const Group& group) {
  std::istringstream words(group.calls);
  std::vector<std::string> calls;
  for (std::string name; words >> name;) calls.push_back(name);
  return calls;
}

bool isOpen(const Group& group) {
  if (group.capability == nullptr) return true;
  // Those of the capabilities in kGroups that a container keeps unless told otherwise.
  for (const char* kept : {"SYS_BOOT", "SYS_PTRACE", "SYS_TTY_CONFIG"}) {
    if (strcmp(group.capability, kept) == 0) return true;
  }
  return false;
}

/// For a call that this libseccomp does not know. A name that nobody knows is a typing error in the table.
int recentNumber(const std::string& name) {
  for (const RecentCall& call : kRecentCalls) {
    if (name == call.name) return call.number;
  }
  if (name == "uretprobe") return kUretprobeX86_64;  // aarch64 has no call of this number
  fprintf(stderr, "seccomp-default: no such system call: %s\n", name.c_str());
  exit(1);
}

scmp_filter_ctx defaultProgram() {
  scmp_filter_ctx program = newProgram(SCMP_ACT_ERRNO(ENOSYS), SCMP_ACT_ERRNO(ENOSYS));
  // Only on the native architecture libseccomp takes a number without a name. On the other one, a call newer than the
  // libseccomp of the build does not exist; a C library then falls back to older ones.
  for (const bool known : {false, true}) {
    if (known) addCompat(program);
    for (const Group& group : kGroups) {
      const uint32_t action = isOpen(group) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
      for (const std::string& name : callsOf(group)) {
        const int call = seccomp_syscall_resolve_name(name.c_str());
        if ((call != __NR_SCMP_ERROR) == known) addRule(program, action, known ? call : recentNumber(name));
      }
    }
  }
  return program;
}

// Rules compare the low half of an argument only: the kernel looks at no more of an int, so a filter that compared all 64
// bits would let garbage above pass.

scmp_filter_ctx argumentsProgram() {
  // Other architectures are the business of 'default', which refuses them; so in the next program.
  scmp_filter_ctx program = newProgram(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW);
  addCompat(program);
  // Both push input into a terminal as if it had been typed there: TIOCSTI into any, TIOCLINUX into a virtual console
  // (by pasting).
  for (const uint32_t request : {TIOCSTI, TIOCLINUX}) {
    addRule(program, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), {SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, request)});
  }
  // Audit is not namespaced: a guest that could open the socket would take the host's audit log away. "No such family"
  // makes the guest's programs take the machine for one without audit.
  //
  // 32-bit x86 programs can still get one through socketcall(2), whose arguments lie in memory, where no filter can look.
  // For socket() libseccomp adds a rule for socketcall(SYS_SOCKET) all the same, with our conditions on registers that
  // mean something else there. The one for the type (no bits but those that socket(2) takes) is never true of the
  // pointer that socketcall(2) has in its place; so that call always passes.
  constexpr uint32_t notInType = ~static_cast<uint32_t>(0xf | SOCK_CLOEXEC | SOCK_NONBLOCK);
  addRule(program, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
          {SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK), SCMP_A1(SCMP_CMP_MASKED_EQ, notInType, 0),
           SCMP_A2(SCMP_CMP_MASKED_EQ, UINT32_MAX, NETLINK_AUDIT)});
  return program;
}

scmp_filter_ctx suppressSyncProgram() {
  scmp_filter_ctx program = newProgram(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW);
  addCompat(program);
  for (const Group& group : kGroups) {
    if (strcmp(group.name, "sync") != 0) continue;
    for (const std::string& name : callsOf(group)) {
      addRule(program, SCMP_ACT_ERRNO(0), seccomp_syscall_resolve_name(name.c_str()));
    }
  }
  // A descriptor opened for synchronous writing would wait at every write; EINVAL is what a file system says that cannot
  // do it. openat2(2) and io_uring keep their flags in memory, out of a filter's sight.
  for (const uint32_t bit : {O_DSYNC, O_SYNC & ~O_DSYNC}) {
    addRule(program, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(open), {SCMP_A1(SCMP_CMP_MASKED_EQ, bit, bit)});
    addRule(program, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(openat), {SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit)});
  }
  return program;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string which = argc == 2 ? argv[1] : "";
  scmp_filter_ctx program = which == "default"         ? defaultProgram()
                            : which == "arguments"     ? argumentsProgram()
                            : which == "suppress-sync" ? suppressSyncProgram()
                                                       : nullptr;
  if (program == nullptr) {
    fprintf(stderr, "usage: seccomp-default default|arguments|suppress-sync\n");
    return 1;
  }
  check(seccomp_export_bpf(program, STDOUT_FILENO), "seccomp_export_bpf");
  seccomp_release(program);
}

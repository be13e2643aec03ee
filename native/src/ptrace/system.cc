// What the guest sees and may do of the system as a whole.
#include "ptrace/table.hh"

namespace ptrace {

namespace {

struct Names {  // struct new_utsname
  char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

void put(char (&to)[65], const sys::Text<65>& from) {
  memset(to, 0, sizeof to);
  memcpy(to, from.c_str(), from.size());
}

/// Whether a process is to see the machine of 32 bits: personality(2).
bool isOfOtherMachine(int tid) {
  constexpr uint64_t kNarrow = 8;  // PER_LINUX32
  Path path("/proc/");
  sys::UniqueFd file(sys::open(path.add(static_cast<int64_t>(tid)).add("/personality").c_str(), O_RDONLY));
  char text[16] = "";
  if (!file.ok() || sys::readAll(file.get(), text, sizeof text - 1) <= 0) return false;
  const char* p = text;
  return (sys::takeHex(p) & 0xff) == kNarrow;
}

}  // namespace

Answer refuse(Call&, unsigned) { return Answer::give(-ENOSYS); }
Answer deny(Call&, unsigned) { return Answer::give(-EPERM); }

/// What an init does to the system it thinks it has: done, as far as it can tell.
Answer pretend(Call& call, unsigned) { return Answer::give(call.privileged() ? 0 : -EPERM); }

/// uname(2); with kEarliest the call of i386 that knows no domain.
Answer nameSystem(Call& call, unsigned form) {
  Names names{};
  if (long error = sys::invoke(__NR_uname, &names); error < 0) return Answer::give(error);
  if (kCompatMachine && isOfOtherMachine(call.tracee.tid)) put(names.machine, sys::Text<65>(kCompatMachine));
  const State& state = call.state;
  if (state.hostname.size()) put(names.node, state.hostname);
  if (state.domain.size()) put(names.domain, state.domain);
  if (state.release.size()) put(names.release, state.release);
  size_t size = form & kEarliest ? offsetof(Names, domain) : sizeof names;
  return Answer::give(call.write(call.argument(0), &names, size) ? 0 : -EFAULT);
}

/// umask(2): the tracer makes files, too.
Answer setMask(Call& call, unsigned) {
  call.tracee.root->mask = static_cast<uint32_t>(call.argument(0)) & 0777;
  return Answer::proceed();
}

/// sethostname(2), and with `form` setdomainname(2).
Answer setName(Call& call, unsigned form) {
  char text[65];
  auto size = call.number(1);
  if (!call.privileged()) return Answer::give(-EPERM);
  if (size < 0 || size > 64) return Answer::give(-EINVAL);
  if (size && !call.read(call.argument(0), text, static_cast<size_t>(size))) return Answer::give(-EFAULT);
  text[size] = 0;
  (form ? call.state.domain : call.state.hostname) = sys::Text<65>(text);
  return Answer::give(0);
}

/// reboot(2): the guest goes, as it would with a PID namespace of its own.
Answer restart(Call& call, unsigned) {
  auto first = static_cast<uint32_t>(call.argument(0)), second = static_cast<uint32_t>(call.argument(1));
  if (!call.privileged()) return Answer::give(-EPERM);
  if (first != LINUX_REBOOT_MAGIC1 || (second != LINUX_REBOOT_MAGIC2 && second != LINUX_REBOOT_MAGIC2A &&
                                       second != LINUX_REBOOT_MAGIC2B && second != LINUX_REBOOT_MAGIC2C))
    return Answer::give(-EINVAL);
  switch (static_cast<uint32_t>(call.argument(2))) {
    case LINUX_REBOOT_CMD_RESTART:
    case LINUX_REBOOT_CMD_RESTART2:
      call.state.going = Going::kReboot;
      return Answer::give(0);
    case LINUX_REBOOT_CMD_HALT:
    case LINUX_REBOOT_CMD_POWER_OFF:
      call.state.going = Going::kPowerOff;
      return Answer::give(0);
    default:
      return Answer::give(-EINVAL);
  }
}

}  // namespace ptrace

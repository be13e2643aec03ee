// What programs of the guest need of a kernel that is older than they are, down to 2.6.32. (All calls about files are answered by
// files.cc with what the host's kernel has.)
#include "ptrace/old.hh"

#include "ptrace/compat.hh"
#include "ptrace/table.hh"

namespace ptrace {

namespace {

struct Names {  // struct new_utsname
  char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

/// The oldest release with which the C libraries of today begin to run: where they look at it at all.
constexpr const char* kOldest = "3.2.0";
constexpr uint64_t kOldestMajor = 3, kOldestMinor = 2;

bool isTooOld(const char* release) {
  const char* point = release;
  while (*point && *point != '.') point++;
  const char* end = *point ? point + 1 : point;
  while (*end >= '0' && *end <= '9') end++;
  uint32_t major, minor;
  if (!sys::parseNumber(release, point, &major) || !*point || !sys::parseNumber(point + 1, end, &minor)) return false;
  return major < kOldestMajor || (major == kOldestMajor && minor < kOldestMinor);
}

}  // namespace

void sayNewer(State& state) {
  Names names{};
  if (state.release.size() || sys::invoke(__NR_uname, &names) < 0) return;
  if (isTooOld(names.release)) state.release = sys::Text<65>(kOldest);
}

bool lacksLimits() { return sys::invoke(__NR_prlimit64, 0, 0, nullptr, nullptr) == -ENOSYS; }

bool lacksPlaces() {
  // An older kernel opens in earnest, which is refused here; a filter may refuse the flag itself.
  long fd = sys::invoke(__NR_openat, AT_FDCWD, "/", O_PATH | O_WRONLY, 0);
  if (fd >= 0) sys::close(static_cast<int>(fd));
  return fd < 0;
}

namespace {

struct CompatLimits {
  uint32_t current, most;
};

void widenLimits(Call& call) {
  CompatLimits from;
  if (call.result() < 0 || !call.read(call.tracee.notes[1], &from, sizeof from)) return;
  auto widen = [](uint32_t value) { return value == ~uint32_t{0} ? ~uint64_t{0} : value; };
  const rlimit64 limits{widen(from.current), widen(from.most)};
  if (!call.write(call.tracee.notes[0], &limits, sizeof limits)) call.setResult(-EFAULT);
}

/// The older calls of i386 have limits of 32 bits.
Answer compatLimit(Call& call, uint64_t to, uint64_t old) {
  rlimit64 limits{};
  if (to && !call.read(to, &limits, sizeof limits)) return Answer::give(-EFAULT);
  auto narrow = [](uint64_t value) { return value > ~uint32_t{0} ? ~uint32_t{0} : static_cast<uint32_t>(value); };
  const CompatLimits narrowed{narrow(limits.rlim_cur), narrow(limits.rlim_max)};
  uint64_t at = call.put(&narrowed, sizeof narrowed);
  if (!at) return Answer::give(-EFAULT);
  call.registers.setNumber(to ? kCompatSetrlimit : kCompatGetrlimit);
  uint64_t resource = call.argument(1);
  call.setArgument(0, resource);
  call.setArgument(1, at);
  call.tracee.notes[0] = old;
  call.tracee.notes[1] = at;
  if (old) call.then(widenLimits);
  return Answer::proceed();
}

}  // namespace

/// prlimit(2) with one of its two halves, as the C library has it made for getrlimit(3) and setrlimit(3).
Answer limit(Call& call, unsigned) {
  int process = call.number(0);
  uint64_t to = call.argument(2), old = call.argument(3);
  if ((process != 0 && process != call.tracee.process) || (to && old)) return Answer::give(-ENOSYS);
  if (call.compat()) return compatLimit(call, to, old);
  call.registers.setNumber(to ? __NR_setrlimit : __NR_getrlimit);
  uint64_t resource = call.argument(1);
  call.setArgument(0, resource);
  call.setArgument(1, to ? to : old);
  return Answer::proceed();
}

}  // namespace ptrace

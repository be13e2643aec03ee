// The guest's entry at systemd-machined, made and taken back by busctl(1), which every host with systemd has.
#include "steps/command.hh"
#include "steps/context.hh"

namespace {

constexpr unsigned kMaxWords = 64;

/// The list of `n` words from `first` on.
bool readWords(const char* first, uint64_t n, const char** words) {
  if (n >= kMaxWords) return false;
  for (uint64_t i = 0; i < n; i++, first = Plan::next(first)) words[i] = first;
  words[n] = nullptr;
  return true;
}

}  // namespace

long hostPid(long pid, sys::Text<24>& out) {
  sys::UniqueFd handle(sys::invoke(__NR_pidfd_open, pid, 0));
  if (!handle.ok()) return handle.error();
  // The procfs that is mounted on the host counts as the host does, for whoever reads it.
  sys::Text<64> path("/proc/self/fdinfo/");
  sys::UniqueFd file(sys::open(path.add(handle.get()).c_str(), O_RDONLY));
  if (!file.ok()) return file.error();
  char text[512];
  long n = sys::readAll(file.get(), text, sizeof text - 1);
  if (n < 0) return n;
  text[n] = 0;
  for (const char* line = text; line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    if (!sys::startsWith(line, "Pid:\t")) continue;
    const char* number = line + 5;
    const char* end = sys::find(number, '\n');
    out.add(number, static_cast<size_t>((end ? end : text + n) - number));
    return 0;
  }
  return -ESRCH;
}

/// s0, n = command line, in which word b is the guest's PID 1; s1, a = command line of signOff(); kOptional.
long registerMachine(Context& context, const wire::Step& step) {
  const char* argv[kMaxWords];
  if (!readWords(context.plan.text(step.s0), step.n, argv)) return -E2BIG;
  bool optional = step.flags & wire::kOptional;
  sys::Text<24> leader;
  long error = hostPid(context.guest, leader);
  argv[step.b] = leader.c_str();
  if (error >= 0) error = runCommand({argv, optional, wire::kEventsFd});
  context.registered = error >= 0;
  return optional ? 0 : error;
}

void signOff(const Plan& plan, bool required) {
  const wire::Header& header = plan.header();
  auto end = [&](const wire::Step* steps, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
      const wire::Step& step = steps[i];
      const char* argv[kMaxWords];
      if (step.op != wire::Op::kRegister || (required && step.flags & wire::kOptional)) continue;
      if (readWords(plan.text(step.s1), step.a, argv)) runCommand({argv, true, -1});
    }
  };
  end(plan.host(), header.hostCount);
  end(plan.late(), header.lateCount);
}

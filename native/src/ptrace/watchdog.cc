#include "ptrace/watchdog.hh"

namespace ptrace {

namespace {

constexpr unsigned kMostRounds = 100;

/// The parent of a process, from /proc/PID/stat; 0 where there is none.
int parentOf(const char* name) {
  sys::Text<300> path("/proc/");
  sys::UniqueFd file(sys::open(path.add(name).add("/stat").c_str(), O_RDONLY));
  char text[512];
  long size = file.ok() ? sys::readAll(file.get(), text, sizeof text - 1) : 0;
  if (size <= 0) return 0;
  text[size] = 0;
  // The name of the program, in parentheses, may have some itself. Then: state, parent.
  const char* end = text + size;
  while (end > text && *end != ')') end--;
  const char* from = end + 4;
  if (*end != ')' || from >= text + size) return 0;
  const char* to = from;
  while (*to >= '0' && *to <= '9') to++;
  uint32_t parent = 0;
  return sys::parseNumber(from, to, &parent) ? static_cast<int>(parent) : 0;
}

class Pack {
 public:
  Pack(int32_t* processes, uint32_t most) : processes_(processes), most_(most) {}

  /// First all are stopped, so that none can get away by having a child and dying; then all are killed.
  void end() {
    for (uint32_t i = 0; i < most_; i++)
      if (processes_[i] > 0) sys::kill(processes_[i], SIGSTOP);
    for (unsigned round = 0; round < kMostRounds && stopChildren(); round++) {
    }
    for (uint32_t i = 0; i < most_; i++)
      if (processes_[i] > 0) sys::kill(processes_[i], SIGKILL);
  }

 private:
  bool holds(int process) const {
    for (uint32_t i = 0; i < most_; i++)
      if (processes_[i] == process) return true;
    return false;
  }

  void add(int process) {
    uint32_t i = 0;
    while (i < most_ && processes_[i] > 0) i++;
    if (i < most_) processes_[i] = process;
  }

  /// Children that were made after the tracer had died. Whether there were any.
  bool stopChildren() {
    bool found = false;
    sys::UniqueFd proc(sys::open("/proc", O_RDONLY | O_DIRECTORY));
    alignas(8) char buffer[4096];
    for (long n; (n = sys::getdents(proc.get(), buffer, sizeof buffer)) > 0;)
      for (long at = 0; at < n;) {
        auto* entry = reinterpret_cast<sys::DirectoryEntry*>(buffer + at);
        at += entry->size;
        uint32_t process;
        if (!sys::parseNumber(entry->name, entry->name + strlen(entry->name), &process)) continue;
        int parent = parentOf(entry->name);
        if (parent <= 1 || !holds(parent) || holds(static_cast<int>(process))) continue;
        sys::kill(process, SIGSTOP);
        add(static_cast<int>(process));
        found = true;
      }
    return found;
  }

  int32_t* processes_;
  uint32_t most_;
};

[[noreturn]] void watch(int life, int32_t* processes, uint32_t most) {
  constexpr int kLife = 0;
  sys::setSignalMask(sys::kAllSignals);
  sys::setsid();
  sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("tsnspawn-dog"));
  // Nothing of the guest's or of the host's is kept open by it, but the pipe.
  sys::dup3(life, kLife, 0);
  sys::closeFrom(kLife + 1);
  char none;
  while (sys::read(kLife, &none, 1) == -EINTR) {
  }
  Pack(processes, most).end();
  sys::exit(0);
}

}  // namespace

Watchdog::~Watchdog() {
  if (processes_) sys::invoke(__NR_munmap, processes_, most_ * sizeof *processes_);
}

long Watchdog::start(uint32_t most) {
  constexpr int kShared = 1, kNoReserve = 0x4000;  // MAP_SHARED, MAP_NORESERVE
  long address = sys::invoke(__NR_mmap, nullptr, most * sizeof *processes_, PROT_READ | PROT_WRITE,
                             kShared | MAP_ANONYMOUS | kNoReserve, -1, 0);
  if (address < 0 && address > -4096) return address;
  auto* processes = reinterpret_cast<int32_t*>(address);
  int ends[2];
  if (long error = sys::invoke(__NR_pipe2, ends, O_CLOEXEC); error < 0) return error;
  sys::UniqueFd ours(ends[1]), theirs(ends[0]);
  // A child of a child that ends at once: whoever waits for the guest's processes must not wait for this one.
  long between = sys::forkProcess();
  if (between < 0) return between;
  if (between == 0) {
    sys::close(ends[1]);
    if (sys::forkProcess() == 0) watch(ends[0], processes, most);
    sys::exit(0);
  }
  while (sys::wait(between, nullptr, 0) == -EINTR) {
  }
  life_.reset(ours.release());
  processes_ = processes;
  most_ = most;
  return 0;
}

}  // namespace ptrace

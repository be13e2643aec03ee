// Processes of which nobody will tell.
#include "ptrace/tracer.hh"

namespace ptrace {

namespace {

/// What /proc/TID/stat says behind the name: the state, and the parent.
bool readState(int tid, char& state, uint32_t& parent) {
  sys::Text<40> path("/proc/");
  path.add(static_cast<int64_t>(tid)).add("/stat");
  sys::UniqueFd file(sys::open(path.c_str(), O_RDONLY));
  char text[512];
  long size = file.ok() ? sys::readAll(file.get(), text, sizeof text - 1) : 0;
  if (size <= 0) return false;
  text[size] = 0;
  const char* name = nullptr;
  for (const char* p = text; *p; p++)
    if (*p == ')') name = p;
  const char* end = name && name[1] && name[2] && name[3] ? sys::find(name + 4, ' ') : nullptr;
  if (!end) return false;
  state = name[2];
  return sys::parseNumber(name + 4, end, &parent);
}

bool sleeps(int tid) {
  char state;
  uint32_t parent;
  return !readState(tid, state, parent) || state == 'S';
}

}  // namespace

/// Whether a new process has ended before its maker told of it, which may be long before: of the youngest the kernel tells first.
/// Nothing more would be heard of it.
bool Tracer::hasEnded(int tid) {
  char state;
  uint32_t parent;
  return !readState(tid, state, parent) || state == 'Z' || state == 'X';
}

/// A process that is killed while it makes another one does not tell of that, which would wait here for ever: nobody has heard of it,
/// and it ends. Its parent is the reaper then, who sleeps; one that had made it itself would be about to tell.
void Tracer::endLost() {
  state_.tracees.each([&](Tracee& child) {
    char state;
    uint32_t parent = 0;
    if (child.known || !child.stopped) return;
    // A thread ends with who has made it.
    bool isProcess = sys::invoke(__NR_tgkill, child.tid, child.tid, 0) == 0;
    if (!isProcess || !readState(child.tid, state, parent)) return;
    bool tells = false;
    state_.tracees.each([&](Tracee& other) {
      tells |= other.known && other.process == static_cast<int>(parent) && !sleeps(other.tid);
    });
    if (!tells) sys::kill(child.tid, SIGKILL);
  });
}

}  // namespace ptrace

// The guest's own cgroup: made before its first process, removed by the monitor after the last.
#include "steps/context.hh"

namespace {

/// Removes the first child cgroup of `dir` that can be removed, and so on; returns the first that cannot, or an empty name.
sys::Text<256> removeLeaves(int dir) {
  sys::Text<256> kept;
  alignas(8) char buffer[2048];
  sys::invoke(__NR_lseek, dir, 0, 0);
  for (;;) {
    long n = sys::getdents(dir, buffer, sizeof buffer);
    if (n <= 0) return kept;
    for (long at = 0; at < n;) {
      auto* entry = reinterpret_cast<sys::DirectoryEntry*>(buffer + at);
      at += entry->size;
      if (entry->type != DT_DIR || sys::equal(entry->name, ".") || sys::equal(entry->name, "..")) continue;
      if (sys::unlinkat(dir, entry->name, AT_REMOVEDIR) != 0 && !kept.size()) kept.add(entry->name);
    }
  }
}

/// Removes all cgroups below `top`. Step by step on one descriptor: a guest may have nested them by the thousand, deeper
/// than a path or a stack goes.
void removeBelow(int top) {
  sys::UniqueFd dir(sys::openat(top, ".", O_RDONLY | O_DIRECTORY));
  // Coming up from a cgroup without children and finding that it still cannot go means that it has processes.
  bool cameUp = false;
  for (unsigned depth = 0; dir.ok();) {
    auto child = removeLeaves(dir.get());
    if (child.size()) {
      if (cameUp) return;
      dir.reset(sys::openat(dir.get(), child.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      depth++;
    } else {
      if (depth-- == 0) return;
      dir.reset(sys::openat(dir.get(), "..", O_RDONLY | O_DIRECTORY));
    }
    cameUp = !child.size();
  }
}

sys::Text<4096> pathOf(const Plan& plan, const wire::Step& step) {
  return sys::Text<4096>(plan.text(step.s0)).add(plan.text(step.s1));
}

/// Removes the cgroup `path` with all below it; false when it has processes.
bool removeTree(const char* path) {
  if (sys::unlinkat(AT_FDCWD, path, AT_REMOVEDIR) == 0) return true;
  sys::UniqueFd dir(sys::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!dir.ok()) return true;
  removeBelow(dir.get());
  return sys::unlinkat(AT_FDCWD, path, AT_REMOVEDIR) == 0;
}

}  // namespace

/// s0 = where the hierarchy is mounted; s1 = path below it; as = slot; kInto.
long makeCgroup(Context& context, const wire::Step& step) {
  auto path = pathOf(context.plan, step);
  if (path.full()) return -ENAMETOOLONG;
  long error = sys::mkdirat(AT_FDCWD, path.c_str(), 0755);
  if (error == -EEXIST) {
    // Of a launcher that had this process id before, and was killed together with its monitor. One that lives (in another
    // PID namespace) keeps its own: it has processes.
    removeTree(path.c_str());
    error = sys::mkdirat(AT_FDCWD, path.c_str(), 0755);
  }
  if (error < 0) return error;
  long fd = sys::open(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return fd;
  context.slots[step.as] = static_cast<int>(fd);
  return 0;
}

long enterCgroup(const Context& context, const wire::Step& step, long pid) {
  sys::UniqueFd file(sys::openat(context.slots[step.as], "cgroup.procs", O_WRONLY));
  if (!file.ok()) return file.error();
  sys::Text<24> number;
  number.add(pid);
  return sys::writeAll(file.get(), number.c_str(), number.size());
}

void removeCgroup(const Plan& plan, const wire::Step& step) {
  auto path = pathOf(plan, step);
  // The last process is reaped, but the kernel may still be taking it out of its cgroup.
  for (int attempt = 0; attempt < 50 && !removeTree(path.c_str()); attempt++) {
    __kernel_timespec pause{0, 10'000'000};
    sys::poll(nullptr, 0, &pause);
  }
}

// The guest's own cgroup: made before its first process, removed by the monitor after the last.
#include "steps/context.hh"

namespace {

sys::Text<4096> pathOf(const Plan& plan, const wire::Step& step) {
  return sys::Text<4096>(plan.text(step.s0)).add(plan.text(step.s1));
}

/// Removes the cgroup `path` with all below it; false when it has processes.
bool removeTree(const char* path) {
  if (sys::unlinkat(AT_FDCWD, path, AT_REMOVEDIR) == 0) return true;
  sys::UniqueFd dir(sys::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!dir.ok()) return true;
  removeBelow(dir.get(), false);
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

/// from = slot of the cgroup; a = user and group that may make cgroups in it and move processes there (cgroups(7), "Cgroup
/// delegation"): what an init needs, and no limit.
long delegateCgroup(Context& context, const wire::Step& step) {
  int dir = context.slots[step.from];
  constexpr const char* kFiles[] = {"cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "tasks"};
  if (long error = sys::invoke(__NR_fchown, dir, step.a, step.a); error < 0) return error;
  for (const char* file : kFiles) {
    long error = sys::invoke(__NR_fchownat, dir, file, step.a, step.a, AT_SYMLINK_NOFOLLOW);
    // The two kinds of hierarchy do not have the same files.
    if (error < 0 && error != -ENOENT) return error;
  }
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

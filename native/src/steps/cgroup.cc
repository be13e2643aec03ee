// The guest's own cgroup: made before its first process, removed by the monitor after the last.
#include <linux/bpf.h>

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

/// from = slot of the cgroup, or s1 = its path; s0 = list of n files, name and value each.
long writeCgroup(Context& context, const wire::Step& step) {
  const char* path = context.plan.text(step.s1);
  sys::UniqueFd opened(path ? sys::open(path, O_PATH | O_DIRECTORY) : -1);
  if (path && !opened.ok()) return opened.error();
  int cgroup = path ? opened.get() : context.slots[step.from];
  const char* name = context.plan.text(step.s0);
  bool written = false;
  for (unsigned i = 0; i < step.n; i++) {
    const char* value = Plan::next(name);
    context.about = sys::Text<400>(name);
    sys::UniqueFd file(sys::openat(cgroup, name, O_WRONLY));
    if (file.ok()) {
      // In one call: what the kernel reads is one write(2), not one file.
      if (long put = sys::write(file.get(), value, strlen(value)); put < 0) return put;
      written = true;
    } else if (file.error() != -ENOENT) {
      return file.error();
    }
    name = Plan::next(value);
  }
  if (!written) return -ENOENT;
  context.about = sys::Text<400>();
  return 0;
}

/// from = slot of a cgroup2; s0, n = program of so many instructions. It goes with the cgroup.
long limitDevices(Context& context, const wire::Step& step) {
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insn_cnt = step.n;
  load.insns = reinterpret_cast<uint64_t>(context.plan.data(step.s0));
  load.license = reinterpret_cast<uint64_t>("");
  sys::UniqueFd program(sys::invoke(__NR_bpf, BPF_PROG_LOAD, &load, sizeof load));
  if (!program.ok()) return program.error();
  bpf_attr attach{};
  attach.target_fd = static_cast<uint32_t>(context.slots[step.from]);
  attach.attach_bpf_fd = static_cast<uint32_t>(program.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  // Programs further down can only forbid more.
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  return sys::invoke(__NR_bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
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

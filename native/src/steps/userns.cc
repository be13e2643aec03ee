// User namespaces: the guest's own, and those that say how the owners of a mount are mapped.
#include <linux/sched.h>

#include "steps/context.hh"

namespace {

/// Writes a file below /proc/PID.
long writeProc(Context& context, long pid, const char* file, const char* text) {
  long proc = ownProc(context);
  if (proc < 0) return proc;
  sys::Text<64> path;
  path.add(pid).add("/").add(file);
  sys::UniqueFd fd(sys::openat(static_cast<int>(proc), path.c_str(), O_WRONLY));
  return fd.ok() ? sys::writeAll(fd.get(), text, strlen(text)) : fd.error();
}

long writeMaps(Context& context, long pid, const wire::Step& step) {
  if (long error = writeProc(context, pid, "uid_map", context.plan.text(step.s0)); error < 0) return error;
  return writeProc(context, pid, "gid_map", context.plan.text(step.s1));
}

/// Whether there is such a step among the late ones.
bool hasStep(const Plan& plan, wire::Op op) {
  for (uint32_t i = 0; i < plan.header().lateCount; i++)
    if (plan.late()[i].op == op) return true;
  return false;
}

/// A process in a new user namespace, which does nothing until it is killed.
long cloneIdle() {
  long pid = sys::invoke(__NR_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  while (pid == 0) sys::poll(nullptr, 0, nullptr);
  return pid;
}

long newProc() {
  sys::UniqueFd fs(sys::fsopen("proc", FSOPEN_CLOEXEC));
  if (!fs.ok()) return fs.error();
  if (long error = sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::fsmount(fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

}  // namespace

long ownProc(Context& context) {
  if (context.proc >= 0) return context.proc;
  long mount = newProc();
  if (mount >= 0)
    context.proc = static_cast<int>(mount);
  else
    context.about = sys::Text<400>("proc");  // it is not the step itself that is refused
  return mount;
}

/// s0, s1 = uid_map and gid_map; as = slot. A user namespace lives as long as a descriptor of it: the process that was needed
/// to make it goes at once.
long makeUserNamespace(Context& context, const wire::Step& step) {
  long pid = cloneIdle();
  if (pid < 0) return pid;
  long result = writeMaps(context, pid, step);
  if (result >= 0) {
    sys::Text<64> path;
    path.add(pid).add("/ns/user");
    result = sys::openat(context.proc, path.c_str(), O_RDONLY);
    if (result >= 0) context.slots[step.as] = static_cast<int>(result);
  }
  sys::kill(pid, SIGKILL);
  int status;
  while (sys::wait(pid, &status, 0) == -EINTR) {
  }
  return result < 0 ? result : 0;
}

/// s0, s1 = uid_map and gid_map of the guest's user namespace.
long mapIds(Context& context, const wire::Step& step) {
  long result = writeMaps(context, context.guest, step);
  return result < 0 ? result : 0;
}

/// Root of a user namespace whose maps have been written: until then this process is nobody in it.
long becomeRoot(Context&, const wire::Step&) {
  if (long error = sys::invoke(__NR_setresgid, 0, 0, 0); error < 0) return error;
  // Forbidden where an ordinary user has mapped no more than its own group (user_namespaces(7), /proc/PID/setgroups).
  if (long error = sys::invoke(__NR_setgroups, 0, nullptr); error < 0 && error != -EPERM) return error;
  return sys::invoke(__NR_setresuid, 0, 0, 0);
}

/// a, b = user and group that this process, root until here, is in a user namespace of its own; kNoNewPrivs. Root and that user are
/// the same to the host, so that what it makes is the caller's. It has no power over what is around its namespace, and by the exec
/// loses that over the namespace itself.
long keepIds(Context&, const wire::Step& step) {
  if (long error = sys::unshare(CLONE_NEWUSER); error < 0) return error;
  auto write = [](const char* file, const char* text) -> long {
    sys::UniqueFd fd(sys::open(file, O_WRONLY));
    return fd.ok() ? sys::writeAll(fd.get(), text, strlen(text)) : fd.error();
  };
  sys::Text<40> user, group;
  user.add(static_cast<int64_t>(step.a)).add(" 0 1");
  group.add(static_cast<int64_t>(step.b)).add(" 0 1");
  // Who maps its own ids alone may do so without a privilege, and gives up groups that others could be denied by (3.19).
  if (long error = write("/proc/self/setgroups", "deny"); error < 0) return error;
  if (long error = write("/proc/self/gid_map", group.c_str()); error < 0) return error;
  if (long error = write("/proc/self/uid_map", user.c_str()); error < 0) return error;
  return step.flags & wire::kNoNewPrivs ? sys::prctl(PR_SET_NO_NEW_PRIVS, 1) : 0;
}

/// a, b = user and group that files are made as from here on: the guest's root. To root itself they would be nobody's in a mount
/// whose owners are mapped, and the kernel refuses to make them (EOVERFLOW).
long actAs(Context&, const wire::Step& step) {
  sys::invoke(__NR_setfsgid, step.b);
  sys::invoke(__NR_setfsuid, step.a);
  // Another user than root loses the capabilities that are about files (capabilities(7)): they are taken back.
  return raiseCapabilities();
}

/// The guest's first process lets the monitor do what only that may: the late steps. A program that is to give it a network finds its
/// namespaces in /proc, where a process whose credentials have changed shows them to who has CAP_SYS_PTRACE only: it says that it may
/// be looked at. There is nobody else in the guest yet.
long awaitMonitor(Context& context, const wire::Step&) {
  if (hasStep(context.plan, wire::Op::kUserNetwork)) sys::prctl(PR_SET_DUMPABLE, 1);
  GuestReport report{GuestMessage::kAwaiting, 0, 0, {}};
  if (long error = sys::sendMessage(context.toMonitor, &report, sizeof report); error < 0) return error;
  char go;
  return sys::receiveMessage(context.toMonitor, &go, 1).size == 1 ? 0 : -EPIPE;
}

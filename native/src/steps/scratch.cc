// A mount namespace that the monitor enters for a while. What is mounted there for a guest with a user namespace is copied into
// the guest's own, which belongs to less than the host's root: the kernel then locks each mount with its flags, so that the
// guest's root can neither write to what is read-only nor look below a mount (mount_namespaces(7)).
#include "steps/context.hh"

namespace {

constexpr unsigned kMostDirectories = 32;
/// The temporary directories by slot; they outlast a reboot of the guest.
int kept[kMostDirectories];
unsigned keptSlot[kMostDirectories];
unsigned keptCount = 0;

/// A new directory, locked: whoever cleans up after a launcher that was killed together with its monitor leaves it alone then.
/// Returns a descriptor or -errno.
long makeLocked(const char* path) {
  constexpr int kExclusive = 2, kNoWait = 4;  // LOCK_EX, LOCK_NB
  constexpr __kernel_timespec kPause{0, 10'000'000};
  long error = 0;
  for (int attempt = 0; attempt < 100; attempt++) {
    error = sys::mkdirat(AT_FDCWD, path, 0700);
    if (error < 0 && error != -EEXIST) return error;
    bool made = error == 0;
    sys::UniqueFd fd(sys::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    error = fd.error();
    struct statx info {};
    if (made && fd.ok() && (error = sys::invoke(__NR_flock, fd.get(), kExclusive | kNoWait)) == 0 &&
        (error = sys::fstatx(fd.get(), STATX_NLINK, &info)) == 0 && info.stx_nlink > 0)
      return fd.release();
    // Somebody who cleans up took it for a left one before it was locked.
    sys::poll(nullptr, 0, &kPause);
  }
  return error < 0 ? error : -EEXIST;
}

}  // namespace

long unshareMounts(Context& context, const wire::Step&) {
  long proc = ownProc(context);
  if (proc < 0) return proc;
  long host = sys::openat(static_cast<int>(proc), "self/ns/mnt", O_RDONLY);
  if (host < 0) return host;
  context.hostMounts = static_cast<int>(host);
  if (long error = sys::unshare(CLONE_NEWNS); error < 0) return error;
  // What the host mounts still arrives; nothing goes back.
  return sys::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr);
}

long returnToHost(Context& context, const wire::Step&) { return leaveScratch(context); }

long leaveScratch(Context& context) {
  if (context.hostMounts < 0) return 0;
  sys::invoke(__NR_setfsuid, 0);
  sys::invoke(__NR_setfsgid, 0);
  long error = sys::invoke(__NR_setns, context.hostMounts, CLONE_NEWNS);
  sys::close(context.hostMounts);
  context.hostMounts = -1;
  return error < 0 ? error : sys::chdir("/");
}

/// s0 = path of a directory that is the guest's alone: made, locked, and removed after its end. With s1 = name of a directory in it,
/// made with mode for user and group a; as = slot.
///
/// Only the host's root gets into it: the guest may make programs there that are set-id, and others of the host run them.
long makeTempDirectory(Context& context, const wire::Step& step) {
  for (unsigned i = 0; i < keptCount; i++) {
    if (keptSlot[i] != static_cast<unsigned>(step.as)) continue;
    context.slots[step.as] = static_cast<int>(sys::fcntl(kept[i], F_DUPFD_CLOEXEC, 0));
    return context.slots[step.as];
  }
  if (keptCount == kMostDirectories) return -EMFILE;
  sys::UniqueFd fd(makeLocked(context.plan.text(step.s0)));
  if (!fd.ok()) return fd.error();
  if (const char* name = context.plan.text(step.s1)) {
    if (long error = sys::mkdirat(fd.get(), name, 0700); error < 0) return error;
    sys::UniqueFd inner(sys::openat(fd.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!inner.ok()) return inner.error();
    if (long error = sys::invoke(__NR_fchown, inner.get(), step.a, step.a); error < 0) return error;
    if (long error = sys::fchmod(inner.get(), step.mode); error < 0) return error;
  }
  long copy = sys::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return copy;
  keptSlot[keptCount] = static_cast<unsigned>(step.as);
  kept[keptCount++] = fd.release();
  context.slots[step.as] = static_cast<int>(copy);
  return 0;
}

void removeTempDirectory(const Plan& plan, const wire::Step& step) {
  const char* path = plan.text(step.s0);
  for (unsigned i = 0; i < keptCount; i++)
    if (keptSlot[i] == static_cast<unsigned>(step.as)) return removeDirectory(kept[i], path);
  // The monitor was killed: what lies there now may have been put there by whoever owns the directory above.
  sys::UniqueFd dir(sys::open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  struct statx info;
  if (dir.ok() && sys::fstatx(dir.get(), STATX_UID, &info) == 0 && info.stx_uid == sys::invoke(__NR_geteuid))
    removeDirectory(dir.get(), path);
}

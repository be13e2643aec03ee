// An overlay of detached mounts. The kernel takes its layers by path, and before Linux 6.15 from mounts of the caller's own
// mount namespace only. So they are attached for a moment to a tmpfs in the monitor's scratch namespace, under short names; the
// overlay keeps private copies of them.
#include "steps/command.hh"
#include "steps/context.hh"

namespace {

constexpr unsigned kMostOverlays = 64;
/// Of each writable layer: the slot of the mount it is on, that mount, the name of the directory in it that the kernel worked in, and
/// a mount of that directory alone.
struct {
  int slot, mount, confined;
  const char* name;
} works[kMostOverlays];
unsigned workCount = 0;

/// For removeWorkDirectories(): once for each, whatever the number of reboots. `mount` is attached: Linux before 6.15 copies no
/// other.
void remember(int slot, int mount, const char* name) {
  for (unsigned i = 0; i < workCount; i++)
    if (works[i].slot == slot) return;
  if (workCount == kMostOverlays) return;
  sys::UniqueFd holder(sys::openat(mount, ".", O_RDONLY | O_DIRECTORY));
  sys::UniqueFd directory(sys::openat(mount, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  long confined = sys::openTree(directory.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (confined >= 0) works[workCount++] = {slot, holder.release(), static_cast<int>(confined), name};
}

/// A directory of a mount, made where it is missing. Returns 0 or -errno: -ENOTDIR for a link.
long requireDirectory(int mount, const char* name) {
  long error = sys::mkdirat(mount, name, 0755);
  if (error < 0 && error != -EEXIST) return error;
  sys::UniqueFd fd(sys::openat(mount, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  return fd.ok() ? 0 : fd.error();
}

long attachTo(int mount, int dir, const char* name) {
  if (long error = sys::mkdirat(dir, name, 0755); error < 0) return error;
  return sys::moveMount(mount, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH);
}

long newTmpfs() {
  sys::UniqueFd fs(sys::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!fs.ok()) return fs.error();
  if (long error = sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::fsmount(fs.get(), FSMOUNT_CLOEXEC, 0);
}

long configure(int fs, const char* key, const char* value) {
  return sys::fsconfig(fs, FSCONFIG_SET_STRING, key, value);
}

/// The paths of an overlay are unescaped by the kernel (ovl_unescape).
void addEscaped(sys::Text<250>& text, const char* name) {
  for (; *name; name++) {
    if (*name == '\\') text.add("\\");
    text.add(name, 1);
  }
}

/// Makes the overlay with the current directory at the layers: 0 is the lowest, `u` holds the writable one.
long makeOverlay(unsigned lowerCount, const char* upper, const char* work, bool userXattr) {
  sys::UniqueFd fs(sys::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!fs.ok()) return fs.error();
  sys::Text<250> lower;
  // The kernel wants the highest first.
  for (unsigned i = lowerCount; i-- > 0;) {
    lower.add(static_cast<int64_t>(i));
    if (i) lower.add(":");
  }
  if (lower.full()) return -E2BIG;
  if (long error = configure(fs.get(), "source", "overlay"); error < 0) return error;
  if (long error = configure(fs.get(), "lowerdir", lower.c_str()); error < 0) return error;
  if (upper) {
    sys::Text<250> upperPath("u/"), workPath("u/");
    addEscaped(upperPath, upper);
    addEscaped(workPath, work);
    if (upperPath.full() || workPath.full()) return -ENAMETOOLONG;
    if (long error = configure(fs.get(), "upperdir", upperPath.c_str()); error < 0) return error;
    if (long error = configure(fs.get(), "workdir", workPath.c_str()); error < 0) return error;
  }
  // Linux 5.11: root of a user namespace may not set trusted.*, which says that a directory hides the one below.
  if (userXattr)
    if (long error = sys::fsconfig(fs.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr); error < 0) return error;
  if (long error = sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::fsmount(fs.get(), FSMOUNT_CLOEXEC, 0);
}

/// Whether the writable layer can carry the marks of an ordinary user's overlay. Where it cannot (a tmpfs before Linux 6.6) the kernel
/// lays it all the same, and then makes no directory in the place of one that was removed.
bool canMark(int mount, const char* upper) {
  constexpr const char* kMark = "user.overlay.trial";
  sys::UniqueFd fd(sys::openat(mount, upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!fd.ok() || sys::invoke(__NR_fsetxattr, fd.get(), kMark, "y", 1, 0) == -EOPNOTSUPP) return false;
  sys::invoke(__NR_fremovexattr, fd.get(), kMark);
  return true;
}

/// The kernel has no overlay for this caller, or none of these layers.
bool isRefusal(long error) {
  return error == -EPERM || error == -EACCES || error == -EINVAL || error == -ENODEV || error == -EOPNOTSUPP;
}

/// The layers go to a place where a program finds them: a directory that every host has, which is covered in this mount namespace until
/// the program has opened them.
long moveWithinReach(int layers, const char*& place) {
  constexpr const char* kPlaces[] = {"/tmp", "/mnt", "/run"};
  long error = -ENOENT;
  for (const char* candidate : kPlaces) {
    place = candidate;
    error = sys::moveMount(layers, "", AT_FDCWD, candidate, MOVE_MOUNT_F_EMPTY_PATH);
    if (error != -ENOENT && error != -ENOTDIR) break;
  }
  return error;
}

/// A mount that whoever has the other end of `device`, an open /dev/fuse, serves.
long newFuse(int device) {
  sys::UniqueFd fs(sys::fsopen("fuse", FSOPEN_CLOEXEC));
  if (!fs.ok()) return fs.error();
  sys::Text<16> number;
  number.add(static_cast<int64_t>(device));
  const char* const options[][2] = {
      {"source", "fuse-overlayfs"}, {"fd", number.c_str()}, {"rootmode", "40000"}, {"user_id", "0"}, {"group_id", "0"}};
  for (auto [key, value] : options)
    if (long error = configure(fs.get(), key, value); error < 0) return error;
  // the guest is in a user namespace of its own: it is somebody else
  constexpr const char* kFlags[] = {"default_permissions", "allow_other"};
  for (const char* flag : kFlags)
    if (long error = sys::fsconfig(fs.get(), FSCONFIG_SET_FLAG, flag, nullptr); error < 0) return error;
  if (long error = sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::fsmount(fs.get(), FSMOUNT_CLOEXEC, 0);
}

/// The same overlay by fuse-overlayfs(1). It goes into the background once it serves, and ends when nobody has the mount any more, or
/// with the monitor's PID namespace.
long serveOverlay(const char* program, int layers, unsigned lowerCount, const char* upper, const char* work) {
  const char* place = nullptr;
  if (long error = moveWithinReach(layers, place); error < 0) return error;
  sys::Text<1024> options("lowerdir=");
  for (unsigned i = lowerCount; i-- > 0;) {
    options.add(place).add("/").add(static_cast<int64_t>(i));
    if (i) options.add(":");
  }
  if (upper) {
    // in its options these have a meaning
    for (const char* c = ",:\\"; *c; c++)
      if (sys::find(upper, *c)) return -EINVAL;
    options.add(",upperdir=").add(place).add("/u/").add(upper);
    options.add(",workdir=").add(place).add("/u/").add(work);
  }
  if (options.full()) return -E2BIG;
  sys::UniqueFd device(sys::open("/dev/fuse", O_RDWR));
  if (!device.ok()) return device.error();
  sys::UniqueFd mount(newFuse(device.get()));
  if (!mount.ok()) return mount.error();
  // what libfuse takes for a mount that is there already
  sys::Text<16> target("/dev/fd/");
  target.add(static_cast<int64_t>(Command::kHandedFd));
  const char* const argv[] = {program, "-o", options.c_str(), target.c_str(), nullptr};
  long error = runCommand({argv, true, wire::kEventsFd, device.get(), true});
  return error < 0 ? error : mount.release();
}

}  // namespace

/// s0, n = list of the slots (decimal) of the read-only layers, the lowest first; from = slot of a mount that has, or gets, the
/// directories s1 and s2: the writable layer and the place it is worked in; as = slot; b = path of a program for what the kernel
/// refuses; kUserXattr.
long mountOverlay(Context& context, const wire::Step& step) {
  sys::UniqueFd layers(newTmpfs());
  if (!layers.ok()) return layers.error();
  // On top of everything: the root of this process stays where it was, and the layers are reached by the working directory.
  if (long error = sys::moveMount(layers.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH); error < 0) return error;
  if (long error = sys::fchdir(layers.get()); error < 0) return error;
  long result = 0;
  const char* item = context.plan.text(step.s0);
  for (unsigned i = 0; result >= 0 && i < step.n; i++, item = Plan::next(item)) {
    uint32_t slot = 0;
    sys::parseNumber(item, item + strlen(item), &slot);
    sys::Text<16> name;
    name.add(static_cast<int64_t>(i));
    result = attachTo(context.slots[slot], layers.get(), name.c_str());
  }
  const char* upper = context.plan.text(step.s1);
  const char* work = context.plan.text(step.s2);
  if (result >= 0 && upper) {
    int mount = context.slots[step.from];
    // The kernel goes by path, and a tree may have a link there that leads to the host (Linux 5.14; a link that is there already is
    // found below).
    setMountFlags(mount, MS_NOSYMFOLLOW);
    result = attachTo(mount, layers.get(), "u");
    if (result >= 0) result = requireDirectory(mount, upper);
    if (result >= 0) result = requireDirectory(mount, work);
    if (result >= 0) remember(step.from, mount, work);
  }
  if (result >= 0) {
    const bool userXattr = step.flags & wire::kUserXattr;
    const char* program = context.plan.text(static_cast<uint32_t>(step.b));
    bool marks = !upper || !userXattr || !program || canMark(context.slots[step.from], upper);
    result = marks ? makeOverlay(step.n, upper, work, userXattr) : -EOPNOTSUPP;
    if (program && isRefusal(result)) {
      long served = serveOverlay(program, layers.get(), step.n, upper, work);
      if (served >= 0) result = served;
      // where that fails as well, the kernel has the better reason
      else if (!marks)
        result = makeOverlay(step.n, upper, work, userXattr);
    }
  }
  sys::umount(".", MNT_DETACH);
  sys::chdir("/");
  if (result < 0) return result;
  context.slots[step.as] = static_cast<int>(result);
  return setMountFlags(static_cast<int>(result), step.a);
}

void removeWorkDirectories() {
  while (workCount > 0) {
    auto [slot, mount, confined, name] = works[--workCount];
    removeBelow(confined, true);
    sys::unlinkat(mount, name, AT_REMOVEDIR);
    sys::close(confined);
    sys::close(mount);
  }
}

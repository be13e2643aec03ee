// An overlay of detached mounts. The kernel takes its layers by path, and before Linux 6.15 from mounts of the caller's own
// mount namespace only. So they are attached for a moment to a tmpfs in the monitor's scratch namespace, under short names; the
// overlay keeps private copies of them.
#include "steps/context.hh"

namespace {

constexpr unsigned kMostOverlays = 64;
/// The mounts with the writable layers, and in each the name of the directory that the kernel worked in.
struct {
  int mount;
  const char* work;
} writable[kMostOverlays];
unsigned writableCount = 0;

/// For removeWorkDirectories(): once for each, whatever the number of reboots.
void remember(int mount, const char* work) {
  for (unsigned i = 0; i < writableCount; i++)
    if (writable[i].work == work) return;
  if (writableCount == kMostOverlays) return;
  long fd = sys::openat(mount, ".", O_RDONLY | O_DIRECTORY);
  if (fd >= 0) writable[writableCount++] = {static_cast<int>(fd), work};
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
long makeOverlay(unsigned lowerCount, const char* upper, const char* work) {
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
  if (long error = sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::fsmount(fs.get(), FSMOUNT_CLOEXEC, 0);
}

}  // namespace

/// s0, n = list of the slots (decimal) of the read-only layers, the lowest first; from = slot of a mount that has, or gets, the
/// directories s1 and s2: the writable layer and the place it is worked in; as = slot.
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
    remember(context.slots[step.from], work);
    result = attachTo(context.slots[step.from], layers.get(), "u");
    const char* const names[] = {upper, work};
    for (const char* name : names) {
      if (result < 0) break;
      sys::UniqueFd holder(sys::openat(layers.get(), "u", O_PATH | O_DIRECTORY));
      result = sys::mkdirat(holder.get(), name, 0755);
      if (result == -EEXIST) result = 0;
    }
  }
  if (result >= 0) result = makeOverlay(step.n, upper, work);
  sys::umount(".", MNT_DETACH);
  sys::chdir("/");
  if (result < 0) return result;
  context.slots[step.as] = static_cast<int>(result);
  return setMountFlags(static_cast<int>(result), step.a);
}

void removeWorkDirectories() {
  while (writableCount > 0) {
    auto [mount, work] = writable[--writableCount];
    sys::UniqueFd holder(mount);
    sys::UniqueFd dir(sys::openat(mount, work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!dir.ok()) continue;
    removeBelow(dir.get(), true);
    sys::unlinkat(mount, work, AT_REMOVEDIR);
  }
}

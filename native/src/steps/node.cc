// Device nodes. Where a capability, a device cgroup or the user namespace of an outer container forbids to make them, the
// host's own are bound in their place.
#include "steps/context.hh"
#include "steps/mount.hh"
#include "steps/path.hh"

namespace {

/// What the nodes of the host lie below, as those of the guest do.
constexpr const char* kDevices = "/dev/";

/// The host's node as a detached mount. Only the very device that is meant counts, and what is mounted is the descriptor that
/// was looked at (CVE-2025-31133).
long cloneNode(const wire::Step& step, const char* path) {
  sys::UniqueFd node(sys::open(path, O_PATH | O_NOFOLLOW));
  if (!node.ok()) return node.error();
  struct statx info;
  if (long error = sys::fstatx(node.get(), STATX_TYPE, &info); error < 0) return error;
  if ((info.stx_mode & S_IFMT) != (step.mode & S_IFMT) || info.stx_rdev_major != step.a ||
      info.stx_rdev_minor != step.b)
    return -ENODEV;
  long mount = sys::openTree(node.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (mount < 0) return mount;
  // Nothing that happens to the host's mount is of interest here.
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  change.propagation = MS_PRIVATE;
  if (long error = sys::mountSetattr(static_cast<int>(mount), "", AT_EMPTY_PATH, &change); error < 0) {
    sys::close(static_cast<int>(mount));
    return error;
  }
  return mount;
}

/// From the monitor: only in the host's mount namespace can a mount of the host be cloned.
long askForNode(Context& context, const wire::Step& step) {
  GuestReport report{GuestMessage::kNode, static_cast<int32_t>(&step - context.plan.inner()), 0, {}};
  if (long error = sys::sendMessage(context.toMonitor, &report, sizeof report); error < 0) return error;
  int32_t result;
  sys::Received received = sys::receiveMessage(context.toMonitor, &result, sizeof result);
  if (received.size != sizeof result) return -EPIPE;
  return result < 0 ? result : received.fd;
}

}  // namespace

long openHostNode(Context& context, const wire::Step& step) {
  const char* path = context.plan.text(step.s0);
  if (context.hostMounts < 0) return cloneNode(step, path);
  long proc = ownProc(context);
  if (proc < 0) return proc;
  sys::UniqueFd scratch(sys::openat(static_cast<int>(proc), "self/ns/mnt", O_RDONLY));
  if (!scratch.ok()) return scratch.error();
  if (long error = sys::invoke(__NR_setns, context.hostMounts, CLONE_NEWNS); error < 0) return error;
  sys::UniqueFd node(cloneNode(step, path));
  // It comes back to the root of that namespace, the tree.
  if (long error = sys::invoke(__NR_setns, scratch.get(), CLONE_NEWNS); error < 0) return error;
  return node.ok() ? node.release() : node.error();
}

/// s0 = path; mode = type and permissions; a, b = major and minor.
long makeNode(Context& context, const wire::Step& step) {
  const char* path = context.plan.text(step.s0);
  // The kernel's "huge" encoding of dev_t (include/linux/kdev_t.h, new_encode_dev).
  uint64_t device = (step.b & 0xff) | (step.a << 8) | ((step.b & ~0xffull) << 12);
  long error = inParent(path, [&](int dir, const char* name) {
    if (long refused = sys::mknodat(dir, name, step.mode, device); refused < 0) return refused;
    // Whatever umask the launcher came with.
    return sys::chmodat(dir, name, step.mode & 07777);
  });
  if (error != -EPERM || !sys::startsWith(path, kDevices)) return error;
  sys::UniqueFd node(context.toMonitor >= 0 ? askForNode(context, step) : openHostNode(context, step));
  return node.ok() ? attachMount(node.get(), path) : node.error();
}

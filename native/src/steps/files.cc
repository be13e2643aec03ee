// Files, directories and nodes in the guest's root. All of it happens after pivot_root: a path ends inside the tree.
#include "steps/context.hh"
#include "steps/path.hh"

namespace {

/// A random (version 4) UUID, RFC 9562.
long randomUuid(sys::Text<64>& out) {
  unsigned char bytes[16];
  if (long error = sys::invoke(__NR_getrandom, bytes, sizeof bytes, 0); error < 0) return error;
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  for (unsigned i = 0; i < sizeof bytes; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.add("-");
    out.add(&"0123456789abcdef"[bytes[i] >> 4], 1);
    out.add(&"0123456789abcdef"[bytes[i] & 15], 1);
  }
  out.add("\n");
  return 0;
}

/// Makes something in its directory, by `make(directory, name)`; the directories above it first where they are missing.
template <typename Make>
long inParent(const char* path, Make make) {
  const char* name;
  sys::UniqueFd parent(openParent(path, &name));
  return parent.ok() ? make(parent.get(), name) : parent.error();
}

}  // namespace

/// s0 = path; mode.
long makeDirectory(Context& context, const wire::Step& step) {
  long error = inParent(context.plan.text(step.s0),
                        [&](int dir, const char* name) { return sys::mkdirat(dir, name, step.mode); });
  return error == -EEXIST ? 0 : error;
}

/// s0 = path; mode = type and permissions; a, b = major and minor.
long makeNode(Context& context, const wire::Step& step) {
  // The kernel's "huge" encoding of dev_t (include/linux/kdev_t.h, new_encode_dev).
  uint64_t device = (step.b & 0xff) | (step.a << 8) | ((step.b & ~0xffull) << 12);
  return inParent(context.plan.text(step.s0), [&](int dir, const char* name) {
    if (long error = sys::mknodat(dir, name, step.mode, device); error < 0) return error;
    // Whatever umask the launcher came with.
    return sys::chmodat(dir, name, step.mode & 07777);
  });
}

/// s0 = path; s1 = target of the link.
long makeLink(Context& context, const wire::Step& step) {
  return inParent(context.plan.text(step.s0),
                  [&](int dir, const char* name) { return sys::symlinkat(context.plan.text(step.s1), dir, name); });
}

/// s0 = path; mode; s1, n = data, or kRandom.
long writeFile(Context& context, const wire::Step& step) {
  sys::Text<64> uuid;
  const char* data = static_cast<const char*>(context.plan.data(step.s1));
  size_t size = step.n;
  if (step.flags & wire::kRandom) {
    if (long error = randomUuid(uuid); error < 0) return error;
    data = uuid.c_str();
    size = uuid.size();
  }
  return inParent(context.plan.text(step.s0), [&](int dir, const char* name) {
    sys::UniqueFd fd(sys::openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, step.mode));
    if (!fd.ok()) return fd.error();
    if (long error = sys::writeAll(fd.get(), data, size); error < 0) return error;
    return sys::fchmod(fd.get(), step.mode);
  });
}

/// s0 = file below /proc/sys; s1 = value. On the proc that was mounted for the guest, which nothing covers yet.
long setParameter(Context& context, const wire::Step& step) {
  const char* name;
  sys::UniqueFd parent(openParent(context.plan.text(step.s0), &name));
  if (!parent.ok()) return parent.error();
  sys::UniqueFd file(sys::openat(parent.get(), name, O_WRONLY | O_NOFOLLOW, 0));
  if (!file.ok()) return file.error();
  const char* value = context.plan.text(step.s1);
  return sys::writeAll(file.get(), value, strlen(value));
}

/// s0 = path; mode. The socket goes to the monitor.
long bindNotifySocket(Context& context, const wire::Step& step) {
  const char* path = context.plan.text(step.s0);
  sys::UniqueFd fd(sys::invoke(__NR_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.ok()) return fd.error();
  int on = 1;
  // The monitor listens to the guest's PID 1 alone, and knows it by the credentials the kernel vouches for.
  if (long error = sys::invoke(__NR_setsockopt, fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on); error < 0)
    return error;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  size_t size = strlen(path);
  if (size >= sizeof address.sun_path) return -ENAMETOOLONG;
  memcpy(address.sun_path, path, size);
  if (long error = sys::invoke(__NR_bind, fd.get(), &address, sizeof address); error < 0) return error;
  if (long error = sys::chmodat(AT_FDCWD, path, step.mode); error < 0) return error;
  GuestReport report{GuestMessage::kNotifySocket, 0, 0, {}};
  long sent = sys::sendMessage(context.toMonitor, &report, sizeof report, fd.get());
  return sent < 0 ? sent : 0;
}

/// s0 = path of a FIFO that exists.
long holdFifo(Context& context, const wire::Step& step) {
  // Opened for reading and writing it neither blocks now nor ever shows an end to a reader.
  sys::UniqueFd fd(sys::open(context.plan.text(step.s0), O_RDWR | O_NONBLOCK | O_NOFOLLOW));
  if (!fd.ok()) return fd.error();
  GuestReport report{GuestMessage::kFifo, 0, 0, {}};
  long sent = sys::sendMessage(context.toMonitor, &report, sizeof report, fd.get());
  return sent < 0 ? sent : 0;
}

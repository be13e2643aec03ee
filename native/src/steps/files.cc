// Files, directories and nodes in the guest's root. All of it happens after pivot_root: a path ends inside the tree.
#include "steps/context.hh"
#include "steps/path.hh"
#include "steps/replace.hh"

namespace {

/// A random (version 4) UUID, RFC 9562.
long randomUuid(sys::Text<64>& out) {
  unsigned char bytes[16];
  if (long error = sys::random(bytes, sizeof bytes); error < 0) return error;
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

}  // namespace

/// s0 = path; mode; kReplace: a symbolic link that is there goes.
long makeDirectory(Context& context, const wire::Step& step) {
  return inParent(context.plan.text(step.s0), [&](int dir, const char* name) {
    long error = sys::mkdirat(dir, name, step.mode);
    char text[1];
    if (error == -EEXIST && step.flags & wire::kReplace && sys::readlinkat(dir, name, text, sizeof text) >= 0) {
      if ((error = sys::unlinkat(dir, name, 0)) < 0) return error;
      error = sys::mkdirat(dir, name, step.mode);
    }
    return error == -EEXIST ? 0 : error;
  });
}

/// s0 = path; s1 = target of the link; kReplace.
long makeLink(Context& context, const wire::Step& step) {
  const char* target = context.plan.text(step.s1);
  return inParent(context.plan.text(step.s0), [&](int dir, const char* name) {
    return step.flags & wire::kReplace ? replaceByLink(dir, name, target) : sys::symlinkat(target, dir, name);
  });
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

// Files of the tree that get the host's content. The tree may be hostile: nothing is opened before it is known to be a regular
// file, since a FIFO would wait and a device might act, and the last link of a path is never followed.
#include "steps/replace.hh"

#include "steps/context.hh"
#include "steps/path.hh"

namespace {

using Name = sys::Text<300>;

/// A name beside `name` that nobody has.
long temporaryName(const char* name, Name& out) {
  uint64_t random;
  if (long error = sys::random(&random, sizeof random); error < 0) return error;
  out.add(".#").add(name);
  for (unsigned i = 0; i < 16; i++) out.add(&"0123456789abcdef"[random >> 4 * i & 15], 1);
  return out.full() ? -ENAMETOOLONG : 0;
}

/// Puts what was made under the temporary name in its place.
long takePlace(int dir, const char* temporary, const char* name) {
  long error = sys::renameat(dir, temporary, name);
  // A directory gives way when it is empty.
  if (error == -EISDIR && (error = sys::unlinkat(dir, name, AT_REMOVEDIR)) == 0)
    error = sys::renameat(dir, temporary, name);
  if (error < 0) sys::unlinkat(dir, temporary, 0);
  return error;
}

struct Content {
  const char* data;
  size_t size;
};

bool holds(int fd, Content content) {
  char window[4096];
  for (size_t at = 0;;) {
    long got = sys::readAll(fd, window, sizeof window);
    if (got < 0 || static_cast<size_t>(got) > content.size - at) return false;
    if (memcmp(window, content.data + at, static_cast<size_t>(got))) return false;
    at += static_cast<size_t>(got);
    if (static_cast<size_t>(got) < sizeof window) return at == content.size;
  }
}

/// A new file; one that is there is -EEXIST.
long create(int dir, const char* name, unsigned mode, Content content) {
  sys::UniqueFd fd(sys::openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
  if (!fd.ok()) return fd.error();
  if (long error = sys::writeAll(fd.get(), content.data, content.size); error < 0) return error;
  // Whatever umask the launcher came with.
  return sys::fchmod(fd.get(), mode);
}

long replaceByFile(int dir, const char* name, unsigned mode, Content content) {
  Name temporary;
  if (long error = temporaryName(name, temporary); error < 0) return error;
  if (long error = create(dir, temporary.c_str(), mode, content); error < 0) {
    sys::unlinkat(dir, temporary.c_str(), 0);
    return error;
  }
  return takePlace(dir, temporary.c_str(), name);
}

/// Writes into the file that is there. A symbolic link stays as it is: what it leads to is written by the guest itself.
long overwrite(int dir, const char* name, unsigned mode, Content content) {
  struct statx info;
  long error = sys::statxat(dir, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info);
  if (error == -ENOENT) return create(dir, name, mode, content);
  if (error < 0) return error;
  if (S_ISLNK(info.stx_mode)) return 0;
  if (!S_ISREG(info.stx_mode)) return S_ISDIR(info.stx_mode) ? -EISDIR : -EINVAL;
  sys::UniqueFd fd(sys::openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd.ok()) return fd.error();
  // Whoever exchanged it meanwhile gains nothing.
  if ((error = sys::fstatx(fd.get(), STATX_TYPE, &info)) < 0) return error;
  if (!S_ISREG(info.stx_mode)) return -EINVAL;
  // As at every start but the first: the tree stays untouched.
  if (holds(fd.get(), content)) return 0;
  if ((error = sys::ftruncate(fd.get(), 0)) < 0) return error;
  if ((error = sys::invoke(__NR_lseek, fd.get(), 0, 0)) < 0) return error;
  return sys::writeAll(fd.get(), content.data, content.size);
}

}  // namespace

long replaceByLink(int dir, const char* name, const char* target) {
  char text[4096];
  long size = sys::readlinkat(dir, name, text, sizeof text - 1);
  if (size >= 0) {
    text[size] = 0;
    // `../usr` in a directory of the root is `/usr`.
    if (sys::equal(text, target) || (sys::startsWith(target, "../") && sys::equal(text, target + 2))) return 0;
  }
  Name temporary;
  if (long error = temporaryName(name, temporary); error < 0) return error;
  if (long error = sys::symlinkat(target, dir, temporary.c_str()); error < 0) return error;
  return takePlace(dir, temporary.c_str(), name);
}

/// s0 = path; mode, of a new file; s1, n = data; kReplace: a new file takes the place of what is there, else that is written.
long putFile(Context& context, const wire::Step& step) {
  Content content{static_cast<const char*>(context.plan.data(step.s1)), step.n};
  return inParent(context.plan.text(step.s0), [&](int dir, const char* name) {
    return step.flags & wire::kReplace ? replaceByFile(dir, name, step.mode, content)
                                       : overwrite(dir, name, step.mode, content);
  });
}

/// s0 = path; what is not there need not be removed.
long removeFile(Context& context, const wire::Step& step) {
  const char* name;
  sys::UniqueFd parent(openParent(context.plan.text(step.s0), &name, Make::kNothing));
  long error = parent.ok() ? sys::unlinkat(parent.get(), name, 0) : parent.error();
  return error == -ENOENT ? 0 : error;
}

#include "steps/path.hh"

namespace {

constexpr unsigned kMostLinks = 40;  // MAXSYMLINKS of the kernel
constexpr unsigned kMostLevels = 128;
constexpr long kProc = 0x9fa0;     // PROC_SUPER_MAGIC
constexpr uint64_t kProcRoot = 1;  // inode of the root of a procfs

unsigned typeOf(int fd) {
  struct statx info;
  return sys::fstatx(fd, STATX_TYPE, &info) < 0 ? 0 : info.stx_mode & S_IFMT;
}

bool isProc(int fd) {
  struct {
    long type;
    char rest[240];
  } info{};
  return sys::invoke(__NR_fstatfs, fd, &info) == 0 && info.type == kProc;
}

/// The links below /proc/PID lead to wherever the kernel likes, out of the tree. Those in its root are plain text.
bool isMagic(int parent, int link) {
  struct statx info;
  return isProc(link) && (sys::fstatx(parent, STATX_INO, &info) < 0 || info.stx_ino != kProcRoot);
}

/// The walk from component to component, on descriptors. `..` goes back to the descriptor that was passed on the way down,
/// so that a directory which is moved away meanwhile leads nowhere.
class Walk {
 public:
  Walk(int root, Make make) : make_(make) {
    levels_[0] = static_cast<int>(root == AT_FDCWD ? sys::open("/", O_PATH | O_DIRECTORY)
                                                   : sys::openat(root, ".", O_PATH | O_DIRECTORY));
  }
  ~Walk() { backTo(-1); }

  long run(const char* path, bool noFollow) {
    if (levels_[0] < 0) return levels_[0];
    rest_.add(path);
    for (;;) {
      const char* start = rest_.c_str();
      while (*start == '/') start++;
      if (!*start) return sys::openat(current(), ".", O_PATH);
      const char* end = sys::find(start, '/');
      size_t size = end ? static_cast<size_t>(end - start) : strlen(start);
      sys::Text<256> name;
      name.add(start, size);
      if (name.full() || rest_.full()) return -ENAMETOOLONG;
      while (end && *end == '/') end++;
      bool last = !end || !*end;
      sys::Text<4096> rest(end ? end : "");
      rest_ = rest;
      if (sys::equal(name.c_str(), ".")) continue;
      if (sys::equal(name.c_str(), "..")) {
        if (depth_ > 0) backTo(depth_ - 1);
        continue;
      }
      long fd = enter(name.c_str(), last);
      if (fd < 0) return fd;
      if (typeOf(static_cast<int>(fd)) == S_IFLNK && !(last && noFollow)) {
        if (long error = follow(static_cast<int>(fd)); error < 0) return error;
        continue;
      }
      if (last) return fd;
      if (depth_ + 1 == static_cast<int>(kMostLevels)) {
        sys::close(static_cast<int>(fd));
        return -ENAMETOOLONG;
      }
      levels_[++depth_] = static_cast<int>(fd);
    }
  }

 private:
  int current() const { return levels_[depth_]; }

  void backTo(int depth) {
    for (; depth_ > depth; depth_--) sys::close(levels_[depth_]);
  }

  /// Opens the component, made first where it is missing and that was asked for.
  long enter(const char* name, bool last) {
    long fd = sys::openat(current(), name, O_PATH | O_NOFOLLOW);
    if (fd != -ENOENT || make_ == Make::kNothing) return fd;
    if (last && make_ == Make::kFile) {
      sys::UniqueFd made(sys::openat(current(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
      if (!made.ok() && made.error() != -EEXIST) return made.error();
    } else {
      long error = sys::mkdirat(current(), name, 0755);
      if (error < 0 && error != -EEXIST) return error;
    }
    return sys::openat(current(), name, O_PATH | O_NOFOLLOW);
  }

  /// Puts the text of the link, which is closed, before what is left of the path.
  long follow(int descriptor) {
    sys::UniqueFd link(descriptor);
    if (++links_ > kMostLinks || isMagic(current(), link.get())) return -ELOOP;
    char text[4096];
    long size = sys::invoke(__NR_readlinkat, link.get(), "", text, sizeof text - 1);
    if (size < 0) return size;
    text[size] = 0;
    if (text[0] == '/') backTo(0);
    sys::Text<4096> joined(text);
    joined.add("/").add(rest_.c_str());
    if (joined.full()) return -ENAMETOOLONG;
    rest_ = joined;
    return 0;
  }

  Make make_;
  int levels_[kMostLevels];
  int depth_ = 0;
  unsigned links_ = 0;
  sys::Text<4096> rest_;
};

}  // namespace

long openInside(int root, const char* path, bool noFollow, Make make) {
  // An absolute path starts at the root that is given, too.
  uint64_t flags = O_PATH | (noFollow ? O_NOFOLLOW : 0);
  long fd = -EAGAIN;
  // EAGAIN: a rename raced with the walk.
  for (int attempt = 0; fd == -EAGAIN && attempt < 64; attempt++)
    fd = sys::openat2(root == AT_FDCWD ? AT_FDCWD : root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (fd == -ENOSYS || (fd == -ENOENT && make != Make::kNothing)) return Walk(root, make).run(path, noFollow);
  return fd;
}

long openParent(const char* path, const char** name, Make make) {
  const char* last = path;
  for (const char* p = path; *p; p++)
    if (*p == '/' && p[1]) last = p + 1;
  *name = last;
  sys::Text<4096> parent;
  parent.add(path, static_cast<size_t>(last - path));
  if (parent.full()) return -ENAMETOOLONG;
  return openInside(AT_FDCWD, parent.size() ? parent.c_str() : "/", false, make);
}

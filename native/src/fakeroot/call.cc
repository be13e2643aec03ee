#include "fakeroot/call.hh"

namespace fakeroot {

namespace {

constexpr uint64_t kPage = 4096;

/// What `text` has behind one of the ways to say "this process", or null.
const char* behindSelf(const char* text, const char* way) {
  if (!sys::startsWith(text, way)) return nullptr;
  text += strlen(way);
  return *text == '/' ? text + 1 : nullptr;
}

/// The descriptor that a link in /dev is for, or -1: those lead to /proc/self as well.
int standardStream(const char* text) {
  constexpr const char* kNames[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
  for (int fd = 0; fd < 3; fd++)
    if (sys::equal(text, kNames[fd])) return fd;
  return -1;
}

/// The end of the list of process ids of a process, one for each PID namespace from this one inwards.
struct Numbers {
  static constexpr unsigned kMost = 32;
  uint32_t list[kMost];
  unsigned count = 0;
};

Numbers numbersOf(long process) {
  Numbers numbers;
  sys::Text<40> path;
  path.add(process).add("/status");
  sys::UniqueFd file(sys::open(path.c_str(), O_RDONLY));
  char text[4096];
  long size = file.ok() ? sys::readAll(file.get(), text, sizeof text - 1) : 0;
  text[size < 0 ? 0 : size] = 0;
  for (const char* line = text; line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    if (!sys::startsWith(line, "NSpid:")) continue;
    const char* p = line + 6;
    while (*p && *p != '\n' && numbers.count < Numbers::kMost) {
      const char* first = ++p;  // behind the tabulator
      while (*p >= '0' && *p <= '9') p++;
      if (!sys::parseNumber(first, p, &numbers.list[numbers.count])) break;
      numbers.count++;
    }
    break;
  }
  return numbers;
}

}  // namespace

bool Call::read(uint64_t from, void* to, size_t n) const {
  sys::Iovec here{to, n}, there{reinterpret_cast<void*>(from), n};
  return sys::invoke(__NR_process_vm_readv, thread, &here, 1, &there, 1, 0) == static_cast<long>(n);
}

bool Call::write(uint64_t to, const void* from, size_t n) const {
  sys::Iovec here{const_cast<void*>(from), n}, there{reinterpret_cast<void*>(to), n};
  return sys::invoke(__NR_process_vm_writev, thread, &here, 1, &there, 1, 0) == static_cast<long>(n);
}

bool Call::readText(uint64_t from, char* to, size_t room) const {
  // Piece by piece, because the page behind the text need not be there.
  for (size_t size = 0; size < room;) {
    size_t piece = kPage - (from + size) % kPage;
    if (piece > room - size) piece = room - size;
    if (size == 0 && piece > 256) piece = 256;
    if (!read(from + size, to + size, piece)) return false;
    for (size_t i = 0; i < piece; i++)
      if (!to[size + i]) return true;
    size += piece;
  }
  return false;
}

bool Call::isValid() const {
  uint64_t copy = id;
  return sys::ioctl(state.listener, static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_ID_VALID), &copy) == 0;
}

bool Call::enterRoot() {
  if (entered_) return true;
  Path path;
  addProc(path, "root");
  entered_ = sys::chroot(path.c_str()) == 0;
  return entered_;
}

void Call::leaveRoot() {
  // Nothing of the guest's stays in use: it could not be unmounted.
  if (entered_) sys::chroot(".");
  entered_ = false;
}

long Call::pathTo(int directory, const char* text, bool follow, Path& path) const {
  if (*text == '/') {
    // "self" would be this process.
    const char* rest = behindSelf(text, "/proc/self");
    if (!rest) rest = behindSelf(text, "/proc/thread-self");
    if (rest) {
      addProc(path, rest);
    } else if ((rest = behindSelf(text, "/dev/fd"))) {
      addProc(path, "fd/");
      path.add(rest);
    } else if (int standard = follow ? standardStream(text) : -1; standard >= 0) {
      addProc(path, "fd/");
      path.add(static_cast<int64_t>(standard));
    } else {
      addProc(path, "root");
      path.add(text);
    }
  } else {
    if (directory == AT_FDCWD) {
      addProc(path, "cwd");
    } else if (directory >= 0) {
      addProc(path, "fd/");
      path.add(static_cast<int64_t>(directory));
    } else {
      return -EBADF;
    }
    if (*text) path.add("/").add(text);
  }
  return path.full() ? -ENAMETOOLONG : 0;
}

int Call::numberOf(long process) const {
  const Numbers mine = numbersOf(thread), theirs = numbersOf(process);
  return mine.count > 0 && theirs.count >= mine.count ? static_cast<int>(theirs.list[mine.count - 1]) : 0;
}

long Call::take(int descriptor) const {
  sys::UniqueFd process(sys::invoke(__NR_pidfd_open, group(), 0));                                      // 5.3
  return process.ok() ? sys::invoke(__NR_pidfd_getfd, process.get(), descriptor, 0) : process.error();  // 5.6
}

Answer Call::handOver(int descriptor, int flags) const {
  seccomp_notif_addfd add{};
  add.id = id;
  add.srcfd = static_cast<uint32_t>(descriptor);
  add.newfd_flags = flags & O_CLOEXEC;
  add.flags = SECCOMP_ADDFD_FLAG_SEND;  // 5.14
  long number = sys::ioctl(state.listener, static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_ADDFD), &add);
  if (number >= 0) return {false, number, true};
  if (number != -EINVAL) return Answer::give(number);
  add.flags = 0;
  return Answer::give(sys::ioctl(state.listener, static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_ADDFD), &add));
}

long Call::status(const char* key, unsigned base) const {
  Path path;
  addProc(path, "status");
  sys::UniqueFd file(sys::open(path.c_str(), O_RDONLY));
  if (!file.ok()) return -1;
  char text[4096];
  long size = sys::readAll(file.get(), text, sizeof text - 1);
  if (size <= 0) return -1;
  text[size] = 0;
  for (const char* line = text; line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    if (!sys::startsWith(line, key)) continue;
    long value = 0;
    const char* p = line + strlen(key);
    while (*p == ':' || *p == '\t' || *p == ' ') p++;
    for (;; p++) {
      unsigned digit = *p >= 'a' ? static_cast<unsigned>(*p - 'a' + 10) : static_cast<unsigned>(*p - '0');
      if (digit >= base) return value;
      value = value * static_cast<long>(base) + static_cast<long>(digit);
    }
  }
  return -1;
}

}  // namespace fakeroot

#include "addon/tree.hh"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

namespace {

std::string linkText(int dir, const char* name) {
  char buffer[PATH_MAX];
  ssize_t n = readlinkat(dir, name, buffer, sizeof buffer);
  return n < 0 ? std::string() : std::string(buffer, static_cast<size_t>(n));
}

/// The same as openat2(RESOLVE_IN_ROOT), component by component, for kernels before 5.6 and filters that hide it.
int walkInTree(int tree, const std::string& path, int flags) {
  std::vector<int> open{fcntl(tree, F_DUPFD_CLOEXEC, 0)};
  auto closeDownTo = [&](size_t n) {
    while (open.size() > n) {
      close(open.back());
      open.pop_back();
    }
  };
  std::string rest = path;
  constexpr int kGoOn = INT_MIN;  // no descriptor, no errno
  int result = kGoOn;
  for (int links = 0; result == kGoOn;) {
    size_t start = rest.find_first_not_of('/');
    if (start == std::string::npos) {
      constexpr const char* kHere = ".";
      result = flags & O_PATH ? openPlace(open.back(), kHere, flags | O_NOFOLLOW)
                              : openat(open.back(), kHere, flags | O_CLOEXEC | O_NOFOLLOW);
      if (result < 0) result = -errno;
      break;
    }
    size_t end = rest.find('/', start);
    std::string name = rest.substr(start, end == std::string::npos ? end : end - start);
    rest = end == std::string::npos ? "" : rest.substr(end);
    if (name == ".") continue;
    if (name == "..") {
      if (open.size() > 1) closeDownTo(open.size() - 1);
      continue;
    }
    std::string link = linkText(open.back(), name.c_str());
    if (!link.empty()) {
      if (++links > 40) result = -ELOOP;
      if (link[0] == '/') closeDownTo(1);
      rest = link + rest;
      continue;
    }
    bool last = rest.find_first_not_of('/') == std::string::npos;
    bool place = !last || flags & O_PATH;
    int fd = place ? openPlace(open.back(), name.c_str(), (last ? flags : O_DIRECTORY) | O_NOFOLLOW)
                   : openat(open.back(), name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || last) {
      result = fd < 0 ? -errno : fd;
    } else {
      open.push_back(fd);
    }
  }
  closeDownTo(0);
  return result;
}

}  // namespace

int openPlace(int directory, const char* path, int flags) {
  // Where O_PATH is known it makes the kernel forget O_NONBLOCK and O_NOCTTY.
  int all = flags | O_PATH | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  int fd = openat(directory, path, all);
  return fd < 0 && errno == EINVAL ? openat(directory, path, all & ~O_PATH) : fd;
}

std::string identity(int fd) {
  struct stat status;
  if (fstat(fd, &status) < 0) return "";
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

std::string realPath(int fd) { return linkText(AT_FDCWD, ("/proc/self/fd/" + std::to_string(fd)).c_str()); }

int openInTree(int tree, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0; attempt < 16; attempt++) {
    long fd = syscall(SYS_openat2, tree, path.c_str(), &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno == ENOSYS) return walkInTree(tree, path, flags);
    if (errno != EAGAIN) return -errno;  // EAGAIN: a rename raced with the walk
  }
  return -EAGAIN;
}

std::string resolveInTree(int tree, const std::string& path) {
  int fd = openInTree(tree, path, O_PATH);
  if (fd < 0) return "";
  std::string base = realPath(tree);
  std::string full = realPath(fd);
  close(fd);
  if (base == "/") return full;
  return full.compare(0, base.size(), base) == 0 ? full.substr(base.size()) : "";
}

bool readRegular(int fd, size_t most, std::string& content) {
  struct stat status;
  bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  char buffer[16384];
  while (regular && content.size() < most) {
    ssize_t n = read(fd, buffer, most - content.size() < sizeof buffer ? most - content.size() : sizeof buffer);
    if (n <= 0) break;
    content.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return regular;
}

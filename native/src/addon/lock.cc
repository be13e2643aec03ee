#include "addon/lock.hh"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "addon/tree.hh"

namespace {

constexpr const char* kLocks = "/run/systemd/nspawn/locks";

/// A lock of the open file, which the monitor's copy of the descriptor keeps (fcntl(2), open file description locks). Before Linux 3.15,
/// where no systemd-nspawn can be that would look for one, it is one of flock(2).
int setLock(int fd, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
  if (errno != EINVAL) return -errno;
  return flock(fd, (type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0 ? -errno : 0;
}

std::string globalLock(const struct stat& status) {
  auto pair = [](unsigned long a, unsigned long b) { return std::to_string(a) + ":" + std::to_string(b); };
  if (S_ISBLK(status.st_mode))
    return std::string(kLocks) + "/block-" + pair(major(status.st_rdev), minor(status.st_rdev));
  return std::string(kLocks) + "/inode-" + pair(status.st_dev, status.st_ino);
}

void makeLockDirectory() {
  for (const char* path : {"/run/systemd", "/run/systemd/nspawn"}) mkdir(path, 0755);
  mkdir(kLocks, 0700);
}

}  // namespace

int makeLockFile(const std::string& path, bool exclusive) {
  for (int attempt = 0; attempt < 16; attempt++) {
    int fd = open(path.c_str(), O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    struct stat status;
    int error = setLock(fd, exclusive ? F_WRLCK : F_RDLCK);
    if (error == 0 && fstat(fd, &status) < 0) error = -errno;
    if (error == 0 && status.st_nlink > 0) return fd;
    close(fd);
    if (error < 0) return error == -EACCES ? -EAGAIN : error;
    // Its last holder has removed it between the two calls.
  }
  return -EAGAIN;
}

int lockTree(const std::string& path, bool exclusive, const std::string& expected) {
  int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  if (identity(fd) != expected) {
    close(fd);
    return -ESTALE;
  }
  return fd;
}

int takeLockFiles(const std::string& path, bool exclusive, std::vector<int>& files) {
  struct stat status;
  if (stat(path.c_str(), &status) < 0) return -errno;
  std::vector<std::string> names;
  size_t slash = path.rfind('/');
  // In this order, as systemd-nspawn does.
  if (!S_ISBLK(status.st_mode) && slash != std::string::npos && slash + 1 < path.size())
    names.push_back(path.substr(0, slash + 1) + ".#" + path.substr(slash + 1) + ".lck");
  names.push_back(globalLock(status));
  for (const std::string& name : names) {
    int fd = makeLockFile(name, exclusive);
    if (fd == -ENOENT) {
      makeLockDirectory();
      fd = makeLockFile(name, exclusive);
    }
    if (fd >= 0) files.push_back(fd);
    if (fd != -EAGAIN) continue;
    for (int held : files) releaseLockFile(held);
    files.clear();
    return fd;
  }
  return 0;
}

void releaseLockFile(int fd) {
  if (setLock(fd, F_WRLCK) == 0) {
    std::string path = realPath(fd);
    struct stat status;
    if (!path.empty() && fstat(fd, &status) == 0 && status.st_nlink > 0) unlink(path.c_str());
  }
  close(fd);
}

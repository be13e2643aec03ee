#include "addon/ids.hh"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <pwd.h>
#include <sched.h>
#include <shadow.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "addon/lock.hh"
#include "addon/spawn.hh"

namespace {

constexpr const char* kDirectory = "/run/systemd/nspawn-uid";

bool hasOwner(uint32_t base, uint32_t size) {
  // The first and the last: whoever hands out ranges gives whole ones.
  return getpwuid(base) || getgrgid(base) || getpwuid(base + size - 1) || getgrgid(base + size - 1);
}

bool writeFile(const std::string& path, const char* text) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  size_t size = std::char_traits<char>::length(text);
  return fd.get() >= 0 && write(fd.get(), text, size) == static_cast<ssize_t>(size);
}

}  // namespace

int lockIds(uint32_t base, uint32_t size) {
  if ((mkdir("/run/systemd", 0755) < 0 && errno != EEXIST) || (mkdir(kDirectory, 0755) < 0 && errno != EEXIST))
    return -errno;
  std::string path = std::string(kDirectory) + "/" + std::to_string(base);
  // Of the open file, not of the process: it goes on with the copy that the monitor has, which removes the file at the end.
  int lock = makeLockFile(path, true);
  if (lock < 0) return lock == -EAGAIN ? -EBUSY : lock;
  // While nobody adds a user.
  bool database = lckpwdf() == 0;
  bool taken = hasOwner(base, size);
  if (database) ulckpwdf();
  if (!taken) return lock;
  releaseLockFile(lock);
  return -EBUSY;
}

bool mapsOwners(int directory) {
  // A namespace can only be had from a process in it; this one does nothing but exist.
  int pid = static_cast<int>(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (pid < 0) return false;
  // It goes with the launcher, should that be killed here.
  if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (pid == 0) pause();
  std::string process = "/proc/" + std::to_string(pid);
  constexpr const char* kMap = "0 65536 65536\n";
  bool works = writeFile(process + "/uid_map", kMap) && writeFile(process + "/gid_map", kMap);
  Fd users(open((process + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  Fd mount(
      static_cast<int>(syscall(SYS_open_tree, directory, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
  mount_attr map{};
  map.attr_set = MOUNT_ATTR_IDMAP;
  map.userns_fd = static_cast<uint64_t>(users.get());
  works = works && users.get() >= 0 && mount.get() >= 0 &&
          syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &map, sizeof map) == 0;
  kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return works;
}

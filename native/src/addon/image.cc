#include "addon/image.hh"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon/spawn.hh"

int openImage(const std::string& path, bool writable, OpenedImage& image) {
  // Not blocking: the path may lead to a FIFO.
  constexpr int kFlags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  Fd fd(open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | kFlags));
  image.readOnly = !writable;
  if (fd.get() < 0 && writable && (errno == EROFS || errno == EACCES || errno == EPERM)) {
    fd = Fd(open(path.c_str(), O_RDONLY | kFlags));
    image.readOnly = true;
  }
  struct stat status;
  if (fd.get() < 0 || fstat(fd.get(), &status) < 0) return -errno;
  if (S_ISREG(status.st_mode)) {
    image.kind = "file";
    image.size = static_cast<uint64_t>(status.st_size);
  } else if (S_ISBLK(status.st_mode)) {
    image.kind = "block";
    // A device that is written to through another one at the same time ends as rubbish; the kernel knows who has it.
    if (!image.readOnly) {
      Fd claim(open(path.c_str(), O_RDONLY | O_EXCL | kFlags));
      if (claim.get() < 0) return -errno;
    }
    int sectorSize = 0;
    if (ioctl(fd.get(), BLKGETSIZE64, &image.size) < 0 || ioctl(fd.get(), BLKSSZGET, &sectorSize) < 0) return -errno;
    image.sectorSize = static_cast<unsigned>(sectorSize);
  }
  image.fd = fd.release();
  return 0;
}

int lockFile(int fd, bool exclusive) { return flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0 ? -errno : 0; }

int attachLoop(int file, ByteRange range, bool readOnly, std::string& path) {
  Fd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (control.get() < 0) return -errno;
  // Between the answer and our claim another process may take the device that is free: then the next one.
  for (int attempt = 0; attempt < 64; attempt++) {
    int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return -errno;
    path = "/dev/loop" + std::to_string(number);
    Fd device(open(path.c_str(), (readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC));
    if (device.get() < 0 && errno == ENXIO) continue;  // removed meanwhile
    if (device.get() < 0) return -errno;
    loop_config config{};
    config.fd = static_cast<uint32_t>(file);
    config.block_size = 512;
    config.info.lo_offset = range.offset;
    config.info.lo_sizelimit = range.size;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (readOnly ? unsigned{LO_FLAGS_READ_ONLY} : 0u);
    if (ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return device.release();  // Linux 5.8
    if (errno != EBUSY) return -errno;
  }
  return -EBUSY;
}

namespace {

long fsconfig(int fd, unsigned command, const char* key, const char* value) {
  return syscall(SYS_fsconfig, fd, command, key, value, 0);
}

}  // namespace

bool hasFileSystem(const std::string& type) {
  // Opening a context loads the module, as a mount would.
  Fd context(static_cast<int>(syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC)));
  return context.get() >= 0;
}

int mountReadOnly(int device, const std::string& type, const std::vector<std::string>& options) {
  Fd context(static_cast<int>(syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC)));
  std::string source = "/proc/self/fd/" + std::to_string(device);
  if (context.get() < 0 || fsconfig(context.get(), FSCONFIG_SET_STRING, "source", source.c_str()) < 0 ||
      fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr) < 0)
    return -errno;
  for (const auto& option : options) {
    size_t equals = option.find('=');
    std::string key = option.substr(0, equals);
    long result = equals == std::string::npos
                      ? fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr)
                      : fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), option.c_str() + equals + 1);
    if (result < 0) return -errno;
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) return -errno;
  // What is in it is looked at by a privileged process, before anything contains it.
  constexpr unsigned kFlags = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  Fd mount(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, kFlags)));
  if (mount.get() < 0) return -errno;
  int root = openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return root < 0 ? -errno : root;
}

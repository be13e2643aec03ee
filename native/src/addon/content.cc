#include "addon/content.hh"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "addon/tree.hh"

namespace {

constexpr timeval kPatience{10, 0};

Content failed() { return {{}, errno == EAGAIN ? ETIMEDOUT : errno}; }

Content readAll(int fd, size_t most) {
  Content content;
  uint8_t buffer[16384];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) {
    if (content.bytes.size() + static_cast<size_t>(n) > most) return {{}, EFBIG};
    content.bytes.insert(content.bytes.end(), buffer, buffer + n);
  }
  return n < 0 ? failed() : content;
}

}  // namespace

Content readFile(const std::string& path, size_t most) {
  // Not blocking: a FIFO would wait for a writer.
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return failed();
  struct stat status;
  Content content = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? readAll(fd, most) : Content{{}, EINVAL};
  close(fd);
  return content;
}

Content readSocket(const std::string& path, size_t most) {
  int place = openPlace(AT_FDCWD, path.c_str(), 0);
  if (place < 0) return failed();
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // A path may be longer than an address.
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
  bool connected = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) == 0 &&
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) == 0 &&
                   connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  Content content = connected ? readAll(fd, most) : failed();
  if (fd >= 0) close(fd);
  close(place);
  return content;
}

#include "sys/kernel.hh"

namespace sys {

namespace {

/// One control message: a descriptor going out, or a descriptor and credentials coming in.
struct ControlBuffer {
  alignas(8) char bytes[128];
};

size_t aligned(size_t n) { return (n + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1); }

struct KernelSigaction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  SignalSet mask;
};

}  // namespace

long resetSignals() {
  // An ignored signal stays ignored across exec, and Node ignores SIGPIPE: a guest would inherit that.
  KernelSigaction action{};
  for (int signal = 1; signal <= 64; signal++)
    if (signal != SIGKILL && signal != SIGSTOP) invoke(__NR_rt_sigaction, signal, &action, nullptr, sizeof action.mask);
  return setSignalMask(0);
}

long forkProcess() { return invoke(__NR_clone, SIGCHLD, 0, 0, 0, 0); }

long sendMessage(int socket, const void* data, size_t n, int fd, int flags) {
  Iovec part{const_cast<void*>(data), n};
  ControlBuffer control{};
  MessageHeader message{nullptr, 0, &part, 1, nullptr, 0, 0};
  if (fd >= 0) {
    auto* header = reinterpret_cast<ControlHeader*>(control.bytes);
    *header = {sizeof(ControlHeader) + sizeof fd, SOL_SOCKET, SCM_RIGHTS};
    memcpy(header + 1, &fd, sizeof fd);
    message.control = control.bytes;
    message.controlSize = sizeof(ControlHeader) + aligned(sizeof fd);
  }
  long result;
  do result = invoke(__NR_sendmsg, socket, &message, flags | MSG_NOSIGNAL);
  while (result == -EINTR);
  return result;
}

Received receiveMessage(int socket, void* to, size_t n, int flags) {
  Received received;
  Iovec part{to, n};
  ControlBuffer control{};
  MessageHeader message{nullptr, 0, &part, 1, control.bytes, sizeof control.bytes, 0};
  do received.size = invoke(__NR_recvmsg, socket, &message, flags | MSG_CMSG_CLOEXEC);
  while (received.size == -EINTR);
  if (received.size < 0) return received;
  for (size_t at = 0; at + sizeof(ControlHeader) <= message.controlSize;) {
    auto* header = reinterpret_cast<ControlHeader*>(control.bytes + at);
    if (header->size < sizeof(ControlHeader) || at + header->size > message.controlSize) break;
    if (header->level == SOL_SOCKET && header->type == SCM_RIGHTS) {
      // A guest may send descriptors along with a notification, as many as fit: all are taken, so that all are closed.
      size_t count = (header->size - sizeof(ControlHeader)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, reinterpret_cast<char*>(header + 1) + i * sizeof fd, sizeof fd);
        if (received.fd >= 0) close(received.fd);
        received.fd = fd;
      }
    }
    if (header->level == SOL_SOCKET && header->type == SCM_CREDENTIALS)
      memcpy(&received.sender, header + 1, sizeof received.sender);
    at += aligned(header->size);
  }
  return received;
}

long readAll(int fd, char* to, size_t n) {
  size_t done = 0;
  while (done < n) {
    long got = read(fd, to + done, n - done);
    if (got == -EINTR) continue;
    if (got < 0) return got;
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return static_cast<long>(done);
}

long writeAll(int fd, const char* from, size_t n) {
  while (n) {
    long put = write(fd, from, n);
    if (put == -EINTR) continue;
    if (put < 0) return put;
    from += put;
    n -= static_cast<size_t>(put);
  }
  return 0;
}

}  // namespace sys

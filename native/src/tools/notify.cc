// tsnspawn-notify: says to the launcher how a guest is doing, and ends it, for guests that have neither systemd nor a
// libc to build against.
//
//   tsnspawn-notify READY=1 [STATUS=...]         the lines go out as one datagram to $NOTIFY_SOCKET, or to
//   /run/host/notify tsnspawn-notify --poweroff|--halt|--reboot   writes everything to disk, then reboot(2), which ends
//   this PID namespace
//
// Static and without a libc like the runner, so that it works in any tree.

#include <linux/reboot.h>
#include <linux/un.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/start.hh"
#include "sys/syscall.hh"
#include "sys/text.hh"

namespace {

constexpr const char* kDefaultSocket = "/run/host/notify";

// The kernel's own layouts (linux/socket.h does not export them).
constexpr int kAfUnix = 1, kSockDgram = 2, kSockCloexec = 02000000, kSolSocket = 1, kScmCredentials = 2,
              kMsgNoSignal = 0x4000;
struct Vector {
  const void* base;
  size_t length;
};
struct Message {
  void* name;
  int nameLength;
  Vector* vectors;
  size_t vectorCount;
  void* control;
  size_t controlLength;
  unsigned flags;
};
struct Credentials {
  size_t length;
  int level;
  int type;
  int pid;
  unsigned uid;
  unsigned gid;
};

const char* reason(long error) {
  switch (-error) {
    case 1:
      return "operation not permitted";
    case 2:
      return "no such file or directory";
    case 13:
      return "permission denied";
    case 38:
      return "function not implemented";
    case 90:
      return "message too long";
    case 111:
      return "nobody listens";
    default:
      return nullptr;
  }
}

int fail(const char* what, const char* why) {
  sys::Text<512> line("tsnspawn-notify: ");
  line.add(what).add(": ").add(why).add("\n");
  sys::invoke(__NR_write, 2, line.c_str(), line.size());
  return 1;
}

int fail(const char* what, long error) {
  if (const char* words = reason(error)) return fail(what, words);
  return fail(what, sys::Text<32>("error ").add(static_cast<int64_t>(-error)).c_str());
}

int end(const char* option) {
  unsigned command;
  if (sys::equal(option, "--poweroff")) {
    command = LINUX_REBOOT_CMD_POWER_OFF;
  } else if (sys::equal(option, "--halt")) {
    command = LINUX_REBOOT_CMD_HALT;
  } else if (sys::equal(option, "--reboot")) {
    command = LINUX_REBOOT_CMD_RESTART;
  } else {
    return fail(option, "unknown option; there are --poweroff, --halt and --reboot");
  }
  sys::invoke(__NR_sync);
  return fail(option, sys::invoke(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, nullptr));
}

int notify(const char* socketPath, char** lines) {
  sockaddr_un address{};
  address.sun_family = kAfUnix;
  const size_t length = strlen(socketPath);
  const bool abstract = socketPath[0] == '@';
  if (length == 0 || length >= sizeof address.sun_path) return fail(socketPath, "not the path of a socket");
  memcpy(address.sun_path, socketPath, length);
  if (abstract) address.sun_path[0] = 0;

  sys::Text<4096> text;
  for (char** line = lines; *line; line++) text.add(line == lines ? "" : "\n").add(*line);
  if (text.full()) return fail(socketPath, "message too long");

  Vector vector{text.c_str(), text.size()};
  // The receiver listens to PID 1 alone. A guest's root may speak for it; whoever may not, speaks for itself.
  Credentials control{sizeof(size_t) + 2 * sizeof(int) + 3 * sizeof(int), kSolSocket, kScmCredentials, 1, 0, 0};
  Message message{&address, static_cast<int>(offsetof(sockaddr_un, sun_path) + length + !abstract),
                  &vector,  1,
                  &control, sizeof control,
                  0};
  const long fd = sys::invoke(__NR_socket, kAfUnix, kSockDgram | kSockCloexec, 0);
  if (fd < 0) return fail("socket", fd);
  long sent = sys::invoke(__NR_sendmsg, fd, &message, kMsgNoSignal);
  if (sent == -1 /* EPERM */ || sent == -3 /* ESRCH: there is no PID 1 here */) {
    message.control = nullptr;
    message.controlLength = 0;
    sent = sys::invoke(__NR_sendmsg, fd, &message, kMsgNoSignal);
  }
  return sent < 0 ? fail(socketPath, sent) : 0;
}

}  // namespace

extern "C" [[noreturn]] void notifyMain(long* stack) {
  const long argc = stack[0];
  char** argv = reinterpret_cast<char**>(stack + 1);
  const char* socketPath = kDefaultSocket;
  for (char** env = argv + argc + 1; *env; env++) {
    if (sys::startsWith(*env, "NOTIFY_SOCKET=")) socketPath = *env + 14;
  }
  int status;
  if (argc < 2) {
    status = fail("usage", "tsnspawn-notify READY=1 [NAME=VALUE]... | --poweroff | --halt | --reboot");
  } else {
    status = argv[1][0] == '-' ? end(argv[1]) : notify(socketPath, argv + 1);
  }
  for (;;) sys::invoke(__NR_exit_group, status);
}

SYS_START(notifyMain);

#include "addon/spawn.hh"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "addon/limits.hh"
#include "addon/maps.hh"
#include "sys/text.hh"

extern "C" const unsigned char tsnspawn_runner_start[], tsnspawn_runner_end[];

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

namespace {

bool writeAll(int fd, const void* data, size_t size) {
  auto* at = static_cast<const char*>(data);
  while (size) {
    ssize_t put = write(fd, at, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    at += put;
    size -= static_cast<size_t>(put);
  }
  return true;
}

/// A sealed memory file. `executable`: with MFD_EXEC where vm.memfd_noexec would take the permission away; kernels before
/// 6.3 do not know the flag and refuse it.
Fd sealedFile(const char* name, const void* data, size_t size, bool executable) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  Fd fd(executable ? memfd_create(name, kFlags | MFD_EXEC) : memfd_create(name, kFlags));
  if (fd.get() < 0 && executable && errno == EINVAL) fd = Fd(memfd_create(name, kFlags));
  if (fd.get() < 0 || !writeAll(fd.get(), data, size)) return Fd();
  // What runs beside the guest can be overwritten by nobody, the guest's root included (CVE-2019-5736).
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) return Fd();
  return fd;
}

bool isExecutable(int fd) {
  struct statvfs status;
  return fstatvfs(fd, &status) == 0 && !(status.f_flag & ST_NOEXEC);
}

/// Where the kernel has no memory files (before 3.17, or a filter): an unlinked file, opened for reading only.
Fd unlinkedFile(const void* data, size_t size, bool executable) {
  const char* own = getenv("TMPDIR");
  for (const char* directory : {own ? own : "", "/tmp", "/var/tmp", "/dev/shm"}) {
    if (*directory != '/') continue;
    std::string path = std::string(directory) + "/.tsnspawn-XXXXXX";
    Fd out(mkostemp(path.data(), O_CLOEXEC));
    if (out.get() < 0) continue;
    bool written = (!executable || isExecutable(out.get())) && writeAll(out.get(), data, size) &&
                   fchmod(out.get(), executable ? 0500 : 0400) == 0;
    Fd fd(written ? open(path.c_str(), O_RDONLY | O_CLOEXEC) : -1);
    int error = errno;
    unlink(path.c_str());
    errno = error;
    if (fd.get() >= 0) return fd;
  }
  return Fd();
}

/// A file with a content that is read or executed, sealed where the kernel can do that; negative where there is no place for one.
Fd constantFile(const char* name, const void* data, size_t size, bool executable = false) {
  Fd fd = sealedFile(name, data, size, executable);
  return fd.get() < 0 ? unlinkedFile(data, size, executable) : std::move(fd);
}

/// The runner as a descriptor that can be executed.
Fd runnerFile() {
  auto size = static_cast<size_t>(tsnspawn_runner_end - tsnspawn_runner_start);
  return constantFile("tsnspawn-runner", tsnspawn_runner_start, size, true);
}

struct Child {
  const SpawnRequest* request;
  int runner, plan, events;
  int gate[2];  // -1, or the two ends of a socket: the child goes on when it can read from its own, the second
  sigset_t mask;
  int error;
};

/// Marks a range of descriptors; system calls only.
void closeOnExec(unsigned first, unsigned last) {
  if (first > last || syscall(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) == 0) return;
  // Before Linux 5.9, or where a filter hides close_range(2).
  rlimit64 limit;
  constexpr unsigned kMost = 65536;
  bool few = limitsOfProcess(0, RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kMost;
  unsigned most = few ? static_cast<unsigned>(limit.rlim_cur) : kMost;
  for (unsigned fd = first; fd <= last && fd < most; fd++) fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
}

/// Puts the descriptors where the runner looks for them (plan/wire.hh), and marks every other one close-on-exec. Nothing is
/// closed before the exec: in the launcher's own process Node's threads are still running.
bool arrange(int base, int plan, int events, int third, int runner, const int* handed = nullptr, size_t count = 0) {
  // First out of the way of the final numbers, then onto them.
  int from[wire::kDescriptors + wire::kMaxHanded] = {plan, events, third, runner};
  for (size_t i = 0; i < count; i++) from[wire::kDescriptors + i] = handed[i];
  int all = wire::kDescriptors + static_cast<int>(count);
  for (int i = 0; i < all; i++)
    if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, base + all)) < 0) return false;
  for (int i = 0; i < all; i++)
    if (dup3(from[i], base + i, i == wire::kRunner ? O_CLOEXEC : 0) < 0) return false;
  closeOnExec(3, base - 1);
  closeOnExec(base + all, ~0u);
  // Node marks its standard descriptors close-on-exec.
  for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFD, 0);
  return true;
}

void executeRunner(int base, const char* const* argv, const char* const* env) {
  syscall(SYS_execveat, base + wire::kRunner, "", argv, env, AT_EMPTY_PATH);
  if (errno != ENOSYS) return;
  // Before 3.19.
  sys::Text<32> path("/proc/self/fd/");
  syscall(SYS_execve, path.add(static_cast<int64_t>(base + wire::kRunner)).c_str(), argv, env);
}

/// Runs in the clone, on a stack of its own but in Node's memory: system calls only.
int runChild(void* argument) {
  auto* child = static_cast<Child*>(argument);
  const SpawnRequest& request = *child->request;
  const char* argv[] = {request.name, nullptr};
  char go;
  if (child->gate[0] >= 0) {
    // Its own copy: else it would not see the other end close when Node dies.
    close(child->gate[0]);
    if (read(child->gate[1], &go, 1) != 1) _exit(127);
  }
  if ((request.stdoutFd == 1 || dup2(request.stdoutFd, 1) == 1) &&
      arrange(wire::kMonitorBase, child->plan, child->events, request.lockFd, child->runner, request.handed,
              request.handedCount))
    executeRunner(wire::kMonitorBase, argv, request.env);
  child->error = errno;
  _exit(127);
}

SpawnResult failure(const char* what) {
  SpawnResult result;
  result.failed = what;
  result.error = errno;
  return result;
}

constexpr int kEnding[] = {SIGTERM, SIGINT, SIGHUP};

/// Runs in whatever thread of Node the kernel has picked: a signal that is pending for the main thread, which blocks it, is not
/// lost by its exec (execve(2), signal(7)).
void passToMainThread(int signal) { syscall(SYS_tgkill, getpid(), getpid(), signal); }

}  // namespace

HeldSignals::HeldSignals() {
  sigset_t ending;
  sigemptyset(&ending);
  for (int signal : kEnding) sigaddset(&ending, signal);
  pthread_sigmask(SIG_BLOCK, &ending, &mask_);
  struct sigaction action {};
  action.sa_handler = passToMainThread;
  action.sa_flags = SA_RESTART;
  for (int signal : kEnding) sigaction(signal, &action, nullptr);
}

HeldSignals::~HeldSignals() {
  // Node has no handlers of its own for these on this path.
  for (int signal : kEnding) ::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
}

SpawnResult spawnMonitor(const SpawnRequest& request) {
  if (request.handedCount > wire::kMaxHanded) {
    errno = E2BIG;
    return failure("descriptors");
  }
  Fd runner = runnerFile();
  if (runner.get() < 0) return failure("memfd");
  Fd plan = constantFile("tsnspawn-plan", request.plan, request.planSize);
  if (plan.get() < 0) return failure("memfd");
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return failure("socketpair");
  Fd ours(ends[0]), theirs(ends[1]);

  constexpr size_t kStackSize = 64 * 1024;
  std::unique_ptr<char[]> stack(new char[kStackSize]);  // not zeroed: mostly never touched
  Child child{&request, runner.get(), plan.get(), theirs.get(), {-1, -1}, {}, 0};
  bool mapped = request.maps.uids != nullptr;
  if (mapped && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, child.gate) < 0) return failure("socketpair");
  Fd gate(child.gate[0]), inner(child.gate[1]);
  // A signal handler of Node must not run in the child, which shares its memory.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &child.mask);
  int flags = CLONE_VM | SIGCHLD | static_cast<int>(request.namespaces) | (mapped ? 0 : CLONE_VFORK);
  auto top = reinterpret_cast<uintptr_t>(stack.get() + kStackSize) & ~uintptr_t{15};
  pid_t pid = clone(runChild, reinterpret_cast<void*>(top), flags, &child);
  int error = errno;
  MapResult maps;
  Fd users;
  if (pid >= 0 && mapped) {
    inner = Fd();
    // While it certainly lives: of a dead one nobody but root may open it.
    users = Fd(open(("/proc/" + std::to_string(pid) + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
    maps = writeMaps(pid, request.maps);
    // The child waits all the while: the two share errno, too. Its end closes with the exec.
    char byte = 0;
    if (maps.error == 0 && write(gate.get(), &byte, 1) == 1)
      while (read(gate.get(), &byte, 1) < 0 && errno == EINTR) {
      }
    gate = Fd();
  }
  pthread_sigmask(SIG_SETMASK, &child.mask, nullptr);
  if (pid < 0) {
    errno = error;
    return failure("clone");
  }
  if (maps.error) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    errno = maps.error;
    SpawnResult result = failure("map");
    result.about = maps.about;
    return result;
  }
  if (child.error) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    errno = child.error;
    return failure("exec");
  }
  SpawnResult result;
  result.pid = pid;
  result.events = std::move(ours);
  result.runner = std::move(runner);
  result.plan = std::move(plan);
  result.users = std::move(users);
  return result;
}

void saveTerminal(wire::Supervision& supervision) {
  for (unsigned fd = 0; fd < 2; fd++) {
    static_assert(sizeof(termios2) <= sizeof supervision.terminal[0]);
    if (ioctl(static_cast<int>(fd), TCGETS2, supervision.terminal[fd]) == 0) supervision.haveTerminal |= 1u << fd;
  }
}

int becomeSupervisor(const SpawnResult& started, wire::Supervision supervision, const char* const* argv) {
  int users = started.users.get();
  supervision.haveUsers = users >= 0;
  Fd file = constantFile("tsnspawn-supervision", &supervision, sizeof supervision);
  if (file.get() < 0 || lseek(file.get(), 0, SEEK_SET) < 0) return errno;
  // A signal that is sent to this thread now stays pending across the exec, and the supervisor takes it.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  constexpr int kBase = wire::kSupervisorBase;
  if (arrange(kBase, started.plan.get(), started.events.get(), file.get(), started.runner.get(), &users,
              supervision.haveUsers))
    executeRunner(kBase, argv, environ);
  return errno;
}

#include "addon/namespace.hh"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "addon/maps.hh"

namespace {

struct Child {
  const NamespaceRequest* request;
  int gate[2];  // the child goes on when it can read from its own, the second; it closes with the exec
  sigset_t mask;
  int error;
};

/// Runs in the clone, on a stack of its own but in Node's memory: system calls only.
int runChild(void* argument) {
  auto* child = static_cast<Child*>(argument);
  // Its own copy: else it would not see the other end close when Node dies.
  close(child->gate[0]);
  // Before the wait: a parent that is dead already closes the gate. SIGTERM, so that what was begun can be taken back.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  char go;
  if (read(child->gate[1], &go, 1) != 1) _exit(127);
  // Node marks its standard descriptors close-on-exec.
  for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFD, 0);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &child->mask, nullptr, 8);
  execve(child->request->argv[0], const_cast<char* const*>(child->request->argv),
         const_cast<char* const*>(child->request->env));
  child->error = errno;
  _exit(127);
}

constexpr int kEnding[] = {SIGTERM, SIGINT, SIGHUP};
volatile pid_t running = -1;

/// What comes from a terminal goes to its whole foreground group, and so to the child by itself.
void passOn(int signal, siginfo_t* info, void*) {
  if (running > 0 && info->si_code <= 0) kill(running, signal);
}

/// Hands signals on to the child for as long as it lives.
class PassedSignals {
 public:
  explicit PassedSignals(pid_t pid) {
    running = pid;
    struct sigaction action {};
    action.sa_sigaction = passOn;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    for (size_t i = 0; i < 3; i++) sigaction(kEnding[i], &action, &before_[i]);
  }
  ~PassedSignals() {
    for (size_t i = 0; i < 3; i++) sigaction(kEnding[i], &before_[i], nullptr);
    running = -1;
  }
  PassedSignals(const PassedSignals&) = delete;
  PassedSignals& operator=(const PassedSignals&) = delete;

 private:
  struct sigaction before_[3];
};

int waitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

NamespaceResult failure(const char* what, int error, const std::string& about = "") {
  NamespaceResult result;
  result.failed = what;
  result.error = error;
  result.about = about;
  return result;
}

}  // namespace

NamespaceResult runInNamespace(const NamespaceRequest& request) {
  Child child{&request, {-1, -1}, {}, 0};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, child.gate) < 0) return failure("clone", errno);
  Fd gate(child.gate[0]), inner(child.gate[1]);
  constexpr size_t kStackSize = 64 * 1024;
  std::unique_ptr<char[]> stack(new char[kStackSize]);
  // A signal handler of Node must not run in the child, which shares its memory until the exec.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &child.mask);
  auto top = reinterpret_cast<uintptr_t>(stack.get() + kStackSize) & ~uintptr_t{15};
  pid_t pid = clone(runChild, reinterpret_cast<void*>(top), CLONE_VM | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, &child);
  int error = errno;
  inner = Fd();
  MapResult maps;
  if (pid >= 0) {
    maps = writeMaps(pid, request.maps);
    char byte = 0;
    // The child waits all the while: the two share errno, too.
    if (maps.error == 0 && write(gate.get(), &byte, 1) == 1)
      while (read(gate.get(), &byte, 1) < 0 && errno == EINTR) {
      }
  }
  gate = Fd();
  if (pid < 0) {
    pthread_sigmask(SIG_SETMASK, &child.mask, nullptr);
    return failure("clone", error);
  }
  PassedSignals passed(pid);
  pthread_sigmask(SIG_SETMASK, &child.mask, nullptr);
  int status = waitFor(pid);
  if (maps.error) return failure("map", maps.error, maps.about);
  if (child.error) return failure("exec", child.error);
  NamespaceResult result;
  result.status = status;
  return result;
}

#include "steps/command.hh"

namespace {

/// For a program that hangs; busctl has a shorter time limit of its own.
constexpr __kernel_timespec kPatience{15, 0};

[[noreturn]] void execute(const Command& command) {
  if (command.ownMounts && sys::unshare(CLONE_NEWNS) < 0) sys::exit(126);
  long null = sys::open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= (command.silent ? 2 : 1); fd++) sys::dup3(static_cast<int>(null), fd, 0);
  // not onto the descriptor itself, which would keep its mark
  if (command.handed >= 0)
    sys::dup3(static_cast<int>(sys::fcntl(command.handed, F_DUPFD_CLOEXEC, Command::kHandedFd + 1)), Command::kHandedFd,
              0);
  sys::closeOnExecFrom(command.handed >= 0 ? Command::kHandedFd + 1 : Command::kHandedFd);
  sys::resetSignals();
  const char* env[] = {nullptr};
  sys::execve(command.argv[0], command.argv, env);
  sys::exit(127);
}

}  // namespace

long runCommand(const Command& command) {
  long pid = sys::forkProcess();
  if (pid < 0) return pid;
  if (pid == 0) execute(command);
  sys::UniqueFd handle(sys::invoke(__NR_pidfd_open, pid, 0));  // 5.3
  pollfd fds[2] = {{handle.get(), POLLIN, 0}, {command.lifeline, 0, 0}};
  sys::poll(fds, 2, &kPatience);
  bool done = fds[0].revents & POLLIN;
  if (!done) sys::kill(pid, SIGKILL);
  int status = 0;
  while (sys::wait(pid, &status, 0) == -EINTR) {
  }
  if (!done) return -ETIMEDOUT;
  return status == 0 ? 0 : (status >> 8) == 127 ? -ENOENT : -EREMOTEIO;
}

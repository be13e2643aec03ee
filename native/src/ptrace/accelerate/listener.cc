#include "ptrace/accelerate/listener.hh"

namespace ptrace {

long loadWithListener(sock_fprog& program) {
  constexpr unsigned long kWaitKillable = 1UL << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19)
  return sys::invoke(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | kWaitKillable, &program);
}

long tryListener() {
#if !defined(__x86_64__)
  // What is left to the process is made in the page with the number where the result will be: elsewhere that is an argument.
  return -ENOSYS;
#endif
  // What is loaded stays: another process tries.
  long child = sys::forkProcess();
  if (child < 0) return child;
  if (child == 0) {
    sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    sock_fprog program{1, &all};
    long listener = loadWithListener(program);
    sys::exit(listener < 0 ? static_cast<int>(-listener) : 0);
  }
  int status = 0;
  while (sys::wait(child, &status, 0) == -EINTR) {
  }
  return -((status >> 8) & 0xff);
}

long Listener::take(int process, int descriptor) {
  sys::UniqueFd handle(sys::invoke(__NR_pidfd_open, process, 0));
  if (!handle.ok()) return handle.error();
  listener_.reset(sys::invoke(__NR_pidfd_getfd, handle.get(), descriptor, 0));
  if (!listener_.ok()) return listener_.error();
  const sys::SignalSet child = sys::signalBit(SIGCHLD);
  children_.reset(sys::invoke(__NR_signalfd4, -1, &child, sizeof child, O_CLOEXEC | O_NONBLOCK));
  if (!children_.ok()) return children_.error();
  // The process that answers runs on the processor of the one that asks (6.6).
  sys::ioctl(listener_.get(), static_cast<unsigned>(SECCOMP_IOW(4, uint64_t)), 1L);
  return 0;
}

Listener::Ready Listener::await() const {
  pollfd fds[] = {{listener_.get(), POLLIN, 0}, {children_.get(), POLLIN, 0}};
  if (sys::poll(fds, 2, nullptr) < 0) return {false, false};
  if (fds[1].revents) {
    sys::SignalInfo info;
    sys::read(children_.get(), &info, sizeof info);
  }
  return {(fds[0].revents & POLLIN) != 0, fds[1].revents != 0};
}

bool Listener::receive(seccomp_notif& notice) const {
  return sys::ioctl(listener_.get(), static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_RECV), &notice) == 0;
}

void Listener::answer(uint64_t id, long result) const {
  seccomp_notif_resp response{};
  response.id = id;
  if (result < 0 && result >= -4095)
    response.error = static_cast<int32_t>(result);
  else
    response.val = result;
  sys::ioctl(listener_.get(), static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_SEND), &response);
}

void Listener::letGo(uint64_t id) const {
  seccomp_notif_resp response{};
  response.id = id;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  sys::ioctl(listener_.get(), static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_SEND), &response);
}

long Listener::give(uint64_t id, int fd, bool closesOnExec, bool answers) const {
  seccomp_notif_addfd request{};
  request.id = id;
  request.flags = answers ? SECCOMP_ADDFD_FLAG_SEND : 0;
  request.srcfd = static_cast<uint32_t>(fd);
  request.newfd_flags = closesOnExec ? O_CLOEXEC : 0;
  return sys::ioctl(listener_.get(), static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_ADDFD), &request);
}

}  // namespace ptrace

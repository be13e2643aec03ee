#include "fakeroot/server.hh"

#include "fakeroot/call.hh"

namespace fakeroot {

namespace {

constexpr uint32_t kCompatArch = 0x40000003;  // AUDIT_ARCH_I386
/// Descriptors of this process: nothing else of the monitor's stays open.
enum : int { kListener, kProc, kChannel };

/// Lets go of all other descriptors. Returns that of the channel, or -errno.
int keepOnly(int listener, int proc, int channel) {
  constexpr int kAbove = 512;
  int moved[3], at = 0;
  for (const int fd : (const int[]){listener, proc, channel}) {
    long copy = sys::fcntl(fd, F_DUPFD_CLOEXEC, kAbove);
    if (copy < 0) return static_cast<int>(copy);
    moved[at++] = static_cast<int>(copy);
  }
  for (int fd = kListener; fd <= kChannel; fd++) sys::dup3(moved[fd], fd, O_CLOEXEC);
  sys::closeFrom(kChannel + 1);
  return kChannel;
}

/// Leaves the host for the guest's namespaces; what it may do there is what the guest's root may.
long enterGuest(const Service& service, int& mounts) {
  sys::Text<40> user, mnt;
  user.add(service.guest).add("/ns/user");
  mnt.add(service.guest).add("/ns/mnt");
  sys::UniqueFd userFd(sys::openat(kProc, user.c_str(), O_RDONLY));
  sys::UniqueFd mountsFd(sys::openat(kProc, mnt.c_str(), O_RDONLY));
  if (!userFd.ok()) return userFd.error();
  if (!mountsFd.ok()) return mountsFd.error();
  if (long error = sys::setns(userFd.get(), CLONE_NEWUSER); error < 0) return error;
  if (long error = sys::setns(mountsFd.get(), CLONE_NEWNS); error < 0) return error;
  mounts = mountsFd.release();
  sys::invoke(__NR_setgroups, 0, nullptr);  // where that is denied there are those of the caller
  if (long error = sys::invoke(__NR_setresgid, 0, 0, 0); error < 0) return error;
  return sys::invoke(__NR_setresuid, 0, 0, 0);
}

const Row* rowOf(const seccomp_data& data) {
  auto number = static_cast<uint32_t>(data.nr);
  if (number >= kMostCalls) return nullptr;
  const Row& row = (data.arch == kCompatArch ? kCompatTable : kNativeTable).rows[number];
  return row.handler ? &row : nullptr;
}

Answer answer(State& state, const seccomp_notif& notice) {
  const Row* row = rowOf(notice.data);
  if (!row || notice.pid == 0) return Answer::proceed();
  Call call(state, notice.id, notice.pid, notice.data.arch == kCompatArch,
            reinterpret_cast<const uint64_t*>(notice.data.args));
  // The call ends, with all that it holds, before the process goes on: it may unmount then what it was about.
  return row->handler(call, row->form);
}

/// Returns when there may be a call; when there can be none any more, the end comes from the monitor.
void awaitNotice() {
  pollfd listener{kListener, POLLIN, 0};
  sys::poll(&listener, 1, nullptr);
  if (!(listener.revents & POLLHUP)) return;
  for (;;) sys::poll(nullptr, 0, nullptr);
}

[[noreturn]] void serve(State& state) {
  for (;;) {
    seccomp_notif notice{};
    long error = sys::ioctl(state.listener, static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_RECV), &notice);
    if (error == -ENOENT) awaitNotice();
    if (error == -EINTR || error == -ENOENT) continue;
    if (error < 0) sys::exit(1);
    const Answer result = answer(state, notice);
    if (result.sent) continue;
    seccomp_notif_resp response{};
    response.id = notice.id;
    if (result.proceeds)
      response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (result.value < 0)
      response.error = static_cast<int32_t>(result.value);
    else
      response.val = result.value;
    sys::ioctl(state.listener, static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_SEND), &response);
  }
}

long prepare(State& state, const Service& service) {
  state.listener = kListener;
  state.proc = kProc;
  if (!state.identities.start() || !state.owners.load(service.store, service.kept)) return -ENOMEM;
  if (long error = enterGuest(service, state.mounts); error < 0) return error;
  sys::invoke(__NR_umask, 0);
  if (long error = sys::fchdir(kProc); error < 0) return error;
  sys::Text<40> root;
  root.add(service.guest).add("/root");
  long tree = sys::open(root.c_str(), O_PATH | O_DIRECTORY);
  if (tree < 0) return tree;
  if (long error = state.owners.start(static_cast<int>(tree)); error < 0) return error;
  sys::chroot(".");
  // The process that answers runs on the processor of the one that asks (6.6).
  sys::ioctl(kListener, static_cast<unsigned>(SECCOMP_IOW(4, uint64_t)), 1L);
  return 0;
}

}  // namespace

long start(const Service& service) {
  int ends[2];
  if (long error = sys::socketPair(ends); error < 0) return error;
  long pid = sys::forkProcess();
  if (pid < 0) {
    sys::close(ends[0]);
    sys::close(ends[1]);
    return pid;
  }
  if (pid == 0) {
    int channel = keepOnly(service.listener, service.proc, ends[1]);
    sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("tsnspawn-ids"));
    static State state;
    long error = channel < 0 ? channel : prepare(state, service);
    sys::sendMessage(channel, &error, sizeof error);
    if (error < 0) sys::exit(1);
    sys::close(channel);
    serve(state);
  }
  sys::close(ends[1]);
  long error = 0;
  if (sys::receiveMessage(ends[0], &error, sizeof error).size != sizeof error) error = -ECHILD;
  sys::close(ends[0]);
  if (error >= 0) return pid;
  int status;
  sys::kill(pid, SIGKILL);
  while (sys::wait(pid, &status, 0) == -EINTR) {
  }
  return error;
}

}  // namespace fakeroot

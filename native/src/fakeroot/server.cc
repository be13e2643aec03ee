#include "fakeroot/server.hh"

#include <new>

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

constexpr int kFutexWait = 0, kFutexWake = 1;

void wakeWatch(State& state) {
  __atomic_store_n(&state.asleep, 0, __ATOMIC_SEQ_CST);
  sys::invoke(__NR_futex, &state.asleep, kFutexWake, 1);
}

/// Makes a process that goes on from here, as this one does; true in that one. It is a child of the monitor too.
bool multiply() { return sys::invoke(__NR_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0; }

/// Makes one more server; true in that one.
bool makeServer(State& state) {
  constexpr uint32_t kMostServers = 64;
  if (__atomic_load_n(&state.servers, __ATOMIC_RELAXED) >= kMostServers || !multiply()) return false;
  __atomic_add_fetch(&state.servers, 1, __ATOMIC_RELAXED);
  return true;
}

[[noreturn]] void serve(State& state) {
  for (;;) {
    seccomp_notif notice{};
    __atomic_add_fetch(&state.idle, 1, __ATOMIC_SEQ_CST);
    long error = sys::ioctl(state.listener, static_cast<unsigned>(SECCOMP_IOCTL_NOTIF_RECV), &notice);
    bool last = __atomic_sub_fetch(&state.idle, 1, __ATOMIC_SEQ_CST) == 0;
    if (error == -ENOENT) awaitNotice();
    if (error == -EINTR || error == -ENOENT) continue;
    if (error < 0) sys::exit(1);
    state.calls++;
    if (__atomic_load_n(&state.asleep, __ATOMIC_SEQ_CST)) wakeWatch(state);
    if (last && state.many && makeServer(state)) continue;
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

/// Watches that the one server does not wait for ever.
///
/// A look into a file system may take long, and into one that a process of the guest serves (FUSE) for ever: when that waits for a call
/// in its turn. From the first time on that one call has taken a second there are several servers, always one more than are busy.
/// Not before, because the kernel wakes all that wait. They are processes, and not threads, since each needs a root, a working
/// directory and a mask for modes of its own.
[[noreturn]] void watch(State& state) {
  constexpr __kernel_timespec kPatience{1, 0};
  for (;;) {
    uint32_t before = __atomic_load_n(&state.calls, __ATOMIC_SEQ_CST);
    sys::poll(nullptr, 0, &kPatience);
    if (__atomic_load_n(&state.calls, __ATOMIC_SEQ_CST) != before) continue;
    if (__atomic_load_n(&state.idle, __ATOMIC_SEQ_CST) == 0) {
      state.many = true;
      __atomic_add_fetch(&state.servers, 1, __ATOMIC_RELAXED);
      serve(state);
    }
    // Nobody calls: it sleeps until somebody does.
    __atomic_store_n(&state.asleep, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&state.calls, __ATOMIC_SEQ_CST) == before)
      sys::invoke(__NR_futex, &state.asleep, kFutexWait, 1, nullptr);
    __atomic_store_n(&state.asleep, 0, __ATOMIC_SEQ_CST);
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
    void* memory = reserve(sizeof(State));
    if (!memory) sys::exit(1);
    State& state = *new (memory) State{};
    // All that come of this one, to be ended together.
    sys::invoke(__NR_setpgid, 0, 0);
    long error = channel < 0 ? channel : prepare(state, service);
    sys::sendMessage(channel, &error, sizeof error);
    if (error < 0) sys::exit(1);
    sys::close(channel);
    if (multiply()) watch(state);
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

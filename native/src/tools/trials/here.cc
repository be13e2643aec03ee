// System calls that a launch makes in the caller's own namespaces.
#include <linux/filter.h>
#include <linux/memfd.h>

#include "tools/trials/trials.hh"

namespace {

long tryClone3() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  const long pid = sys::invoke(__NR_clone3, &arguments, sizeof arguments);
  if (pid == 0) sys::exit(0);
  if (pid > 0) sys::wait(pid, nullptr, 0);
  return pid;
}

/// A copy of this program in a memory file, executed.
long tryMemoryFile() {
  constexpr unsigned kExec = 0x10;  // MFD_EXEC, 6.3: older ones refuse the flag, and need none
  long fd = sys::invoke(__NR_memfd_create, "trial", MFD_CLOEXEC | kExec);
  if (fd == -EINVAL) fd = sys::invoke(__NR_memfd_create, "trial", MFD_CLOEXEC);
  if (fd < 0) return fd;
  sys::UniqueFd file(fd), self(sys::open("/proc/self/exe", O_RDONLY));
  if (!self.ok()) return self.error();
  char buffer[4096];
  for (long n; (n = sys::read(self.get(), buffer, sizeof buffer)) != 0;) {
    if (n < 0) return n;
    if (long error = sys::writeAll(file.get(), buffer, static_cast<size_t>(n)); error < 0) return error;
  }
  return inProcess([&] {
    const char* const argv[] = {"tsnspawn-trials", "--nothing", nullptr};
    const char* const env[] = {nullptr};
    return sys::invoke(__NR_execveat, file.get(), "", argv, env, AT_EMPTY_PATH);
  });
}

/// A filter that asks another process, as remembered owners need it: EBUSY where one is above us already.
long tryNotification() {
  return inProcess([] {
    if (long error = sys::prctl(PR_SET_NO_NEW_PRIVS, 1); error < 0) return error;
    sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    sock_fprog program{1, &allow};
    return sys::invoke(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  });
}

/// Memory of a child, as whoever answers such a filter reads it.
long tryPeek() {
  static char there = 'x';
  int gate[2];
  if (long error = sys::socketPair(gate); error < 0) return error;
  const long pid = sys::forkProcess();
  if (pid < 0) return pid;
  char byte = 0;
  if (pid == 0) {
    sys::close(gate[0]);
    sys::read(gate[1], &byte, 1);
    sys::exit(0);
  }
  sys::Iovec here{&byte, 1}, remote{&there, 1};
  const long result = sys::invoke(__NR_process_vm_readv, pid, &here, 1, &remote, 1, 0);
  sys::close(gate[0]);
  sys::close(gate[1]);
  sys::wait(pid, nullptr, 0);
  return result;
}

/// A child that lets itself be traced, stops, and goes on as its tracer says.
long tryTracing() {
  constexpr long kTraceMe = 0, kContinue = 7;
  const long pid = sys::forkProcess();
  if (pid < 0) return pid;
  if (pid == 0) {
    const long error = sys::invoke(__NR_ptrace, kTraceMe, 0, 0, 0);
    if (error < 0) sys::exit(static_cast<int>(-error));
    sys::kill(sys::invoke(__NR_getpid), SIGSTOP);
    sys::exit(0);
  }
  int status = 0;
  sys::wait(pid, &status, 0);
  const bool stopped = (status & 0xff) == 0x7f;
  if (!stopped) return -((status >> 8) & 0xff);
  const long error = sys::invoke(__NR_ptrace, kContinue, pid, 0, 0);
  if (error < 0) sys::kill(pid, SIGKILL);
  sys::wait(pid, &status, 0);
  return error;
}

/// A file of the working directory that has no name, or none any more.
long openNameless() {
  const long fd = sys::open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd != -EOPNOTSUPP && fd != -EISDIR) return fd;
  sys::Text<64> name(".tsnspawn-trial-");
  name.add(static_cast<int64_t>(sys::invoke(__NR_getpid)));
  const long named = sys::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  if (named >= 0) sys::unlinkat(AT_FDCWD, name.c_str(), 0);
  return named;
}

void tryAttributes() {
  sys::UniqueFd file(openNameless());
  report("write", file.error());
  if (!file.ok()) return;
  // as short a value as owners have
  report("attributes", sys::invoke(__NR_fsetxattr, file.get(), "user.rootlesscontainers", "\x08\x01", 2, 0));
}

}  // namespace

void tryHere() {
  report("openat2", sys::UniqueFd(sys::openat2(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0)).error());
  report("clone3", tryClone3());
  report("pidfd", sys::UniqueFd(sys::invoke(__NR_pidfd_open, sys::invoke(__NR_getpid), 0)).error());
  report("memoryFile", tryMemoryFile());
  report("notification", tryNotification());
  report("peek", tryPeek());
  report("tracing", tryTracing());
  tryAttributes();
}

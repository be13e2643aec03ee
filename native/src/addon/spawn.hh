// Starting the runner from Node's process.
#pragma once

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "plan/wire.hh"

/// A descriptor that is closed when it goes out of scope.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) : fd_(other.release()) {}
  Fd& operator=(Fd&& other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.release();
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// The maps of a user namespace that is made with the monitor: user_namespaces(7).
struct UserMaps {
  const char* uids = nullptr;  // lines of uid_map; null: no user namespace is made
  const char* gids = nullptr;
  const char* newuidmap = nullptr;  // set-id programs that may write them, where this process may not
  const char* newgidmap = nullptr;
  bool denySetgroups = false;  // who has no capability over the caller's groups may map its own only so
};

struct SpawnRequest {
  const void* plan;
  size_t planSize;
  int lockFd;                // the locked tree; stays the caller's
  const int* handed;         // further descriptors for the monitor; stay the caller's
  size_t handedCount;        // at most wire::kMaxHanded
  int stdoutFd;              // becomes descriptor 1
  const char* name;          // argv[0] of the monitor
  const char* const* env;    // what /proc/PID/environ of the monitor and of the stub shows
  unsigned long namespaces;  // CLONE_NEW* made with the monitor
  UserMaps maps;
};

struct SpawnResult {
  pid_t pid = -1;
  Fd events;                     // the launcher's end of the socket
  Fd runner, plan;               // the memory files
  Fd users;                      // the user namespace, where one was made
  const char* failed = nullptr;  // what failed, when pid < 0
  int error = 0;                 // its errno
  std::string about;             // what a program said that failed
};

/// Holds the signals that ask for the end until there is a supervisor to take them: from before the monitor is started, since a
/// guest may run, and somebody may ask, before this process has become the supervisor. When that fails they are as before.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t mask_;
};

/// Starts the monitor: a clone that shares Node's memory until it has executed the runner. With a user namespace it waits until the
/// maps are written: who executes a program without an id of its own there loses all capabilities over it.
SpawnResult spawnMonitor(const SpawnRequest& request);

/// Remembers the settings of the caller's terminal, before a monitor changes them.
void saveTerminal(wire::Supervision& supervision);

/// Replaces this process by the supervisor of a monitor that has been started; `argv` are the launcher's own arguments.
/// Returns only when that fails: the errno.
int becomeSupervisor(const SpawnResult& started, wire::Supervision supervision, const char* const* argv);

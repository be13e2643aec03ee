// One system call of the guest that waits for its answer, the process that made it, and what all handlers share.
#pragma once

#include "fakeroot/identity.hh"
#include "fakeroot/owners.hh"
#include "fakeroot/table.hh"
#include "sys/kernel.hh"

namespace fakeroot {

/// An owner that has been said of a file system that is being configured: fsconfig(2), by process and descriptor.
struct Said {
  long process;
  int fd;
  Owner owner;
};

/// What lasts from call to call, in the memory that the servers share.
struct State {
  int listener;
  /// A procfs of this process's own PID namespace. Its root is the working directory at all times: "TID/root" and its like are
  /// relative to it.
  int proc;
  /// The mount namespace of this process, the guest's first one.
  int mounts;
  Identities identities;
  Owners owners;
  static constexpr unsigned kMostSaid = 16;
  Lock lock;
  Said said[kMostSaid];
  unsigned nextSaid;
  /// Servers that wait for a call, all that have been added to the first, and whether there may be some.
  uint32_t idle, servers;
  bool many;
  /// Calls that have come, and whether who watches sleeps.
  uint32_t calls, asleep;
};

/// A path as this process reaches it.
using Path = sys::Text<4096 + 64>;

class Call {
 public:
  Call(State& state, uint64_t id, long thread, bool compat, const uint64_t* arguments)
      : state(state), id(id), thread(thread), compat(compat), arguments_(arguments) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { leaveRoot(); }

  /// The argument as a number without a sign, and as an int.
  uint64_t argument(int n) const { return arguments_[n]; }
  /// Others take the place of the arguments.
  void setArguments(const uint64_t* arguments) { arguments_ = arguments; }
  int number(int n) const { return static_cast<int>(arguments_[n]); }

  // The memory of the process. All return false where it is not there.
  bool read(uint64_t from, void* to, size_t n) const;
  bool write(uint64_t to, const void* from, size_t n) const;
  /// A text with its end; false for one that is too long as well.
  bool readText(uint64_t from, char* to, size_t room) const;

  /// The process is still the one that made the call: asked before something is done in its name.
  bool isValid() const;

  /// The process's root becomes this one's, so that absolute links lead where they lead there. It ends with the call.
  bool enterRoot();
  void leaveRoot();
  /// When this process has been elsewhere meanwhile.
  bool enterAgain() { return entered_ = false, enterRoot(); }

  /// Turns a path argument into one that means the same here; an empty one is the directory itself. `follow`: a link at its end
  /// is. 0 or -errno.
  long pathTo(int directory, const char* text, bool follow, Path& path) const;
  /// Adds "TID/NAME" for a file in the process's directory of procfs.
  void addProc(Path& path, const char* name) const { path.add(thread).add("/").add(name); }
  /// A line of /proc/TID/status as a number of this base; -1 where it is not there.
  long status(const char* key, unsigned base) const;

  /// The process id, where `thread` is one of several.
  long group() const { return status("Tgid", 10); }

  /// The number that a process, as this one counts, has where the caller lives; 0 where it has none there.
  int numberOf(long process) const;

  /// A copy of a descriptor of the process, or -errno.
  long take(int descriptor) const;
  /// Answers the call with a copy of a descriptor of this process. Of the flags O_CLOEXEC counts.
  Answer handOver(int descriptor, int flags) const;

  /// The fake ids of the process.
  const Identity& identity() const { return state.identities.of(thread); }

  State& state;
  const uint64_t id;
  const long thread;
  const bool compat;

 private:
  const uint64_t* arguments_;
  bool entered_ = false;
};

}  // namespace fakeroot

// A call that the tracer carries out itself, while the process waits: it acts on what the walk has found, and holds that by a
// descriptor. Nobody can put a link in its place then, and nothing that the process has in memory is read twice.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// What stands at a place of the host, as a path that leads to nothing else: `text`, for as long as `fd` is open. 0, or -errno:
/// -ELOOP where a link has come in between.
class Held {
 public:
  long hold(const Path& host, bool follows, bool dot);
  const char* path() const { return text_.c_str(); }
  int fd() const { return fd_.get(); }

 private:
  sys::UniqueFd fd_;
  sys::Text<320> text_;
};

class Carrier {
 public:
  enum class Outcome {
    kDone,      // with a result
    kOpened,    // with a descriptor, which the process is to get
    kKernel,    // the kernel may carry it out as it stands: no path is involved
    kHandOver,  // only the process itself can do it
    kAgain,     // what the walk has found has changed since
  };

  void start() {
    count_ = 0;
    opens_ = changed_ = false;
  }
  /// The argument `n` leads there.
  void take(int n, const Place& place);
  /// Keeps hold of what stands there for as long as the call takes, and puts a path to it in the place of the other.
  long keep(Place& place);
  /// Whether that could not be done because it has changed since it was found.
  bool hasChanged() const { return changed_; }
  /// The call opens what its path leads to.
  void opens(int flags, uint32_t mode) {
    opens_ = true;
    flags_ = flags;
    mode_ = mode;
  }
  /// `result`: of kDone. `opened`: of kOpened.
  Outcome carryOut(const Call& call, long& result, sys::UniqueFd& opened);
  /// Whether a descriptor is to be closed when the process executes.
  bool closesOnExec() const { return flags_ & O_CLOEXEC; }

 private:
  struct Taken {
    int argument;
    Path host;
    bool follows, dot, missing, slash, inProc;
  };
  Outcome open(const Call& call, const Taken& place, long& result, sys::UniqueFd& opened) const;

  Taken taken_[2];
  unsigned count_ = 0;
  bool opens_ = false, changed_ = false;
  Held kept_;
  int flags_ = 0;
  uint32_t mode_ = 0;
};

}  // namespace ptrace

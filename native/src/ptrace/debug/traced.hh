// The guest's own tracers. A process has one tracer for the kernel, and that is the engine; what debuggers of the guest ask about their
// tracees it does for them, and tells them of the stops: docs/decisions/0025.
#pragma once

#include <stdint.h>

namespace ptrace {

struct Tracee;
struct State;

/// Where a tracee stands, held for its tracer: what is left to be done when that lets it go.
enum class Point : uint8_t {
  kRuns,
  kFirst,   // before its first instruction
  kSignal,  // before a signal is delivered
  kEnter,   // before a call, of which nothing has been done
  kFilter,  // the same, because of a filter of the guest's own
  kLeave,   // after a call, or a step
  kEvent,   // within a call
  kTrap,    // because its tracer asked for it
  kGroup,   // with all of its process, by a signal
};

/// What PTRACE_GETEVENTMSG says at the two ends of a call (5.3).
constexpr uint64_t kEnters = 1, kLeaves = 2;

/// How far it goes when it is let go.
enum class Pace : uint8_t { kFree, kCalls, kSteps };

/// What siginfo_t(2) has of signals that were sent, and of children; its size is that of the kernel's.
struct SignalInfo {
  int number, error, code, gap;
  int process;
  uint32_t user;
  int64_t value;  // or the status of a child
  char rest[96];
};
static_assert(sizeof(SignalInfo) == 128);

/// What there is to be told of an exec, in this order.
enum ExecStop : unsigned { kExecEvent = 1, kExecLeave = 2, kExecTrap = 4 };

/// A tracee of a process of the guest.
struct Traced {
  bool used;
  int tid, process;
  int tracer;        // the process
  uint32_t options;  // PTRACE_O_*
  bool seized;       // with PTRACE_SEIZE
  bool dead;         // it is gone, and its tracer is still to hear it
  bool fresh;        // the kernel does not know the options yet
  bool born;         // its first stop is still to be told
  bool interrupted;  // a stop was asked for
  bool delayed;      // a SIGSTOP waits for the end of an exec
  bool listens;      // stopped with its process, and to tell when that goes on
  bool leaves;       // its tracer has left it
  bool made;         // this stop is none of the kernel's, and `info` is ours
  Pace pace;
  Point point;
  bool news;      // `status` is still to be told
  int status;     // what wait(2) says
  uint32_t user;  // whose it is
  uint64_t message;
  int signal;          // it is let go with this one
  unsigned execStops;  // of an exec that has been done, still to come: ExecStop
  SignalInfo info;
};

class GuestTracers {
 public:
  GuestTracers() = default;
  GuestTracers(const GuestTracers&) = delete;
  GuestTracers& operator=(const GuestTracers&) = delete;
  ~GuestTracers();
  /// Whether any process is traced by another.
  bool any() const { return count_ > 0; }
  /// From here on `tracee` is traced, and from `end` on it is not. All of its calls go to the engine's tracer, until it executes
  /// something without a tracer of its own.
  Traced* begin(State& state, Tracee& tracee, int tracer, bool seized, uint32_t options);
  void end(Tracee& tracee);
  void drop(Traced& traced);
  template <typename Function>
  void each(Function function) {
    for (unsigned i = 0; i < top_; i++)
      if (all_[i].used) function(all_[i]);
  }

  /// A tracee that was let go by the call that has just been answered.
  Tracee* released = nullptr;

 private:
  static constexpr unsigned kMost = 1 << 14;
  Traced* all_ = nullptr;
  unsigned top_ = 0, count_ = 0;
};

/// Has the kernel tell us of what the options of its tracer need; it stands still.
void setKernelOptions(const State& state, const Tracee& tracee);
/// Tells the tracer that there is something to be waited for.
void tellTracer(State& state, const Traced& traced);
/// A signal of `tellTracer` is the kernel's, as far as who gets it can see.
void showAsKernels(int tid);
// signals.cc
/// What the kernel says of the sender of a signal becomes what the guest knows of it.
void showSender(State& state, int tid, int signal);
/// Whether a process of the guest may look into another: ptrace(2).
bool mayTrace(State& state, Tracee& who, const Tracee& target);

/// Ends the wait of a tracee that was woken, if there is something for it; with `signal`, one comes meanwhile.
enum class Woken { kNot, kInCall, kAsleep };
Woken wakeWaiting(State& state, Tracee& tracee, bool signal);

}  // namespace ptrace

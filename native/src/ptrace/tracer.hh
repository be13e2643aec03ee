// The tracer: it is told of every process of the guest, stops it at its system calls, and has them answered.
#pragma once

#include "plan/plan.hh"
#include "ptrace/accelerate/listener.hh"
#include "ptrace/call.hh"

struct Context;

namespace ptrace {

struct Row;

/// How the payload has ended.
struct Ended {
  int status = 0, signal = 0;
  Going going = Going::kNot;
};

class Tracer {
 public:
  explicit Tracer(const Plan& plan) : state_(plan) {}

  /// Takes hold of the guest's first process, as a step says. 0 or -errno.
  long begin(Context& context, const wire::Step& step);
  /// Serves the guest's processes until a child ends that is none of them, or is another's by `other`. False when no process of the
  /// guest is left.
  template <typename Other>
  bool serve(Other other) {
    for (;;) {
      int status;
      long tid = next(&status);
      if (tid == -EINTR) continue;
      if (tid < 0) return false;
      if (other(tid)) return state_.tracees.count() > 0;
      take(static_cast<int>(tid), status);
      if (state_.tracees.count() > 0) continue;
      while (heardAt_ < heardCount_) other(heard_[heardAt_++].tid);
      return false;
    }
  }
  /// Ends every process of the guest.
  void killAll();
  Pair& pair() { return state_.pair; }
  const Ended& ended() const { return ended_; }
  /// Whether a message of this process is one of the guest's first.
  bool speaksForFirst(int process) const { return process == state_.view.first() || process == state_.spokesman; }

 private:
  static constexpr int kWaitAll = 0x40000000;  // __WALL
  // hear.cc
  long next(int* status);
  void hearAll();

  long seize(int tid);
  void takePorts(const char* text);
  void take(int tid, int status);
  void handle(int tid, int status);
  void onGone(int tid, int status);
  void endLost();
  static bool hasEnded(int tid);
  void onStop(Tracee& tracee, int signal, int event);
  int onMade(Tracee& maker, int event);
  void onExec(Tracee*& tracee);
  void onSignal(Tracee& tracee, int signal);
  void enter(Tracee& tracee, bool told);
  bool answers(const Row& row) const;
  bool isNone(Tracee& tracee, bool told);
  void leave(Tracee& tracee);
  void tellChanges(Tracee& tracee, const fakeroot::Identity& before);
  void endCall(Tracee& tracee);
  bool takeStub(Tracee& tracee, Registers& registers);
  bool leaveStub(Tracee& tracee);
  void firstRun(Tracee& tracee);
  void resume(Tracee& tracee, int signal = 0);
  void go(Tracee& tracee, int request, int signal);
  void listen(Tracee& tracee);
  void step(Tracee& tracee, int signal);
  static bool endsCall(const Tracee& tracee);
  bool isTold(const Tracee& tracee) const;
  bool callStops(const Tracee& tracee) const;
  bool isShielded(const Tracee& tracee, int signal);

  // debug/stops.cc
  void hold(Tracee& tracee, Point point, int code, uint64_t message = 0);
  void holdWith(Tracee& tracee, Point point, int signal, int code);
  bool holdAtEvent(Tracee& tracee, int event, uint64_t message);
  bool passPage(Tracee& tracee);
  bool holdAtCall(Tracee& tracee);
  bool holdAtTrap(Tracee& tracee, int signal, bool group);
  bool holdAtFirst(Tracee& tracee);
  void inheritTracer(Tracee& child, const Tracee& maker, int event, uint64_t flags);
  void startExec(Tracee& tracee, int former);
  void tellExec(Tracee& tracee);
  void release(Tracee& tracee);
  void tellGone(Tracee& tracee, int status);
  void freeTracees(int process);

  Answer answer(Call& call, bool told);

  // accelerate/notify.cc
  long await(int* status);
  long takeListener(Call& call);
  void serveNotice();
  void handOver(Tracee& tracee, uint64_t id);
  void takeOver(Tracee& tracee);
  bool passOwn(Tracee& tracee);
  long carryOut(Call& call);

  State state_;
  Listener listener_;
  bool mayWait_ = true;  // a child may have stopped or ended
  Ended ended_;
  bool seized_ = true;      // PTRACE_SEIZE is there (3.4)
  bool tellsCalls_ = true;  // PTRACE_GET_SYSCALL_INFO is there (5.3)
  bool killing_ = false;
  unsigned killed_ = 0;  // somebody has been, so many first stops ago at most
  /// What has been heard of and is still to be served.
  static constexpr unsigned kMostHeard = 4096;
  struct {
    int tid, status;
  } heard_[kMostHeard];
  unsigned heardAt_ = 0, heardCount_ = 0, turns_ = 0;
  bool untold_ = false;  // some have ended before their makers have told of them
};

/// Whether the process has a handler for a signal.
bool handles(int process, int signal);

/// For one run of the guest; null where there is no memory.
Tracer* makeTracer(const Plan& plan);
void unmake(Tracer* tracer);

/// The first process, before its first step: it lets itself be traced from here on. 0 or -errno.
long becomeTracee(const Plan& plan);
/// Whether seccomp tells of the calls: as it was asked for, and where the kernel can.
bool usesSeccomp(const wire::Step& step);
/// The step that says how the guest is traced; null where it is not.
const wire::Step* tracingOf(const Plan& plan);

}  // namespace ptrace

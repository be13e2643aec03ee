#include "ptrace/debug/traced.hh"

#include "ptrace/accelerate/page.hh"
#include "ptrace/call.hh"
#include "ptrace/request.hh"

namespace ptrace {

namespace {

constexpr int kTold = -0x7473;  // only codes below 0 may be sent; the true one is in `error`
constexpr int kExited = 1, kKilled = 2, kDumped = 3, kTrapped = 4;  // CLD_*

}  // namespace

GuestTracers::~GuestTracers() {
  if (all_) giveBack(all_, kMost * sizeof *all_);
}

Traced* GuestTracers::begin(State& state, Tracee& tracee, int tracer, bool seized, uint32_t options) {
  if (!all_) all_ = static_cast<Traced*>(reserve(kMost * sizeof *all_));
  if (!all_) return nullptr;
  unsigned at = 0;
  while (at < top_ && all_[at].used) at++;
  if (at == kMost) return nullptr;
  if (at == top_) top_++;
  Traced& traced = all_[at];
  traced = {};
  traced.used = true;
  traced.tid = tracee.tid;
  traced.process = tracee.process;
  traced.tracer = tracer;
  traced.seized = seized;
  traced.options = options;
  traced.user = tracee.identity.user.real;
  tracee.traced = &traced;
  useFastPath(state, tracee, false);
  count_++;
  return &traced;
}

void GuestTracers::end(Tracee& tracee) {
  if (tracee.traced) drop(*tracee.traced);
  tracee.traced = nullptr;
  if (released == &tracee) released = nullptr;
}

void GuestTracers::drop(Traced& traced) {
  traced.used = false;
  count_--;
  while (top_ > 0 && !all_[top_ - 1].used) top_--;
}

void tellTracer(State& state, const Traced& traced) {
  // First the wait is broken off, then the signal comes: who is woken by both finds what it has waited for.
  state.tracees.each([&](Tracee& other) {
    if (other.process == traced.tracer && (other.waits || other.sleeps)) request(PTRACE_INTERRUPT, other.tid, 0, 0);
  });
  SignalInfo info{};
  info.number = SIGCHLD;
  info.code = kTold;
  info.process = traced.tid;
  info.user = traced.user;
  int code = traced.status >> 8;
  if (!traced.dead) {
    info.error = kTrapped;
  } else if ((traced.status & 0x7f) == 0) {
    info.error = kExited;
  } else {
    info.error = traced.status & 0x80 ? kDumped : kKilled;
    code = traced.status & 0x7f;
  }
  info.value = code & 0xffff;
  sys::invoke(__NR_rt_sigqueueinfo, traced.tracer, SIGCHLD, &info);
}

void showAsKernels(int tid) {
  SignalInfo info;
  if (request(PTRACE_GETSIGINFO, tid, 0, &info) < 0 || info.code != kTold) return;
  info.code = info.error;
  info.error = 0;
  request(PTRACE_SETSIGINFO, tid, 0, &info);
}

bool mayTrace(State& state, Tracee& who, const Tracee& target) {
  if (!state.fakeIds) {
    auto ownerOf = [](int tid) {
      Path path("/proc/");
      struct statx info;
      path.add(static_cast<int64_t>(tid));
      return sys::statxat(AT_FDCWD, path.c_str(), 0, STATX_UID, &info) == 0 ? info.stx_uid : ~0u;
    };
    uint32_t mine = ownerOf(who.tid);
    return mine == 0 || mine == ownerOf(target.tid);
  }
  if (who.identity.privileged()) return true;
  auto isAll = [](const fakeroot::Four& ids, uint32_t id) {
    return ids.real == id && ids.effective == id && ids.saved == id;
  };
  return target.dumpable && isAll(target.identity.user, who.identity.user.real) &&
         isAll(target.identity.group, who.identity.group.real);
}

}  // namespace ptrace

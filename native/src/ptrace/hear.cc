// In which order the tracer hears of its tracees.
#include "ptrace/tracer.hh"

namespace ptrace {

/// All that have stopped by now, or have ended. The kernel tells of the youngest first, each time: as long as those stop again and again,
/// it would never come to the others.
void Tracer::hearAll() {
  heardAt_ = heardCount_ = 0;
  while (heardCount_ < kMostHeard) {
    auto& [tid, status] = heard_[heardCount_];
    if ((tid = static_cast<int>(sys::wait(-1, &status, kWaitAll | WNOHANG))) <= 0) return;
    heardCount_++;
  }
}

/// The next one of the children that has stopped or ended. Its number, or -errno.
long Tracer::next(int* status) {
  constexpr unsigned kTurns = 64;
  if (heardAt_ == heardCount_ && ++turns_ % kTurns == 0) hearAll();
  if (heardAt_ < heardCount_) {
    const auto& heard = heard_[heardAt_++];
    *status = heard.status;
    return heard.tid;
  }
  return listener_.ok() ? await(status) : sys::wait(-1, status, kWaitAll);
}

}  // namespace ptrace

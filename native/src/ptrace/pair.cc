#include "ptrace/pair.hh"

namespace ptrace {

namespace {

/// So many stops in a row are worth the calls that bind the two.
constexpr int kEnough = 8;
/// One that cannot be bound is not tried again for so long.
constexpr int kLater = -4096;
constexpr long kMoment = 10'000'000;  // ns

struct {
  __kernel_timespec interval, first;
} constexpr kOnce{{0, 0}, {0, kMoment}};

long setAffinity(int tid, const unsigned long* mask, size_t size) {
  return sys::invoke(__NR_sched_setaffinity, tid, size, mask);
}

long getAffinity(int tid, unsigned long* mask, size_t size) {
  return sys::invoke(__NR_sched_getaffinity, tid, size, mask);
}

}  // namespace

Pair::~Pair() {
  part();
  if (timer_ >= 0) sys::close(timer_);
}

void Pair::start() {
  if (getAffinity(0, all_, sizeof all_) < 0) return;
  unsigned processors = 0;
  for (unsigned long word : all_)
    for (; word; word &= word - 1) processors++;
  if (processors < 2) return;
  tracer_ = static_cast<int>(sys::invoke(__NR_gettid));
  timer_ = static_cast<int>(sys::invoke(__NR_timerfd_create, 1 /* CLOCK_MONOTONIC */, O_NONBLOCK | O_CLOEXEC));
}

bool Pair::serve(int tid) {
  if (timer_ < 0) return false;
  if (tid != last_) {
    part();
    last_ = tid;
    times_ = 0;
    return false;
  }
  if (bound_ == tid || ++times_ < kEnough) return false;
  return bind(tid);
}

bool Pair::bind(int tid) {
  unsigned processor = 0;
  static unsigned long mask[kWords];
  times_ = kLater;
  memset(mask, 0, sizeof mask);
  // One that the guest has bound itself stays where it is.
  if (getAffinity(tid, mask, sizeof mask) < 0 || memcmp(mask, all_, sizeof mask) != 0) return false;
  if (sys::invoke(__NR_getcpu, &processor, nullptr, nullptr) < 0) return false;
  constexpr unsigned kBits = 8 * sizeof *one_;
  memset(one_, 0, sizeof one_);
  one_[processor / kBits] = 1ul << processor % kBits;
  if (setAffinity(tracer_, one_, sizeof one_) < 0) return false;
  if (setAffinity(tid, one_, sizeof one_) < 0) {
    setAffinity(tracer_, all_, sizeof all_);
    return false;
  }
  times_ = 0;
  __atomic_store_n(&bound_, tid, __ATOMIC_RELEASE);
  if (__atomic_exchange_n(&armed_, true, __ATOMIC_ACQ_REL)) return true;
  sys::invoke(__NR_timerfd_settime, timer_, 0, &kOnce, nullptr);
  return true;
}

void Pair::part() {
  // The tracer and the watcher of the timer may come at the same time; what the one parts again that the other has just bound is bound
  // a little later.
  int tid = __atomic_exchange_n(&bound_, 0, __ATOMIC_ACQ_REL);
  if (!tid) return;
  setAffinity(tid, all_, sizeof all_);
  setAffinity(tracer_, all_, sizeof all_);
}

void Pair::tick() {
  uint64_t times;
  sys::read(timer_, &times, sizeof times);
  __atomic_store_n(&armed_, false, __ATOMIC_RELEASE);
  part();
}

void Pair::release(int child) {
  part();
  setAffinity(child, all_, sizeof all_);
}

}  // namespace ptrace

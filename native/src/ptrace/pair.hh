// The tracer and the tracee that it serves, on one processor. Every stop is a switch between the two and back. The kernel wakes on an
// idle processor if there is one, and to wake that costs more than all that the tracer does meanwhile, most of all in a virtual
// machine. So both are bound to one as long as no other tracee has anything to say, and not for longer than a moment at a time: a
// tracee that has begun to compute is free again, and so is a processor on which others want to run.
#pragma once

#include "sys/kernel.hh"

namespace ptrace {

class Pair {
 public:
  Pair() = default;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair();

  /// By the tracer; where there is one processor, nothing is to be done.
  void start();
  /// Readable when tick() is due; -1 where it never is.
  int timer() const { return timer_; }
  /// By whoever watches the timer while the tracer waits.
  void tick();
  /// This one has stopped. Whether it has been bound now.
  bool serve(int tid);
  /// Both run where they may.
  void part();
  /// A process that may have been made by one that was bound.
  void release(int child);

 private:
  static constexpr size_t kWords = 128;  // 8192 processors
  bool bind(int tid);

  int timer_ = -1, tracer_ = 0;
  int bound_ = 0;  // the tracee
  bool armed_ = false;
  int last_ = 0, times_ = 0;  // the one that has stopped last, and how many times in a row
  unsigned long all_[kWords] = {}, one_[kWords] = {};
};

}  // namespace ptrace

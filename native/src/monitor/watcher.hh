// Waiting for descriptors and for children at once: a tracer hears of its tracees by wait4(2) alone, thousands of times a second, and
// cannot afford a poll(2) for each. A child that shares memory and descriptors polls in its place, and ends when there is something.
#pragma once

#include "sys/kernel.hh"

class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() { stop(); }

  /// Starts to watch, unless it does already. 0 or -errno. When `timer` (-1: none) is readable, the child calls `tick` and goes on.
  template <typename Ticking>
  long start(const pollfd* fds, unsigned n, int timer, Ticking* ticking) {
    ticking_ = ticking;
    return start(fds, n, timer, [] { static_cast<Ticking*>(ticking_)->tick(); });
  }
  /// Whether this child that has ended was it: then there is something at a descriptor.
  bool was(long pid);
  void stop();

 private:
  static constexpr unsigned kMost = 16;
  static constexpr size_t kStackSize = 8192;
  static void watch();
  long start(const pollfd* fds, unsigned n, int timer, void (*tick)());

  long pid_ = 0;
  static pollfd fds_[kMost];
  static unsigned count_;
  static void (*tick_)();
  static void* ticking_;
  static long parent_;
  alignas(16) static char stack_[kStackSize];
};

// Memory that all servers share: address space that costs nothing until it is touched, and a lock for what is in it.
#pragma once

#include "sys/kernel.hh"

namespace fakeroot {

/// Null where there is none.
inline void* reserve(size_t bytes) {
  constexpr int kShared = 1, kNoReserve = 0x4000;  // MAP_SHARED, MAP_NORESERVE
  long address =
      sys::invoke(__NR_mmap, nullptr, bytes, PROT_READ | PROT_WRITE, kShared | MAP_ANONYMOUS | kNoReserve, -1, 0);
  return address < 0 && address > -4096 ? nullptr : reinterpret_cast<void*>(address);
}

/// For a few instructions each time: nobody who holds it waits for anything.
class Lock {
 public:
  void take() {
    while (__atomic_exchange_n(&held_, 1, __ATOMIC_ACQUIRE)) sys::invoke(__NR_sched_yield);
  }
  void release() { __atomic_store_n(&held_, 0, __ATOMIC_RELEASE); }

 private:
  uint32_t held_ = 0;
};

/// Holds a lock until it goes out of scope.
class Locked {
 public:
  explicit Locked(Lock& lock) : lock_(lock) { lock_.take(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  ~Locked() { lock_.release(); }

 private:
  Lock& lock_;
};

/// 64 bits of a hash of some numbers.
template <typename... Numbers>
uint64_t hashOf(Numbers... numbers) {
  uint64_t hash = 0x9e3779b97f4a7c15;
  ((hash = (hash ^ static_cast<uint64_t>(numbers)) * 0xff51afd7ed558ccd, hash ^= hash >> 33), ...);
  return hash;
}

}  // namespace fakeroot

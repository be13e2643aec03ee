// Memory for tables: address space that costs nothing until it is touched.
#pragma once

#include "sys/kernel.hh"

namespace fakeroot {

/// Null where there is none.
inline void* reserve(size_t bytes) {
  constexpr int kNoReserve = 0x4000;  // MAP_NORESERVE
  long address =
      sys::invoke(__NR_mmap, nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | kNoReserve, -1, 0);
  return address < 0 && address > -4096 ? nullptr : reinterpret_cast<void*>(address);
}

inline void giveBack(void* memory, size_t bytes) { sys::invoke(__NR_munmap, memory, bytes); }

/// 64 bits of a hash of some numbers.
template <typename... Numbers>
uint64_t hashOf(Numbers... numbers) {
  uint64_t hash = 0x9e3779b97f4a7c15;
  ((hash = (hash ^ static_cast<uint64_t>(numbers)) * 0xff51afd7ed558ccd, hash ^= hash >> 33), ...);
  return hash;
}

}  // namespace fakeroot

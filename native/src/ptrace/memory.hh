// The memory of a tracee.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sys/kernel.hh"

namespace ptrace {

/// All of it, or false.
bool readMemory(int tid, uint64_t from, void* to, size_t n);
bool writeMemory(int tid, uint64_t to, const void* from, size_t n);
/// What is written to the tracee here is so also where it may not write itself.
class ForcedMemory {
 public:
  explicit ForcedMemory(int tid);
  /// All of it, or false.
  bool read(uint64_t from, void* to, size_t n);
  bool write(uint64_t to, const void* from, size_t n);

 private:
  int tid_;
  sys::UniqueFd file_;
};
inline bool forceMemory(int tid, uint64_t to, const void* from, size_t n) {
  return ForcedMemory(tid).write(to, from, n);
}
/// A text up to its null byte. Its length, -EFAULT, or -ENAMETOOLONG where it does not fit.
long readText(int tid, uint64_t from, char* to, size_t room);

/// Address space that costs nothing until it is touched; null where there is none.
void* reserve(size_t bytes);
void giveBack(void* memory, size_t bytes);

}  // namespace ptrace

// Code that runs in the guest's processes, in a page that is mapped into each. The stub makes one call with the arguments that the
// tracer has put into the registers, and puts the guest's own ones back: one stop is enough then. The loader makes the first calls of
// a new program.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace ptrace {

extern "C" const char tsnspawn_stub_start[], tsnspawn_stub_end[], tsnspawn_stub_loader[], tsnspawn_stub_trap[],
    tsnspawn_stub_code_end[];

/// What the stub takes from its stack when the call has been made.
struct Record {
  uint64_t arguments[6];
  uint64_t ip, sp;
};

/// One call of the loader; a number of its own for what is no call.
struct LoaderCall {
  static constexpr int64_t kJump = -1, kClear = -2;
  enum : uint64_t { kFifthIsFile = 1, kFirstIsFile = 2, kKeepsFile = 4, kMayFail = 8 };
  int64_t number;
  uint64_t arguments[6];
  uint64_t flags;
};
static_assert(sizeof(LoaderCall) == 64);

/// The same for programs of 32 bits.
struct CompatLoaderCall {
  int32_t number;
  uint32_t arguments[6];
  uint32_t flags;
};

inline size_t stubSize() { return static_cast<size_t>(tsnspawn_stub_end - tsnspawn_stub_start); }
inline size_t codeSize() { return static_cast<size_t>(tsnspawn_stub_code_end - tsnspawn_stub_start); }
inline uint64_t offsetOf(const char* label) { return static_cast<uint64_t>(label - tsnspawn_stub_start); }

}  // namespace ptrace

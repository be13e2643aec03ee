// The exec of a program: the kernel would find its interpreter on the host. It is given the guest's ELF interpreter to execute
// instead, and before the first instruction of that the program is mapped and the auxiliary vector says what it would have said.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// A program as its headers have it.
struct Program {
  static constexpr unsigned kMost = 24;
  struct Segment {
    uint64_t address, fileSize, memorySize, offset;
    uint32_t flags;
  };
  /// The mapping of its code; an empty one where it has none that it does not write.
  Code text(const struct statx& info) const;
  uint64_t entry = 0, headers = 0, headerOffset = 0, alignment = 4096;
  uint16_t headerCount = 0, headerSize = 0;
  bool movable = false;
  bool narrow = false;     // of 32 bits
  bool runsStack = false;  // has its stack executable
  unsigned count = 0;
  Segment segments[kMost];
  Path interpreter;  // as the program names it; empty where it has none
};

/// What is known of an exec that is under way.
struct Loading {
  bool used, mapping;  // mapping: the first call of the new image has been planted
  bool traps;          // its end is a trap, and is waited for
  bool maps;           // there is a program to be mapped beside what the kernel has loaded
  bool setsUser, setsGroup;
  uint32_t user, group;
  Path executed;    // what the kernel executes, on the host
  Path file, name;  // the program: on the host, and as the guest has named it
  Path executable;  // as /proc/self/exe shows it
  sys::Text<16> comm;
  Program program;
  Code text;               // of what the kernel executes, at the addresses that its headers say
  int held;                // the program as a descriptor of the tracer's, where no path leads to it; else -1
  uint64_t blocked;        // signals, before the loader
  uint64_t executedEntry;  // of what the kernel executes, as its headers say
  Registers entry;
  bool paired;  // kPlantedPair
  char code[sizeof kPlantedPair];
};

/// The kernel has loaded the new image: plants its first call. False where the process cannot be saved.
bool plantLoader(State& state, Tracee& tracee, Registers& registers);
/// The call has been made: gives the loader the rest to do.
bool runLoader(State& state, Tracee& tracee, Registers& registers);
/// Where the loader ends in a trap: what is to be looked at then.
uint64_t loaderTrap(const Registers& registers);
/// The program begins.
void endLoading(Tracee& tracee);
/// Nothing came of it.
void dropLoading(Tracee& tracee);

}  // namespace ptrace

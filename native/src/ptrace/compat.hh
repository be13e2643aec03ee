// Programs of 32 bits on x86-64, and their calls, which 64-bit programs can make, too: by int 0x80. Addresses in them have 32 bits, so
// the page with the engine's code and the slots lie lower.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// Below what a 3 GiB personality has, above what programs are linked to. The stubs have a page of their own: one for each slot.
constexpr uint64_t kCompatRegion = 0xa0000000, kCompatStubs = kCompatRegion + 0x1000;
constexpr uint64_t kCompatCodeSize = 0x2000;
constexpr uint64_t kCompatExecRoom = kCompatRegion + kCompatCodeSize, kCompatSlots = kCompatExecRoom + kSlotSize;
constexpr uint64_t kCompatRegionSize = kCompatSlots - kCompatRegion + kSlotSize * Memory::kSlots;

/// What the loader of accelerate/stub.cc keeps in registers.
struct CompatCells {
  uint32_t file, sp, ip;
};
constexpr uint64_t kCompatCells = kCompatExecRoom + 0x8000;

/// Numbers of i386: asm/unistd_32.h, which has the names of the others.
constexpr long kCompatClose = 6;
constexpr long kCompatExecve = 11;
constexpr long kCompatGetpid = 20;
constexpr long kCompatSetrlimit = 75;
constexpr long kCompatClone = 120;
constexpr long kCompatMprotect = 125;
constexpr long kCompatPrctl = 172;
constexpr long kCompatVfork = 190;
constexpr long kCompatGetrlimit = 191;
constexpr long kCompatOpenat = 295;
constexpr long kCompatMmap = 192;  // mmap2: its offset counts pages

/// Whether the call that a tracee stands at is one of i386.
bool isCompat(const Tracee& tracee, const Registers& registers);

/// Whether the kernel runs programs of 32 bits, and whoever is around this process lets it.
bool runsNarrow();

/// A 64-bit program has no slots that a call of i386 could name: it maps some, and then makes its call again.
Answer mapSlots(Call& call);

/// Writes what stat(2) is to tell, as the call of this form has it. 0 or -errno.
long showCompat(Call& call, unsigned form, const struct statx& info, uint64_t to);

/// What the stub of a slot takes from its stack when the call has been made.
struct CompatRecord {
  uint32_t arguments[6];
  uint32_t sp, ip;
};

constexpr size_t kCompatStubSize = 16;
/// Puts the code into a process that has the region mapped.
bool writeCompatCode(ForcedMemory& to);

extern "C" const char tsnspawn_compat_start[], tsnspawn_compat_trap[], tsnspawn_compat_end[];

}  // namespace ptrace

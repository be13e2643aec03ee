// Where things lie in the memory that each process of the guest has from the engine.
#pragma once

#include <stdint.h>

namespace ptrace {

/// Code and what it reads, which no process may write: the filter lets calls from there through.
constexpr uint64_t kRegion = 0x6ffff0000000, kCodeSize = 0x8000;
/// The code that answers calls in the process itself, behind the page of the stub, and what it has to know behind that.
constexpr uint64_t kImage = kRegion + 0x1000;
/// What an exec needs: in front the header of that code, and the texts and the list of calls of the loader.
constexpr uint64_t kSlotSize = 0x10000, kExecRoom = kRegion + kCodeSize;
constexpr uint64_t kTrampolinesSize = 0x1000;
/// Room of the threads for what the tracer writes.
constexpr unsigned kThreadSlots = 256;
constexpr uint64_t kFirstSlot = kExecRoom + kSlotSize;
/// Room for paths of calls that are answered in the process.
constexpr unsigned kRooms = 32;
constexpr uint64_t kRoomSize = 0x4000, kFirstRoom = kFirstSlot + kSlotSize * kThreadSlots;
constexpr uint64_t kRegionSize = kFirstRoom + kRoomSize * kRooms - kRegion;
static_assert((kCodeSize & (kCodeSize - 1)) == 0 && (kRegion & (kCodeSize - 1)) == 0);

}  // namespace ptrace

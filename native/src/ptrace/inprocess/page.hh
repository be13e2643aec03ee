// What the tracer and the code in the guest's processes have to know of each other.
#pragma once

#include <stddef.h>

#include "ptrace/accelerate/layout.hh"

namespace ptrace {

/// The image begins with it.
struct ImageHead {
  uint64_t entry;                  // where a patched site goes
  uint64_t probe;                  // the instruction that finds out whether there is a stack
  uint64_t copy, copyEnd, failed;  // those that read the guest's texts, and where they go on when that cannot be read
  uint64_t opened;                 // behind the call that may wait
  uint64_t end;
};

/// What the code finds when it is come to, on the guest's stack.
struct Frame {
  uint64_t rbx, rbp, r12, r13, r14, r15, rdi, rsi, rdx, r10, r8, r9, number, from, flags;
};
/// What the guest may use below its stack.
constexpr uint64_t kRedZone = 128;

/// getxattrat(2) (6.13), which the filter lets this code alone call, and its struct xattr_args.
constexpr long kGetxattrat = 464;
struct AttributeRoom {
  uint64_t value;
  uint32_t size, flags;
};

/// In the private memory of each address space, where the tracer writes it.
struct Header {
  uint32_t off;                // every call goes to the tracer
  uint32_t idsHold;            // all threads have the ids that are here
  uint32_t user[3], group[3];  // real, effective, saved
  uint32_t asRoot;             // they have root's powers, and what they make is root's, which is not to be remembered
  uint32_t marked;             // the tree is known to have owners that are remembered
  uint32_t tabled;             // owners are remembered of what can carry no attributes
  uint32_t shows;         // somebody may be in a directory of which the tracer shows another picture, or have it open
  uint8_t taken[kRooms];  // of the rooms
};
constexpr uint64_t kHeader = kExecRoom, kHeaderSize = 0x100;
static_assert(sizeof(Header) <= kHeaderSize);

/// The rules of the view, as texts: `at` counts from the start of PageRules.
struct PageRule {
  uint16_t guestAt, guestSize, hostAt, hostSize;
  uint16_t readOnly;
  uint16_t closed;  // the tracer alone knows what is there: procfs, what is hidden
};

struct PageRules {
  uint32_t count;
  uint32_t fakeIds, uid, gid;           // the caller's
  uint32_t attributesAt;                // there is getxattrat(2)
  uint64_t procDevice;                  // st_dev of procfs
  uint64_t listingDevice, listingNode;  // the directory that stands for the root of procfs
  uint64_t names;                       // a bit for the hash of the last component of each rule
  PageRule rules[];
};

/// The bit of a name in PageRules::names.
inline uint64_t nameBit(uint32_t hash) { return uint64_t{1} << ((hash ^ hash >> 6 ^ hash >> 12) & 63); }
inline uint32_t addToHash(uint32_t hash, char c) { return hash * 31 + static_cast<unsigned char>(c); }

}  // namespace ptrace

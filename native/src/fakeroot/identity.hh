// The fake ids of processes. What a process has is written into the kernel, into its soft limit RLIMIT_LOCKS, which no kernel has
// heeded since 2.4.25: a token that stands for a row of this table. So every child has the ids of its parent from its first
// instruction on, whatever way it was made, and nothing is left behind when it ends.
#pragma once

#include <stdint.h>

#include "fakeroot/memory.hh"

namespace fakeroot {

constexpr uint32_t kNoId = 0xffffffff;

/// Real, effective, saved, and that for files.
struct Four {
  uint32_t real, effective, saved, file;
};

struct Identity {
  Four user, group;
  uint32_t groupCount;
  const uint32_t* groups;
  /// PR_SET_KEEPCAPS is set: who gives root up keeps its powers, until the next exec.
  bool keeps;
  /// They have been kept.
  bool kept;
  /// The program that it executes has capabilities of its own.
  bool able;

  /// It has the powers over ids and owners that root has.
  bool privileged() const { return user.effective == 0 || kept; }
  /// Every user id that makes a root is gone.
  bool gaveUp() const { return user.real != 0 && user.effective != 0 && user.saved != 0; }
  /// After a change of its ids: who gives root up keeps its powers where that was asked for.
  void settle(const Identity& before) {
    if (keeps && gaveUp() && !before.gaveUp()) kept = true;
  }
  bool hasGroup(uint32_t id) const {
    if (group.file == id || group.effective == id) return true;
    for (uint32_t i = 0; i < groupCount; i++)
      if (groups[i] == id) return true;
    return false;
  }
};

class Identities {
 public:
  /// False where there is no memory.
  bool start();
  /// That of a process, or of a thread of it.
  const Identity& of(long thread) const;
  /// Gives it to a process. 0 or -errno.
  long give(long thread, const Identity& identity);
  /// Takes down who a process is, for when it is gone and somebody asks who it was: the other end of a socket that it has left.
  void note(long process);
  /// That of a process that may be gone.
  const Identity& ofPast(long process);

 private:
  struct Note {
    long process;
    const Identity* identity;
  };

  /// The number of its row, or -1 when the table is full.
  long rowOf(const Identity& identity);

  Lock lock_;
  /// Those up to count_ do not change any more: they are read without the lock.
  Identity* rows_ = nullptr;
  uint32_t count_ = 0;
  uint32_t* groups_ = nullptr;
  uint32_t groupsUsed_ = 0;
  /// Rows by their hash.
  uint32_t* index_ = nullptr;
  Note* notes_ = nullptr;
};

// What Linux makes of the calls: credentials(7), setresuid(2) and their like. Each returns 0 or -errno. kNoId: as it is.
long setOne(Four& ids, bool privileged, uint32_t id);
long setTwo(Four& ids, bool privileged, uint32_t real, uint32_t effective);
long setThree(Four& ids, bool privileged, uint32_t real, uint32_t effective, uint32_t saved);
/// Returns the old one.
uint32_t setFile(Four& ids, bool privileged, uint32_t id);

}  // namespace fakeroot

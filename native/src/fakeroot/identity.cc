#include "fakeroot/identity.hh"

#include "fakeroot/table.hh"

namespace fakeroot {

namespace {

constexpr uint32_t kMostRows = 1 << 16, kMostGroups = 1 << 22, kIndexSize = kMostRows * 2;
constexpr uint32_t kMostNotes = 1 << 12;
/// Who is gone and was not taken down.
constexpr uint32_t kNobody = 65534;
constexpr Identity kStranger{
    {kNobody, kNobody, kNobody, kNobody}, {kNobody, kNobody, kNobody, kNobody}, 0, nullptr, false, false, false};
/// The upper half of a token: no limit that anyone means.
constexpr uint64_t kMark = 0x66616b65ull << 32;
constexpr uint64_t kInfinity = ~0ull;

bool same(const Identity& a, const Identity& b) {
  return memcmp(&a.user, &b.user, sizeof a.user) == 0 && memcmp(&a.group, &b.group, sizeof a.group) == 0 &&
         a.keeps == b.keeps && a.kept == b.kept && a.able == b.able && a.groupCount == b.groupCount &&
         memcmp(a.groups, b.groups, a.groupCount * sizeof *a.groups) == 0;
}

uint64_t hash(const Identity& one) {
  uint64_t value =
      hashOf(one.user.real, one.user.effective, one.user.saved, one.user.file, one.group.real, one.group.effective,
             one.group.saved, one.group.file, one.groupCount, one.keeps, one.kept, one.able);
  for (uint32_t i = 0; i < one.groupCount; i++) value = hashOf(value, one.groups[i]);
  return value;
}

}  // namespace

bool Identities::start() {
  rows_ = static_cast<Identity*>(reserve(kMostRows * sizeof *rows_));
  groups_ = static_cast<uint32_t*>(reserve(kMostGroups * sizeof *groups_));
  index_ = static_cast<uint32_t*>(reserve(kIndexSize * sizeof *index_));
  notes_ = static_cast<Note*>(reserve(kMostNotes * sizeof *notes_));
  if (!rows_ || !groups_ || !index_ || !notes_) return false;
  rows_[0].groups = groups_;  // root, whom every process is that has no token
  count_ = 1;
  return true;
}

const Identity& Identities::of(long thread) const {
  rlimit64 limit;
  if (sys::prlimit(thread, kTokenLimit, nullptr, &limit) < 0) return rows_[0];
  uint64_t row = limit.rlim_cur ^ kMark;
  return rows_[row < __atomic_load_n(&count_, __ATOMIC_ACQUIRE) ? row : 0];
}

void Identities::note(long process) {
  const Identity& identity = of(process);
  Locked locked(lock_);
  notes_[static_cast<uint64_t>(process) % kMostNotes] = {process, &identity};
}

const Identity& Identities::ofPast(long process) {
  if (sys::kill(process, 0) == 0) return of(process);
  Locked locked(lock_);
  const Note& note = notes_[static_cast<uint64_t>(process) % kMostNotes];
  return note.process == process ? *note.identity : kStranger;
}

long Identities::give(long thread, const Identity& identity) {
  long row = rowOf(identity);
  if (row < 0) return -EAGAIN;
  rlimit64 limit{row == 0 ? kInfinity : kMark | static_cast<uint64_t>(row), kInfinity};
  return sys::prlimit(thread, kTokenLimit, &limit, nullptr);
}

long Identities::rowOf(const Identity& identity) {
  if (same(identity, rows_[0])) return 0;
  Locked locked(lock_);
  uint32_t at = static_cast<uint32_t>(hash(identity)) % kIndexSize;
  for (; index_[at]; at = (at + 1) % kIndexSize)
    if (same(rows_[index_[at]], identity)) return index_[at];
  if (count_ == kMostRows || kMostGroups - groupsUsed_ < identity.groupCount) return -1;
  Identity& row = rows_[count_];
  row = identity;
  row.groups = groups_ + groupsUsed_;
  memcpy(groups_ + groupsUsed_, identity.groups, identity.groupCount * sizeof *groups_);
  groupsUsed_ += identity.groupCount;
  index_[at] = count_;
  __atomic_store_n(&count_, count_ + 1, __ATOMIC_RELEASE);
  return index_[at];
}

long setOne(Four& ids, bool privileged, uint32_t id) {
  if (id == kNoId) return -EINVAL;
  if (privileged)
    ids.real = ids.saved = id;
  else if (id != ids.real && id != ids.saved)
    return -EPERM;
  ids.effective = ids.file = id;
  return 0;
}

long setTwo(Four& ids, bool privileged, uint32_t real, uint32_t effective) {
  const Four old = ids;
  if (real != kNoId) {
    if (!privileged && real != old.real && real != old.effective) return -EPERM;
    ids.real = real;
  }
  if (effective != kNoId) {
    if (!privileged && effective != old.real && effective != old.effective && effective != old.saved) return -EPERM;
    ids.effective = effective;
  }
  if (real != kNoId || (effective != kNoId && effective != old.real)) ids.saved = ids.effective;
  ids.file = ids.effective;
  return 0;
}

long setThree(Four& ids, bool privileged, uint32_t real, uint32_t effective, uint32_t saved) {
  const Four old = ids;
  for (const uint32_t id : (const uint32_t[]){real, effective, saved})
    if (!privileged && id != kNoId && id != old.real && id != old.effective && id != old.saved) return -EPERM;
  // A call that changes nothing leaves the one for files alone.
  if ((real == kNoId || real == old.real) && (saved == kNoId || saved == old.saved) &&
      (effective == kNoId || (effective == old.effective && effective == old.file)))
    return 0;
  if (real != kNoId) ids.real = real;
  if (effective != kNoId) ids.effective = effective;
  if (saved != kNoId) ids.saved = saved;
  ids.file = ids.effective;
  return 0;
}

uint32_t setFile(Four& ids, bool privileged, uint32_t id) {
  uint32_t old = ids.file;
  if (id != kNoId && (privileged || id == ids.real || id == ids.effective || id == ids.saved || id == ids.file))
    ids.file = id;
  return old;
}

}  // namespace fakeroot

#include "ptrace/tracee.hh"

#include <linux/sched.h>

#include "ptrace/memory.hh"

namespace ptrace {

namespace {

uint32_t hash(int tid) { return static_cast<uint32_t>(tid) * 2654435761u; }

}  // namespace

bool Tracees::start() {
  rows_ = static_cast<Tracee*>(reserve(kMost * sizeof *rows_));
  memories_ = static_cast<Memory*>(reserve(kMost * sizeof *memories_));
  roots_ = static_cast<Root*>(reserve(kMost * sizeof *roots_));
  index_ = static_cast<int32_t*>(reserve(kIndex * sizeof *index_));
  return rows_ && memories_ && roots_ && index_;
}

Tracees::~Tracees() {
  if (rows_) giveBack(rows_, kMost * sizeof *rows_);
  if (memories_) giveBack(memories_, kMost * sizeof *memories_);
  if (roots_) giveBack(roots_, kMost * sizeof *roots_);
  if (index_) giveBack(index_, kIndex * sizeof *index_);
}

template <typename T>
T* Tracees::take(T* from, uint32_t& top) {
  for (uint32_t i = 0; i < top; i++)
    if (from[i].users == 0) return &from[i];
  return top < kMost ? &from[top++] : nullptr;
}

Tracee* Tracees::find(int tid) {
  for (uint32_t at = hash(tid) % kIndex; index_[at]; at = (at + 1) % kIndex)
    if (rows_[index_[at] - 1].tid == tid) return &rows_[index_[at] - 1];
  return nullptr;
}

Tracee* Tracees::add(int tid) {
  uint32_t row = 0;
  while (row < top_ && rows_[row].used) row++;
  if (row == kMost) return nullptr;
  if (row == top_) top_++;
  Tracee& tracee = rows_[row];
  memset(static_cast<void*>(&tracee), 0, offsetof(Tracee, loan));
  tracee.tid = tracee.process = tid;
  tracee.used = true;
  tracee.slot = -1;
  tracee.dumpable = true;
  uint32_t at = hash(tid) % kIndex;
  while (index_[at]) at = (at + 1) % kIndex;
  index_[at] = static_cast<int32_t>(row) + 1;
  watchdog_.note(row, tid);
  count_++;
  return &tracee;
}

void Tracees::unindex(int tid) {
  uint32_t at = hash(tid) % kIndex;
  while (index_[at] && rows_[index_[at] - 1].tid != tid) at = (at + 1) % kIndex;
  if (!index_[at]) return;
  // What lies behind and belongs further ahead moves up, so that no search ends too early.
  for (uint32_t next = (at + 1) % kIndex; index_[next]; next = (next + 1) % kIndex) {
    uint32_t home = hash(rows_[index_[next] - 1].tid) % kIndex;
    bool stays = at <= next ? at < home && home <= next : at < home || home <= next;
    if (stays) continue;
    index_[at] = index_[next];
    at = next;
  }
  index_[at] = 0;
}

void Tracees::remove(Tracee& tracee) {
  unindex(tracee.tid);
  watchdog_.note(static_cast<uint32_t>(&tracee - rows_), 0);
  if (tracee.memory && tracee.slot >= 0) tracee.memory->slots[tracee.slot / 64] &= ~(1ull << (tracee.slot % 64));
  release(tracee.memory);
  release(tracee.root);
  tracee.used = false;
  while (top_ > 0 && !rows_[top_ - 1].used) top_--;
  count_--;
}

void Tracees::release(Memory* memory) {
  if (memory) memory->users--;
}

void Tracees::release(Root* root) {
  if (root) root->users--;
}

bool Tracees::inherit(Tracee& child, const Tracee& maker, uint64_t flags) {
  if (flags & CLONE_THREAD) child.process = maker.process;
  child.parent = flags & (CLONE_THREAD | CLONE_PARENT) ? maker.parent : maker.process;
  child.runner = maker.runner;
  child.identity = maker.identity;
  child.dumpable = maker.dumpable;
  child.noNewPrivileges = maker.noNewPrivileges;
  child.filtered = maker.filtered;
  if (flags & CLONE_VM) {
    child.memory = maker.memory;
    child.memory->users++;
  } else {
    Memory* memory = take(memories_, memoryTop_);
    if (!memory) return false;
    memory->users = 1;
    memory->mapped = maker.memory->mapped;
    memory->narrow = maker.memory->narrow;
    memory->compatSlots = maker.memory->compatSlots;
    memory->executable = maker.memory->executable;
    memory->file = maker.memory->file;
    memory->vector = maker.memory->vector;
    memory->slow = maker.memory->slow;
    // The child has the code as its maker has left it.
    memory->idsDiffer = maker.memory->idsDiffer;
    memory->patched = maker.memory->patched;
    memory->trampolines = maker.memory->trampolines;
    memory->code = maker.memory->code;
    memcpy(memory->sites, maker.memory->sites, sizeof memory->sites);
    for (uint64_t& slots : memory->slots) slots = 0;
    child.memory = memory;
  }
  if (flags & CLONE_FS) {
    child.root = maker.root;
    child.root->users++;
    return true;
  }
  if (!reroot(child, maker.root->path.c_str())) return false;
  child.root->mask = maker.root->mask;
  return true;
}

bool Tracees::renew(Tracee& tracee) {
  Memory* memory = take(memories_, memoryTop_);
  if (!memory) return false;
  memory->users = 1;
  memory->mapped = memory->narrow = false;
  for (uint64_t& slots : memory->slots) slots = 0;
  memory->executable = memory->file = Path();
  memory->vector = memory->compatSlots = 0;
  memory->slow = memory->idsDiffer = false;
  memory->patched = 0;
  memory->trampolines = 0;
  memory->code = {};
  memset(memory->sites, 0, sizeof memory->sites);
  if (tracee.memory && tracee.slot >= 0) tracee.memory->slots[tracee.slot / 64] &= ~(1ull << (tracee.slot % 64));
  release(tracee.memory);
  tracee.memory = memory;
  tracee.slot = -1;
  return true;
}

bool Tracees::reroot(Tracee& tracee, const char* path) {
  Root* root = tracee.root && tracee.root->users == 1 ? tracee.root : take(roots_, rootTop_);
  if (!root) return false;
  if (tracee.root) root->mask = tracee.root->mask;
  if (root != tracee.root) release(tracee.root);
  root->users = 1;
  root->path = Path(path);
  tracee.root = root;
  return true;
}

Tracee* Tracees::anyOf(int process) {
  Tracee* leader = find(process);
  if (leader && leader->known) return leader;
  for (uint32_t i = 0; i < top_; i++)
    if (rows_[i].used && rows_[i].known && rows_[i].process == process) return &rows_[i];
  return nullptr;
}

}  // namespace ptrace

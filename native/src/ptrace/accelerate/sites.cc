// Places that call: `mov $number, %eax; syscall`, or `mov $AT_FDCWD, %edi; syscall`. Whoever calls from one for the second time will do
// so often. The move becomes a jump to a trampoline near by, which goes on to the code in the process; the call itself stays as it is,
// for that code to come back to, and for whoever is in it.
#include "ptrace/accelerate/mapping.hh"
#include "ptrace/accelerate/page.hh"

namespace ptrace {

#if defined(__x86_64__)

namespace {

/// The calls that the code in the process knows: inprocess/serve.cc.
bool isServed(long number) {
  switch (number) {
    case __NR_getuid:
    case __NR_geteuid:
    case __NR_getgid:
    case __NR_getegid:
    case __NR_open:
    case __NR_openat:
    case __NR_stat:
    case __NR_lstat:
    case __NR_fstat:
    case __NR_newfstatat:
    case __NR_statx:
    case __NR_access:
    case __NR_faccessat:
    case __NR_faccessat2:
    case __NR_readlink:
    case __NR_readlinkat:
    case __NR_getcwd:
    case __NR_creat:
    case __NR_mkdir:
    case __NR_mkdirat:
    case __NR_symlink:
    case __NR_symlinkat:
    case __NR_unlink:
    case __NR_rmdir:
    case __NR_unlinkat:
    case __NR_chmod:
    case __NR_fchmod:
    case __NR_fchmodat:
    case __NR_chown:
    case __NR_lchown:
    case __NR_fchown:
    case __NR_fchownat:
    case __NR_utimensat:
      return true;
    default:
      return false;
  }
}

/// What a patched place looks like, and what it jumps to.
struct __attribute__((packed)) Jump {
  uint8_t code = 0xe9;  // jmp
  int32_t by;
};
struct __attribute__((packed)) Trampoline {
  uint8_t move;  // what the jump has taken the place of
  uint32_t value;
  uint8_t address[3] = {0x48, 0x8d, 0x0d};  // lea by(%rip), %rcx: where the kernel would leave it, too
  int32_t back;
  uint8_t jump[2] = {0xff, 0x25};  // jmp *by(%rip)
  int32_t on = 0;
  uint64_t entry;
};
/// A place as it was: a move of a constant, and the call.
struct __attribute__((packed)) Bytes {
  uint8_t before, move;
  uint32_t value;
  uint8_t call[2];
};
static_assert(sizeof(Bytes) == 8);
constexpr uint64_t kRoomOfOne = 32, kMoveSize = 5;
constexpr uint8_t kTrap = 0xcc;  // int3
static_assert(sizeof(Jump) == kMoveSize && sizeof(Trampoline) <= kRoomOfOne);

/// Whether these are a move into eax or edi, which has just been made, and a call.
bool isSite(const Bytes& bytes, const Registers& registers) {
  constexpr uint8_t kToNumber = 0xb8, kToFirst = 0xbf;
  if (bytes.call[0] != 0x0f || bytes.call[1] != 0x05) return false;
  if (bytes.move == kToNumber) return bytes.value == static_cast<uint64_t>(registers.number());
  // With such a byte in front it is a move into r15.
  return bytes.move == kToFirst && bytes.value == registers.rdi && (bytes.before & 0xf1) != 0x41;
}

/// Places that are worth it, by the file that they are in, in order: in other processes they are patched before they call.
struct Learnt {
  static constexpr unsigned kMost = 40;
  struct Place {
    uint64_t offset;
    Bytes bytes;
    bool sure;  // it has called twice, or in two processes
  };
  uint64_t device, node;
  unsigned count;
  Place places[kMost];
};
constexpr unsigned kFiles = 64;
Learnt* files = nullptr;

Learnt* learntOf(const Code& code) {
  for (unsigned i = 0; files && code.node && i < kFiles; i++)
    if (files[i].node == code.node && files[i].device == code.device) return &files[i];
  return nullptr;
}

void learn(const Code& code, uint64_t start, const Bytes& bytes, bool sure) {
  static unsigned next = 0;
  if (!files) files = static_cast<Learnt*>(reserve(kFiles * sizeof *files));
  Learnt* file = learntOf(code);
  if (!file && files) {
    file = &files[next++ % kFiles];
    file->device = code.device, file->node = code.node, file->count = 0;
  }
  if (!file) return;
  uint64_t offset = start - code.start + code.offset;
  unsigned at = 0;
  while (at < file->count && file->places[at].offset < offset) at++;
  Learnt::Place& place = file->places[at];
  if (at < file->count && place.offset == offset) {
    bool same = memcmp(&place.bytes, &bytes, sizeof bytes) == 0;
    place = {offset, bytes, sure || same};
  } else if (file->count < Learnt::kMost) {
    memmove(&place + 1, &place, (file->count - at) * sizeof place);
    place = {offset, bytes, sure};
    file->count++;
  }
}

/// Places of one process that are patched together.
class Patch {
 public:
  Patch(const Tracee& tracee, ForcedMemory& to) : memory_(*tracee.memory), to_(to) {}

  /// False where there is no room, or none that is near enough.
  bool add(uint64_t start, const Bytes& bytes) {
    uint64_t at = memory_.trampolines + (memory_.patched + count_) * kRoomOfOne;
    if (count_ == Learnt::kMost || at + kRoomOfOne > memory_.trampolines + kTrampolinesSize) return false;
    auto distance = [](uint64_t from, uint64_t to) { return static_cast<int64_t>(to - from); };
    auto reaches = [](int64_t by) { return by == static_cast<int32_t>(by); };
    int64_t back = distance(at + offsetof(Trampoline, jump), start + kMoveSize + kCallSize);
    int64_t by = distance(start + sizeof(Jump), at);
    if (!reaches(back) || !reaches(by)) return false;
    Trampoline trampoline;
    trampoline.move = bytes.move, trampoline.value = bytes.value;
    trampoline.back = static_cast<int32_t>(back);
    trampoline.entry = reinterpret_cast<const ImageHead*>(tsnspawn_image_start)->entry;
    memcpy(rooms_ + count_ * kRoomOfOne, &trampoline, sizeof trampoline);
    starts_[count_] = start;
    jumps_[count_].by = static_cast<int32_t>(by);
    count_++;
    return true;
  }

  /// `text` is what lies at `from`, with all places.
  bool write(uint64_t from, char* text, size_t size) {
    if (!writeTrampolines()) return false;
    for (unsigned i = 0; i < count_; i++) {
      if (memory_.users > 1 && !replace(starts_[i], jumps_[i])) return false;
      memcpy(text + (starts_[i] - from), &jumps_[i], sizeof jumps_[i]);
    }
    return memory_.users > 1 || to_.write(from, text, size);
  }

 private:
  bool writeTrampolines() {
    uint64_t at = memory_.trampolines + memory_.patched * kRoomOfOne;
    if (!count_ || !to_.write(at, rooms_, count_ * kRoomOfOne)) return false;
    memory_.patched += count_;
    return true;
  }

  /// Another thread may be about to execute it: it finds the one, the other or a trap, from which the tracer, which is busy here, sends
  /// it back.
  bool replace(uint64_t start, const Jump& jump) {
    return to_.write(start, &kTrap, sizeof kTrap) && to_.write(start + sizeof jump.code, &jump.by, sizeof jump.by) &&
           to_.write(start, &jump.code, sizeof jump.code);
  }

  Memory& memory_;
  ForcedMemory& to_;
  unsigned count_ = 0;
  uint64_t starts_[Learnt::kMost];
  Jump jumps_[Learnt::kMost];
  char rooms_[Learnt::kMost * kRoomOfOne] = {};
};

constexpr uint64_t kSiteSize = kMoveSize + kCallSize;

/// Patches `count` places, which lie within `text`. Whether the call at which these registers are is one of them, and has come by the move:
/// two ways may lead to one call.
bool patchSpan(const Tracee& tracee, const Code& code, ForcedMemory& to, const Learnt::Place* places, unsigned count,
               const Registers* at, char* text) {
  uint64_t first = places[0].offset - 1, from = code.start + first - code.offset;
  size_t size = places[count - 1].offset + kSiteSize - first;
  if (first < code.offset || from + size > code.end || !to.read(from, text, size)) return false;
  Patch patch(tracee, to);
  bool among = false;
  for (unsigned i = 0; i < count; i++) {
    uint64_t start = code.start + places[i].offset - code.offset;
    Bytes bytes;
    memcpy(&bytes, text + (start - 1 - from), sizeof bytes);
    // Patched already, or another file by now.
    if (!places[i].sure || memcmp(&bytes, &places[i].bytes, sizeof bytes) != 0) continue;
    if (patch.add(start, bytes)) among |= at && start + kSiteSize == at->ip() && isSite(bytes, *at);
  }
  return patch.write(from, text, size) && among;
}

/// Patches what has been learnt of the code.
bool patchLearnt(const Tracee& tracee, const Code& code, ForcedMemory& to, const Registers* at) {
  static char text[4096];
  const Learnt* file = learntOf(code);
  bool among = false;
  for (unsigned i = 0, end; file && i < file->count; i = end) {
    uint64_t limit = file->places[i].offset - 1 + sizeof text;
    for (end = i + 1; end < file->count && file->places[end].offset + kSiteSize <= limit;) end++;
    among |= patchSpan(tracee, code, to, &file->places[i], end - i, at, text);
  }
  return among;
}

/// Patches the place whose call ends at the registers' ip, in code that has been looked at, if it is worth it. False where not, or where
/// it cannot be.
bool patchOne(const Tracee& tracee, const Registers& registers, bool often) {
  Bytes bytes;
  const Code& code = tracee.memory->code;
  uint64_t start = registers.ip() - kSiteSize;
  if (start <= code.start || registers.ip() > code.end || !readMemory(tracee.tid, start - 1, &bytes, sizeof bytes) ||
      !isSite(bytes, registers))
    return false;
  learn(code, start, bytes, often);
  if (!often) return false;
  ForcedMemory to(tracee.tid);
  Patch patch(tracee, to);
  char text[kMoveSize];
  return patch.add(start, bytes) && patch.write(start, text, sizeof text);
}

}  // namespace

bool considerSite(const State& state, Tracee& tracee, Registers& registers) {
  constexpr uint8_t kDone = 255;
  long number = registers.number();
  if (!state.inProcess || tracee.runner || tracee.traced || !tracee.memory->trampolines || !isServed(number))
    return false;
  uint64_t ip = registers.ip();
  Memory& memory = *tracee.memory;
  Memory::Site& site = memory.sites[(ip >> 1 ^ ip >> 9) % Memory::kSites];
  if (site.ip != ip) site = {ip, 0};
  if (site.times == kDone) return false;
  bool patched = false;
  if (ip <= memory.code.start || ip > memory.code.end) {
    memory.code = codeAt(tracee.tid, ip - 1);
    if (learntOf(memory.code)) {
      ForcedMemory to(tracee.tid);
      patched = patchLearnt(tracee, memory.code, to, &registers);
    }
  }
  if (!patched) {
    // With other threads it is the code in the process alone that makes of a path what it is at one moment.
    bool often = site.times++ > 0 || memory.users > 1;
    if (often) site.times = kDone;
    patched = patchOne(tracee, registers, often);
  }
  if (!patched) return false;
  // It goes there for the first time instead of this call.
  registers.setIp(ip - kMoveSize - kCallSize);
  registers.setResult(number);
  registers.setNumber(-1);
  return true;
}

void patchBefore(const Tracee& tracee, const Code& code, ForcedMemory& to) {
  tracee.memory->code = code;
  patchLearnt(tracee, code, to, nullptr);
}

namespace {

/// A process that was forked while the place was being patched gets back what was there.
bool takeBack(const Tracee& tracee, uint64_t start) {
  const Code code = codeAt(tracee.tid, start);
  const Learnt* file = learntOf(code);
  for (unsigned i = 0; file && i < file->count; i++) {
    const Learnt::Place& place = file->places[i];
    if (code.start + place.offset - code.offset != start) continue;
    ForcedMemory to(tracee.tid);
    return to.write(start + 1, &place.bytes.value, sizeof place.bytes.value) &&
           to.write(start, &place.bytes.move, sizeof place.bytes.move);
  }
  return false;
}

}  // namespace

bool mendTrap(const State& state, const Tracee& tracee, Registers& registers) {
  Jump jump;
  uint64_t start = registers.ip() - sizeof kTrap, area = tracee.memory->trampolines;
  if (!state.inProcess || !area || !readMemory(tracee.tid, start, &jump, sizeof jump)) return false;
  bool patched = jump.code == Jump{}.code;
  uint64_t to = start + sizeof jump + static_cast<uint64_t>(static_cast<int64_t>(jump.by));
  if (patched ? to < area || to >= area + kTrampolinesSize : jump.code != kTrap || !takeBack(tracee, start))
    return false;
  registers.setIp(start);
  return true;
}

#else

bool considerSite(const State&, Tracee&, Registers&) { return false; }
void patchBefore(const Tracee&, const Code&, ForcedMemory&) {}
bool mendTrap(const State&, const Tracee&, Registers&) { return false; }

#endif

}  // namespace ptrace

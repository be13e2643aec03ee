// Places that call: `mov $number, %eax; syscall`. Whoever calls from one for the second time will do so often. The move becomes a jump
// to a trampoline near by, which goes on to the code in the process; the call itself stays as it is, for that code to come back to, and
// for whoever is in it.
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
  uint8_t move = 0xb8;  // mov $number, %eax
  uint32_t number;
  uint8_t address[3] = {0x48, 0x8d, 0x0d};  // lea by(%rip), %rcx: where the kernel would leave it, too
  int32_t back;
  uint8_t jump[2] = {0xff, 0x25};  // jmp *by(%rip)
  int32_t on;
};
constexpr uint64_t kRoomOfOne = 32, kMoveSize = 5;
constexpr uint8_t kTrap = 0xcc;  // int3
static_assert(sizeof(Jump) == kMoveSize && sizeof(Trampoline) <= kRoomOfOne);

bool reaches(int64_t by) { return by == static_cast<int32_t>(by); }

/// A mapping, and whether it is code of a file that the process has for itself and does not write.
struct Mapping {
  uint64_t start = 0, end = 0;
  bool isCode = false;
};

/// PROCMAP_QUERY (linux/fs.h, 6.11).
struct MapQuery {
  uint64_t size, how, address, start, end, flags, pageSize, offset, node;
  uint32_t major, minor, nameSize, buildSize;
  uint64_t name, build;
};
constexpr unsigned kQueryMap = 0xc0686611;
constexpr uint64_t kWritable = 2, kExecutable = 4, kShared = 8;
static_assert(sizeof(MapQuery) == 104);

Mapping mappingOf(int tid, uint64_t address) {
  Path path("/proc/");
  sys::UniqueFd maps(sys::open(path.add(static_cast<int64_t>(tid)).add("/maps").c_str(), O_RDONLY));
  if (!maps.ok()) return {};
  MapQuery query{};
  query.size = sizeof query;
  query.address = address;
  long error = sys::ioctl(maps.get(), kQueryMap, &query);
  if (error == 0)
    return {query.start, query.end, query.node && (query.flags & (kWritable | kExecutable | kShared)) == kExecutable};
  constexpr size_t kMost = 1 << 20;
  static char* text = nullptr;
  if (!text) text = static_cast<char*>(reserve(kMost));
  long size = text ? sys::readAll(maps.get(), text, kMost - 1) : 0;
  if (size <= 0) return {};
  text[size] = 0;
  for (const char* line = text; line && *line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    Mapping one;
    const char* p = line;
    one.start = sys::takeHex(p);
    if (*p++ != '-') return {};
    one.end = sys::takeHex(p);
    if (address < one.start || address >= one.end) continue;
    const char* end = sys::find(p, '\n');
    const char* file = sys::find(p, '/');
    one.isCode = p[2] == '-' && p[3] == 'x' && p[4] == 'p' && file && end && file < end;
    return one;
  }
  return {};
}

/// The same for patching: they begin with where they go on.
uint64_t openTrampolines(Tracee& tracee) {
  Memory& memory = *tracee.memory;
  if (memory.trampolines) return memory.trampolines;
  uint64_t at = trampolinesOf(tracee), entry = reinterpret_cast<const ImageHead*>(tsnspawn_image_start)->entry;
  if (!at || !forceMemory(tracee.tid, at, &entry, sizeof entry)) return 0;
  return memory.trampolines = at;
}

/// Puts a jump in the place of a move. Another thread may be about to execute it: it finds the one, the other or a trap, from which
/// the tracer, which is busy here, sends it back.
bool replace(const Tracee& tracee, uint64_t start, const Jump& jump) {
  if (tracee.memory->users == 1) return forceMemory(tracee.tid, start, &jump, sizeof jump);
  return forceMemory(tracee.tid, start, &kTrap, sizeof kTrap) &&
         forceMemory(tracee.tid, start + sizeof jump.code, &jump.by, sizeof jump.by) &&
         forceMemory(tracee.tid, start, &jump.code, sizeof jump.code);
}

/// Patches the place whose call ends at `ip`. False where it cannot be.
bool patch(Tracee& tracee, uint64_t ip, long number) {
  Memory& memory = *tracee.memory;
  uint8_t code[kMoveSize + kCallSize];
  uint64_t start = ip - sizeof code;
  if (!readMemory(tracee.tid, start, code, sizeof code)) return false;
  uint32_t moved;
  memcpy(&moved, code + 1, sizeof moved);
  if (code[0] != 0xb8 || moved != number || code[kMoveSize] != 0x0f || code[kMoveSize + 1] != 0x05) return false;
  if (start < memory.codeStart || ip > memory.codeEnd) {
    const Mapping mapping = mappingOf(tracee.tid, start);
    if (!mapping.isCode || ip > mapping.end) return false;
    memory.codeStart = mapping.start, memory.codeEnd = mapping.end;
  }
  uint64_t area = openTrampolines(tracee), at = area + (memory.patched + 1) * kRoomOfOne;
  if (!area || at + kRoomOfOne > area + kTrampolinesSize) return false;
  Trampoline trampoline;
  auto distance = [](uint64_t from, uint64_t to) { return static_cast<int64_t>(to - from); };
  int64_t back = distance(at + offsetof(Trampoline, jump), ip), on = distance(at + sizeof trampoline, area);
  int64_t by = distance(start + sizeof(Jump), at);
  if (!reaches(back) || !reaches(by)) return false;
  trampoline.number = moved;
  trampoline.back = static_cast<int32_t>(back);
  trampoline.on = static_cast<int32_t>(on);
  Jump jump;
  jump.by = static_cast<int32_t>(by);
  if (!forceMemory(tracee.tid, at, &trampoline, sizeof trampoline)) return false;
  memory.patched++;
  return replace(tracee, start, jump);
}

}  // namespace

uint64_t trampolinesOf(const Tracee& tracee) {
  const Memory& memory = *tracee.memory;
  uint64_t at = memory.trampolines;
  if (at || !memory.mapped || !readMemory(tracee.tid, kTrampolinesNoted, &at, sizeof at)) return at;
  // It may have been refused.
  return at & (kTrampolinesSize - 1) || at >> 47 ? 0 : at;
}

bool considerSite(const State& state, Tracee& tracee, Registers& registers) {
  constexpr uint8_t kDone = 255;
  long number = registers.number();
  if (!state.inProcess || tracee.runner || tracee.traced || !tracee.memory->mapped || !isServed(number)) return false;
  uint64_t ip = registers.ip();
  Memory::Site& site = tracee.memory->sites[(ip >> 1 ^ ip >> 9) % Memory::kSites];
  if (site.ip != ip) site = {ip, 0};
  // With other threads it is the code in the process alone that makes of a path what it is at one moment.
  bool often = site.times++ > 0 || tracee.memory->users > 1;
  if (site.times > kDone - 1 || !often) return false;
  site.times = kDone;
  if (!patch(tracee, ip, number)) return false;
  // It goes there for the first time instead of this call.
  registers.setIp(ip - kMoveSize - kCallSize);
  registers.setNumber(-1);
  return true;
}

bool mendTrap(const State& state, const Tracee& tracee, Registers& registers) {
  Jump jump;
  uint64_t start = registers.ip() - sizeof kTrap, area = tracee.memory->trampolines;
  if (!state.inProcess || !area || !readMemory(tracee.tid, start, &jump, sizeof jump) || jump.code != Jump{}.code)
    return false;
  uint64_t to = start + sizeof jump + static_cast<uint64_t>(static_cast<int64_t>(jump.by));
  if (to < area || to >= area + kTrampolinesSize) return false;
  registers.setIp(start);
  return true;
}

#else

uint64_t trampolinesOf(const Tracee&) { return 0; }
bool considerSite(const State&, Tracee&, Registers&) { return false; }
bool mendTrap(const State&, const Tracee&, Registers&) { return false; }

#endif

}  // namespace ptrace

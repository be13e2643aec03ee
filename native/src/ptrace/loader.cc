// The way of a new program to its first instruction: a list of calls that the process makes itself, and the auxiliary vector.
#include <linux/auxvec.h>
#include <linux/ptrace.h>

#include "ptrace/accelerate/page.hh"
#include "ptrace/accelerate/stub.hh"
#include "ptrace/compat.hh"
#include "ptrace/exec.hh"

namespace ptrace {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t down(uint64_t address) { return address & ~(kPage - 1); }
constexpr uint64_t up(uint64_t address) { return down(address + kPage - 1); }

constexpr int kProtExecute = 4;
constexpr int kMapFixed = 0x10, kMapNoReserve = 0x4000;

size_t plantedSize(const Loading& loading) { return loading.paired ? sizeof kPlantedPair : sizeof kPlanted; }

/// Near the libraries, where the kernel puts it; with a program that has none and cannot be moved, in front of that.
uint64_t trampolineHint(const Loading& loading) {
  const Program& program = loading.program;
  constexpr uint64_t kGap = 0x10000;
  bool alone = !loading.maps && !program.movable && program.count && program.segments[0].address > 2 * kGap;
  return alone ? down(program.segments[0].address) - kGap : 0;
}

}  // namespace

bool plantLoader(State& state, Tracee& tracee, Registers& registers) {
  Loading& loading = *tracee.loading;
  loading.entry = registers;
  loading.blocked = 0;
  sys::invoke(__NR_ptrace, PTRACE_GETSIGMASK, tracee.tid, sizeof loading.blocked, &loading.blocked);  // 3.11
  // A very short program may not have the room.
  loading.paired = state.inProcess && !registers.narrow() &&
                   readMemory(tracee.tid, registers.ip(), loading.code, sizeof kPlantedPair);
  if (!loading.paired && !readMemory(tracee.tid, registers.ip(), loading.code, sizeof kPlanted)) return false;
  const unsigned char* code = loading.paired ? kPlantedPair : registers.compat ? kCompatPlanted : kPlanted;
  if (!forceMemory(tracee.tid, registers.ip(), code, plantedSize(loading))) return false;
  constexpr uint64_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  const uint64_t arguments[] = {registers.compat ? kCompatRegion : kRegion,
                                registers.compat ? kCompatRegionSize : kRegionSize,
                                PROT_READ | kProtExecute,
                                kFlags | kMapFixed | kMapNoReserve,
                                ~uint64_t{0},
                                0};
  for (int i = 0; i < 6; i++) registers.slot(i) = arguments[i];
  if (loading.paired) registers.setSecond(trampolineHint(loading), kTrampolinesSize, kFlags);
#if defined(__aarch64__)
  registers.slot(6) = arguments[0];
#endif
  loading.mapping = true;
  return true;
}

namespace {

/// The list of calls that the loader makes, with what they need to have in memory.
class Script {
 public:
  /// Begins anew in this room. In front of the texts is the header of the code in the process, where there is one.
  void start(uint64_t room, const Header* header) {
    count_ = 0, textUsed_ = header ? kHeaderSize : 0;
    room_ = room;
    if (header) memcpy(bytes_, header, sizeof *header);
  }
  /// Where the list will lie: behind the texts.
  uint64_t calls() const { return room_ + listAt(); }
  bool narrow() const { return room_ == kCompatExecRoom; }
  void call(int64_t number, uint64_t flags, uint64_t a, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0,
            uint64_t f = 0) {
    if (count_ < kMost) calls_[count_++] = {number, {a, b, c, d, e, f}, flags};
  }
  /// The address of a text.
  uint64_t text(const char* from, size_t size) {
    uint64_t at = room_ + textUsed_;
    if (textUsed_ + size + 1 > kTextSize) return 0;
    memcpy(bytes_ + textUsed_, from, size);
    bytes_[textUsed_ + size] = 0;
    textUsed_ += size + 1;
    return at;
  }
  bool write(ForcedMemory& to) {
    char* list = bytes_ + listAt();
    size_t size = sizeof *calls_;
    if (narrow()) size = sizeof(CompatLoaderCall);
    for (unsigned i = 0; i < count_; i++) {
      const LoaderCall& call = calls_[i];
      CompatLoaderCall narrowed{static_cast<int32_t>(call.number), {}, static_cast<uint32_t>(call.flags)};
      for (int n = 0; n < 6; n++) narrowed.arguments[n] = static_cast<uint32_t>(call.arguments[n]);
      memcpy(list + i * size, narrow() ? static_cast<const void*>(&narrowed) : &call, size);
    }
    return to.write(room_, bytes_, listAt() + count_ * size);
  }

 private:
  static constexpr unsigned kMost = 128;
  static constexpr size_t kTextSize = 0x3000;
  size_t listAt() const { return (textUsed_ + 15) & ~size_t{15}; }

  LoaderCall calls_[kMost];
  unsigned count_;
  char bytes_[kTextSize + 16 + kMost * sizeof(LoaderCall)];
  size_t textUsed_;
  uint64_t room_;
};

Script script;

/// mmap(2) of a file or of nothing.
void map(uint64_t start, uint64_t size, uint64_t protection, bool file, uint64_t offset) {
  bool narrow = script.narrow();
  uint64_t flags = MAP_PRIVATE | kMapFixed | (file ? 0 : MAP_ANONYMOUS);
  script.call(narrow ? kCompatMmap : __NR_mmap, file ? uint64_t{LoaderCall::kFifthIsFile} : 0, start, size, protection,
              flags, ~uint64_t{0}, narrow ? offset / kPage : offset);
}

void mapSegments(const Program& program, uint64_t bias) {
  for (unsigned i = 0; i < program.count; i++) {
    const Program::Segment& one = program.segments[i];
    uint64_t start = bias + one.address, fileEnd = start + one.fileSize, end = start + one.memorySize;
    uint64_t protection =
        (one.flags & 4 ? PROT_READ : 0) | (one.flags & 2 ? PROT_WRITE : 0) | (one.flags & 1 ? kProtExecute : 0);
    if (one.fileSize) map(down(start), fileEnd - down(start), protection, true, down(one.offset));
    uint64_t mapped = one.fileSize ? up(fileEnd) : down(start);
    if (end > fileEnd && one.fileSize && one.flags & 2 && mapped > fileEnd)
      script.call(LoaderCall::kClear, 0, fileEnd, (end < mapped ? end : mapped) - fileEnd);
    if (end > mapped) map(mapped, up(end) - mapped, protection, false, 0);
  }
}

/// Below where the kernel puts programs that can lie anywhere, and the heap of this one.
uint64_t chooseBias(const Program& program) {
  if (!program.movable) return 0;
  uint64_t random = 0;
  sys::random(&random, sizeof random);
  uint64_t base = program.narrow ? 0x40000000 + ((random & 0xff) << 12) : 0x550000000000 + ((random & 0xffffff) << 12);
  return base & ~(program.alignment - 1);
}

/// AT_SYSINFO: where programs of 32 bits have the gate to the kernel.
constexpr unsigned kVsyscall = 32;

/// The words of a new stack, from its pointer on.
template <typename Word>
class Words {
 public:
  Words(int tid, uint64_t at) : tid_(tid), at_(at) {}
  bool take(Word& to) {
    if (next_ == have_) {
      // Not across a page: the stack ends behind the strings.
      next_ = 0, have_ = (kPage - (at_ & (kPage - 1))) / sizeof(Word);
      if (!readMemory(tid_, at_, words_, have_ * sizeof(Word))) return false;
    }
    to = words_[next_++];
    at_ += sizeof(Word);
    return true;
  }
  /// Of the word that is taken next.
  uint64_t at() const { return at_; }

 private:
  int tid_;
  uint64_t at_;
  size_t next_ = 0, have_ = 0;
  Word words_[kPage / sizeof(Word)];
};

/// What the program is to find in its auxiliary vector. `Word`: a number there.
template <typename Word>
bool patchVector(State& state, Tracee& tracee, const Loading& loading, uint64_t bias, uint64_t base, uint64_t name) {
  Words<Word> words(tracee.tid, loading.entry.sp());
  Word word = 0, count = 0;
  if (!words.take(count)) return false;
  for (Word i = 0; i <= count; i++)
    if (!words.take(word)) return false;
  do
    if (!words.take(word)) return false;
  while (word);
  tracee.memory->vector = words.at();
  constexpr size_t kRoom = 2 * 64;
  Word vector[kRoom];
  size_t used = 0;
  for (;; used += 2) {
    if (used == kRoom || !words.take(vector[used]) || !words.take(vector[used + 1])) return false;
    if (vector[used] == AT_NULL) break;
  }
  const Program& program = loading.program;
  const fakeroot::Identity& who = tracee.identity;
  for (Word* pair = vector; pair < vector + used; pair += 2) {
    switch (pair[0]) {
      case AT_PHDR:
        if (loading.maps) pair[1] = static_cast<Word>(bias + program.headers);
        break;
      case AT_PHENT:
        if (loading.maps) pair[1] = program.headerSize;
        break;
      case AT_PHNUM:
        if (loading.maps) pair[1] = program.headerCount;
        break;
      case AT_ENTRY:
        if (loading.maps) pair[1] = static_cast<Word>(bias + program.entry);
        break;
      case AT_BASE:
        if (loading.maps) pair[1] = static_cast<Word>(base);
        break;
      case AT_EXECFN:
        pair[1] = static_cast<Word>(name);
        break;
      case kVsyscall:
      case AT_SYSINFO_EHDR:
        // The note in there says the release of the kernel.
        if (state.release.size()) pair[0] = AT_IGNORE;
        break;
      case AT_UID:
        if (state.fakeIds) pair[1] = who.user.real;
        break;
      case AT_EUID:
        if (state.fakeIds) pair[1] = who.user.effective;
        break;
      case AT_GID:
        if (state.fakeIds) pair[1] = who.group.real;
        break;
      case AT_EGID:
        if (state.fakeIds) pair[1] = who.group.effective;
        break;
    }
  }
  return writeMemory(tracee.tid, tracee.memory->vector, vector, used * sizeof *vector);
}

/// The kernel has given the ELF interpreter the stack that that one asks for.
void openStack(int tid) {
  static char text[1 << 14];
  Path path("/proc/");
  sys::UniqueFd maps(sys::open(path.add(static_cast<int64_t>(tid)).add("/maps").c_str(), O_RDONLY));
  long size = maps.ok() ? sys::readAll(maps.get(), text, sizeof text - 1) : 0;
  text[size > 0 ? size : 0] = 0;
  for (const char* line = text; line && *line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    const char* p = line;
    uint64_t start = sys::takeHex(p), end = *p == '-' ? sys::takeHex(++p) : 0;
    const char* name = sys::find(p, '[');
    const char* stop = sys::find(p, '\n');
    if (!name || !stop || name > stop || !sys::startsWith(name, "[stack]")) continue;
    script.call(script.narrow() ? kCompatMprotect : __NR_mprotect, LoaderCall::kMayFail, start, end - start,
                PROT_READ | PROT_WRITE | kProtExecute);
  }
}

}  // namespace

uint64_t loaderTrap(const Registers& registers) {
  if (!registers.narrow()) return kRegion + offsetOf(tsnspawn_stub_trap);
  return kCompatRegion + static_cast<uint64_t>(tsnspawn_compat_trap - tsnspawn_compat_start);
}

bool runLoader(State& state, Tracee& tracee, Registers& registers) {
  Loading& loading = *tracee.loading;
  bool narrow = registers.narrow();
  auto mapped = static_cast<uint64_t>(registers.result());
  if ((loading.paired ? registers.first() : mapped) != (narrow ? kCompatRegion : kRegion)) return false;
  ForcedMemory memory(tracee.tid);
  if (!memory.write(loading.entry.ip(), loading.code, plantedSize(loading))) return false;
  if (narrow ? !writeCompatCode(memory) : !putPage(state, memory)) return false;
  uint64_t base = loading.entry.ip() - loading.executedEntry;
  // The second call may have been refused.
  if (loading.paired && !(mapped & (kTrampolinesSize - 1) || mapped >> 47)) {
    tracee.memory->trampolines = mapped;
    Code& text = loading.text;
    text.start += base, text.end += base;
    // Who traces it may look at its code.
    if (!tracee.traced) patchBefore(tracee, text, memory);
  }
  const Header header = headerOf(state, tracee);
  script.start(narrow ? kCompatExecRoom : kExecRoom, narrow ? nullptr : &header);
  uint64_t bias = chooseBias(loading.program);
  uint64_t name = script.text(loading.name.c_str(), loading.name.size());
  uint64_t dataSize = narrow ? kCompatRegionSize - kCompatCodeSize : kRegionSize - kCodeSize;
  script.call(narrow ? kCompatMprotect : __NR_mprotect, 0, narrow ? kCompatExecRoom : kExecRoom, dataSize,
              PROT_READ | PROT_WRITE);
  script.call(narrow ? kCompatPrctl : __NR_prctl, LoaderCall::kMayFail, PR_SET_NAME,
              script.text(loading.comm.c_str(), loading.comm.size()));
  if (loading.maps) {
    script.call(narrow ? kCompatOpenat : __NR_openat, LoaderCall::kKeepsFile, static_cast<uint64_t>(AT_FDCWD),
                script.text(loading.file.c_str(), loading.file.size()), O_RDONLY | O_CLOEXEC);
    mapSegments(loading.program, bias);
    if (loading.program.runsStack) openStack(tracee.tid);
    script.call(narrow ? kCompatClose : __NR_close, LoaderCall::kFirstIsFile, 0);
  }
  // With a descriptor that is held the end has to be waited for, too, and a tracer of the guest's is told of it.
  loading.traps = !state.traces || !kHasStub || loading.held >= 0 || tracee.traced;
  uint64_t end = loading.traps ? loaderTrap(registers) : loading.entry.ip();
  script.call(LoaderCall::kJump, 0, end);
  if (!script.write(memory)) return false;
  tracee.memory->narrow = narrow;
  registers = loading.entry;
  registers.setNumber(-1);
  if (narrow) {
    CompatCells cells{0, static_cast<uint32_t>(loading.entry.sp()), static_cast<uint32_t>(end)};
    if (!memory.write(kCompatCells, &cells, sizeof cells)) return false;
    if (!patchVector<uint32_t>(state, tracee, loading, bias, base, name)) return false;
    registers.load(kCompatRegion, script.calls());
    tracee.memory->compatSlots = kCompatSlots;
  } else {
    if (!patchVector<uint64_t>(state, tracee, loading, bias, base, name)) return false;
    registers.load(kRegion + offsetOf(tsnspawn_stub_loader), script.calls());
    tracee.memory->mapped = true;
  }
  tracee.memory->executable = loading.executable;
  tracee.memory->file = loading.file;
  loading.mapping = false;
  return true;
}

void endLoading(Tracee& tracee) {
  // A trap unblocks its own signal.
  uint64_t& blocked = tracee.loading->blocked;
  if (blocked & sys::signalBit(SIGTRAP))
    sys::invoke(__NR_ptrace, PTRACE_SETSIGMASK, tracee.tid, sizeof blocked, &blocked);
  dropLoading(tracee);
}

}  // namespace ptrace

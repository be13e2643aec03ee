#include "ptrace/accelerate/page.hh"

#include "ptrace/accelerate/stub.hh"
#include "sys/stat.hh"

#if defined(__x86_64__)
asm(R"(
.pushsection .rodata.image, "a"
.globl tsnspawn_image_start, tsnspawn_image_end
.balign 16
tsnspawn_image_start:
  .incbin "image.bin"
tsnspawn_image_end:
.popsection
)");
#else
// None: inprocess/ is written for x86-64 alone.
asm(".pushsection .rodata.image, \"a\"\n.globl tsnspawn_image_start, tsnspawn_image_end\n"
    "tsnspawn_image_start:\ntsnspawn_image_end:\n.popsection");
#endif

namespace ptrace {

namespace {

constexpr size_t kAhead = kImage - kRegion;

const ImageHead& image() { return *reinterpret_cast<const ImageHead*>(tsnspawn_image_start); }

/// All of it, as it is put into the processes.
struct Whole {
  bool made, holds;  // holds: the rules have found room
  unsigned version;  // of the view
  size_t size;
  char bytes[kCodeSize];
};
Whole* whole = nullptr;

struct Node {
  uint64_t device = 0, number = 0;
};

Node nodeOf(const char* path) {
  struct statx info;
  if (sys::statxat(AT_FDCWD, path, 0, STATX_INO, &info) < 0) return {};
  return {sys::deviceNumber(info.stx_dev_major, info.stx_dev_minor), info.stx_ino};
}

/// getxattrat(2) (6.13), unless a filter around this program refuses it.
bool canAskAt() {
  char value[1];
  const AttributeRoom room{reinterpret_cast<uint64_t>(value), sizeof value, 0};
  long size = sys::invoke(kGetxattrat, AT_FDCWD, "/", 0, fakeroot::kOwnerAttribute, &room, sizeof room);
  return size >= 0 || size == -ENODATA || size == -ERANGE || size == -EOPNOTSUPP;
}

/// The rules behind the image. Returns their end, or 0 where there is no room.
size_t writeRules(const State& state, char* bytes) {
  const View& view = state.view;
  size_t start = kAhead + static_cast<size_t>(tsnspawn_image_end - tsnspawn_image_start);
  size_t end = start + sizeof(PageRules) + view.count() * sizeof(PageRule);
  if (end > kCodeSize) return 0;
  auto* to = reinterpret_cast<PageRules*>(bytes + start);
  memset(to, 0, end - start);
  to->count = view.count();
  to->fakeIds = state.fakeIds;
  to->uid = state.uid;
  to->gid = state.gid;
  to->attributesAt = canAskAt();
  to->procDevice = nodeOf("/proc").device;
  Path listing = state.scratch;
  const Node node = nodeOf(listing.add("/.proc").c_str());
  to->listingDevice = node.device;
  to->listingNode = node.number;
  auto put = [&](const Path& text, uint16_t& at, uint16_t& size) {
    // The root is the empty text, to which what follows is added with its slash.
    size = static_cast<uint16_t>(text.size() == 1 && text.c_str()[0] == '/' ? 0 : text.size());
    at = static_cast<uint16_t>(end - start);
    if (end + size > kCodeSize) return false;
    memcpy(bytes + end, text.c_str(), size);
    end += size;
    return true;
  };
  for (unsigned i = 0; i < view.count(); i++) {
    const Rule& rule = view.rules()[i];
    PageRule& one = to->rules[i];
    if (!put(rule.guest, one.guestAt, one.guestSize) || !put(rule.host, one.hostAt, one.hostSize)) return 0;
    one.readOnly = rule.readOnly;
    one.closed = rule.hidden || below(rule.host.c_str(), Path("/proc"));
    uint32_t hash = 0;
    for (const char* p = rule.guest.c_str(); *p; p++) hash = *p == '/' ? 0 : addToHash(hash, *p);
    if (hash) to->names |= nameBit(hash);
  }
  return end;
}

bool makeWhole(State& state) {
  if (!whole) whole = static_cast<Whole*>(reserve(sizeof *whole));
  if (!whole) return false;
  if (whole->made && whole->version == state.view.version()) return true;
  whole->made = true;
  whole->version = state.view.version();
  memcpy(whole->bytes, tsnspawn_stub_start, codeSize());
  whole->size = codeSize();
  whole->holds = false;
  if (!state.inProcess) return true;
  memcpy(whole->bytes + kAhead, tsnspawn_image_start, static_cast<size_t>(tsnspawn_image_end - tsnspawn_image_start));
  size_t size = writeRules(state, whole->bytes);
  whole->holds = size > 0;
  if (size) whole->size = size;
  return true;
}

}  // namespace

bool canAnswerInProcess() {
  if (tsnspawn_image_end - tsnspawn_image_start == 0) return false;
  // A filter around this program may refuse them.
  sys::UniqueFd root(sys::openat2(AT_FDCWD, "/", O_PATH, RESOLVE_NO_SYMLINKS));
  return root.ok() && sys::invoke(__NR_faccessat2, root.get(), "", 0, AT_EMPTY_PATH) == 0;
}

bool putPage(State& state, ForcedMemory& to) {
  return makeWhole(state) && to.write(kRegion, whole->bytes, whole->size);
}

Header headerOf(const State& state, const Tracee& tracee) {
  Header to{};
  const fakeroot::Identity& who = tracee.identity;
  const Memory& memory = *tracee.memory;
  to.off = !state.inProcess || !whole || !whole->holds || memory.slow || tracee.filtered || tracee.traced ||
           !sys::equal(tracee.root->path.c_str(), "/");
  to.idsHold = !memory.idsDiffer;
  const uint32_t user[] = {who.user.real, who.user.effective, who.user.saved};
  const uint32_t group[] = {who.group.real, who.group.effective, who.group.saved};
  memcpy(to.user, user, sizeof user);
  memcpy(to.group, group, sizeof group);
  to.asRoot = to.idsHold && who.privileged() && who.user.file == 0 && who.group.file == 0 && !state.lacksBirths;
  to.marked = state.owners.isMarked();
  to.tabled = state.owners.mayMistake();
  to.shows = state.shows;
  return to;
}

void tellPage(State& state, const Tracee& tracee) {
  if (!state.inProcess || !tracee.memory->mapped || tracee.loading) return;
  const Header header = headerOf(state, tracee);
  // The loader may not have made it writable yet.
  if (!writeMemory(tracee.tid, kHeader, &header, offsetof(Header, taken)))
    forceMemory(tracee.tid, kHeader, &header, offsetof(Header, taken));
}

void tellPages(State& state) {
  state.tracees.each([&](Tracee& tracee) {
    if (tracee.known) tellPage(state, tracee);
  });
}

void useFastPath(State& state, Tracee& tracee, bool use) {
  tracee.memory->slow = !use;
  tellPage(state, tracee);
}

#if defined(__x86_64__)
bool leavePage(const State& state, const Tracee& tracee, Registers& registers) {
  constexpr long kFirst = -516, kLast = -512;  // ERESTART_RESTARTBLOCK, ERESTARTSYS
  if (!state.inProcess || registers.ip() != image().opened || registers.number() != __NR_openat2) return false;
  if (registers.result() < kFirst || registers.result() > kLast) return false;
  Frame frame;
  uint64_t at = registers.r9;
  if (registers.r8 >= kRooms || !readMemory(tracee.tid, at, &frame, sizeof frame)) return false;
  const uint8_t free = 0;
  writeMemory(tracee.tid, kHeader + offsetof(Header, taken) + registers.r8, &free, sizeof free);
  registers.rbx = frame.rbx, registers.rbp = frame.rbp, registers.r12 = frame.r12, registers.r13 = frame.r13;
  registers.r14 = frame.r14, registers.r15 = frame.r15;
  const uint64_t arguments[] = {frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9};
  for (int i = 0; i < 6; i++) registers.slot(i) = arguments[i];
  registers.setNumber(static_cast<long>(frame.number));
  registers.setIp(frame.from);
  registers.rcx = frame.from;
  registers.flags = frame.flags;
  registers.rsp = at + sizeof frame + kRedZone;
  return true;
}
#else
bool leavePage(const State&, const Tracee&, Registers&) { return false; }
#endif

bool mendFault(const State& state, Registers& registers) {
  if (!state.inProcess) return false;
  uint64_t ip = registers.ip();
  if (ip == image().probe) {
    // There is no stack: the call is made where it comes from, which leaves it to the tracer.
    registers.setIp(registers.leftIp() - kCallSize);
    return true;
  }
  if (ip < image().copy || ip >= image().copyEnd) return false;
  registers.setIp(image().failed);
  return true;
}

}  // namespace ptrace

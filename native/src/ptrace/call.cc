#include "ptrace/call.hh"

#include "ptrace/accelerate/carrier.hh"
#include "ptrace/accelerate/page.hh"

namespace ptrace {

uint64_t slotOf(Tracee& tracee, bool compat) {
  Memory& memory = *tracee.memory;
  uint64_t first = compat ? memory.compatSlots : memory.mapped ? kFirstSlot : 0;
  if (!first) return 0;
  if (tracee.slot < 0) {
    for (int i = 0; i < static_cast<int>(Memory::kSlots) && tracee.slot < 0; i++) {
      uint64_t bit = 1ull << (i % 64);
      if (memory.slots[i / 64] & bit) continue;
      memory.slots[i / 64] |= bit;
      tracee.slot = i;
    }
    if (tracee.slot < 0) return 0;
  }
  return first + static_cast<uint64_t>(tracee.slot) * kSlotSize;
}

bool Call::privileged() const {
  if (state.fakeIds) return tracee.identity.privileged();
  Path path("/proc/");
  struct statx info;
  // A process's directory is its effective user's.
  return state.uid == 0 &&
         sys::statxat(AT_FDCWD, path.add(static_cast<int64_t>(tracee.tid)).c_str(), 0, STATX_UID, &info) == 0 &&
         info.stx_uid == 0;
}

Path Call::descriptor(int fd) const {
  Path path("/proc/");
  return path.add(static_cast<int64_t>(tracee.tid)).add("/fd/").add(static_cast<int64_t>(fd));
}

long Call::placeOf(int directory, Path& guest, Path& host, bool* moved, bool* gone) const {
  Path link;
  if (directory == AT_FDCWD)
    link.add("/proc/").add(static_cast<int64_t>(tracee.tid)).add("/cwd");
  else
    link = descriptor(directory);
  char text[4096];
  long size = sys::readlinkat(AT_FDCWD, link.c_str(), text, sizeof text - 1);
  if (size < 0) return size == -ENOENT ? -EBADF : size;
  text[size] = 0;
  if (*text != '/') return -ENOTDIR;
  constexpr const char* kGone = " (deleted)";
  size_t mark = strlen(kGone);
  if (static_cast<size_t>(size) > mark && sys::equal(text + size - mark, kGone)) {
    struct statx info;
    // It may really be called so.
    if (sys::statxat(AT_FDCWD, text, AT_SYMLINK_NOFOLLOW, STATX_INO, &info) < 0) {
      if (!gone) return -ENOENT;
      *gone = true;
      text[static_cast<size_t>(size) - mark] = 0;
    }
  }
  host = Path(text);
  if (!state.view.show(text, guest)) return -EXDEV;
  bool alias = state.view.isAlias(host, guest);
  if (moved) *moved = alias;
  return 0;
}

long Call::resolve(int directory, const char* text, unsigned how, Place& place, Look* look) {
  static Path guest, host;
  Asker who{tracee.tid, tracee.process, tracee.root->path.c_str(), state.fakeIds && privileged()};
  Base base{&guest, &host};
  bool gone = false;
  if (*text != '/')
    if (long error = placeOf(directory, guest, host, &base.moved, &gone); error < 0) return error;
  // In a directory that was removed there is nothing but itself, which the kernel knows, and the way up.
  bool up = text[0] == '.' && text[1] == '.' && (!text[2] || text[2] == '/');
  if (gone && !up) return text[0] == '.' && !text[1] ? -EXDEV : -ENOENT;
  // Who carries the call out asks for what it holds.
  return state.view.resolve(who, base, text, how, place, carrier ? nullptr : look);
}

bool Call::isReadOnly(int descriptor) const {
  static Path guest, host;
  return placeOf(descriptor, guest, host) == 0 && state.view.ruleOf(guest.c_str())->readOnly;
}

long Call::resolveAt(int directory, uint64_t address, unsigned how, Place& place) {
  static char text[4096];
  if (long size = readText(address, text, sizeof text); size < 0) return size;
  return resolve(directory, text, how, place);
}

uint64_t Call::room(size_t n) {
  n = (n + 15) & ~size_t{15};
  uint64_t slot = slotOf(tracee, compat());
  if (slot && used_ + n <= kSlotSize - kRecordSize) {
    used_ += n;
    return slot + kRecordSize + used_ - n;
  }
  // Below what the tracee's own code may use without saying so.
  constexpr size_t kRedZone = 128;
  if (compat() && !registers.narrow()) return 0;
  used_ += n;
  return (registers.sp() - kRedZone - used_) & ~uint64_t{15};
}

uint64_t Call::put(const void* from, size_t n) {
  uint64_t at = room(n);
  return at && write(at, from, n) ? at : 0;
}

/// From here on the code in the processes has to look at what a path is relative to.
void Call::noteShown(const Place& place) {
  struct statx info;
  if (!state.inProcess || state.shows || !place.rule || !below(place.rule->host.c_str(), Path("/proc"))) return;
  if (sys::statxat(AT_FDCWD, place.host.c_str(), 0, STATX_TYPE, &info) == 0 && (info.stx_mode & S_IFMT) != S_IFDIR)
    return;
  state.shows = true;
  tellPages(state);
}

long Call::replace(int n, const Place& place) {
  noteShown(place);
  if (carrier) {
    carrier->take(n, place);
    return 0;
  }
  if (!place.changed) return 0;
  uint64_t at = put(place.host.c_str(), place.host.size() + 1);
  if (!at) return -EFAULT;
  setArgument(n, at);
  return 0;
}

long Call::hold(Place& place) { return carrier ? carrier->keep(place) : 0; }

void Call::opens(int flags, uint32_t mode) {
  if (carrier) carrier->opens(flags, mode);
}

}  // namespace ptrace

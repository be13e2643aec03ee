#include "ptrace/owned.hh"

namespace ptrace {

namespace {

Tracee* borrower = nullptr;
uint32_t lender = 0;

/// What deviceLater() has asked for.
enum Note { kWhat, kTicket, kType, kNumber };
constexpr uint64_t kOpens = 1, kMade = 2;

/// The paths of what is being made, by the tracee; few calls are under way at a time.
constexpr unsigned kTickets = 1024;
Path* made = nullptr;

bool isOwn(const char* host, uint32_t& mode) {
  struct statx info;
  if (sys::statxat(AT_FDCWD, host, AT_SYMLINK_NOFOLLOW, STATX_MODE | STATX_TYPE | STATX_UID, &info) < 0) return false;
  mode = info.stx_mode;
  return info.stx_uid == lender && (mode & S_IFMT) != S_IFLNK;
}

bool lend(Tracee& tracee, const char* host, uint32_t bits) {
  uint32_t mode;
  if (!isOwn(host, mode) || (mode & bits) == bits) return false;
  for (unsigned i = 0; i < tracee.loans; i++)
    if (sys::equal(tracee.loan[i].path.c_str(), host)) return false;
  if (tracee.loans == Tracee::kLoans) return false;
  if (sys::chmodat(AT_FDCWD, host, (mode | bits) & 07777) < 0) return false;
  Loan& loan = tracee.loan[tracee.loans++];
  loan.path = Path(host);
  loan.mode = mode & 07777;
  return true;
}

Path parentOf(const Path& path) {
  size_t size = path.size();
  while (size > 1 && path.c_str()[size - 1] == '/') size--;
  while (size > 1 && path.c_str()[size - 1] != '/') size--;
  while (size > 1 && path.c_str()[size - 1] == '/') size--;
  Path parent;
  parent.add(path.c_str(), size);
  return parent;
}

/// An attribute can be read and written by who may do so with the file; root may, whatever the mode says.
class Opened {
 public:
  Opened(State& state, const struct statx& info, Path path, uint32_t bits) : path_(path), mode_(info.stx_mode & 07777) {
    uint32_t type = info.stx_mode & S_IFMT;
    bool can = type == S_IFREG || type == S_IFDIR;
    changed_ = can && (mode_ & bits) != bits && info.stx_uid == state.uid;
    if (changed_) changed_ = sys::chmodat(AT_FDCWD, path_.c_str(), mode_ | bits) == 0;
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() {
    if (changed_) sys::chmodat(AT_FDCWD, path_.c_str(), mode_);
  }

 private:
  Path path_;
  uint32_t mode_;
  bool changed_;
};

}  // namespace

long openOwned(const Path& host, bool follow, sys::UniqueFd& fd, struct statx& info) {
  fd.reset(sys::open(host.c_str(), O_PATH | (follow ? 0 : O_NOFOLLOW)));
  if (fd.ok()) return sys::fstatx(fd.get(), fakeroot::kOwnerMask, &info);
  // A link itself and a socket can be opened by O_PATH alone (2.6.39), and their owners are kept without.
  if (fd.error() != -ELOOP && fd.error() != -ENXIO) return fd.error();
  return sys::statxat(AT_FDCWD, host.c_str(), follow ? 0 : AT_SYMLINK_NOFOLLOW, fakeroot::kOwnerMask, &info);
}

long setOwner(State& state, int file, const struct statx& info, const fakeroot::Owner& owner) {
  Path path("/proc/self/fd/");
  Opened opened(state, info, path.add(static_cast<int64_t>(file)), 0600);
  return state.owners.set(file, info, owner);
}

fakeroot::Owner ownerOf(State& state, const struct statx& info, const char* host, bool follow) {
  Opened opened(state, info, Path(host), 0400);
  fakeroot::Owner owner = state.owners.of(info, host, follow);
  // What others of the host own is theirs.
  if (info.stx_uid != state.uid && owner.uid == 0) owner.uid = info.stx_uid;
  if (info.stx_gid != state.gid && owner.gid == 0 && info.stx_uid != state.uid) owner.gid = info.stx_gid;
  return owner;
}

void ownMade(Call& call) {
  Tracee& tracee = call.tracee;
  uint64_t what = tracee.notes[kWhat];
  if (call.result() < 0 || !(what & kMade)) return;
  sys::UniqueFd fd;
  struct statx info;
  bool opens = what & kOpens;
  Path file = opens ? call.descriptor(static_cast<int>(call.result())) : made[tracee.notes[kTicket] % kTickets];
  if (openOwned(file, opens, fd, info) < 0) return;
  fakeroot::Owner owner{tracee.identity.user.file, tracee.identity.group.file};
  const Path& path = made[tracee.notes[kTicket] % kTickets];
  struct statx above;
  Path parent = parentOf(path);
  if (sys::statxat(AT_FDCWD, parent.c_str(), 0, fakeroot::kOwnerMask, &above) == 0 && above.stx_mode & 02000)
    owner.gid = ownerOf(call.state, above, parent.c_str(), true).gid;
  owner.deviceType = static_cast<uint32_t>(tracee.notes[kType]);
  owner.major = static_cast<uint32_t>(tracee.notes[kNumber] >> 32);
  owner.minor = static_cast<uint32_t>(tracee.notes[kNumber]);
  // What was remembered of the one before it that had its number is forgotten.
  if (owner.isPlain() && !call.state.lacksBirths) return;
  long error = setOwner(call.state, fd.get(), info, owner);
  if (opens || (error != -ENOSPC && error != -EDQUOT)) return;
  // Nobody's file, or what is no device, is of no use: there is no room for it either.
  constexpr int kDirectory = 0x200;  // AT_REMOVEDIR
  sys::unlinkat(AT_FDCWD, path.c_str(), (info.stx_mode & S_IFMT) == S_IFDIR ? kDirectory : 0);
  call.setResult(error);
}

void ownLater(Call& call, const Place& place, bool opens) {
  Tracee& tracee = call.tracee;
  if (!call.state.fakeIds) return;
  tracee.notes[kType] = tracee.notes[kNumber] = 0;
  tracee.notes[kWhat] = 0;
  if (!made) made = static_cast<Path*>(reserve(kTickets * sizeof(Path)));
  if (!made) return;
  tracee.notes[kTicket] = call.state.tickets++;
  // reserve() gives zeros, which are no text yet.
  made[tracee.notes[kTicket] % kTickets] = place.host;
  tracee.notes[kWhat] = kMade | (opens ? kOpens : 0);
  bool mayMistake = call.state.lacksBirths && !opens;
  if (tracee.identity.user.file || tracee.identity.group.file || mayMistake) call.then(ownMade);
  // The directory's group goes to what is made in it.
  struct statx above;
  if (!tracee.after && sys::statxat(AT_FDCWD, parentOf(place.host).c_str(), 0, STATX_MODE, &above) == 0 &&
      above.stx_mode & 02000)
    call.then(ownMade);
}

void deviceLater(Call& call, uint32_t type, uint32_t major, uint32_t minor) {
  call.tracee.notes[kType] = type;
  call.tracee.notes[kNumber] = static_cast<uint64_t>(major) << 32 | minor;
  call.then(ownMade);
}

namespace {

void symlinkNow(Call& call) {
  long error = call.result();
  if (error != -EPERM && error != -EXDEV && error != -EACCES && error != -EMLINK && error != -EOPNOTSUPP) return;
  const Path& file = made[call.tracee.notes[kTicket] % kTickets];
  const Path& name = made[(call.tracee.notes[kTicket] + 1) % kTickets];
  struct statx info;
  if (sys::statxat(AT_FDCWD, file.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) < 0) return;
  char target[4096];
  Path third(file);
  if ((info.stx_mode & S_IFMT) == S_IFREG) {
    const char* last = file.c_str();
    for (const char* p = last; *p; p++)
      if (*p == '/' && p[1]) last = p + 1;
    third = parentOf(file);
    third.add("/.l2s.").add(last).add(".").add(static_cast<int64_t>(call.state.tickets++));
    if (sys::renameat(AT_FDCWD, file.c_str(), third.c_str()) < 0) return;
    const char* own = third.c_str() + parentOf(third).size() + 1;
    if (sys::symlinkat(own, AT_FDCWD, file.c_str()) < 0) return;
  } else if ((info.stx_mode & S_IFMT) == S_IFLNK) {
    // It has a third name already.
    long size = sys::readlinkat(AT_FDCWD, file.c_str(), target, sizeof target - 1);
    if (size <= 0) return;
    target[size] = 0;
    third = parentOf(file);
    third.add("/").add(target);
  } else {
    return;
  }
  Path guest;
  if (!call.state.view.show(third.c_str(), guest)) return;
  call.setResult(sys::symlinkat(guest.c_str(), AT_FDCWD, name.c_str()));
}

}  // namespace

void symlinkLater(Call& call, int from, int first, int to, int second) {
  static Place place;
  if (!made) made = static_cast<Path*>(reserve(kTickets * sizeof(Path)));
  if (!made) return;
  uint64_t ticket = call.state.tickets;
  call.state.tickets += 2;
  // The arguments may be of the host already.
  Registers& now = call.registers;
  Registers host = now;
  now = call.tracee.saved;
  bool known = call.resolveAt(from, now.argument(first), kNoFollow, place) == 0;
  if (known) made[ticket % kTickets] = place.host;
  known = known && call.resolveAt(to, now.argument(second), kNoFollow, place) == 0;
  if (known) made[(ticket + 1) % kTickets] = place.host;
  now = host;
  call.tracee.notes[kTicket] = ticket;
  if (known) call.then(symlinkNow);
}

void borrowFile(Call& call, const Place& place, bool writes) {
  if (!call.state.fakeIds || !call.privileged() || place.rule->hidden) return;
  constexpr int kRead = 4, kWrite = 2;
  if (sys::invoke(__NR_faccessat, AT_FDCWD, place.host.c_str(), writes ? kRead | kWrite : kRead) != -EACCES) return;
  struct statx info;
  if (sys::statxat(AT_FDCWD, place.host.c_str(), 0, STATX_TYPE, &info) < 0) return;
  bool directory = (info.stx_mode & S_IFMT) == S_IFDIR;
  lend(call.tracee, place.host.c_str(), directory ? 0500 : writes ? 0600 : 0400);
}

void borrowAbove(Call& call, const Place& place) {
  if (!call.state.fakeIds || !call.privileged() || place.rule->hidden) return;
  constexpr int kWriteAndSearch = 3;
  Path parent = parentOf(place.host);
  if (sys::invoke(__NR_faccessat, AT_FDCWD, parent.c_str(), kWriteAndSearch) == -EACCES)
    lend(call.tracee, parent.c_str(), 0700);
}

void repay(Tracee& tracee) {
  // The last one first: what it lies in may be hidden again then.
  while (tracee.loans > 0) {
    const Loan& loan = tracee.loan[--tracee.loans];
    sys::chmodat(AT_FDCWD, loan.path.c_str(), loan.mode);
  }
}

void lendTo(Tracee* tracee, uint32_t uid) {
  borrower = tracee;
  lender = uid;
}

bool borrow(const char* host, uint32_t bits) { return borrower && lend(*borrower, host, bits); }

}  // namespace ptrace

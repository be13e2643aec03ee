// Paths of the guest: by the rules to one of the host, which the kernel walks without following any link. Where there is one, its text
// is put into the path of the guest, and the walk begins anew; so whatever another thread makes of a directory meanwhile, nothing leads
// out of the tree.
#include "ptrace/inprocess/serve.hh"

namespace page {

namespace {

constexpr int kEmptyPath = AT_EMPTY_PATH;
constexpr unsigned kMostLinks = 12, kMostTurns = 100;
/// What was a link is none any more.
constexpr long kAgain = -EAGAIN;

/// Whether it is the last component of the place of a rule.
bool isRuleName(const char* name, unsigned size) {
  const ptrace::PageRules& all = rules();
  for (unsigned i = 0; i < all.count; i++) {
    const ptrace::PageRule& one = all.rules[i];
    if (one.guestSize <= size) continue;
    const char* last = page_end + one.guestAt + one.guestSize - size;
    unsigned same = 0;
    while (same < size && last[same] == name[same]) same++;
    if (same == size && last[-1] == '/') return true;
  }
  return false;
}

}  // namespace

bool isShown(int directory) {
  const ptrace::PageRules& all = rules();
  struct stat info;
  if (!header().shows) return false;
  if (sys::invoke(__NR_newfstatat, directory, "", &info, kEmptyPath) < 0) return true;
  return info.st_dev == all.procDevice || (info.st_dev == all.listingDevice && info.st_ino == all.listingNode);
}

namespace {

/// The rule with the longest text of a kind that a path begins with; of several the last one.
const ptrace::PageRule* longest(const char* path, unsigned size, uint16_t ptrace::PageRule::*at,
                                uint16_t ptrace::PageRule::*length) {
  const ptrace::PageRules& all = rules();
  const ptrace::PageRule* best = nullptr;
  for (unsigned i = 0; i < all.count; i++) {
    const ptrace::PageRule& one = all.rules[i];
    unsigned left = one.*length;
    if (left > size || (best && left < best->*length) || (left < size && path[left] != '/')) continue;
    const char* text = page_end + one.*at;
    while (left > 0 && path[left - 1] == text[left - 1]) left--;
    if (left == 0) best = &one;
  }
  return best;
}

}  // namespace

const ptrace::PageRule* ruleOf(const char* guest, unsigned size) {
  return longest(guest, size, &ptrace::PageRule::guestAt, &ptrace::PageRule::guestSize);
}

const ptrace::PageRule* ruleOfHost(const char* host, unsigned size) {
  return longest(host, size, &ptrace::PageRule::hostAt, &ptrace::PageRule::hostSize);
}

Room::Room() {
  for (; number_ < ptrace::kRooms; number_++)
    if (!__atomic_exchange_n(&header().taken[number_], 1, __ATOMIC_ACQUIRE)) {
      at_ = reinterpret_cast<char*>(ptrace::kFirstRoom + ptrace::kRoomSize * number_);
      return;
    }
}

Room::~Room() {
  if (at_) __atomic_store_n(&header().taken[number_], 0, __ATOMIC_RELEASE);
}

long Path::take(int directory, const char* from) {
  if (!text_) return kSlow;
  long size = page_copy_text(text_, from, kLongest);
  if (size <= 0 || size == kLongest) return kSlow;
  size_ = static_cast<unsigned>(size);
  directory_ = directory;
  absolute_ = *text_ == '/';
  // Below procfs all is the tracer's.
  if (!absolute_ && isShown(directory)) return kSlow;
  if (long error = normalize(); error) return error;
  return locate();
}

/// Takes out what means nothing. kSlow where the path goes up, or is empty then.
long Path::normalize() {
  unsigned to = 0;
  const char* p = text_;
  const char* end = text_ + size_;
  bool crosses = false;
  hasSlash_ = slash_ = false;
  uint32_t names = 0;
  while (p < end) {
    while (p < end && *p == '/') p++, slash_ = true;
    const char* first = p;
    uint32_t hash = 0;
    while (p < end && *p != '/') hash = ptrace::addToHash(hash, *p++);
    auto size = static_cast<unsigned>(p - first);
    if (!size) break;
    slash_ = false;
    if (size == 1 && *first == '.') {
      slash_ = true;
      continue;
    }
    if (size == 2 && first[0] == '.' && first[1] == '.') return kSlow;
    if (!absolute_ && rules().names & ptrace::nameBit(hash)) crosses |= isRuleName(first, size);
    if (absolute_ || names) text_[to++] = '/', hasSlash_ = true;
    for (unsigned i = 0; i < size; i++) text_[to++] = first[i];
    names++;
  }
  text_[to] = 0;
  size_ = to;
  // A relative path may cross to where a rule is.
  return !names || crosses ? kSlow : 0;
}

bool Path::toHost(unsigned size, char* to, const ptrace::PageRule*& rule) const {
  rule = ruleOf(text_, size);
  if (!rule || rule->closed || rule->hostSize + size > kLongest) return false;
  const char* host = page_end + rule->hostAt;
  unsigned at = 0;
  for (; at < rule->hostSize; at++) to[at] = host[at];
  for (unsigned i = rule->guestSize; i < size; i++) to[at++] = text_[i];
  to[at] = 0;
  return true;
}

long Path::locate() {
  // Behind the text of the guest, in the same page mostly.
  host_ = text_ + size_ + 2;
  if (!absolute_) {
    host_ = text_;
    if (slash_) text_[size_] = '/', text_[size_ + 1] = 0, hasSlash_ = true;
    return 0;
  }
  directory_ = AT_FDCWD;
  if (!toHost(size_, host_, rule_)) return kSlow;
  if (slash_) {
    char* end = host_;
    while (*end) end++;
    end[0] = '/', end[1] = 0;
  }
  return 0;
}

long Path::splice(bool follow) {
  char* link = text_ + ptrace::kRoomSize - 4096;
  char* here = text_ + 2 * 4096;
  for (unsigned end = absolute_ ? 1 : 0; end < size_;) {
    unsigned start = end;
    while (end < size_ && text_[end] != '/') end++;
    bool last = end == size_;
    if (last && (!follow || slash_)) return kSlow;
    const ptrace::PageRule* rule = nullptr;
    if (absolute_) {
      if (!toHost(end, here, rule)) return kSlow;
    } else {
      for (unsigned i = 0; i < end; i++) here[i] = text_[i];
      here[end] = 0;
    }
    long length = -EINVAL;
    if (!rule || rule->guestSize != end) length = sys::invoke(__NR_readlinkat, directory_, here, link, kLongest);
    if (length == -EINVAL) {
      end++;
      continue;
    }
    if (length == -ENOENT) return -ENOENT;
    unsigned rest = size_ - end;
    if (length <= 0 || length + start + rest >= kLongest) return kSlow;
    auto size = static_cast<unsigned>(length);
    const char* target = link;
    if (*target == '/') start = 0, absolute_ = true;
    while (absolute_ && size >= 3 && target[0] == '.' && target[1] == '.' && target[2] == '/') {
      // What comes before has been looked at: it is a directory, and goes up to where it says.
      target += 3, size -= 3;
      if (start > 1) start--;
      while (start > 1 && text_[start - 1] != '/') start--;
    }
    if (!size) return kSlow;
    for (unsigned i = 0; i < rest; i++) here[i] = text_[end + i];
    for (unsigned i = 0; i < size; i++) text_[start++] = target[i];
    for (unsigned i = 0; i < rest; i++) text_[start++] = here[i];
    if (slash_) text_[start++] = '/';
    size_ = start;
    text_[size_] = 0;
    if (long error = normalize(); error) return error;
    return locate();
  }
  return kAgain;
}

char* nameOf(int fd, char* to) {
  for (const char* p = fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/"; *p; p++) *to++ = *p;
  if (fd == AT_FDCWD) return to;
  char digits[12];
  unsigned count = 0;
  auto number = static_cast<unsigned>(fd);
  do digits[count++] = static_cast<char>('0' + number % 10);
  while (number /= 10);
  while (count) *to++ = digits[--count];
  return to;
}

bool isReadOnly(int fd, char* room) {
  const ptrace::PageRules& all = rules();
  char name[kNameSize];
  *nameOf(fd, name) = 0;
  long size = sys::invoke(__NR_readlinkat, AT_FDCWD, name, room, kLongest);
  if (size < 0 || size == kLongest) return true;
  for (unsigned i = 0; i < all.count; i++) {
    const ptrace::PageRule& one = all.rules[i];
    if (!one.readOnly || one.hostSize > size || (one.hostSize < size && room[one.hostSize] != '/')) continue;
    unsigned at = one.hostSize;
    while (at > 0 && room[at - 1] == page_end[one.hostAt + at - 1]) at--;
    if (at == 0) return true;
  }
  return false;
}

bool Path::mayChange() const {
  // At the place of a rule stands something that is mounted there, as far as the guest can tell.
  return absolute_ ? !rule_->readOnly && rule_->guestSize < size_
                   : !isReadOnly(directory_, text_ + ptrace::kRoomSize - 4096);
}

int Path::cut() {
  unsigned end = 0;
  while (host_[end]) end++;
  if (slash_) return -1;
  while (end > 0 && host_[end - 1] != '/') end--;
  if (end < 2) return -1;
  host_[--end] = 0;
  return static_cast<int>(end);
}

Parent::Parent(Path& path, bool makes) : error_(kSlow) {
  constexpr uint32_t kSetGid = 02000;
  if (!path.mayChange()) return;
  if (path.single()) {
    name_ = path.host();
    fd_ = path.directory();
  } else {
    open_how how{O_PATH | O_CLOEXEC | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS};
    for (unsigned turns = 0; turns < kMostLinks; turns++) {
      int end = path.cut();
      if (end < 0) return;
      long fd = sys::invoke(__NR_openat2, path.directory(), path.host(), &how, sizeof how);
      path.join(end);
      name_ = path.host() + end + 1;
      if (fd >= 0) {
        fd_ = static_cast<int>(fd);
        opened_ = true;
        break;
      }
      if (fd == -ENOENT) error_ = fd;
      if (fd != -ELOOP) return;
      long error = path.splice(false);
      if (error && error != kAgain) error_ = error;
      if ((error && error != kAgain) || !path.mayChange()) return;
    }
    if (!opened_) return;
  }
  // What is made there gets the group of the directory.
  if (makes && rules().fakeIds) {
    struct stat info;
    if (!header().asRoot || sys::invoke(__NR_newfstatat, fd_, "", &info, kEmptyPath) < 0 || info.st_mode & kSetGid)
      return;
  }
  error_ = 0;
}

Parent::~Parent() {
  if (opened_) sys::invoke(__NR_close, fd_);
}

namespace {

template <typename Function>
long openBy(Path& path, const open_how& how, Function open) {
  bool follow = !(how.flags & O_NOFOLLOW);
  for (unsigned links = 0, turns = 0; links < kMostLinks && turns < kMostTurns; turns++) {
    long fd = open();
    if (fd >= 0 || fd == -ENOENT || fd == -EINTR) return fd;
    if (fd != -ELOOP) return kSlow;
    long error = path.splice(follow);
    if (error && error != kAgain) return error;
    if (!error) links++;
  }
  return kSlow;
}

}  // namespace

long openPath(Path& path, const open_how& how) {
  return openBy(path, how, [&] { return sys::invoke(__NR_openat2, path.directory(), path.host(), &how, sizeof how); });
}

long openPath(Path& path, const open_how& how, const Room& room, const Frame* frame) {
  return openBy(path, how,
                [&] { return page_open(path.directory(), path.host(), &how, sizeof how, room.number(), frame); });
}

}  // namespace page

#include "fakeroot/owners.hh"

namespace fakeroot {

namespace {

constexpr uint32_t kSeenSize = 1 << 13;
constexpr uint32_t kTypeMask = 0170000, kRegular = 0100000, kDirectory = 0040000;
constexpr uint32_t kCharacter = 0020000, kBlock = 0060000;

bool canCarry(uint32_t mode) { return (mode & kTypeMask) == kRegular || (mode & kTypeMask) == kDirectory; }

/// "c MAJOR MINOR"
void decodeDevice(const char* text, size_t n, Owner& owner) {
  if (n < 5 || text[1] != ' ') return;
  const char* end = text + n;
  const char* gap = text + 2;
  while (gap < end && *gap != ' ') gap++;
  if (gap == end || !sys::parseNumber(text + 2, gap, &owner.major) || !sys::parseNumber(gap + 1, end, &owner.minor))
    return;
  owner.deviceType = *text == 'b' ? kBlock : kCharacter;
}

/// Reads a number up to `stop` and goes behind it.
bool takeNumber(const char*& p, const char* end, char stop, uint64_t& value, bool& negative) {
  value = 0;
  negative = p < end && *p == '-';
  if (negative) p++;
  const char* first = p;
  for (; p < end && *p >= '0' && *p <= '9'; p++) value = value * 10 + static_cast<uint64_t>(*p - '0');
  return p > first && p < end && *p++ == stop;
}

}  // namespace

bool isSettled(const struct statx& info) {
  constexpr int64_t kTick = 20'000'000, kSecond = 1'000'000'000;
  // Some file systems count seconds.
  const int64_t tick = info.stx_ctime.tv_nsec ? kTick : 2 * kSecond;
  __kernel_timespec now{};
  sys::invoke(__NR_clock_gettime, 0 /* CLOCK_REALTIME */, &now);
  return (now.tv_sec - info.stx_ctime.tv_sec) * kSecond + now.tv_nsec - static_cast<int64_t>(info.stx_ctime.tv_nsec) >
         tick;
}

sys::Text<32> linkTo(int file) {
  sys::Text<32> link("self/fd/");
  link.add(static_cast<int64_t>(file));
  return link;
}

bool Owners::load(const char* store, bool kept) {
  kept_ = kept;
  seen_ = static_cast<Seen*>(reserve(kSeenSize * sizeof *seen_));
  if (!seen_) return false;
  if (!store) return makeTable(0);
  // Neither through a link nor into something else that waits there under the name.
  constexpr int kFlags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  store_ = static_cast<int>(sys::open(store, kept ? O_RDWR | O_APPEND | O_CREAT | kFlags : O_RDONLY | kFlags, 0600));
  // In a directory that is not the caller's: as long as the machine runs, in memory.
  if (store_ < 0 && kept) store_ = static_cast<int>(sys::open(store, O_RDONLY | kFlags)), kept_ = false;
  struct statx info {};
  if (store_ >= 0 && (sys::fstatx(store_, STATX_TYPE | STATX_NLINK | STATX_SIZE, &info) < 0 ||
                      (info.stx_mode & kTypeMask) != kRegular || info.stx_nlink != 1)) {
    sys::close(store_);
    store_ = -1;
  }
  if (!makeTable(store_ < 0 ? 0 : info.stx_size)) return false;
  if (store_ < 0) return true;
  uint32_t lines = readLines();
  if (kept_ && lines > count_ + 64) rewrite(store);
  return true;
}

long Owners::start(int tree) {
  struct statx info;
  if (long error = sys::fstatx(tree, STATX_INO, &info); error < 0) return error;
  constexpr long kOverlay = 0x794c7630;
  struct {
    long type;
    char rest[240];
  } system{};
  sys::invoke(__NR_fstatfs, tree, &system);
  overlay_ = system.type == kOverlay;
  tree_ = tree;
  treeDevice_ = deviceOf(info);
  treeInode_ = info.stx_ino;
  return 0;
}

Owners::Key Owners::keyOf(const struct statx& info) const {
  bool born = info.stx_mask & STATX_BTIME;
  uint64_t device = deviceOf(info);
  return {device == treeDevice_ ? 0 : device, info.stx_ino, born ? info.stx_btime.tv_sec : 0,
          born ? info.stx_btime.tv_nsec : 0};
}

Owners::Seen& Owners::seenOf(const struct statx& info) {
  return seen_[hashOf(deviceOf(info), info.stx_ino) % kSeenSize];
}

Owner Owners::of(const struct statx& info, const char* path, bool follow) {
  if (!canCarry(info.stx_mode)) return inTable(info);
  // To write an attribute changes the time of change.
  {
    Locked locked(lock_);
    const Seen& seen = seenOf(info);
    if (seen.inode == info.stx_ino && seen.device == deviceOf(info) && seen.seconds == info.stx_ctime.tv_sec &&
        seen.nanoseconds == info.stx_ctime.tv_nsec)
      return seen.owner;
  }
  Owner owner;
  char value[64];
  int call = follow ? __NR_getxattr : __NR_lgetxattr;
  long size = sys::invoke(call, path, kOwnerAttribute, value, sizeof value);
  if (size == -EOPNOTSUPP) return inTable(info);
  if (size < 0 && size != -ENODATA) return owner;
  if (size > 0 && !decodeOwner(value, static_cast<size_t>(size), owner)) owner = {};
  // A placeholder is empty.
  if ((info.stx_mode & kTypeMask) == kRegular && info.stx_size == 0) {
    size = sys::invoke(call, path, kDeviceAttribute, value, sizeof value);
    if (size > 0) decodeDevice(value, static_cast<size_t>(size), owner);
  }
  if (isSettled(info)) {
    Locked locked(lock_);
    seenOf(info) = {deviceOf(info), info.stx_ino, info.stx_ctime.tv_sec, info.stx_ctime.tv_nsec, owner};
  }
  return owner;
}

long Owners::set(int file, const struct statx& info, const Owner& owner) {
  if (!canCarry(info.stx_mode)) return remember(info, owner);
  sys::Text<32> link = linkTo(file);
  // Whatever comes of it: what was seen may be wrong from here on.
  {
    Locked locked(lock_);
    seenOf(info) = {};
  }
  char value[64];
  size_t size = encodeOwner(owner, value);
  // The tree's root keeps the attribute: it says that owners are remembered here.
  bool forgets = size == 0 && !isTree(info);
  long error = forgets ? sys::invoke(__NR_removexattr, link.c_str(), kOwnerAttribute)
                       : sys::invoke(__NR_setxattr, link.c_str(), kOwnerAttribute, value, size, 0);
  if (error == -EOPNOTSUPP) return remember(info, owner);
  if (forgets && error == -ENODATA) error = 0;
  if (error < 0) return error;
  if (deviceOf(info) == treeDevice_) markTree();
  if (owner.deviceType == 0) return 0;
  sys::Text<48> device(owner.deviceType == kBlock ? "b " : "c ");
  device.add(static_cast<int64_t>(owner.major)).add(" ").add(static_cast<int64_t>(owner.minor));
  return sys::invoke(__NR_setxattr, link.c_str(), kDeviceAttribute, device.c_str(), device.size(), 0);
}

Owner Owners::inTable(const struct statx& info) {
  if (!mayMistake()) return {};
  Locked locked(lock_);
  const Entry* entry = findFile(keyOf(info));
  return entry->used ? entry->owner : Owner{};
}

Owners::Entry* Owners::find(const Key& key) {
  uint64_t at = hashOf(key.device, key.inode, key.seconds, key.nanoseconds) % capacity_;
  for (; entries_[at].used; at = (at + 1) % capacity_) {
    const Key& other = entries_[at].key;
    if (other.inode == key.inode && other.device == key.device && other.seconds == key.seconds &&
        other.nanoseconds == key.nanoseconds)
      break;
  }
  return &entries_[at];
}

Owners::Entry* Owners::findFile(const Key& key) {
  Entry* entry = find(key);
  if (entry->used || !overlay_ || key.device == 0) return entry;
  Entry* below = find({0, key.inode, key.seconds, key.nanoseconds});
  return below->used ? below : entry;
}

long Owners::remember(const struct statx& info, const Owner& owner) {
  Entry entry{keyOf(info), owner, true};
  bool isOfTree = entry.key.device == 0;
  {
    Locked locked(lock_);
    Entry* found = find(entry.key);
    if (!found->used) {
      if (owner.isPlain() && !findFile(entry.key)->used) return 0;
      if (count_ * 2 >= capacity_) return -ENOSPC;
    }
    // What cannot be written down has not happened.
    if (isOfTree && store_ >= 0 && kept_)
      if (long error = append(store_, entry); error < 0) return error;
    if (!found->used) count_++;
    *found = entry;
  }
  if (isOfTree) markTree();
  return 0;
}

bool Owners::makeTable(uint64_t size) {
  constexpr uint64_t kShortestLine = 12, kLeast = 1 << 20;
  capacity_ = kLeast;
  while (capacity_ < size / kShortestLine * 4) capacity_ *= 2;
  entries_ = static_cast<Entry*>(reserve(capacity_ * sizeof *entries_));
  return entries_;
}

/// Lines of "INODE SECONDS.NANOSECONDS UID GID"; the last one for a file counts.
uint32_t Owners::readLines() {
  constexpr size_t kRoom = 1 << 16;
  static char block[kRoom];
  uint32_t lines = 0;
  for (size_t have = 0;;) {
    long got = sys::readAll(store_, block + have, kRoom - have);
    if (got <= 0) return lines;
    const char* end = block + have + got;
    const char* line = block;
    for (const char* p = line; p < end; p++) {
      if (*p != '\n') continue;
      takeLine(line, p + 1);
      lines++;
      line = p + 1;
    }
    have = static_cast<size_t>(end - line);
    if (have == kRoom) have = 0;  // no line is that long
    memmove(block, line, have);
  }
}

void Owners::takeLine(const char* p, const char* end) {
  uint64_t inode, seconds, nanoseconds, uid, gid;
  bool minus, no;
  if (!takeNumber(p, end, ' ', inode, no) || !takeNumber(p, end, '.', seconds, minus) ||
      !takeNumber(p, end, ' ', nanoseconds, no) || !takeNumber(p, end, ' ', uid, no) ||
      !takeNumber(p, end, '\n', gid, no))
    return;
  Key key{0, inode, static_cast<int64_t>(minus ? -seconds : seconds), static_cast<uint32_t>(nanoseconds)};
  Entry* entry = find(key);
  if (!entry->used) count_++;
  *entry = {key, {static_cast<uint32_t>(uid), static_cast<uint32_t>(gid)}, true};
}

/// Most of the lines are no longer true.
void Owners::rewrite(const char* store) {
  sys::Text<4200> path(store);
  path.add(".new");
  sys::invoke(__NR_unlinkat, AT_FDCWD, path.c_str(), 0);
  sys::UniqueFd file(sys::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0600));
  if (path.full() || !file.ok()) return;
  long error = 0;
  for (uint64_t i = 0; error >= 0 && i < capacity_; i++)
    if (entries_[i].used && !entries_[i].owner.isRoot()) error = append(file.get(), entries_[i]);
  if (error < 0 || sys::renameat(AT_FDCWD, path.c_str(), store) < 0) {
    sys::unlinkat(AT_FDCWD, path.c_str(), 0);
    return;
  }
  sys::close(store_);
  store_ = file.release();
}

long Owners::append(int file, const Entry& entry) {
  const auto& [key, owner, used] = entry;
  sys::Text<128> line;
  line.add(static_cast<int64_t>(key.inode)).add(" ").add(key.seconds).add(".");
  line.add(static_cast<int64_t>(key.nanoseconds)).add(" ").add(static_cast<int64_t>(owner.uid)).add(" ");
  line.add(static_cast<int64_t>(owner.gid)).add("\n");
  struct statx before;
  if (long error = sys::fstatx(file, STATX_SIZE, &before); error < 0) return error;
  long error = sys::writeAll(file, line.c_str(), line.size());
  // Half a line, where the disk is full, would take the next one with it.
  if (error < 0) sys::ftruncate(file, before.stx_size);
  return error;
}

/// From the first owner on that is remembered in it the tree is one of those.
void Owners::markTree() {
  if (marked_) return;
  marked_ = true;
  sys::invoke(__NR_setxattr, linkTo(tree_).c_str(), kOwnerAttribute, "", 0, 1 /* XATTR_CREATE */);
}

}  // namespace fakeroot

#include "ptrace/view.hh"

namespace ptrace {

namespace {

constexpr unsigned kMostLinks = 40;  // MAXSYMLINKS of the kernel

void cut(Path& path, size_t size) {
  Path shorter;
  shorter.add(path.c_str(), size);
  path = shorter;
}

/// Takes the last component off.
void goUp(Path& path) {
  size_t size = path.size();
  while (size > 1 && path.c_str()[size - 1] != '/') size--;
  if (size > 1) size--;
  cut(path, size);
}

void append(Path& path, const char* name, size_t size) {
  if (path.size() != 1 || path.c_str()[0] != '/') path.add("/");
  path.add(name, size);
}

bool is(const char* text, size_t size, const char* name) {
  return strlen(name) == size && memcmp(text, name, size) == 0;
}

}  // namespace

const char* below(const char* path, const Path& prefix) {
  size_t size = prefix.size();
  if (size == 1 && prefix.c_str()[0] == '/') return path;
  if (memcmp(path, prefix.c_str(), 1) != 0 || !sys::startsWith(path, prefix.c_str())) return nullptr;
  return path[size] == 0 || path[size] == '/' ? path + size : nullptr;
}

long View::add(const char* guest, const char* host, bool readOnly, bool hidden) {
  // What was below is covered.
  const Path place(guest);
  for (unsigned i = 1; i < count_;) {
    bool covered = rules_[i].guest.size() > place.size() && below(rules_[i].guest.c_str(), place);
    if (covered)
      rules_[i] = rules_[--count_];
    else
      i++;
  }
  unsigned at = 0;
  while (at < count_ && !sys::equal(rules_[at].guest.c_str(), guest)) at++;
  if (at == kMost) return -ENOSPC;
  if (at == count_) count_++;
  rules_[at] = {Path(guest), Path(host), readOnly, hidden, sys::equal(host, "/proc")};
  index();
  return 0;
}

void View::index() {
  version_++;
  for (unsigned i = 0; i < count_; i++) sizes_[i] = static_cast<uint16_t>(rules_[i].guest.size());
}

long View::keep(const char* guest, const char* host) {
  for (unsigned i = 0; i < count_; i++) {
    if (!sys::equal(rules_[i].guest.c_str(), guest)) continue;
    rules_[i].readOnly = true;
    version_++;
    return 0;
  }
  if (count_ == kMost) return -ENOSPC;
  rules_[count_++] = {Path(guest), Path(host), true, false, false};
  index();
  return 0;
}

void View::alias(const char* guest, const char* host) {
  aliasGuest_ = Path(guest);
  aliasHost_ = Path(host);
}

bool View::isAlias(Path& host, const Path& guest) const {
  if (aliasHost_.size() == 0 || !below(host.c_str(), aliasHost_)) return false;
  Place place;
  place.guest = guest;
  locate(place);
  host = place.host;
  return true;
}

const Rule* View::ruleOf(const char* guest) const {
  const Rule* best = nullptr;
  unsigned longest = 0;
  size_t size = strlen(guest);
  for (unsigned i = 0; i < count_; i++) {
    if (sizes_[i] > size || sizes_[i] < longest || !below(guest, rules_[i].guest)) continue;
    best = &rules_[i];
    longest = sizes_[i];
  }
  return best;
}

void View::locate(Place& place) const {
  place.rule = ruleOf(place.guest.c_str());
  const char* rest = below(place.guest.c_str(), place.rule->guest);
  place.host = place.rule->host;
  if (*rest == '/' && !rest[1]) return;
  // The host's own root ends in a slash already.
  if (place.host.size() == 1 && *rest == '/') rest++;
  place.host.add(rest);
}

bool View::show(const char* host, Path& guest) const {
  const Path* best = nullptr;
  const Path* shown = nullptr;
  const char* rest = nullptr;
  auto consider = [&](const Path& from, const Path& to) {
    if (from.size() == 0 || (best && from.size() < best->size())) return;
    const char* behind = below(host, from);
    if (!behind) return;
    best = &from, shown = &to, rest = behind;
  };
  for (unsigned i = 0; i < count_; i++) consider(rules_[i].host, rules_[i].guest);
  consider(aliasHost_, aliasGuest_);
  if (!best) return false;
  Path text = *shown;
  if (*rest == '/' && text.size() == 1) rest++;
  if (*rest && !(rest[0] == '/' && !rest[1])) text.add(rest);
  // What a rule covers is not seen.
  const Rule* rule = ruleOf(text.c_str());
  if (shown != &aliasGuest_ && (!rule || &rule->guest != shown)) return false;
  guest = text;
  return true;
}

long View::resolve(const Asker& who, const Base& base, const char* text, unsigned how, Place& place, Look* look) {
  static Path rest, joined;
  unsigned links = 0;
  const char* root = base.inRoot ? base.guest->c_str() : who.root;
  size_t rootSize = strlen(root);
  bool absolute = *text == '/', dots = false;
  if (absolute && base.beneath) return -EXDEV;
  if (!*text) return -ENOENT;
  if (strlen(text) > 4095) return -ENAMETOOLONG;
  place.missing = place.slash = place.dot = false;
  place.follows = !(how & kNoFollow);
  place.process = 0;
  place.changed = false;
  place.guest = absolute || base.inRoot ? Path(root) : *base.guest;
  size_t ground = place.guest.size();
  bool followed = false, crossed = false;
  locate(place);
  // The directory is where the descriptor says, whatever else shows there.
  if (!absolute && !base.inRoot && base.host) place.host = *base.host;
  const Rule* start = place.rule;
  if (start->proc) {
    // In the directory of a process.
    const char* name = below(place.guest.c_str(), start->guest);
    const char* end = name + 1;
    uint32_t number = 0;
    while (*name && *end && *end != '/') end++;
    if (*name && sys::parseNumber(name + 1, end, &number) && processOf)
      place.process = processOf(static_cast<int>(number));
  }
  rest = Path(text);
  const char* p = rest.c_str();
  for (;;) {
    while (*p == '/') p++;
    if (!*p) break;
    const char* end = p;
    while (*end && *end != '/') end++;
    size_t size = static_cast<size_t>(end - p);
    const char* next = end;
    while (*next == '/') next++;
    bool last = !*next;
    place.slash = last && *end == '/';
    place.dot = last && is(p, size, ".");
    if (place.missing) return -ENOENT;
    if (size > 255) return -ENAMETOOLONG;
    if (is(p, size, ".")) {
      place.slash |= last;
      p = end;
      continue;
    }
    if (is(p, size, "..")) {
      dots = true;
      place.slash |= last;
      char nothing[1];
      Path here = place.host;
      // A file has no parent.
      if (long error = sys::readlinkat(AT_FDCWD, here.add("/.").c_str(), nothing, 1); error == -ENOTDIR) return error;
      if (base.beneath && place.guest.size() <= ground) return -EXDEV;
      bool atRoot = place.guest.size() == rootSize && sys::equal(place.guest.c_str(), root);
      if (!atRoot) goUp(place.guest);
      locate(place);
      p = end;
      continue;
    }
    append(place.guest, p, size);
    if (place.guest.full()) return -ENAMETOOLONG;
    const Rule* here = nullptr;
    for (unsigned i = 0; i < count_; i++)
      if (sizes_[i] == place.guest.size() && sys::equal(rules_[i].guest.c_str(), place.guest.c_str()))
        here = &rules_[i];
    if (here) {
      place.rule = here;
      place.host = here->host;
      crossed = true;
      p = end;
      continue;
    }
    if (place.rule->hidden) return -EACCES;
    Path& host = place.host;
    size_t parent = host.size();
    append(host, p, size);
    if (host.full()) return -ENAMETOOLONG;
    if (place.rule->proc && place.rule->guest.size() + 1 + size == place.guest.size()) {
      // An entry of the root of procfs: a process of the guest, or none.
      uint32_t number = 0;
      bool self = is(p, size, "self"), thread = is(p, size, "thread-self");
      if (self || thread || sys::parseNumber(p, end, &number)) {
        place.process = self ? who.process : thread ? who.tid : processOf ? processOf(static_cast<int>(number)) : 0;
        if (place.process == 0) {
          place.missing = true;
          if (!last) return -ENOENT;
          host = Path("/proc/-");
          p = end;
          continue;
        }
        if ((self || thread) && last && how & kNoFollow && !place.slash) break;
        cut(host, parent);
        host.add("/").add(static_cast<int64_t>(place.process));
        place.guest = place.rule->guest;
        place.guest.add("/").add(numberOf(place.process));
        followed = true;
        p = end;
        continue;
      }
    }
    char target[4096];
    long length = 0;
    if (look && last && !place.slash && !place.rule->proc) {
      long error = sys::statxat(AT_FDCWD, host.c_str(), AT_SYMLINK_NOFOLLOW | look->flags, look->mask, &look->info);
      bool link = (look->info.stx_mode & S_IFMT) == S_IFLNK;
      look->done = error == 0 && (!link || how & kNoFollow);
      if (look->done) break;
      if (error == -ENOENT) length = error;
    }
    if (!length) length = sys::readlinkat(AT_FDCWD, host.c_str(), target, sizeof target - 1);
    if (length == -EACCES && who.privileged && borrow) {
      Path above = host;
      cut(above, parent);
      if (borrow(above.c_str(), 0700)) length = sys::readlinkat(AT_FDCWD, host.c_str(), target, sizeof target - 1);
    }
    if (length == -EINVAL) {
      p = end;
      continue;
    }
    if (length == -ENOENT) {
      place.missing = true;
      p = end;
      continue;
    }
    // What lies behind it may not be read, but may well be used.
    if (length == -EACCES && place.process) {
      p = end;
      continue;
    }
    if (length < 0) return length;
    if (last && how & kNoFollow && (!place.slash || (how & kName) == kName)) break;
    if (++links > kMostLinks || base.noLinks) return -ELOOP;
    target[length] = 0;
    followed = true;
    if (place.process) {
      // The links below /proc/PID lead to places of the host, or to what has no place at all.
      if (base.noMagic) return -ELOOP;
      const char* name = host.c_str() + parent + 1;
      Path shown;
      bool known = magic && magic(place.process, name, shown);
      bool file = *target == '/';
      if (!known && (last && (how & kMagic || !file))) break;
      if (!known && !file) return -ENOTDIR;
      if (!known && !show(target, shown)) {
        if (last) break;
        return -EACCES;
      }
      place.guest = shown;
      place.process = 0;
      locate(place);
      p = end;
      continue;
    }
    joined = Path(target);
    joined.add(end);
    if (joined.full()) return -ENAMETOOLONG;
    rest = joined;
    p = rest.c_str();
    if (*target == '/') {
      if (base.beneath) return -EXDEV;
      place.guest = Path(root);
    } else {
      goUp(place.guest);
    }
    locate(place);
  }
  if (how & kWrites && place.rule->readOnly && !place.process) return -EROFS;
  bool same = absolute ? sys::equal(text, place.host.c_str())
                       : !followed && !crossed && !dots && place.rule == start && !base.inRoot && !base.moved;
  place.changed = !same;
  if (place.slash) place.host.add("/");
  return place.host.full() ? -ENAMETOOLONG : 0;
}

}  // namespace ptrace

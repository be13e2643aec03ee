#include "ptrace/procfs.hh"

#include "ptrace/accelerate/page.hh"
#include "ptrace/compat.hh"

namespace ptrace {

namespace {

State* all = nullptr;
constexpr size_t kTextSize = 1 << 20;
char* text = nullptr;

const char* lastOf(const Path& path) {
  const char* last = path.c_str();
  for (const char* p = last; *p; p++)
    if (*p == '/' && p[1]) last = p + 1;
  return last;
}

/// Collects what a file is to say.
class Output {
 public:
  Output& add(const char* from, size_t n) {
    if (n > kTextSize - size_) n = kTextSize - size_;
    memcpy(text + kTextSize + size_, from, n);
    size_ += n;
    return *this;
  }
  Output& add(const char* from) { return add(from, strlen(from)); }
  Output& add(int64_t number) {
    sys::Text<24> digits;
    digits.add(number);
    return add(digits.c_str());
  }
  const char* data() const { return text + kTextSize; }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0;
};

/// Reads a file of the host, as far as there is room.
size_t readHost(const char* path) {
  sys::UniqueFd file(sys::open(path, O_RDONLY));
  long size = file.ok() ? sys::readAll(file.get(), text, kTextSize - 1) : 0;
  if (size < 0) size = 0;
  text[size] = 0;
  return static_cast<size_t>(size);
}

template <typename Function>
void eachLine(size_t size, Function function) {
  const char* end = text + size;
  for (const char* line = text; line < end;) {
    const char* stop = line;
    while (stop < end && *stop != '\n') stop++;
    function(line, stop);
    line = stop + 1;
  }
}

bool starts(const char* line, const char* end, const char* prefix) {
  size_t size = strlen(prefix);
  return static_cast<size_t>(end - line) >= size && memcmp(line, prefix, size) == 0;
}

/// Whether a line is of the engine's room for calls of 32 bits: its slots, and what lies in front of those where there is.
bool isWithin(const char* line, uint64_t slots) {
  uint64_t at = sys::takeHex(line);
  uint64_t start = slots == kCompatSlots ? kCompatRegion : slots;
  return at >= start && at < slots + kSlotSize * Memory::kSlots;
}

/// Without the engine's own mapping, and with the guest's paths.
void writeMaps(size_t size, int process, Output& out) {
  const Tracee* tracee = all->tracees.anyOf(process);
  const uint64_t trampolines = tracee ? tracee->memory->trampolines : 0;
  const uint64_t slots = tracee ? tracee->memory->compatSlots : 0;
  eachLine(size, [&](const char* line, const char* end) {
    const char* digits = line;
    if (starts(line, end, "6ffff") || (slots && isWithin(line, slots)) ||
        (trampolines && sys::takeHex(digits) == trampolines))
      return;
    const char* path = line;
    while (path < end && *path != '/') path++;
    out.add(line, static_cast<size_t>(path - line));
    Path host, guest;
    host.add(path, static_cast<size_t>(end - path));
    if (path < end) out.add(all->view.show(host.c_str(), guest) ? guest.c_str() : host.c_str());
    out.add("\n", 1);
  });
}

int64_t shownNumber(int64_t number) { return all->view.numberOf(number); }

void writeFour(Output& out, const char* name, const fakeroot::Four& ids) {
  out.add(name).add("\t").add(int64_t{ids.real}).add("\t").add(int64_t{ids.effective}).add("\t");
  out.add(int64_t{ids.saved}).add("\t").add(int64_t{ids.file}).add("\n");
}

void writeStatus(size_t size, int process, Output& out) {
  Tracee* tracee = all->tracees.anyOf(process);
  eachLine(size, [&](const char* line, const char* end) {
    if (starts(line, end, "TracerPid:")) {
      out.add("TracerPid:\t").add(tracee && tracee->traced ? shownNumber(tracee->traced->tracer) : 0).add("\n");
      return;
    }
    if (starts(line, end, "PPid:") && tracee) {
      int parent = tracee->process == all->view.first() ? 0 : tracee->parent;
      uint32_t real = 0;
      if (sys::parseNumber(line + 6, end, &real) && processOf(static_cast<int>(real)) == 0 && parent != 0)
        parent = all->view.first();
      out.add("PPid:\t").add(shownNumber(parent)).add("\n");
      return;
    }
    constexpr const char* kNumbers[] = {"Tgid:", "Pid:"};
    for (const char* name : kNumbers) {
      uint32_t number;
      size_t skip = strlen(name) + 1;
      if (!starts(line, end, name) || !sys::parseNumber(line + skip, end, &number)) continue;
      out.add(name).add("\t").add(shownNumber(number)).add("\n");
      return;
    }
    if (tracee && all->fakeIds) {
      if (starts(line, end, "Uid:")) return writeFour(out, "Uid:", tracee->identity.user);
      if (starts(line, end, "Gid:")) return writeFour(out, "Gid:", tracee->identity.group);
      if (starts(line, end, "Groups:")) {
        out.add("Groups:\t");
        for (uint32_t i = 0; i < tracee->identity.groupCount; i++)
          out.add(int64_t{tracee->identity.groups[i]}).add(" ");
        out.add("\n");
        return;
      }
      constexpr const char* kSets[] = {"CapPrm:", "CapEff:"};
      for (const char* name : kSets) {
        if (!starts(line, end, name)) continue;
        out.add(name).add(tracee->identity.privileged() ? "\t000001ffffffffff\n" : "\t0000000000000000\n");
        return;
      }
    }
    if (starts(line, end, "NoNewPrivs:") && tracee) {
      out.add("NoNewPrivs:\t").add(tracee->noNewPrivileges ? "1\n" : "0\n");
      return;
    }
    // The engine's own filter.
    if (starts(line, end, "Seccomp:") && all->traces) {
      out.add("Seccomp:\t0\n");
      return;
    }
    out.add(line, static_cast<size_t>(end - line)).add("\n", 1);
  });
}

const char* typeOf(const Rule& rule) {
  if (rule.proc) return "proc";
  if (sys::equal(rule.host.c_str(), "/sys")) return "sysfs";
  if (sys::equal(rule.host.c_str(), "/dev/pts")) return "devpts";
  return below(rule.host.c_str(), all->scratch) ? "tmpfs" : "none";
}

void writeMounts(bool info, Output& out) {
  for (unsigned i = 0; i < all->view.count(); i++) {
    const Rule& rule = all->view.rules()[i];
    const char* flags = rule.readOnly ? "ro" : "rw";
    const char* type = i == 0 ? "tsnspawn" : typeOf(rule);
    if (info) {
      out.add(int64_t{i} + 1).add(" ").add(i == 0 ? int64_t{0} : int64_t{1}).add(" 0:").add(int64_t{i} + 1).add(" / ");
      out.add(rule.guest.c_str()).add(" ").add(flags).add(",relatime - ").add(type).add(" ").add(type).add(" ");
      out.add(flags).add("\n");
    } else {
      out.add(type).add(" ").add(rule.guest.c_str()).add(" ").add(type).add(" ").add(flags).add(",relatime 0 0\n");
    }
  }
}

/// A file of the scratch directory with this content, in the place of the other.
long putInPlace(Place& place, const Output& out) {
  Path path = all->scratch;
  path.add("/.file-").add(static_cast<int64_t>(all->tickets++ % 256));
  sys::unlinkat(AT_FDCWD, path.c_str(), 0);
  sys::UniqueFd file(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0444));
  if (!file.ok()) return file.error();
  if (long error = sys::writeAll(file.get(), out.data(), out.size()); error < 0) return error;
  place.host = path;
  place.changed = true;
  return 0;
}

/// A directory with the entries that the root of procfs has in the guest: its own processes only.
long listProcesses(Place& place) {
  Path path = all->scratch;
  path.add("/.proc");
  all->view.alias("/proc", path.c_str());
  sys::UniqueFd old(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!old.ok()) {
    if (long error = sys::mkdirat(AT_FDCWD, path.c_str(), 0755); error < 0) return error;
    old.reset(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!old.ok()) return old.error();
  }
  int to = old.get();
  // Those that have gone.
  alignas(8) static char block[8192];
  for (long got; (got = sys::getdents(to, block, sizeof block)) > 0;)
    for (long at = 0; at < got;) {
      auto* entry = reinterpret_cast<sys::DirectoryEntry*>(block + at);
      at += entry->size;
      uint32_t number;
      if (!sys::parseNumber(entry->name, entry->name + strlen(entry->name), &number)) continue;
      int process = processOf(static_cast<int>(number));
      if (!process || shownNumber(process) != number) sys::unlinkat(to, entry->name, AT_REMOVEDIR);
    }
  sys::UniqueFd host(sys::open("/proc", O_RDONLY | O_DIRECTORY));
  for (long got; (got = sys::getdents(host.get(), block, sizeof block)) > 0;)
    for (long at = 0; at < got;) {
      auto* entry = reinterpret_cast<sys::DirectoryEntry*>(block + at);
      at += entry->size;
      uint32_t number;
      const char* name = entry->name;
      if (sys::parseNumber(name, name + strlen(name), &number)) {
        int process = static_cast<int>(number);
        Tracee* tracee = all->tracees.find(process);
        if (!tracee || tracee->process != process) continue;
        sys::Text<24> shown;
        shown.add(shownNumber(process));
        sys::mkdirat(to, shown.c_str(), 0555);
      } else if (entry->type == DT_DIR && !sys::equal(name, ".") && !sys::equal(name, "..")) {
        sys::mkdirat(to, name, 0555);
      } else if (entry->type == DT_REG) {
        sys::UniqueFd file(sys::openat(to, name, O_WRONLY | O_CREAT, 0444));
      } else {
        char target[256];
        long size = sys::readlinkat(host.get(), name, target, sizeof target - 1);
        if (size <= 0) continue;
        target[size] = 0;
        sys::symlinkat(target, to, name);
      }
    }
  place.host = path;
  place.changed = true;
  return 0;
}

}  // namespace

namespace {
bool followMagic(int process, const char* name, Path& guest);
}  // namespace

void startProc(State& state) {
  all = &state;
  text = static_cast<char*>(reserve(2 * kTextSize));
  state.view.processOf = processOf;
  state.view.magic = followMagic;
  state.view.borrow = borrow;
}

int processOf(int number) {
  if (number == 1) return all->view.first();
  const Tracee* tracee = all->tracees.find(number);
  return tracee ? number : 0;
}

bool magicLink(int process, const char* name, Path& guest) {
  const Tracee* tracee = all->tracees.anyOf(process);
  if (!tracee || !tracee->root) return false;
  if (sys::equal(name, "exe") && tracee->memory && tracee->memory->executable.size()) {
    guest = tracee->memory->executable;
    struct statx info;
    if (sys::statxat(AT_FDCWD, tracee->memory->file.c_str(), 0, STATX_TYPE, &info) == -ENOENT) guest.add(" (deleted)");
    return true;
  }
  if (!sys::equal(name, "root")) return false;
  guest = tracee->root->path;
  return true;
}

namespace {

/// The same for walks: a program that was removed is where the kernel still has it.
bool followMagic(int process, const char* name, Path& guest) {
  if (!magicLink(process, name, guest)) return false;
  const Memory* memory = all->tracees.anyOf(process)->memory;
  return !sys::equal(name, "exe") || sys::equal(guest.c_str(), memory->executable.c_str());
}

}  // namespace

long readLinkOf(Call& call, const Place& place, char* to, size_t room) {
  const char* last = lastOf(place.host);
  Path guest;
  if (place.rule->proc && place.process && (sys::equal(last, "self") || sys::equal(last, "thread-self"))) {
    Path shown;
    shown.add(shownNumber(call.tracee.process));
    if (*last == 't') shown.add("/task/").add(static_cast<int64_t>(call.tracee.tid));
    memcpy(to, shown.c_str(), shown.size());
    return static_cast<long>(shown.size());
  }
  if (place.process && magicLink(place.process, last, guest)) {
    memcpy(to, guest.c_str(), guest.size());
    return static_cast<long>(guest.size());
  }
  long size = sys::readlinkat(AT_FDCWD, place.host.c_str(), to, room - 1);
  if (size <= 0 || !place.process || *to != '/') return size;
  to[size] = 0;
  if (!call.state.view.show(to, guest)) return size;
  const Path& root = call.tracee.root->path;
  const char* shown = below(guest.c_str(), root);
  if (!shown) return size;
  if (!*shown) shown = "/";
  size_t length = strlen(shown);
  memmove(to, shown, length);
  return static_cast<long>(length);
}

long standIn(Call&, Place& place, int flags) {
  if (flags & (O_WRONLY | O_RDWR | O_PATH)) return 0;
  const char* guest = below(place.guest.c_str(), place.rule->guest);
  if (!guest) return 0;
  Output out;
  if (!*guest || sys::equal(guest, "/")) return listProcesses(place);
  if (place.process) {
    const char* name = sys::find(guest + 1, '/');
    if (!name) return 0;
    if (sys::startsWith(name, "/task/")) {
      name = sys::find(name + 6, '/');
      if (!name) return 0;
    }
    if (sys::equal(name, "/maps")) {
      writeMaps(readHost(place.host.c_str()), place.process, out);
    } else if (sys::equal(name, "/status")) {
      all->pair.part();
      writeStatus(readHost(place.host.c_str()), place.process, out);
    } else if (sys::equal(name, "/auxv")) {
      const Tracee* tracee = all->tracees.anyOf(place.process);
      uint64_t at = tracee && tracee->memory ? tracee->memory->vector : 0, kind = 1;
      if (!at) return 0;
      size_t width = tracee->memory->narrow ? 4 : 8;
      while (kind) {
        char pair[16];
        if (!readMemory(tracee->tid, at, pair, 2 * width)) return 0;
        out.add(pair, 2 * width);
        kind = 0;
        memcpy(&kind, pair, width);
        at += 2 * width;
      }
    } else if (sys::equal(name, "/mounts") || sys::equal(name, "/mountinfo")) {
      writeMounts(sys::equal(name, "/mountinfo"), out);
    } else {
      return 0;
    }
    return putInPlace(place, out);
  }
  if (sys::equal(guest, "/sys/kernel/hostname"))
    out.add(all->hostname.c_str()).add("\n");
  else if (sys::equal(guest, "/sys/kernel/osrelease") && all->release.size())
    out.add(all->release.c_str()).add("\n");
  else
    return 0;
  return putInPlace(place, out);
}

}  // namespace ptrace

#include "ptrace/exec.hh"

#include "ptrace/accelerate/page.hh"
#include "ptrace/compat.hh"
#include "ptrace/elf.hh"
#include "ptrace/owned.hh"
#include "ptrace/table.hh"

namespace ptrace {

namespace {

constexpr unsigned kMostScripts = 5, kMostLoadings = 512;

Loading* loadings = nullptr;

Loading* takeLoading() {
  if (!loadings) loadings = static_cast<Loading*>(reserve(kMostLoadings * sizeof *loadings));
  for (unsigned i = 0; loadings && i < kMostLoadings; i++) {
    if (loadings[i].used) continue;
    Loading& loading = loadings[i];
    loading.used = true;
    loading.mapping = loading.maps = loading.setsUser = loading.setsGroup = false;
    loading.held = -1;
    return &loading;
  }
  return nullptr;
}

/// What comes before the arguments of the caller: interpreters of scripts, each with its argument and its script.
struct Words {
  static constexpr unsigned kMost = 2 * kMostScripts + 16;
  Path list[kMost];
  unsigned count = 0;

  /// The interpreter and its argument go before what there is, in which the script's name takes the place of the first word.
  void prepend(const char* interpreter, const char* argument, const char* script) {
    unsigned more = *argument ? 2 : 1;
    if (count == 0) count = 1;
    list[0] = Path(script);
    for (unsigned i = count; i-- > 0;) list[i + more] = list[i];
    list[0] = Path(interpreter);
    if (*argument) list[1] = Path(argument);
    count += more;
  }
};

Words words;

/// A line `#!interpreter argument`. 0 or -ENOEXEC.
long parseScript(const char* line, size_t size, Path& interpreter, Path& argument) {
  constexpr size_t kLongest = 255;  // BINPRM_BUF_SIZE - 1
  const char* end = line + (size < kLongest ? size : kLongest);
  const char* stop = line;
  while (stop < end && *stop != '\n' && *stop) stop++;
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const char* p = line + 2;
  while (p < stop && blank(*p)) p++;
  const char* first = p;
  while (p < stop && !blank(*p)) p++;
  // A name that was cut is none.
  if (p == first || (p == line + kLongest && size > kLongest)) return -ENOEXEC;
  interpreter = Path();
  interpreter.add(first, static_cast<size_t>(p - first));
  while (p < stop && blank(*p)) p++;
  while (stop > p && blank(stop[-1])) stop--;
  argument = Path();
  argument.add(p, static_cast<size_t>(stop - p));
  return 0;
}

/// A file as it was before it is read.
struct Found {
  struct statx info;
  bool settled;  // it would be another one if it were changed now
};

/// May it be executed? 0 or -errno; `found` is what it is.
long look(const Place& place, Found& found) {
  constexpr int kExecute = 1;
  struct statx& info = found.info;
  if (place.missing) return -ENOENT;
  if (long error = sys::statxat(AT_FDCWD, place.host.c_str(), 0, fakeroot::kOwnerMask, &info); error < 0) return error;
  if ((info.stx_mode & S_IFMT) != S_IFREG) return -EACCES;
  found.settled = fakeroot::isSettled(info);
  return sys::invoke(__NR_faccessat, AT_FDCWD, place.host.c_str(), kExecute);
}

long openProgram(Call& call, const Place& place, sys::UniqueFd& file) {
  file.reset(sys::open(place.host.c_str(), O_RDONLY));
  if (file.ok()) return 0;
  borrowFile(call, place, false);
  file.reset(sys::open(place.host.c_str(), O_RDONLY));
  return file.ok() ? 0 : file.error();
}

unsigned typeOf(const char* host) {
  struct statx info;
  return sys::statxat(AT_FDCWD, host, 0, STATX_TYPE, &info) < 0 ? 0 : info.stx_mode & S_IFMT;
}

const char* lastOf(const char* path) {
  const char* last = path;
  for (const char* p = path; *p; p++)
    if (*p == '/' && p[1]) last = p + 1;
  return last;
}

/// Of a pointer in the memory of the caller.
size_t pointerSize(const Call& call) { return call.compat() ? 4 : 8; }

/// The new list of arguments, in the room of the call. 0 or -errno.
long replaceArguments(Call& call, int n) {
  constexpr size_t kMost = 1 << 17;
  static uint64_t* pointers = nullptr;
  if (!pointers) pointers = static_cast<uint64_t*>(reserve(kMost * sizeof *pointers));
  if (!pointers) return -ENOMEM;
  size_t count = 0;
  for (unsigned i = 0; i < words.count; i++) {
    uint64_t at = call.put(words.list[i].c_str(), words.list[i].size() + 1);
    if (!at) return -EFAULT;
    pointers[count++] = at;
  }
  uint64_t from = call.argument(n);
  size_t width = pointerSize(call);
  for (bool first = true; from; first = false, from += width) {
    uint64_t pointer = 0;
    if (!call.read(from, &pointer, width)) return -EFAULT;
    if (!pointer) break;
    // The name of the script has taken the place of the first one.
    if (first) continue;
    if (count + 1 == kMost) return -E2BIG;
    pointers[count++] = pointer;
  }
  pointers[count++] = 0;
  // The lower half of each comes first.
  if (width < sizeof *pointers)
    for (size_t i = 0; i < count; i++) memmove(reinterpret_cast<char*>(pointers) + i * width, &pointers[i], width);
  uint64_t at = call.put(pointers, count * width);
  if (!at) return -EFAULT;
  call.setArgument(n, at);
  return 0;
}

void failed(Call& call) {
  dropLoading(call.tracee);
  // What was told meanwhile.
  tellPage(call.state, call.tracee);
}

/// Whether it is the name of a descriptor that is closed before whoever runs a script could read it from there.
bool closesWithExec(const Call& call, const char* name) {
  constexpr const char* kDescriptors = "/dev/fd/";
  constexpr const char* kFlags = "flags:\t0";
  constexpr unsigned kDigit = 1000000, kCloses = 2;  // O_CLOEXEC is 02000000
  if (!sys::startsWith(name, kDescriptors)) return false;
  Path path("/proc/");
  path.add(static_cast<int64_t>(call.tracee.tid)).add("/fdinfo/").add(name + strlen(kDescriptors));
  sys::UniqueFd file(sys::open(path.c_str(), O_RDONLY));
  char text[256];
  long size = file.ok() ? sys::readAll(file.get(), text, sizeof text - 1) : 0;
  if (size <= 0) return false;
  text[size] = 0;
  for (const char* line = text; line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    uint32_t flags = 0;
    const char* digits = line + strlen(kFlags);
    if (!sys::startsWith(line, kFlags)) continue;
    const char* end = digits;
    while (*end >= '0' && *end <= '7') end++;
    return sys::parseNumber(digits, end, &flags) && flags / kDigit % 10 & kCloses;
  }
  return false;
}

/// The words of the emulator for a program: that of the option, or of qemu where it is for another machine. False where there is none.
bool emulatorFor(const State& state, int file, Path& to) {
  struct Machine {
    long number;
    const char* name;
  };
  constexpr Machine kMachines[] = {{3, "i386"},      {40, "arm"},    {183, "aarch64"},
                                   {243, "riscv64"}, {62, "x86_64"}, {22, "s390x"},
                                   {21, "ppc64le"},  {8, "mipsel"},  {258, "loongarch64"}};
  long machine = machineOf(file);
  if (machine < 0) return false;
  to = state.emulator;
  for (const Machine& one : kMachines) {
    if (to.size() || one.number != machine || machine == kMachine) continue;
    // A static one: it has no libraries in the guest.
    to.add("/usr/bin/qemu-").add(one.name).add("-static");
    return typeOf(to.c_str()) == S_IFREG;
  }
  return to.size() > 0;
}

/// The emulator is what the kernel executes; the program is an argument of it.
long emulate(Call& call, const Place& place, int argv, const Path& emulator, Loading& loading) {
  static Words before;
  before = words;
  Path zeroth = place.guest;
  uint64_t pointer = 0;
  char text[4096];
  if (before.count)
    zeroth = before.list[0];
  else if (call.argument(argv) && call.read(call.argument(argv), &pointer, pointerSize(call)) && pointer &&
           call.readText(pointer, text, sizeof text) >= 0)
    zeroth = Path(text);
  words.count = 0;
  const char* p = emulator.c_str();
  while (*p && words.count + 4 < Words::kMost) {
    const char* end = p;
    while (*end && *end != ' ') end++;
    words.list[words.count] = Path();
    words.list[words.count++].add(p, static_cast<size_t>(end - p));
    for (p = end; *p == ' ';) p++;
  }
  Path host = words.list[0];
  words.list[words.count++] = Path("-0");
  words.list[words.count++] = zeroth;
  words.list[words.count++] = place.guest;
  for (unsigned i = 1; i < before.count && words.count < Words::kMost; i++) words.list[words.count++] = before.list[i];
  sys::UniqueFd file(sys::open(host.c_str(), O_RDONLY));
  if (!file.ok()) return file.error();
  if (long error = readProgram(file.get(), loading.program); error < 0) return error;
  if (loading.program.interpreter.size()) return -ELIBBAD;
  loading.file = place.host;
  loading.executable = place.guest;
  loading.executed = host;
  loading.executedEntry = loading.program.entry;
  loading.text = {};
  loading.maps = false;
  return replaceArguments(call, argv);
}

/// Whether who traces it could use the powers of a program with set ids.
bool isTracedByOther(const Call& call) {
  const Traced* traced = call.tracee.traced;
  const Tracee* tracer = traced ? call.state.tracees.anyOf(traced->tracer) : nullptr;
  return tracer && !tracer->identity.privileged();
}

/// The ids of its owner, where they come with the program.
void takePowers(const Call& call, const Place& place, const struct statx& info, Loading& loading) {
  if (!call.state.fakeIds || call.tracee.noNewPrivileges || isTracedByOther(call)) return;
  const fakeroot::Owner owner = ownerOf(call.state, info, place.host.c_str(), true);
  loading.setsUser = info.stx_mode & 04000;
  loading.setsGroup = (info.stx_mode & 02010) == 02010;
  loading.user = owner.uid;
  loading.group = owner.gid;
}

/// Follows scripts to the program behind them, which is at `place` then. 0, -errno, or 1 where an emulator takes it.
long findProgram(Call& call, Place& place, const char* name, int argv, Loading& loading) {
  static Place next;
  Path script(name);
  Found found;
  for (unsigned turn = 0;; turn++) {
    if (long error = look(place, found); error < 0) return error;
    if (const Program* kept = call.state.emulator.size() ? nullptr : keptProgram(found.info)) {
      loading.program = *kept;
      break;
    }
    sys::UniqueFd file;
    if (long error = openProgram(call, place, file); error < 0) return error;
    char head[256];
    long size = sys::invoke(__NR_pread64, file.get(), head, sizeof head, 0);
    if (size < 4) return -ENOEXEC;
    if (head[0] == '#' && head[1] == '!') {
      if (turn == kMostScripts) return -ELOOP;
      if (turn == 0 && closesWithExec(call, name)) return -ENOENT;
      Path interpreter, argument;
      if (long error = parseScript(head, static_cast<size_t>(size), interpreter, argument); error < 0) return error;
      words.prepend(interpreter.c_str(), argument.c_str(), script.c_str());
      script = interpreter;
      if (long error = call.resolve(AT_FDCWD, interpreter.c_str(), kFollow, next); error < 0) return error;
      place = next;
      continue;
    }
    long error = readProgram(file.get(), loading.program);
    if (call.state.emulator.size() || error == -ENOEXEC) {
      Path emulator;
      if (!emulatorFor(call.state, file.get(), emulator)) return error < 0 ? error : -ENOEXEC;
      error = emulate(call, place, argv, emulator, loading);
      return error < 0 ? error : 1;
    }
    if (error < 0) return error;
    if (found.settled) keepProgram(found.info, loading.program);
    break;
  }
  loading.text = loading.program.text(found.info);
  takePowers(call, place, found.info, loading);
  return 0;
}

/// The kernel is to execute the ELF interpreter of the program. 0 or -errno.
long findInterpreter(Call& call, Loading& loading) {
  static Place place;
  static Program read;
  Found found;
  if (long error = call.resolve(AT_FDCWD, loading.program.interpreter.c_str(), kFollow, place); error < 0) return error;
  if (long error = look(place, found); error < 0) return error;
  const Program* interpreter = keptProgram(found.info);
  if (!interpreter) {
    sys::UniqueFd file;
    if (long error = openProgram(call, place, file); error < 0) return error;
    if (long error = readProgram(file.get(), read); error < 0) return error == -ENOEXEC ? -ELIBBAD : error;
    if (found.settled) keepProgram(found.info, read);
    interpreter = &read;
  }
  if (interpreter->narrow != loading.program.narrow) return -ELIBBAD;
  loading.executedEntry = interpreter->entry;
  loading.text = interpreter->text(found.info);
  loading.executed = place.host;
  return 0;
}

/// Finds out what the kernel is to execute, and with which arguments. 0 or -errno.
long prepare(Call& call, Place& place, const char* name, int argv, Loading& loading) {
  words.count = 0;
  loading.name = Path(name);
  loading.comm = sys::Text<16>(lastOf(name));
  if (long error = findProgram(call, place, name, argv, loading); error) return error < 0 ? error : 0;
  loading.file = place.host;
  if (place.process) {
    // A descriptor may be closed by the exec, and its file may have gone.
    sys::UniqueFd file(sys::open(place.host.c_str(), O_RDONLY));
    if (!file.ok()) return file.error();
    loading.held = file.release();
    loading.file = Path("/proc/");
    loading.file.add(static_cast<int64_t>(sys::invoke(__NR_getpid)))
        .add("/fd/")
        .add(static_cast<int64_t>(loading.held));
  }
  loading.executable = place.guest;
  loading.executed = place.host;
  loading.maps = loading.program.interpreter.size() > 0;
  loading.executedEntry = loading.program.entry;
  if (loading.maps)
    if (long error = findInterpreter(call, loading); error < 0) return error;
  return words.count ? replaceArguments(call, argv) : 0;
}

}  // namespace

void dropLoading(Tracee& tracee) {
  if (tracee.loading && tracee.loading->held >= 0) sys::close(tracee.loading->held);
  if (tracee.loading) tracee.loading->used = false;
  tracee.loading = nullptr;
}

Answer execute(Call& call, unsigned form) {
  bool at = form == kAt;
  static char text[4096];
  static Place place;
  int n = at ? 1 : 0, flags = at ? call.number(4) : 0, directory = at ? call.number(0) : AT_FDCWD;
  if (long size = call.readText(call.argument(n), text, sizeof text); size < 0) return Answer::give(size);
  Path name(text);
  if (!*text && at && flags & AT_EMPTY_PATH) {
    Path guest, host;
    long error = call.placeOf(directory, guest, host);
    if (error == -EBADF) return Answer::give(error);
    place.missing = place.slash = false;
    place.process = call.tracee.process;
    place.host = call.descriptor(directory);
    name = Path("/dev/fd/");
    name.add(static_cast<int64_t>(directory));
    place.guest = error < 0 ? name : guest;
    place.rule = call.state.view.ruleOf("/");
  } else {
    unsigned how = flags & AT_SYMLINK_NOFOLLOW ? kNoFollow : kFollow | kMagic;
    if (long error = call.resolve(directory, text, how, place); error < 0) return Answer::give(error);
    char link[1];
    if (how == kNoFollow && sys::readlinkat(AT_FDCWD, place.host.c_str(), link, 1) >= 0) return Answer::give(-ELOOP);
    if (at && *text != '/' && directory != AT_FDCWD) {
      name = Path("/dev/fd/");
      name.add(static_cast<int64_t>(directory)).add("/").add(text);
    }
  }
  dropLoading(call.tracee);
  Loading* loading = takeLoading();
  if (!loading) return Answer::give(-ENOMEM);
  call.tracee.loading = loading;
  long error = prepare(call, place, name.c_str(), n + 1, *loading);
  if (error < 0) {
    dropLoading(call.tracee);
    return Answer::give(error);
  }
  uint64_t path = call.put(loading->executed.c_str(), loading->executed.size() + 1);
  if (!path) {
    dropLoading(call.tracee);
    return Answer::give(-EFAULT);
  }
  call.setArgument(n, path);
  if (at) {
    call.setArgument(0, static_cast<uint64_t>(static_cast<int64_t>(AT_FDCWD)));
    call.setArgument(4, 0);
  }
  call.then(failed);
  return Answer::proceed();
}

}  // namespace ptrace

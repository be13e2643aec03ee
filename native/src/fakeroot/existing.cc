// Files that are there and are opened for writing: two of them are not what they would be. A map of ids names some that the kernel does
// not know, and a new terminal belongs to who opens it.
#include "fakeroot/file.hh"

namespace fakeroot {

namespace {

bool endsWith(const char* text, const char* end) {
  size_t size = strlen(text), behind = strlen(end);
  return size >= behind && sys::equal(text + size - behind, end);
}

/// In the place of what a process writes there root is mapped to root, and that is all there is.
Answer openMap(Call& call, const File& map, int flags) {
  constexpr const char kMap[] = "0 0 1\n";
  sys::UniqueFd file(sys::open(linkTo(map.fd.get()).c_str(), O_WRONLY));
  // A map that is there already, or one that belongs to a namespace further in: the kernel says what is wrong.
  if (!file.ok() || sys::writeAll(file.get(), kMap, sizeof kMap - 1) < 0) return Answer::proceed();
  // What the process has to say goes nowhere.
  sys::UniqueFd nowhere(sys::invoke(__NR_memfd_create, "map", 1 /* MFD_CLOEXEC */));
  if (!nowhere.ok()) return Answer::give(nowhere.error());
  call.leaveRoot();
  return call.handOver(nowhere.get(), flags);
}

/// The number of a terminal that has gone comes again, so one of root's is of interest where others have been remembered.
Answer openTerminal(Call& call, const File& multiplexer, int flags) {
  const Identity& who = call.identity();
  const Owner owner{who.user.file, who.group.file};
  if (owner.isRoot() && !call.state.owners.mayMistake()) return Answer::proceed();
  sys::UniqueFd master(sys::open(linkTo(multiplexer.fd.get()).c_str(), flags | O_NOCTTY));
  unsigned number;
  if (!master.ok() || sys::ioctl(master.get(), static_cast<unsigned>(TIOCGPTN), &number) < 0) return Answer::proceed();
  Path path;
  call.addProc(path, "root/dev/pts/");
  path.add(static_cast<int64_t>(number));
  sys::UniqueFd terminal(sys::open(path.c_str(), O_PATH | O_NOFOLLOW));
  struct statx info;
  if (terminal.ok() && sys::fstatx(terminal.get(), kOwnerMask, &info) == 0)
    call.state.owners.set(terminal.get(), info, owner);
  terminal.reset();
  call.leaveRoot();
  return call.handOver(master.get(), flags);
}

}  // namespace

Answer openExisting(Call& call, int directory, uint64_t address, int flags) {
  constexpr long kDevpts = 0x1cd1;
  char text[4096];
  if (flags & O_PATH || !call.readText(address, text, sizeof text)) return Answer::proceed();
  bool terminal = endsWith(text, "/ptmx");
  if (!terminal && !endsWith(text, "uid_map") && !endsWith(text, "gid_map")) return Answer::proceed();
  File file;
  if (file.open(call, directory, address, 0) < 0 || !call.isValid()) return Answer::proceed();
  const FileSystem system = fileSystemOf(file.fd.get());
  if (terminal) return system.type == kDevpts ? openTerminal(call, file, flags) : Answer::proceed();
  return system.isProcfs() ? openMap(call, file, flags) : Answer::proceed();
}

}  // namespace fakeroot

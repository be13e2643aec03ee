// mount(2) of a file system of the guest's own for a user: the kernel knows only one id, so it is mounted for that, and the owner of
// its root is remembered.
#include "fakeroot/file.hh"

namespace fakeroot {

namespace {

/// The value of an option of this name in a list with commas, as a place in the list; null where it has none.
char* find(char* options, const char* name) {
  size_t size = strlen(name);
  for (char* p = options; *p; p++) {
    if (sys::startsWith(p, name) && p[size] == '=') return p + size + 1;
    while (*p && *p != ',') p++;
    if (!*p) break;
  }
  return nullptr;
}

/// Reads a decimal id and writes noughts in its place. True where there was one other than nought.
bool takeId(char* value, uint32_t& id) {
  if (!value) return false;
  char* end = value;
  while (*end >= '0' && *end <= '9') end++;
  if (!sys::parseNumber(value, end, &id) || id == 0) return false;
  for (char* p = value; p < end; p++) *p = '0';
  return true;
}

/// Remembers the owner of the root of what has been mounted on `place`.
void ownRoot(Call& call, int place, const Owner& owner) {
  // The descriptor goes on being that of the directory below: its path leads to the mount.
  static char name[4096];
  long size = sys::readlinkat(AT_FDCWD, linkTo(place).c_str(), name, sizeof name - 1);
  if (size <= 0) return;
  name[size] = 0;
  Path path;
  call.addProc(path, "root");
  path.add(name);
  sys::UniqueFd root(sys::open(path.c_str(), O_PATH | O_DIRECTORY));
  struct statx info;
  if (root.ok() && sys::fstatx(root.get(), kOwnerMask, &info) == 0) call.state.owners.set(root.get(), info, owner);
}

/// mount(2), in the mount namespace of the process where that is not this one's.
long mountWhereItIs(Call& call, const char* source, const char* target, const char* type, uint64_t flags,
                    const char* options) {
  long error = sys::mount(source, target, type, flags, options);
  if (error != -EINVAL) return error;
  Path path;
  call.addProc(path, "ns/mnt");
  sys::UniqueFd there(sys::open(path.c_str(), O_RDONLY));
  if (!there.ok()) return there.error();
  if (sys::setns(there.get(), CLONE_NEWNS) < 0) return error;
  sys::fchdir(call.state.proc);
  error = sys::mount(source, target, type, flags, options);
  sys::setns(call.state.mounts, CLONE_NEWNS);
  sys::fchdir(call.state.proc);
  sys::chroot(".");
  call.enterAgain();
  return error;
}

/// In the place of the descriptor: it has become a mount.
constexpr int kMounted = -2;

Said* findSaid(State& state, long process, int fd) {
  for (Said& one : state.said)
    if (one.process == process && one.fd == fd) return &one;
  return nullptr;
}

}  // namespace

/// The value is kept from the kernel, which would not take it, until there is a mount to which it can be said.
Answer configureFor(Call& call, unsigned) {
  char key[8], value[16];
  if (!call.argument(2) || !call.argument(3) || !call.readText(call.argument(2), key, sizeof key) ||
      !call.readText(call.argument(3), value, sizeof value))
    return Answer::proceed();
  bool user = sys::equal(key, "uid");
  uint32_t id;
  if ((!user && !sys::equal(key, "gid")) || !takeId(value, id)) return Answer::proceed();
  long process = call.group();
  Locked locked(call.state.lock);
  Said* one = findSaid(call.state, process, call.number(0));
  if (!one) {
    one = &call.state.said[call.state.nextSaid++ % State::kMostSaid];
    *one = {process, call.number(0), {}};
  }
  (user ? one->owner.uid : one->owner.gid) = id;
  return Answer::give(0);
}

/// fsmount(2): what was said of a file system is from now on about the mount, of which the process gets the descriptor.
Answer finishMountFor(Call& call, unsigned) {
  long process = call.group();
  Locked locked(call.state.lock);
  if (Said* one = findSaid(call.state, process, call.number(0))) one->fd = kMounted;
  return Answer::proceed();
}

/// move_mount(2): its last moment out of everybody's sight.
Answer placeMountFor(Call& call, unsigned) {
  constexpr long kTmpfs = 0x01021994;
  long process = call.group();
  Owner owner;
  {
    Locked locked(call.state.lock);
    Said* one = findSaid(call.state, process, kMounted);
    if (!one) return Answer::proceed();
    owner = one->owner;
    *one = {};
  }
  File root;
  if (root.open(call, call.number(0), 0, AT_EMPTY_PATH) == 0 && fileSystemOf(root.fd.get()).type == kTmpfs &&
      call.isValid())
    call.state.owners.set(root.fd.get(), root.info, owner);
  return Answer::proceed();
}

Answer mountFor(Call& call, unsigned) {
  constexpr uint64_t kNotNew = MS_BIND | MS_MOVE | MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
  static char options[4096];
  char type[32];
  if (call.argument(3) & kNotNew || !call.argument(4) || !call.argument(2)) return Answer::proceed();
  if (!call.readText(call.argument(2), type, sizeof type)) return Answer::proceed();
  bool devices = sys::equal(type, "devpts");
  if (!devices && !sys::equal(type, "tmpfs") && !sys::equal(type, "ramfs")) return Answer::proceed();
  if (!call.readText(call.argument(4), options, sizeof options)) return Answer::proceed();
  size_t size = strlen(options) + 1;
  Owner owner;
  bool changed = takeId(find(options, "uid"), owner.uid);
  changed |= takeId(find(options, "gid"), owner.gid);
  if (!changed || !call.isValid()) return Answer::proceed();
  File place;
  char source[256] = "none";
  // This process can mount, whatever that one has given up.
  bool able = call.status("CapEff", 16) & 1L << CAP_SYS_ADMIN;
  if (!devices && able && (!call.argument(0) || call.readText(call.argument(0), source, sizeof source)) &&
      place.open(call, AT_FDCWD, call.argument(1), 0) == 0 &&
      mountWhereItIs(call, source, linkTo(place.fd.get()).c_str(), type, call.argument(3), options) == 0) {
    ownRoot(call, place.fd.get(), owner);
    return Answer::give(0);
  }
  // The process does it itself: its memory has to say what the kernel takes.
  call.write(call.argument(4), options, size);
  return Answer::proceed();
}

}  // namespace fakeroot

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

}  // namespace

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
  if (!devices && (!call.argument(0) || call.readText(call.argument(0), source, sizeof source)) &&
      place.open(call, AT_FDCWD, call.argument(1), 0) == 0 &&
      sys::mount(source, linkTo(place.fd.get()).c_str(), type, call.argument(3), options) == 0) {
    File root;
    if (root.open(call, AT_FDCWD, call.argument(1), 0) == 0) call.state.owners.set(root.fd.get(), root.info, owner);
    return Answer::give(0);
  }
  // In a mount namespace of its own only the process itself can: its memory has to say what the kernel takes.
  call.write(call.argument(4), options, size);
  return Answer::proceed();
}

}  // namespace fakeroot

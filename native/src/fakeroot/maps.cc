// User namespaces in the guest: their maps name ids that the kernel does not know. In the place of what a process writes there root is
// mapped to root, and that is all there is.
#include "fakeroot/file.hh"

namespace fakeroot {

namespace {

bool endsWith(const char* text, const char* end) {
  size_t size = strlen(text), behind = strlen(end);
  return size >= behind && sys::equal(text + size - behind, end);
}

}  // namespace

Answer openMap(Call& call, int directory, uint64_t address, int flags) {
  constexpr const char kMap[] = "0 0 1\n";
  char text[4096];
  if (flags & O_PATH || !call.readText(address, text, sizeof text)) return Answer::proceed();
  if (!endsWith(text, "uid_map") && !endsWith(text, "gid_map")) return Answer::proceed();
  File map;
  if (map.open(call, directory, address, 0) < 0 || !fileSystemOf(map.fd.get()).isProcfs() || !call.isValid())
    return Answer::proceed();
  sys::UniqueFd file(sys::open(linkTo(map.fd.get()).c_str(), O_WRONLY));
  // A map that is there already, or one that belongs to a namespace further in: the kernel says what is wrong.
  if (!file.ok() || sys::writeAll(file.get(), kMap, sizeof kMap - 1) < 0) return Answer::proceed();
  // What the process has to say goes nowhere.
  sys::UniqueFd nowhere(sys::invoke(__NR_memfd_create, "map", 1 /* MFD_CLOEXEC */));
  if (!nowhere.ok()) return Answer::give(nowhere.error());
  call.leaveRoot();
  return call.handOver(nowhere.get(), flags);
}

}  // namespace fakeroot

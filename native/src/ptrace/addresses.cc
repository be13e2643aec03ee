#include "ptrace/addresses.hh"

#include "ptrace/owned.hh"

namespace ptrace {

namespace {

constexpr size_t kPathRoom = sizeof(sockaddr_un::sun_path);
constexpr const char* kTemporary = ".tsn";
constexpr uint16_t kInternet = 2, kInternet6 = 10;  // AF_INET, AF_INET6

struct Address {
  sockaddr_un local;
  char end;
};

/// Where the last component begins.
const char* nameIn(const char* path) {
  const char* name = path;
  for (const char* p = path; *p; p++)
    if (*p == '/') name = p + 1;
  return name;
}

bool linkText(const char* link, Path& to) {
  char text[4096];
  long size = sys::readlinkat(AT_FDCWD, link, text, sizeof text - 1);
  if (size <= 0) return false;
  text[size] = 0;
  to = Path(text);
  return true;
}

/// A short name for a place of the host: a link in the scratch directory, for the same place always the same one.
long nickname(State& state, const Path& place, Path& shorter) {
  constexpr uint32_t kMost = 1000000;
  uint32_t number = 2166136261;  // FNV-1a
  for (const char* p = place.c_str(); *p; p++) number = (number ^ static_cast<unsigned char>(*p)) * 16777619;
  for (number %= kMost;; number = (number + 1) % kMost) {
    shorter = state.scratch;
    shorter.add("/s").add(static_cast<int64_t>(number));
    long error = sys::symlinkat(place.c_str(), AT_FDCWD, shorter.c_str());
    if (error != -EEXIST) return error;
    static Path other;
    if (linkText(shorter.c_str(), other) && sys::equal(other.c_str(), place.c_str())) return 0;
  }
}

/// The link that keeps the name that the guest has given to a socket with a temporary one.
Path keeperOf(const State& state, const char* number) {
  Path link = state.scratch;
  return link.add("/n").add(number);
}

/// bind(2) is done, and the socket gets the name that was too long for it.
void giveName(Call& call) {
  Address address{};
  static Path shorter, name;
  if (!call.read(call.argument(1), &address.local, sizeof address.local)) return;
  const char* temporary = address.local.sun_path;
  Path keeper = keeperOf(call.state, nameIn(temporary) + strlen(kTemporary));
  if (call.result() == 0 && linkText(keeper.c_str(), name)) {
    shorter = Path();
    shorter.add(temporary, static_cast<size_t>(nameIn(temporary) - temporary)).add(nameIn(name.c_str()));
    constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE (3.15)
    long error = sys::invoke(__NR_renameat2, AT_FDCWD, temporary, AT_FDCWD, shorter.c_str(), kNoReplace);
    if (error == -ENOSYS || error == -EINVAL) error = sys::renameat(AT_FDCWD, temporary, shorter.c_str());
    if (error < 0) {
      sys::unlinkat(AT_FDCWD, temporary, 0);
      call.setResult(error == -EEXIST ? -EADDRINUSE : error);
    }
  }
  if (call.result() < 0)
    sys::unlinkat(AT_FDCWD, keeper.c_str(), 0);
  else if (call.state.fakeIds)
    ownMade(call);
}

/// Where the longer path of the host does not fit, links in the scratch directory lead there. What is made gets a temporary name, if
/// not even its own fits then.
long shorten(Call& call, const char* given, const Place& place, bool makes, Path& shorter) {
  State& state = call.state;
  const Path& host = place.host;
  const char* name = nameIn(host.c_str());
  Path parent;
  parent.add(host.c_str(), static_cast<size_t>(name - host.c_str()));
  if (long error = nickname(state, parent, shorter); error < 0) return error;
  size_t size = shorter.add("/").size();
  if (size + strlen(name) <= kPathRoom) {
    shorter.add(name);
    return 0;
  }
  if (!makes) {
    if (long error = nickname(state, host, shorter); error < 0) return error;
    return shorter.size() <= kPathRoom ? 0 : -ENAMETOOLONG;
  }
  if (!place.missing) return -EADDRINUSE;
  sys::Text<24> number;
  number.add(static_cast<int64_t>(state.tickets++));
  shorter.add(kTemporary).add(number.c_str());
  if (shorter.size() > kPathRoom) return -ENAMETOOLONG;
  if (long error = sys::symlinkat(given, AT_FDCWD, keeperOf(state, number.c_str()).c_str()); error < 0) return error;
  call.then(giveName);
  return 0;
}

/// The guest's port in the place of the host's.
bool mapPortBack(Call& call, uint64_t at) {
  uint16_t family;
  uint8_t port[2];
  if (call.state.portCount == 0 || !call.read(at, &family, sizeof family) || !call.read(at + 2, port, sizeof port))
    return false;
  if (family != kInternet && family != kInternet6) return false;
  for (unsigned i = 0; i < call.state.portCount; i++) {
    const State::PortMap& map = call.state.ports[i];
    if ((port[0] << 8 | port[1]) != map.host) continue;
    port[0] = static_cast<uint8_t>(map.guest >> 8);
    port[1] = static_cast<uint8_t>(map.guest);
    return call.write(at + 2, port, sizeof port);
  }
  return true;
}

/// The guest's name of a socket that the host has at this path. False where it is the same, or none.
bool nameOf(const State& state, const char* path, Path& guest) {
  static Path host;
  host = Path(path);
  Path prefix = state.scratch;
  prefix.add("/s");
  if (sys::startsWith(path, prefix.c_str())) {
    const char* rest = sys::find(path + prefix.size(), '/');
    Path link;
    link.add(path, rest ? static_cast<size_t>(rest - path) : host.size());
    if (!linkText(link.c_str(), host)) return false;
    if (rest && sys::startsWith(rest + 1, kTemporary) &&
        linkText(keeperOf(state, rest + 1 + strlen(kTemporary)).c_str(), guest))
      return true;
    if (rest) host.add(host.c_str()[host.size() - 1] == '/' ? rest + 1 : rest);
  }
  return state.view.show(host.c_str(), guest);
}

}  // namespace

long mapPort(Call& call, uint64_t& at, uint64_t size, bool makes) {
  struct {
    uint16_t family;
    uint8_t port[2], rest[60];
  } address{};
  if (call.state.portCount == 0 || size < 8 || size > sizeof address) return 1;
  if (!call.read(at, &address, size)) return -EFAULT;
  if (address.family != kInternet && address.family != kInternet6) return 1;
  // The address is behind the port, or behind the flow label.
  bool loopback = address.family == kInternet ? address.rest[0] == 127 : address.rest[4 + 15] == 1 && !address.rest[4];
  if (!makes && !loopback) return 1;
  for (unsigned i = 0; i < call.state.portCount; i++) {
    const State::PortMap& map = call.state.ports[i];
    if ((address.port[0] << 8 | address.port[1]) != map.guest) continue;
    address.port[0] = static_cast<uint8_t>(map.host >> 8);
    address.port[1] = static_cast<uint8_t>(map.host);
    at = call.put(&address, size);
    return at ? 0 : -EFAULT;
  }
  return 1;
}

long translateAddress(Call& call, uint64_t& at, uint64_t& size, bool makes) {
  Address address{};
  if (size <= sizeof address.local.sun_family || size > sizeof address.local) return 0;
  if (!call.read(at, &address.local, size)) return -EFAULT;
  if (address.local.sun_family != AF_UNIX || !address.local.sun_path[0]) return 0;
  static Place place;
  if (long error = call.resolve(AT_FDCWD, address.local.sun_path, makes ? kNoFollow : kFollow | kMagic, place);
      error < 0)
    return error;
  if (makes && place.missing && place.rule->readOnly) return -EROFS;
  if (makes) ownLater(call, place, false);
  if (!place.changed) return 0;
  Path host = place.host;
  if (host.size() > kPathRoom)
    if (long error = shorten(call, address.local.sun_path, place, makes, host); error < 0) return error;
  Address other{};
  other.local.sun_family = AF_UNIX;
  memcpy(other.local.sun_path, host.c_str(), host.size());
  size = sizeof other.local.sun_family + host.size() + (host.size() < kPathRoom ? 1 : 0);
  at = call.put(&other, size);
  return at ? 0 : -EFAULT;
}

void showName(Call& call, uint64_t at, uint64_t sizeAt, uint32_t room) {
  uint32_t size;
  Address address{};
  if (mapPortBack(call, at)) return;
  if (!call.read(sizeAt, &size, sizeof size)) return;
  // The zero behind a path is counted, and may be all that there was no room for.
  if (size <= sizeof address.local.sun_family || size > sizeof address || size - 1 > room) return;
  if (!call.read(at, &address, size < room ? size : room)) return;
  if (address.local.sun_family != AF_UNIX || address.local.sun_path[0] != '/') return;
  static Path guest;
  if (!nameOf(call.state, address.local.sun_path, guest)) return;
  Address other{};
  other.local.sun_family = AF_UNIX;
  size_t length = guest.size() < kPathRoom ? guest.size() : kPathRoom;
  memcpy(other.local.sun_path, guest.c_str(), length);
  size = static_cast<uint32_t>(sizeof other.local.sun_family + length + 1);
  call.write(at, &other, size < room ? size : room);
  call.write(sizeAt, &size, sizeof size);
}

}  // namespace ptrace

#include "ptrace/accelerate/mapping.hh"

#include "ptrace/memory.hh"
#include "sys/stat.hh"

namespace ptrace {

namespace {

/// PROCMAP_QUERY (linux/fs.h, 6.11).
struct MapQuery {
  uint64_t size, how, address, start, end, flags, pageSize, offset, node;
  uint32_t major, minor, nameSize, buildSize;
  uint64_t name, build;
};
constexpr unsigned kQueryMap = 0xc0686611;
constexpr uint64_t kWritable = 2, kExecutable = 4, kShared = 8;
static_assert(sizeof(MapQuery) == 104);

/// A line of /proc/PID/maps: `start-end r-xp offset major:minor node path`.
Code parse(const char* line, uint64_t address) {
  Code code;
  const char* p = line;
  code.start = sys::takeHex(p);
  if (*p++ != '-') return {};
  code.end = sys::takeHex(p);
  if (address < code.start || address >= code.end) return {};
  bool isCode = p[2] == '-' && p[3] == 'x' && p[4] == 'p';
  code.offset = sys::takeHex(p += 6);
  uint64_t major = sys::takeHex(++p), minor = sys::takeHex(++p);
  code.device = sys::deviceNumber(static_cast<uint32_t>(major), static_cast<uint32_t>(minor));
  for (p++; *p >= '0' && *p <= '9'; p++) code.node = code.node * 10 + static_cast<uint64_t>(*p - '0');
  return isCode && code.node ? code : Code{};
}

}  // namespace

Code codeAt(int tid, uint64_t address) {
  Path path("/proc/");
  sys::UniqueFd maps(sys::open(path.add(static_cast<int64_t>(tid)).add("/maps").c_str(), O_RDONLY));
  if (!maps.ok()) return {};
  MapQuery query{};
  query.size = sizeof query;
  query.address = address;
  if (sys::ioctl(maps.get(), kQueryMap, &query) == 0) {
    if (!query.node || (query.flags & (kWritable | kExecutable | kShared)) != kExecutable) return {};
    return {query.start, query.end, query.offset, sys::deviceNumber(query.major, query.minor), query.node};
  }
  constexpr size_t kMost = 1 << 20;
  static char* text = nullptr;
  if (!text) text = static_cast<char*>(reserve(kMost));
  long size = text ? sys::readAll(maps.get(), text, kMost - 1) : 0;
  if (size <= 0) return {};
  text[size] = 0;
  for (const char* line = text; line && *line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    if (Code code = parse(line, address); code.end) return code;
  }
  return {};
}

}  // namespace ptrace

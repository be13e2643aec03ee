// How an owner is written into an attribute.
#include "fakeroot/owners.hh"

namespace fakeroot {

namespace {

char* putNumber(char* to, uint32_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

bool takeNumber(const char*& from, const char* end, uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; from < end && shift < 64; shift += 7) {
    auto byte = static_cast<unsigned char>(*from++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return true;
  }
  return false;
}

}  // namespace

size_t encodeOwner(const Owner& owner, char* to) {
  char* p = to;
  if (owner.uid) *p++ = 1 << 3, p = putNumber(p, owner.uid);
  if (owner.gid) *p++ = 2 << 3, p = putNumber(p, owner.gid);
  return static_cast<size_t>(p - to);
}

bool decodeOwner(const char* from, size_t n, Owner& owner) {
  const char* end = from + n;
  while (from < end) {
    uint64_t key, value;
    if (!takeNumber(from, end, key)) return false;
    switch (key & 7) {
      case 0:
        if (!takeNumber(from, end, value)) return false;
        if (key >> 3 == 1) owner.uid = static_cast<uint32_t>(value);
        if (key >> 3 == 2) owner.gid = static_cast<uint32_t>(value);
        break;
      case 1:
      case 5:
        from += (key & 7) == 1 ? 8 : 4;
        break;
      case 2:
        if (!takeNumber(from, end, value) || value > static_cast<uint64_t>(end - from)) return false;
        from += value;
        break;
      default:
        return false;
    }
  }
  return from == end;
}

}  // namespace fakeroot

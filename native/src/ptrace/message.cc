#include "ptrace/message.hh"

namespace ptrace {

namespace {

// struct compat_msghdr and struct compat_cmsghdr (net/compat.h of the kernel)
struct CompatMessage {
  uint32_t name;
  int32_t nameSize;
  uint32_t parts, partCount, control, controlSize, flags;
};
struct CompatControl {
  uint32_t size;
  int32_t level, type;
};
static_assert(sizeof(sys::MessageHeader) == 56 && sizeof(CompatMessage) == 28 && sizeof(CompatControl) == 12);

template <typename Header, typename Word>
bool piece(const char* from, size_t size, ControlPiece& to) {
  Header header;
  if (size < sizeof header) return false;
  memcpy(&header, from, sizeof header);
  if (header.size < sizeof header || header.size > size) return false;
  to = {header.size, sizeof header, (header.size + sizeof(Word) - 1) & ~(sizeof(Word) - 1), header.level, header.type};
  return true;
}

template <typename Pointer>
uint32_t narrow(Pointer* pointer) {
  return static_cast<uint32_t>(reinterpret_cast<uint64_t>(pointer));
}
template <typename Pointer>
void widen(Pointer*& pointer, uint32_t from) {
  pointer = reinterpret_cast<Pointer*>(uint64_t{from});
}

}  // namespace

bool readMessage(const Call& call, uint64_t from, sys::MessageHeader& to) {
  if (!call.compat()) return call.read(from, &to, sizeof to);
  CompatMessage message;
  if (!call.read(from, &message, sizeof message)) return false;
  to = {};
  widen(to.name, message.name);
  to.nameSize = message.nameSize;
  widen(to.parts, message.parts);
  to.partCount = message.partCount;
  widen(to.control, message.control);
  to.controlSize = message.controlSize;
  to.flags = static_cast<int>(message.flags);
  return true;
}

bool writeMessage(const Call& call, uint64_t to, const sys::MessageHeader& message) {
  if (!call.compat()) return call.write(to, &message, sizeof message);
  const CompatMessage narrowed{narrow(message.name),
                               message.nameSize,
                               narrow(message.parts),
                               static_cast<uint32_t>(message.partCount),
                               narrow(message.control),
                               static_cast<uint32_t>(message.controlSize),
                               static_cast<uint32_t>(message.flags)};
  return call.write(to, &narrowed, sizeof narrowed);
}

bool controlPiece(const Call& call, const char* from, size_t size, ControlPiece& to) {
  return call.compat() ? piece<CompatControl, uint32_t>(from, size, to)
                       : piece<sys::ControlHeader, uint64_t>(from, size, to);
}

}  // namespace ptrace

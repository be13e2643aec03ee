// Messages of sockets as they lie in the memory of the caller: of one width or the other.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// Where things are in struct msghdr, and in struct mmsghdr, which has its length behind it.
struct MessageLayout {
  size_t nameSize, size, step;
};
inline MessageLayout messageLayout(const Call& call) {
  return call.compat() ? MessageLayout{4, 28, 32} : MessageLayout{8, 56, 64};
}

bool readMessage(const Call& call, uint64_t from, sys::MessageHeader& to);
bool writeMessage(const Call& call, uint64_t to, const sys::MessageHeader& message);

/// One piece of what travels with a message: struct cmsghdr, and how far it is to what it says and to the next.
struct ControlPiece {
  size_t size, head, step;
  int level, type;
};
/// The first one of `size` bytes. False where there is none.
bool controlPiece(const Call& call, const char* from, size_t size, ControlPiece& to);

}  // namespace ptrace

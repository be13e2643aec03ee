// The address of the guest that ports lead to.
#pragma once

#include <stdint.h>

#include "sys/text.hh"

namespace net {

constexpr uint16_t kInet = 2, kInet6 = 10;  // AF_INET, AF_INET6

/// A socket address of either family, laid out as sockaddr_in and sockaddr_in6 are.
struct SocketAddress {
  uint16_t family = 0;
  uint8_t port[2] = {};
  union {
    struct {
      uint8_t v4[4];
      uint8_t zero[8];
    };
    struct {
      uint32_t flow;
      uint8_t v6[16];
      uint32_t scope;
    };
  };

  SocketAddress() : flow(0), v6{}, scope(0) {}
  SocketAddress(uint16_t f, const uint8_t* bytes, uint16_t p) : SocketAddress() {
    family = f;
    port[0] = static_cast<uint8_t>(p >> 8);
    port[1] = static_cast<uint8_t>(p);
    memcpy(f == kInet ? v4 : v6, bytes, f == kInet ? 4 : 16);
  }
  unsigned size() const { return family == kInet ? 16 : 28; }
};
static_assert(sizeof(SocketAddress) == 28);

/// An address of the guest; of length 0: it has none of the family.
struct GuestAddress {
  uint8_t bytes[16] = {};
  unsigned size = 0;

  bool operator==(const GuestAddress& other) const {
    return size == other.size && memcmp(bytes, other.bytes, size) == 0;
  }
  sys::Text<48> text() const;
};

/// The first global address of the family in the network namespace of the rtnetlink socket. A guest gives itself what it
/// likes: an address that would lead back into the host is none.
GuestAddress guestAddress(int socket, uint16_t family);

}  // namespace net

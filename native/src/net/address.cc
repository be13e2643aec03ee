#include "net/address.hh"

#include "net/netlink.hh"

namespace net {

namespace {

/// Loopback, multicast, link-local and the unspecified address: no place where a guest could be reached.
bool leadsNowhere(const uint8_t* a, unsigned size) {
  if (size == 4) return a[0] == 0 || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254);
  if (a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)) return true;
  // ::, ::1, and IPv4 addresses in IPv6 clothes, which a host takes for those
  for (int i = 0; i < 8; i++)
    if (a[i]) return false;
  return true;
}

}  // namespace

sys::Text<48> GuestAddress::text() const {
  sys::Text<48> text;
  if (size == 4) {
    for (unsigned i = 0; i < 4; i++) text.add(i ? "." : "").add(int64_t{bytes[i]});
    return text;
  }
  constexpr const char* kDigits = "0123456789abcdef";
  for (unsigned i = 0; i < size; i++) {
    if (i && i % 2 == 0) text.add(":");
    text.add(kDigits + (bytes[i] >> 4), 1).add(kDigits + (bytes[i] & 15), 1);
  }
  return text;
}

GuestAddress guestAddress(int socket, uint16_t family) {
  GuestAddress found;
  uint32_t foundIndex = ~0u;
  netlink::Request request(RTM_GETADDR, NLM_F_DUMP);
  request.body<ifaddrmsg>()->ifa_family = static_cast<uint8_t>(family);
  netlink::list(socket, request, [&](const nlmsghdr* message) {
    auto* info = reinterpret_cast<const ifaddrmsg*>(message + 1);
    // Not yet, no longer, or only for a while (IFA_F_SECONDARY, which IPv6 calls IFA_F_TEMPORARY).
    constexpr unsigned kUnfit = IFA_F_SECONDARY | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE;
    if (message->nlmsg_type != RTM_NEWADDR || info->ifa_family != family || info->ifa_scope != RT_SCOPE_UNIVERSE ||
        info->ifa_flags & kUnfit || info->ifa_index >= foundIndex)
      return;
    // On a point-to-point link IFA_ADDRESS is the other end.
    const rtattr* attribute = netlink::find<ifaddrmsg>(message, IFA_LOCAL);
    if (!attribute) attribute = netlink::find<ifaddrmsg>(message, IFA_ADDRESS);
    unsigned size = family == kInet ? 4 : 16;
    if (!attribute || attribute->rta_len < sizeof(rtattr) + size) return;
    auto* bytes = static_cast<const uint8_t*>(netlink::dataOf(attribute));
    if (leadsNowhere(bytes, size)) return;
    memcpy(found.bytes, bytes, size);
    found.size = size;
    foundIndex = info->ifa_index;
  });
  return found;
}

}  // namespace net

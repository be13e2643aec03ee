// rtnetlink(7): messages are built in place, sent, and their answer is waited for. One request at a time on a socket.
#pragma once

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "sys/kernel.hh"

namespace netlink {

/// A request of at most a kilobyte, attributes appended one by one.
class Request {
 public:
  Request(uint16_t type, uint16_t flags) {
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  }

  /// The fixed part behind the header; before any attribute.
  template <typename T>
  T* body() {
    return static_cast<T*>(grow(sizeof(T)));
  }
  void put(uint16_t type, const void* data, size_t n) { memcpy(attribute(type, n), data, n); }
  void put(uint16_t type, uint32_t number) { put(type, &number, sizeof number); }
  void put(uint16_t type, const char* text) { put(type, text, strlen(text) + 1); }
  /// Opens a nested attribute; end() takes what this returns.
  size_t begin(uint16_t type) {
    size_t at = size_;
    attribute(type, 0);
    return at;
  }
  void end(size_t at) {
    uint16_t length = static_cast<uint16_t>(size_ - at);
    memcpy(bytes_ + at, &length, sizeof length);
  }
  /// A fixed part inside of a nested attribute.
  template <typename T>
  void putStruct(const T& value) {
    memcpy(grow(sizeof value), &value, sizeof value);
  }

  nlmsghdr* finish(uint32_t sequence) {
    header()->nlmsg_len = static_cast<uint32_t>(size_);
    header()->nlmsg_seq = sequence;
    return header();
  }

 private:
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_); }
  void* grow(size_t n) {
    void* at = bytes_ + size_;
    size_ += (n + 3) & ~size_t{3};
    return at;
  }
  void* attribute(uint16_t type, size_t n) {
    auto* head = static_cast<rtattr*>(grow(sizeof(rtattr)));
    head->rta_len = static_cast<uint16_t>(sizeof(rtattr) + n);
    head->rta_type = type;
    return grow(n);
  }

  alignas(4) char bytes_[1024] = {};
  size_t size_ = sizeof(nlmsghdr);
};

/// A socket in this process's network namespace. `groups`: RTMGRP_* of messages to hear. A descriptor, or -errno.
long open(uint32_t groups = 0, int flags = 0);

/// Sends a request and waits for the kernel's verdict: 0 or -errno.
long ask(int socket, Request& request);

/// Asks for a list; `each` gets every message of it. 0 or -errno.
template <typename Each>
long list(int socket, Request& request, Each&& each);

/// Index of the interface of this name, or of this alternative name, where the socket is; or -errno.
long indexOf(int socket, const char* name);

/// The attribute of this type among those that follow a message's fixed part, or null.
template <typename Body>
const rtattr* find(const nlmsghdr* message, uint16_t type) {
  auto* at = reinterpret_cast<const char*>(message) + NLMSG_LENGTH(0) + ((sizeof(Body) + 3) & ~size_t{3});
  auto* end = reinterpret_cast<const char*>(message) + message->nlmsg_len;
  while (at + sizeof(rtattr) <= end) {
    auto* attribute = reinterpret_cast<const rtattr*>(at);
    if (attribute->rta_len < sizeof(rtattr) || at + attribute->rta_len > end) break;
    if ((attribute->rta_type & NLA_TYPE_MASK) == type) return attribute;
    at += (attribute->rta_len + 3) & ~3;
  }
  return nullptr;
}
inline const void* dataOf(const rtattr* attribute) { return attribute + 1; }

/// For list(): sends, and receives a part into `buffer`. Its size, or -errno.
long sendRequest(int socket, Request& request, uint32_t* sequence);
long receivePart(int socket, char* buffer, size_t size);

template <typename Each>
long list(int socket, Request& request, Each&& each) {
  uint32_t sequence;
  if (long error = sendRequest(socket, request, &sequence); error < 0) return error;
  alignas(8) char buffer[16384];
  for (;;) {
    long size = receivePart(socket, buffer, sizeof buffer);
    if (size < 0) return size;
    for (char* at = buffer; at + sizeof(nlmsghdr) <= buffer + size;) {
      auto* message = reinterpret_cast<nlmsghdr*>(at);
      if (message->nlmsg_len < sizeof(nlmsghdr)) return -EBADMSG;
      if (message->nlmsg_seq == sequence) {
        if (message->nlmsg_type == NLMSG_DONE) return 0;
        if (message->nlmsg_type == NLMSG_ERROR) return *reinterpret_cast<int*>(message + 1);
        each(static_cast<const nlmsghdr*>(message));
      }
      at += (message->nlmsg_len + 3) & ~3u;
    }
  }
}

}  // namespace netlink

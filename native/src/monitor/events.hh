// Messages to the launcher.
#pragma once

#include "plan/wire.hh"
#include "sys/kernel.hh"

inline void sendEvent(wire::Event kind, int32_t a = 0, int32_t b = 0, int32_t c = 0, const char* text = "",
                      size_t size = 0, int fd = -1) {
  wire::EventMessage message{};
  message.kind = kind;
  message.a = a;
  message.b = b;
  message.c = c;
  if (size > sizeof message.text - 1) size = sizeof message.text - 1;
  memcpy(message.text, text, size);
  // What the guest sends as often as it likes must not hold it up while the launcher is stopped; what happens once must not
  // get lost. A launcher that is gone is noticed elsewhere.
  sys::sendMessage(wire::kEventsFd, &message, sizeof message, fd, kind == wire::Event::kNotify ? MSG_DONTWAIT : 0);
}

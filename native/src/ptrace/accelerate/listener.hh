// The end of the filter at which calls arrive that the tracer answers while the process waits: seccomp_unotify(2).
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "sys/kernel.hh"

namespace ptrace {

/// Loads a filter that has a listener. Its descriptor, or -errno: -EBUSY where a filter around this program has one already.
///
/// From the moment at which a call has been received, signals with handlers wait until it is answered (5.19). On an older kernel they
/// would not, and the process would make a call again that has been carried out already; so `notify` is not for these.
long loadWithListener(sock_fprog& program);
/// Whether that can be done here: 0 or -errno.
long tryListener();

class Listener {
 public:
  /// Takes it over from the process that has loaded the filter; also what tells of the ends and stops of children. 0 or -errno.
  long take(int process, int descriptor);
  bool ok() const { return listener_.ok(); }

  /// Waits until there may be a call, or a child. What there is.
  struct Ready {
    bool call, child;
  };
  Ready await() const;

  bool receive(seccomp_notif& notice) const;
  void answer(uint64_t id, long result) const;
  /// The kernel is to carry the call out.
  void letGo(uint64_t id) const;
  /// Gives a descriptor to the process, and it as the answer if `answers`. Its number there, or -errno.
  long give(uint64_t id, int fd, bool closesOnExec, bool answers) const;

 private:
  sys::UniqueFd listener_, children_;
};

}  // namespace ptrace

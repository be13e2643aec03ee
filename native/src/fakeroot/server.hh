// The fake root of a guest whose user namespace has one id only: a process beside the monitor that the kernel asks about the calls
// in *-calls.def. It is no security boundary. It lives in the guest's user and mount namespace, and so can do no more than the
// guest's own root; what the guest may do the kernel decides by the real ids.
#pragma once

namespace fakeroot {

struct Service {
  int listener;       // of the filter
  int proc;           // a procfs of this PID namespace
  long guest;         // the guest's first process
  const char* store;  // path of the file beside the tree
  bool kept;          // it may be written
};

/// Starts it. Returns its process id, or -errno. It makes more of its kind: they are children of this process, in a process group of
/// that number, and serve until they are killed.
long start(const Service& service);

}  // namespace fakeroot

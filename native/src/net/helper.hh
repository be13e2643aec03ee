// A network without the host's root: a program of the host (pasta(1), slirp4netns(1)) that makes an interface in the guest and speaks
// for it on the host through ordinary sockets. docs/decisions/0018-network-without-root.md says why these.
#pragma once

#include "plan/plan.hh"
#include "sys/kernel.hh"

namespace net {

class Helper {
 public:
  /// s0, n = command line, in which % stands for the guest's process id `pid` in words behind the first; mode = 0: it is ready when it
  /// has gone into the background, else when it has written to descriptor 3. 0, or -errno; `about`: what the program said.
  long start(const Plan& plan, const wire::Step& step, const char* pid, sys::Text<400>* about);
  /// Whether it has ended by itself since it was last asked.
  bool hasEnded();
  /// Ends it, with whatever it has started.
  void stop();

 private:
  long keeper_ = 0;
};

}  // namespace net

// --port: rules of nftables(8) that follow the guest's address, and a relay for what the host sends to its own loopback.
// docs/decisions/0010-ports.md says why these two.
#pragma once

#include "net/address.hh"
#include "plan/plan.hh"
#include "sys/kernel.hh"

namespace net {

class PortForwarder {
 public:
  /// s0 = nft(8); s1 = wire::Port, n of them; s2 = list of the table's name, its chains, and the rules for an IPv4 and for an
  /// IPv6 address. `inside`: rtnetlink socket in the guest's network namespace `netns`. `about`: the port that failed.
  long start(const Plan& plan, const wire::Step& step, int inside, int netns, sys::Text<400>* about);
  /// n ports at s1, on all addresses of the host, through the relay alone.
  long relay(const Plan& plan, const wire::Step& step, int netns, sys::Text<400>* about);
  /// There are rules that follow the guest's address.
  bool active() const { return step_ != nullptr; }
  /// The guest's addresses may have changed; whether they have.
  bool refresh(int inside);
  /// Ends the relay; no process of the guest may be left, as every child of the monitor is waited for.
  void stop();

 private:
  long startRelay(const Plan& plan, const wire::Step& step, bool all, int netns, sys::Text<400>* about);
  long apply();

  const Plan* plan_ = nullptr;
  const wire::Step* step_ = nullptr;
  GuestAddress v4_, v6_;
  long relay_ = 0;
};

/// Removes the table of the step, where there is one.
void removeTable(const Plan& plan, const wire::Step& step);

}  // namespace net

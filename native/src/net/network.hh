// What a launch changes in the host's network, and how that is undone: in the order in which it was made, by the monitor or,
// when somebody has killed it, by the supervisor.
#pragma once

#include "net/forward.hh"
#include "net/helper.hh"
#include "plan/plan.hh"
#include "sys/kernel.hh"

/// What has been made, so that another process can undo it: travels in a wire::Event::kNetwork, together with a socket in the
/// guest's network namespace where there is something in there to undo. Names do not do: a guest can change them.
struct NetworkTrace {
  static constexpr unsigned kMaxLinks = 64;  // MAX_INTERFACES of packages/core/src/view/network.ts
  uint32_t count = 0;
  uint32_t madeBridge = 0;  // of a zone: it stays from one run of the plan to the next
  struct {
    uint32_t step;  // of all of the plan
    int32_t index;  // of the interface: a cable's end on the host, or what is in the guest
  } links[kMaxLinks];
};

/// Undoes it. `inside`: rtnetlink socket in the guest's network namespace, or -1. `last`: there will be no other run of the
/// plan, so that a bridge without ports can go.
void undoNetwork(const Plan& plan, const NetworkTrace& trace, int inside, bool last);

class Network {
 public:
  explicit Network(const Plan& plan) : plan_(plan) {}

  /// Enters the network namespace at the path: the guest is born there. comeBack() is called when it has been.
  long join(const wire::Step& step);
  void comeBack();
  // The steps of the host side; each returns 0 or -errno. `guest`: its first process, as this process counts.
  long makeVeth(const wire::Step& step, long guest);
  long makeShared(const wire::Step& step, long guest);
  long moveIn(const wire::Step& step, long guest);
  long forwardPorts(const wire::Step& step, long guest, sys::Text<400>* about);
  long relayPorts(const wire::Step& step, long guest, sys::Text<400>* about);
  /// `pid`: the guest's first process as /proc of the host counts.
  long startHelper(const wire::Step& step, long guest, const char* pid, sys::Text<400>* about);

  /// Tells the supervisor what there is to undo.
  void publish();
  /// The guest has ended: undoes all.
  void undo(bool last);

  /// A descriptor that can be read when heedAddresses() is to be called, or -1.
  int addressChanges() const { return !ports_.active() ? -1 : pause_.ok() ? pause_.get() : addressChanges_.get(); }
  void heedAddresses();
  /// Whether the program has ended that gives the guest its network.
  bool hasLostHelper() { return helper_.hasEnded(); }

 private:
  long host();
  long here();
  long enter(long guest);
  /// The guest's network namespace, or -errno.
  long there() const;
  long configure(const wire::Step& step);
  void record(const wire::Step& step, long index);
  long connect(const wire::Step& step, int index);

  const Plan& plan_;
  NetworkTrace trace_{};
  sys::UniqueFd host_, inside_, addressChanges_;
  sys::UniqueFd pause_;  // a timer; while it runs nothing is heeded
  sys::UniqueFd left_;   // the namespace of this process, while the guest is born in another one
  net::PortForwarder ports_;
  net::Helper helper_;
};

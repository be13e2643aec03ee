#include "net/forward.hh"

#include "net/relay.hh"

namespace net {

namespace {

/// Commands for nft(8), as one argument: at most MAX_ARG_STRLEN of linux/binfmts.h. They begin with the removal of the table,
/// so that it does not matter whether there is one.
class Commands : public sys::Text<128 * 1024> {
 public:
  explicit Commands(const char* table) {
    add("add table inet ").add(table).add("; delete table inet ").add(table).add(";");
  }

  /// Appends the rules with the address in the place of each %.
  void addRules(const char* rules, const GuestAddress& address) {
    auto text = address.text();
    while (const char* gap = sys::find(rules, '%')) {
      add(rules, static_cast<size_t>(gap - rules)).add(text.c_str());
      rules = gap + 1;
    }
    add(rules);
  }
};

const char* tableOf(const Plan& plan, const wire::Step& step) { return plan.text(step.s2); }

/// Executes the commands, all or none. 0, or -EIO when nft(8) has said why not.
long runNft(const char* nft, const Commands& commands, bool quiet) {
  if (commands.full()) return -E2BIG;
  long child = sys::forkProcess();
  if (child < 0) return child;
  if (child == 0) {
    sys::resetSignals();
    sys::UniqueFd nothing(sys::open("/dev/null", O_RDWR));
    sys::dup3(nothing.get(), 0, 0);
    sys::dup3(quiet ? nothing.get() : 2, 1, 0);
    if (quiet) sys::dup3(nothing.get(), 2, 0);
    const char* argv[] = {"nft", commands.c_str(), nullptr};
    const char* env[] = {nullptr};
    sys::exit(sys::execve(nft, argv, env) == -ENOENT ? 127 : 126);
  }
  int status = 0;
  while (sys::wait(child, &status, 0) == -EINTR) {
  }
  if (status == 127 << 8) return -ENOENT;
  return status ? -EIO : 0;
}

}  // namespace

long PortForwarder::start(const Plan& plan, const wire::Step& step, int inside, int netns, sys::Text<400>* about) {
  plan_ = &plan;
  step_ = &step;
  v4_ = guestAddress(inside, kInet);
  v6_ = guestAddress(inside, kInet6);
  if (long error = startRelay(plan, step, false, netns, about); error < 0) return error;
  return apply();
}

long PortForwarder::relay(const Plan& plan, const wire::Step& step, int netns, sys::Text<400>* about) {
  return startRelay(plan, step, true, netns, about);
}

long PortForwarder::startRelay(const Plan& plan, const wire::Step& step, bool all, int netns, sys::Text<400>* about) {
  relay_ = net::startRelay(static_cast<const wire::Port*>(plan.data(step.s1)), step.n, all, netns, about);
  return relay_ < 0 ? relay_ : 0;
}

bool PortForwarder::refresh(int inside) {
  GuestAddress v4 = guestAddress(inside, kInet), v6 = guestAddress(inside, kInet6);
  if (v4 == v4_ && v6 == v6_) return false;
  v4_ = v4;
  v6_ = v6;
  apply();
  return true;
}

/// The whole table anew: nft(8) makes one transaction of it, and between the old and the new one no packet is lost.
long PortForwarder::apply() {
  const char* table = tableOf(*plan_, *step_);
  const char* chains = Plan::next(table);
  const char* rules4 = Plan::next(chains);
  const char* rules6 = Plan::next(rules4);
  Commands commands(table);
  commands.add("table inet ").add(table).add(" {\n").add(chains).add("\n}\n");
  if (v4_.size) commands.addRules(rules4, v4_);
  if (v6_.size) commands.addRules(rules6, v6_);
  return runNft(plan_->text(step_->s0), commands, false);
}

void PortForwarder::stop() {
  if (relay_ > 0) {
    sys::kill(relay_, SIGKILL);
    // The processes of its connections end with it, and come to the monitor, which is PID 1.
    while (sys::wait(-1, nullptr, 0) > 0) {
    }
  }
  relay_ = 0;
  step_ = nullptr;
}

void removeTable(const Plan& plan, const wire::Step& step) {
  runNft(plan.text(step.s0), Commands(tableOf(plan, step)), true);
}

}  // namespace net

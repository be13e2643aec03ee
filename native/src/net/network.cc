#include "net/network.hh"

#include <linux/sockios.h>

#include "monitor/events.hh"
#include "net/netlink.hh"

namespace {

constexpr uint32_t kUp = 1;  // IFF_UP
constexpr uint16_t kNew = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
constexpr const char* kZoneLock = "/run/tsnspawn-zone.lock";

/// A name that no interface has; the kernel puts a number for %d.
constexpr const char* kTemporaryName = "tsnspawn%d";
constexpr const char* kFirstTemporaryName = "tsnspawn0";

void putAddress(netlink::Request& request, uint64_t address) {
  // Little endian, as the plan is: six bytes, the first one lowest.
  if (address) request.put(IFLA_ADDRESS, &address, 6);
}

long removeLink(int socket, int index) {
  netlink::Request request(RTM_DELLINK, NLM_F_ACK);
  request.body<ifinfomsg>()->ifi_index = index;
  return netlink::ask(socket, request);
}

/// Moves an interface of the guest to where this process is.
long moveOut(int inside, int index, const char* name) {
  netlink::Request request(RTM_NEWLINK, NLM_F_ACK);
  request.body<ifinfomsg>()->ifi_index = index;
  request.put(IFLA_NET_NS_PID, static_cast<uint32_t>(sys::invoke(__NR_getpid)));
  request.put(IFLA_IFNAME, name);
  return netlink::ask(inside, request);
}

/// Opens the sockets that the monitor has in the guest's network namespace, and sends each of them, or what has gone wrong.
long sendSockets(long guest, int to) {
  auto send = [&](long fd) {
    auto result = static_cast<int32_t>(fd < 0 ? fd : 0);
    long sent = sys::sendMessage(to, &result, sizeof result, static_cast<int>(fd < 0 ? -1 : fd));
    return sent < 0 ? sent : result;
  };
  // By a descriptor of the process (5.8): the host's /proc counts its id in another way.
  sys::UniqueFd process(sys::invoke(__NR_pidfd_open, guest, 0));
  if (!process.ok()) return send(process.error());
  if (long error = sys::setns(process.get(), CLONE_NEWNET); error < 0) return send(error);
  if (long error = send(netlink::open()); error < 0) return error;
  return send(netlink::open(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, SOCK_NONBLOCK));
}

/// Holds off other machines that make or remove the bridge of a zone: between the look whether it has ports and its removal
/// somebody could become one.
class ZoneLock {
 public:
  long take() {
    for (;;) {
      fd_.reset(sys::open(kZoneLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
      if (!fd_.ok()) return fd_.error();
      long error;
      do error = sys::invoke(__NR_flock, fd_.get(), 2 /* LOCK_EX */);
      while (error == -EINTR);
      if (error < 0) return error;
      // Whoever had the lock before may have removed the file under it.
      struct statx now;
      if (sys::fstatx(fd_.get(), STATX_NLINK, &now) == 0 && now.stx_nlink > 0) return 0;
    }
  }
  ~ZoneLock() {
    if (fd_.ok()) sys::unlinkat(AT_FDCWD, kZoneLock, 0);
  }

 private:
  sys::UniqueFd fd_;
};

/// Removes the bridge unless it has a port.
void removeBridge(int socket, const char* name) {
  ZoneLock lock;
  if (lock.take() < 0) return;
  long index = netlink::indexOf(socket, name);
  if (index < 0) return;
  bool used = false, bridge = false;
  netlink::Request request(RTM_GETLINK, NLM_F_DUMP);
  request.body<ifinfomsg>();
  long error = netlink::list(socket, request, [&](const nlmsghdr* message) {
    auto* info = reinterpret_cast<const ifinfomsg*>(message + 1);
    const rtattr* master = netlink::find<ifinfomsg>(message, IFLA_MASTER);
    if (master && *static_cast<const uint32_t*>(netlink::dataOf(master)) == static_cast<uint32_t>(index)) used = true;
    const rtattr* kind = netlink::find<ifinfomsg>(message, IFLA_LINKINFO);
    // The first attribute inside is the kind.
    if (info->ifi_index == index && kind)
      bridge =
          sys::equal(reinterpret_cast<const char*>(static_cast<const rtattr*>(netlink::dataOf(kind)) + 1), "bridge");
  });
  if (error == 0 && bridge && !used) removeLink(socket, static_cast<int>(index));
}

bool makesBridge(const wire::Step& step) { return step.op == wire::Op::kVeth && step.mode; }

}  // namespace

void undoNetwork(const Plan& plan, const NetworkTrace& trace, int inside, bool last) {
  sys::UniqueFd host(netlink::open());
  for (uint32_t i = trace.count; i-- > 0;) {
    const auto& link = trace.links[i];
    const wire::Step& step = plan.steps()[link.step];
    if (step.op == wire::Op::kVeth) {
      // The namespace takes the cable along, but in its own time: the name would stay in use, and a zone's bridge as well.
      removeLink(host.get(), link.index);
    } else if (step.op == wire::Op::kSharedInterface) {
      // So that its address is free when the guest starts again.
      removeLink(inside, link.index);
    } else if (moveOut(inside, link.index, plan.text(step.s0)) == -EEXIST) {
      // The name was given away meanwhile: as the kernel does it when a namespace ends.
      moveOut(inside, link.index, "dev%d");
    }
  }
  for (uint32_t i = 0; i < plan.stepCount(); i++) {
    const wire::Step& step = plan.steps()[i];
    if (step.op == wire::Op::kForwardPorts) net::removeTable(plan, step);
    if (last && trace.madeBridge && makesBridge(step)) removeBridge(host.get(), plan.text(step.s2));
  }
}

long Network::host() {
  if (!host_.ok()) host_.reset(netlink::open());
  return host_.ok() ? 0 : host_.error();
}

/// A descriptor of this process's network namespace, or -errno.
long Network::here() {
  if (long error = host(); error < 0) return error;
  return sys::ioctl(host_.get(), SIOCGSKNS, 0L);
}

/// s0 = host path.
long Network::join(const wire::Step& step) {
  sys::UniqueFd there(sys::open(plan_.text(step.s0), O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (!there.ok()) return there.error();
  left_.reset(here());
  if (!left_.ok()) return left_.error();
  return sys::setns(there.get(), CLONE_NEWNET);
}

void Network::comeBack() {
  // Nothing can be done in the wrong namespace.
  if (left_.ok() && sys::setns(left_.get(), CLONE_NEWNET) < 0) sys::exit(1);
  left_.reset();
}

/// Opens sockets in the guest's network namespace. They keep it after the guest's end, until undo().
long Network::enter(long guest) {
  if (inside_.ok()) return 0;
  int ends[2];
  if (long error = sys::socketPair(ends); error < 0) return error;
  sys::UniqueFd mine(ends[0]), theirs(ends[1]);
  // In a process of its own: where the host's network belongs to another user there is no way back from the guest's.
  long child = sys::forkProcess();
  if (child < 0) return child;
  if (child == 0) sys::exit(sendSockets(guest, theirs.get()) < 0);
  theirs.reset();
  long error = 0;
  sys::UniqueFd* const sockets[] = {&inside_, &addressChanges_};
  for (sys::UniqueFd* to : sockets) {
    int32_t result = -ECHILD;
    to->reset(sys::receiveMessage(mine.get(), &result, sizeof result).fd);
    if (!to->ok() && error == 0) error = result;
  }
  while (sys::wait(child, nullptr, 0) == -EINTR) {
  }
  return error;
}

long Network::there() const { return sys::ioctl(inside_.get(), SIOCGSKNS, 0L); }

void Network::record(const wire::Step& step, long index) {
  trace_.links[trace_.count++] = {static_cast<uint32_t>(&step - plan_.steps()), static_cast<int32_t>(index)};
}

/// s0 = the host's end; s1 = the guest's; s2 = list of the bridge and the long name; a, b = hardware addresses; mode = 1: the
/// bridge is made.
long Network::makeVeth(const wire::Step& step, long guest) {
  if (long error = host(); error < 0) return error;
  constexpr uint16_t kPeer = 1;  // VETH_INFO_PEER of linux/veth.h
  netlink::Request request(RTM_NEWLINK, kNew);
  request.body<ifinfomsg>();
  request.put(IFLA_IFNAME, plan_.text(step.s0));
  putAddress(request, step.a);
  size_t info = request.begin(IFLA_LINKINFO);
  request.put(IFLA_INFO_KIND, "veth");
  size_t data = request.begin(IFLA_INFO_DATA);
  size_t peer = request.begin(kPeer);
  request.putStruct(ifinfomsg{});
  request.put(IFLA_IFNAME, plan_.text(step.s1));
  putAddress(request, step.b);
  request.put(IFLA_NET_NS_PID, static_cast<uint32_t>(guest));
  request.end(peer);
  request.end(data);
  request.end(info);
  if (long error = netlink::ask(host_.get(), request); error < 0) return error;
  long index = netlink::indexOf(host_.get(), plan_.text(step.s0));
  if (index < 0) return index;
  record(step, index);

  const char* longName = Plan::next(plan_.text(step.s2));
  if (*longName) {
    netlink::Request alternative(RTM_NEWLINKPROP, kNew);
    alternative.body<ifinfomsg>()->ifi_index = static_cast<int>(index);
    size_t list = alternative.begin(IFLA_PROP_LIST | NLA_F_NESTED);
    alternative.put(IFLA_ALT_IFNAME, longName);
    alternative.end(list);
    // For people: an older machine may have it still.
    netlink::ask(host_.get(), alternative);
  }
  return connect(step, static_cast<int>(index));
}

/// Brings the host's end up, as a port of the bridge where there is one.
long Network::connect(const wire::Step& step, int index) {
  const char* bridge = plan_.text(step.s2);
  ZoneLock lock;
  long master = 0;
  if (*bridge) {
    if (makesBridge(step)) {
      if (long error = lock.take(); error < 0) return error;
      netlink::Request request(RTM_NEWLINK, kNew);
      auto* body = request.body<ifinfomsg>();
      body->ifi_flags = body->ifi_change = kUp;
      request.put(IFLA_IFNAME, bridge);
      size_t info = request.begin(IFLA_LINKINFO);
      request.put(IFLA_INFO_KIND, "bridge");
      request.end(info);
      if (long error = netlink::ask(host_.get(), request); error < 0 && error != -EEXIST) return error;
      trace_.madeBridge = 1;
    }
    master = netlink::indexOf(host_.get(), bridge);
    if (master < 0) return master;
  }
  netlink::Request request(RTM_NEWLINK, NLM_F_ACK);
  auto* body = request.body<ifinfomsg>();
  body->ifi_index = index;
  body->ifi_flags = body->ifi_change = kUp;
  if (master) request.put(IFLA_MASTER, static_cast<uint32_t>(master));
  return netlink::ask(host_.get(), request);
}

/// s0 = the interface of the host; s1 = name in the guest; s2 = macvlan or ipvlan; a = hardware address.
long Network::makeShared(const wire::Step& step, long guest) {
  if (long error = host(); error < 0) return error;
  if (long error = enter(guest); error < 0) return error;
  long parent = netlink::indexOf(host_.get(), plan_.text(step.s0));
  if (parent < 0) return parent;
  netlink::Request request(RTM_NEWLINK, kNew);
  request.body<ifinfomsg>();
  // The kernel looks for the name among the host's as well, and the host may have one such.
  request.put(IFLA_IFNAME, kTemporaryName);
  request.put(IFLA_LINK, static_cast<uint32_t>(parent));
  request.put(IFLA_NET_NS_PID, static_cast<uint32_t>(guest));
  putAddress(request, step.a);
  const char* kind = plan_.text(step.s2);
  size_t info = request.begin(IFLA_LINKINFO);
  request.put(IFLA_INFO_KIND, kind);
  size_t data = request.begin(IFLA_INFO_DATA);
  if (sys::equal(kind, "macvlan")) {
    request.put(IFLA_MACVLAN_MODE, static_cast<uint32_t>(MACVLAN_MODE_BRIDGE));
  } else {
    uint16_t mode = IPVLAN_MODE_L2;
    request.put(IFLA_IPVLAN_MODE, &mode, sizeof mode);
  }
  request.end(data);
  request.end(info);
  if (long error = netlink::ask(host_.get(), request); error < 0) return error;
  long index = netlink::indexOf(inside_.get(), kFirstTemporaryName);
  if (index < 0) return index;
  record(step, index);
  netlink::Request rename(RTM_NEWLINK, NLM_F_ACK);
  rename.body<ifinfomsg>()->ifi_index = static_cast<int>(index);
  rename.put(IFLA_IFNAME, plan_.text(step.s1));
  return netlink::ask(inside_.get(), rename);
}

/// s0 = name on the host; s1 = name in the guest.
long Network::moveIn(const wire::Step& step, long guest) {
  if (long error = host(); error < 0) return error;
  if (long error = enter(guest); error < 0) return error;
  long index = netlink::indexOf(host_.get(), plan_.text(step.s0));
  if (index < 0) return index;
  netlink::Request request(RTM_NEWLINK, NLM_F_ACK);
  request.body<ifinfomsg>()->ifi_index = static_cast<int>(index);
  request.put(IFLA_NET_NS_PID, static_cast<uint32_t>(guest));
  request.put(IFLA_IFNAME, plan_.text(step.s1));
  if (long error = netlink::ask(host_.get(), request); error < 0) return error;
  index = netlink::indexOf(inside_.get(), plan_.text(step.s1));
  if (index < 0) return index;
  record(step, index);
  return 0;
}

long Network::forwardPorts(const wire::Step& step, long guest, sys::Text<400>* about) {
  if (long error = enter(guest); error < 0) return error;
  sys::UniqueFd netns(there());
  if (!netns.ok()) return netns.error();
  return ports_.start(plan_, step, inside_.get(), netns.get(), about);
}

/// s1 = wire::Port, n of them.
long Network::relayPorts(const wire::Step& step, long guest, sys::Text<400>* about) {
  if (long error = enter(guest); error < 0) return error;
  sys::UniqueFd netns(there());
  if (!netns.ok()) return netns.error();
  return ports_.relay(plan_, step, netns.get(), about);
}

/// s0, n, mode: net::Helper; for a program that does not configure the interface itself s1 = its name, a = IPv4 address and, in the
/// upper half, the gateway, each byte in its place in memory, mode = bits of the network and,
/// in the upper half, the largest packet, b = hardware address or 0.
long Network::startHelper(const wire::Step& step, long guest, const char* pid, sys::Text<400>* about) {
  if (long error = helper_.start(plan_, step, pid, about); error < 0) return error;
  if (step.mode == 0) return 0;
  if (long error = enter(guest); error < 0) return error;
  return configure(step);
}

long Network::configure(const wire::Step& step) {
  long index = netlink::indexOf(inside_.get(), plan_.text(step.s1));
  if (index < 0) return index;
  auto address = static_cast<uint32_t>(step.a), gateway = static_cast<uint32_t>(step.a >> 32);
  netlink::Request up(RTM_NEWLINK, NLM_F_ACK);
  auto* link = up.body<ifinfomsg>();
  link->ifi_index = static_cast<int>(index);
  link->ifi_flags = link->ifi_change = kUp;
  up.put(IFLA_MTU, step.mode >> 16);
  putAddress(up, step.b);
  if (long error = netlink::ask(inside_.get(), up); error < 0) return error;

  netlink::Request number(RTM_NEWADDR, kNew);
  *number.body<ifaddrmsg>() = {net::kInet, static_cast<uint8_t>(step.mode & 0xff), 0, RT_SCOPE_UNIVERSE,
                               static_cast<uint32_t>(index)};
  number.put(IFA_LOCAL, address);
  number.put(IFA_ADDRESS, address);
  if (long error = netlink::ask(inside_.get(), number); error < 0) return error;

  netlink::Request route(RTM_NEWROUTE, kNew);
  auto* way = route.body<rtmsg>();
  way->rtm_family = net::kInet;
  way->rtm_table = RT_TABLE_MAIN;
  way->rtm_protocol = RTPROT_BOOT;
  way->rtm_scope = RT_SCOPE_UNIVERSE;
  way->rtm_type = RTN_UNICAST;
  route.put(RTA_GATEWAY, gateway);
  route.put(RTA_OIF, static_cast<uint32_t>(index));
  return netlink::ask(inside_.get(), route);
}

void Network::heedAddresses() {
  // A guest that changes its address as fast as it can would have nft(8) run as fast as that, outside of its limits.
  constexpr __kernel_itimerspec kPause{{0, 0}, {0, 100'000'000}};
  pause_.reset();
  char buffer[4096];
  // What has changed does not matter: all is looked at anew. Also after ENOBUFS, when messages were lost.
  while (sys::read(addressChanges_.get(), buffer, sizeof buffer) > 0) {
  }
  if (!ports_.refresh(inside_.get())) return;
  pause_.reset(sys::invoke(__NR_timerfd_create, 1 /* CLOCK_MONOTONIC */, O_CLOEXEC));
  sys::invoke(__NR_timerfd_settime, pause_.get(), 0, &kPause, nullptr);
}

void Network::publish() {
  if (!trace_.count && !trace_.madeBridge) return;
  sendEvent(wire::Event::kNetwork, 0, 0, 0, reinterpret_cast<const char*>(&trace_), sizeof trace_, inside_.get());
}

void Network::undo(bool last) {
  // The relay's end waits for every child of the monitor.
  helper_.stop();
  ports_.stop();
  undoNetwork(plan_, trace_, inside_.get(), last);
  trace_.count = 0;
  host_.reset();
  inside_.reset();
  addressChanges_.reset();
  pause_.reset();
  // The supervisor lets go of the guest's namespace.
  publish();
}

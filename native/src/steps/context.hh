// What the steps of one launch share: the plan, the descriptors in the slots, and what a step found out for a later one.
#pragma once

#include "net/network.hh"
#include "plan/plan.hh"
#include "steps/remove.hh"
#include "sys/kernel.hh"

/// The payload's user, found in the guest's own files. Root until `lookupUser` says otherwise.
struct User {
  static constexpr unsigned kMaxGroups = 256;
  uint32_t uid = 0, gid = 0;
  uint32_t groups[kMaxGroups];
  unsigned groupCount = 0;
  sys::Text<256> name{"root"};
  sys::Text<1024> home{"/root"};
  sys::Text<1024> shell;
};

namespace ptrace {
class Tracer;
}

/// Kinds of message from the guest's first process to the monitor, before the payload is executed.
enum class GuestMessage : uint32_t { kFailed, kConsole, kNotifySocket, kFifo, kExecuting, kAwaiting, kNode, kFakeRoot };

struct GuestReport {
  GuestMessage kind;
  int32_t step;
  int32_t error;
  char text[500];
};

struct Context {
  Context(const Plan& p, Network& n) : plan(p), network(n) {
    for (int& fd : slots) fd = -1;
    slots[wire::kTreeSlot] = wire::kLockFd;
    for (int i = 0; i < handed(); i++) slots[wire::kFirstHandedSlot + i] = wire::kFirstHandedFd + i;
  }

  const Plan& plan;
  Network& network;
  int slots[wire::kMaxSlots];
  User user;
  int toMonitor = -1;  // inner side only
  /// Host side: the guest's first process, as this process counts.
  long guest = 0;
  /// A procfs of the monitor's own PID namespace, attached nowhere: that of the host counts otherwise. -1 until it is needed.
  int proc = -1;
  /// The mount namespace that kUnshareMounts has left.
  int hostMounts = -1;
  /// Of a guest that is traced.
  ptrace::Tracer* tracer = nullptr;
  /// The guest has an entry at systemd-machined.
  bool registered = false;
  /// What the failed step was about, when that is not plain from the step itself (the command that was not found).
  sys::Text<400> about;

  /// Descriptors of the monitor that are none of the guest's business, as far as its first process has copies of them.
  int kept() const { return handed() + static_cast<int>(plan.header().locks); }
  int handed() const { return static_cast<int>(plan.header().handed); }

  void closeSlots() {
    for (int i = wire::kFirstHandedSlot + handed(); i < wire::kMaxSlots; i++) {
      if (slots[i] >= 0) sys::close(slots[i]);
      slots[i] = -1;
    }
  }
};

// Each returns 0 or -errno. `step` fields are told at the definitions.
long makeCgroup(Context&, const wire::Step&);
long openTreeStep(Context&, const wire::Step&);
long setPropagation(Context&, const wire::Step&);
long enterRoot(Context&, const wire::Step&);
long mountNew(Context&, const wire::Step&);
long bindMount(Context&, const wire::Step&);
long remount(Context&, const wire::Step&);
long unmount(Context&, const wire::Step&);
long makeDirectory(Context&, const wire::Step&);
long makeNode(Context&, const wire::Step&);
long makeLink(Context&, const wire::Step&);
long writeFile(Context&, const wire::Step&);
long bindNotifySocket(Context&, const wire::Step&);
long holdFifo(Context&, const wire::Step&);
long setHostname(Context&, const wire::Step&);
long requireNamespacedReboot(Context&, const wire::Step&);
long startSession(Context&, const wire::Step&);
long openConsole(Context&, const wire::Step&);
long setLimit(Context&, const wire::Step&);
long adjustOomScore(Context&, const wire::Step&);
long setAffinity(Context&, const wire::Step&);
long setPersonality(Context&, const wire::Step&);
long lookupUser(Context&, const wire::Step&);
long takeIdentity(Context&, const wire::Step&);
long keepIds(Context&, const wire::Step&);
long changeDirectory(Context&, const wire::Step&);
long setExecLabel(Context&, const wire::Step&);
long loadSeccomp(Context&, const wire::Step&);
long execPayload(Context&, const wire::Step&);
long raiseLoopback(Context&, const wire::Step&);
long mountDevice(Context&, const wire::Step&);
long newMount(Context&, const wire::Step&);
long makeUserNamespace(Context&, const wire::Step&);
long mapIds(Context&, const wire::Step&);
long becomeRoot(Context&, const wire::Step&);
long actAs(Context&, const wire::Step&);
long unshareMounts(Context&, const wire::Step&);
long returnToHost(Context&, const wire::Step&);
long awaitMonitor(Context&, const wire::Step&);
long mountOverlay(Context&, const wire::Step&);
long makeTempDirectory(Context&, const wire::Step&);
long shiftOwners(Context&, const wire::Step&);
long coverPath(Context&, const wire::Step&);
long setParameter(Context&, const wire::Step&);
long mapOwners(Context&, const wire::Step&);
long delegateCgroup(Context&, const wire::Step&);
long joinNetwork(Context&, const wire::Step&);
long makeVeth(Context&, const wire::Step&);
long makeSharedInterface(Context&, const wire::Step&);
long moveInterface(Context&, const wire::Step&);
long forwardPorts(Context&, const wire::Step&);
long relayPorts(Context&, const wire::Step&);
long startHelper(Context&, const wire::Step&);
long writeCgroup(Context&, const wire::Step&);
long limitDevices(Context&, const wire::Step&);
long registerMachine(Context&, const wire::Step&);
long putFile(Context&, const wire::Step&);
long removeFile(Context&, const wire::Step&);
long traceGuest(Context&, const wire::Step&);
long standAt(Context&, const wire::Step&);
long startFakeRoot(Context&, const wire::Step&);

/// Gives up what takeIdentity() had to leave for seccomp(2); for a process that does not exec. Returns 0 or -errno.
long dropToBoundingSet();
/// Removes the cgroup that makeCgroup() made, with all below it.
void removeCgroup(const Plan&, const wire::Step&);
/// Takes back what registerMachine() did; `required`: only where the plan insists on it.
void signOff(const Plan&, bool required);
/// Sets MS_* flags of a mount.
long setMountFlags(int mount, uint64_t flags);
/// Goes back to the mount namespace, and the user for files, that the monitor had before kUnshareMounts.
long leaveScratch(Context&);
/// Makes every capability that is permitted effective.
long raiseCapabilities();
/// Removes the directories that overlays were worked in, when the guest has gone.
void removeWorkDirectories();
/// Removes what makeTempDirectory() made.
void removeTempDirectory(const Plan&, const wire::Step&);
/// A descriptor of Context::proc, or -errno.
long ownProc(Context&);
/// A process as the host counts: the monitor knows it by the number of its own namespace. 0 or -errno.
long hostPid(long pid, sys::Text<24>& out);
/// Puts the process into the cgroup of the step.
long enterCgroup(const Context&, const wire::Step&, long pid);

/// Monitor: the host's node for a step of the inner side that may not make it, as a detached mount, or -errno.
long openHostNode(Context&, const wire::Step&);

/// Carries out one step.
long runStep(Context&, const wire::Step&);

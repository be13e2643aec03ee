// One system call of a tracee, as its handler sees it.
#pragma once

#include "fakeroot/owners.hh"
#include "ptrace/accelerate/layout.hh"
#include "ptrace/debug/traced.hh"
#include "ptrace/memory.hh"
#include "ptrace/pair.hh"
#include "ptrace/tracee.hh"
#include "ptrace/view.hh"

class Plan;
struct Context;

namespace ptrace {

/// What becomes of a call: the kernel carries it out, perhaps with other arguments, or it returns `value` without that.
struct Answer {
  bool proceeds;
  long value = 0;

  static Answer proceed() { return {true}; }
  static Answer give(long value) { return {false, value}; }
};

/// How the payload has gone.
enum class Going { kNot, kPowerOff, kReboot };

/// What all calls share.
struct State {
  explicit State(const Plan& p) : plan(p) {}

  const Plan& plan;
  Context* context = nullptr;
  View view;
  Pair pair;
  Tracees tracees;
  GuestTracers guestTracers;
  fakeroot::Owners owners;
  bool fakeIds = true;                            // the guest's users are not the kernel's
  bool boots = false;                             // the payload is an init, and believes that it is PID 1
  bool traces = false;                            // seccomp tells of the calls; else every call stops
  bool inProcess = false;                         // most of them are answered in the process
  bool tabled = false, marked = false;            // what the processes know of the owners
  bool fakesLinks = false;                        // a hard link that is refused becomes a symbolic one
  bool lacksLimits = false, lacksPlaces = false;  // of the kernel: old.hh
  bool lacksBirths = false;  // files do not tell when they were made: an inode number may come back
  /// Of the host, with its options: every program runs in it. Empty: only those of other machines do, in qemu.
  Path emulator;
  struct PortMap {
    uint16_t guest, host;
  };
  static constexpr unsigned kMostPorts = 32;
  PortMap ports[kMostPorts];
  unsigned portCount = 0;
  uint32_t uid = 0, gid = 0;  // the caller's own
  Path scratch;               // a directory of the host that goes with the guest
  sys::Text<65> hostname, domain, release;
  Going going = Going::kNot;
  int spokesman = 0;          // a process that has last said something in the name of the first one
  bool guestFilters = false;  // the guest has loaded filters of its own
  bool interrupts = false;    // PTRACE_SEIZE is there, and PTRACE_INTERRUPT (3.4)
  long kernelOptions = 0;     // with which every tracee is traced
  uint64_t tickets = 0;       // numbers files in the scratch directory
  bool shows = false;         // a directory was opened of which the guest sees another picture than the kernel's
  bool carries = false;       // the tracer carries out calls while the process waits
};

class Carrier;

class Call {
 public:
  Call(State& s, Tracee& t, Registers& r) : state(s), tracee(t), registers(r) {}

  State& state;
  Tracee& tracee;
  Registers& registers;
  /// Where the tracer carries the call out itself (accelerate/carrier.hh); else null.
  Carrier* carrier = nullptr;

  uint64_t argument(int n) const { return list ? list[n] : registers.argument(n); }
  int number(int n) const { return static_cast<int>(argument(n)); }
  void setArgument(int n, uint64_t value) {
    if (list) {
      list[n] = static_cast<uint32_t>(value);
      listChanged = true;
      return;
    }
    registers.slot(n) = value;
    tracee.changed = true;
  }
  /// Addresses and numbers in the guest's memory have 32 bits.
  bool compat() const { return registers.compat; }
  /// When the kernel has made the call.
  void then(void (*after)(Call&)) { tracee.after = after; }
  long result() const { return registers.result(); }
  void setResult(long value) { registers.setResult(value); }

  bool read(uint64_t from, void* to, size_t n) const { return readMemory(tracee.tid, from, to, n); }
  bool write(uint64_t to, const void* from, size_t n) const { return writeMemory(tracee.tid, to, from, n); }
  long readText(uint64_t from, char* to, size_t room) const { return ptrace::readText(tracee.tid, from, to, room); }

  fakeroot::Identity& identity() { return tracee.identity; }
  /// Whether it is root, a fake one or a real one.
  bool privileged() const;

  /// Where `directory` and `text` lead. 0 or -errno; a descriptor that leads nowhere is -EBADF. `look`: see View::resolve().
  long resolve(int directory, const char* text, unsigned how, Place& place, Look* look = nullptr);
  /// The same of the text at `address`, which may be empty with AT_EMPTY_PATH in `flags`: then the descriptor itself is meant.
  long resolveAt(int directory, uint64_t address, unsigned how, Place& place);
  /// The place of a descriptor or, with AT_FDCWD, of the working directory.
  /// `gone`: of a directory that was removed it is where that was, and not an error.
  long placeOf(int directory, Path& guest, Path& host, bool* moved = nullptr, bool* gone = nullptr) const;
  /// Whether a descriptor leads to what the guest may not change.
  bool isReadOnly(int descriptor) const;
  /// The path of procfs that leads to a descriptor of the tracee.
  Path descriptor(int fd) const;

  /// Puts a path of the host in the place of an argument, unless the tracee has named it so already; or says who carries it out what
  /// it leads to.
  long replace(int n, const Place& place);
  /// Who carries it out keeps hold of what stands at the place, which is called by another path of the host then. 0 or -errno.
  long hold(Place& place);
  /// What its path leads to is opened so.
  void opens(int flags, uint32_t mode);
  /// Room of the tracee that is its own until the call has been made; 0 where there is none.
  uint64_t room(size_t n);
  uint64_t put(const void* from, size_t n);

  /// The arguments of a call that has them in memory: socketcall(2).
  uint32_t* list = nullptr;
  bool listChanged = false;

 private:
  void noteShown(const Place& place);

  size_t used_ = 0;
};

/// The head of a slot: what the stub puts back into the registers.
constexpr uint64_t kRecordSize = 128;

/// The slot of the tracee, taken now if it has none, as a call of this kind can name it; 0 where all are taken.
uint64_t slotOf(Tracee& tracee, bool compat);

/// Carries out for the tracer what only the owner of a file could lack the right for: whether there is a right now.
bool borrow(const char* host, uint32_t bits);

}  // namespace ptrace

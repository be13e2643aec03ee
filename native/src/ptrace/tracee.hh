// The processes and threads that are traced, and what they share.
#pragma once

#include "fakeroot/identity.hh"
#include "ptrace/accelerate/layout.hh"
#include "ptrace/arch/registers.hh"
#include "ptrace/watchdog.hh"
#include "sys/kernel.hh"

namespace ptrace {

using Path = sys::Text<4096>;

class Call;
struct Traced;

/// A mapping of code, and the file that it is of.
struct Code {
  uint64_t start = 0, end = 0, offset = 0;  // offset: in the file, of `start`
  uint64_t device = 0, node = 0;
};

/// An address space: threads have it in common, and a vfork child has its parent's.
struct Memory {
  static constexpr unsigned kSlots = kThreadSlots, kSites = 64;
  uint32_t users;
  bool mapped;  // the stub page and the slots are there
  bool narrow;  // of a program of 32 bits
  uint64_t slots[kSlots / 64];
  Path executable;       // as the guest names it; the kernel knows the ELF interpreter
  Path file;             // the same on the host
  uint64_t vector;       // where its auxiliary vector lies; 0: not known
  uint64_t compatSlots;  // those whose addresses have 32 bits; 0: not there
  // Of the accelerator `inprocess`:
  bool slow;       // every call goes to the tracer
  bool idsDiffer;  // its threads are not all the same user
  unsigned patched;
  uint64_t trampolines;  // 0: it has no room for them
  Code code;             // what has last been looked at for patching
  /// How often a place has called.
  struct Site {
    uint64_t ip;
    uint8_t times;
  };
  Site sites[kSites];
};

/// What CLONE_FS shares. The working directory is the kernel's.
struct Root {
  uint32_t users;
  Path path;      // a canonical path of the guest
  uint32_t mask;  // umask(2), where the tracer carries out calls
};

/// What a mode was before a fake root borrowed the right to go on.
struct Loan {
  Path path;
  uint32_t mode;
};

struct Tracee {
  static constexpr unsigned kLoans = 4, kNotes = 4;

  int tid, process;  // process: that of the first thread
  int parent;        // the process that made this one
  bool used, known;  // known: its maker's event has been seen
  bool stopped;      // its first stop has come before that
  bool fresh;        // its first stop is still to come
  bool runner;       // has not executed the payload yet
  bool inCall;       // the next stop of a call is at its end
  bool changed;      // registers have been changed for the call
  bool inStub;
  bool handedOver;  // stops to make a call itself that the tracer was to carry out
  bool inPage;      // makes it there; the next stop is at its start as long as it is inStub
  bool given;       // the call is made in name only: its result is `result`
  bool dumpable, noNewPrivileges, filtered;
  bool bound;      // it has been bound to one processor, as what it makes may be then: pair.hh
  bool byEngine;   // the call is one of the engine's own code
  bool halted;     // stopped by a signal, with its process
  bool waits;      // perhaps in a wait that a stop of a tracee of its own ends
  int sleeps;      // the number of the wait for which it is in pause(2), else 0
  Traced* traced;  // what there is to know where another process of the guest traces it
  int slot;        // -1: none
  Memory* memory;
  Root* root;
  fakeroot::Identity identity;
  Registers saved;  // as they were before the call
  long result;
  /// What is left to do when the call has been made.
  void (*after)(Call&);
  void (*afterOfList)(Call&);  // the same for what has its arguments in a list: socketcall.cc
  uint64_t notes[kNotes];
  struct Loading* loading;
  unsigned loans;
  Loan loan[kLoans];
};

/// The table of all tracees.
class Tracees {
 public:
  Tracees() = default;
  Tracees(const Tracees&) = delete;
  Tracees& operator=(const Tracees&) = delete;
  ~Tracees();
  bool start();
  /// Has all of them end with this process, where the kernel does not see to that. 0 or -errno. Before the first one is added.
  long guard() { return watchdog_.start(kMost); }
  Tracee* find(int tid);
  /// A new one; null when there are too many.
  Tracee* add(int tid);
  /// It has gone.
  void remove(Tracee& tracee);
  /// Makes `child` share with, or copy from, the one that has made it with these flags of clone(2).
  bool inherit(Tracee& child, const Tracee& maker, uint64_t flags);
  /// A new address space, after an exec.
  bool renew(Tracee& tracee);
  /// A root of its own, at `path`.
  bool reroot(Tracee& tracee, const char* path);
  /// Any thread of the process.
  Tracee* anyOf(int process);
  unsigned count() const { return count_; }
  template <typename Function>
  void each(Function function) {
    for (uint32_t i = 0; i < top_; i++)
      if (rows_[i].used) function(rows_[i]);
  }

 private:
  static constexpr uint32_t kMost = 1 << 15, kIndex = 1 << 17;

  template <typename T>
  T* take(T* from, uint32_t& top);
  void release(Memory* memory);
  void release(Root* root);
  void unindex(int tid);

  Watchdog watchdog_;
  Tracee* rows_ = nullptr;
  Memory* memories_ = nullptr;
  Root* roots_ = nullptr;
  int32_t* index_ = nullptr;  // 0: none, else row + 1
  uint32_t top_ = 0, memoryTop_ = 0, rootTop_ = 0, count_ = 0;
};

}  // namespace ptrace

// wait4(2) and waitid(2) of a process that traces others. The kernel knows of its children and we of its tracees, and it waits for
// both: in the kernel's own wait as long as that has something to wait for, else asleep in pause(2), and it is woken by us either way.
#include <linux/wait.h>

#include "ptrace/debug/traced.hh"
#include "ptrace/request.hh"
#include "ptrace/table.hh"

#ifndef __NR_pause
#define __NR_pause -1  // where the guest has no tracers: syscalls.def
#endif

namespace ptrace {

namespace {

// What the kernel has a call begun again by (include/linux/errno.h there).
constexpr long kRestart = -512, kRestartUnlessHandled = -514;
constexpr int kStopped = 0x7f;

struct Usage {  // struct rusage
  int64_t user[2], system[2], rest[14];
};

/// What a call waits for.
class Wanted {
 public:
  Wanted(State& state, Tracee& tracee, const Registers& registers, long number)
      : state_(state), tracee_(tracee), registers_(registers), byId_(number == __NR_waitid) {
    constexpr int kAny = P_ALL, kOne = P_PID, kGroup = P_PGID;
    auto argument = [&](int n) { return static_cast<int>(registers.argument(n)); };
    options_ = argument(byId_ ? 3 : 2);
    if (byId_) {
      kind_ = argument(0);
      id_ = argument(1);
    } else {
      id_ = argument(0);
      kind_ = id_ == -1 ? kAny : id_ > 0 ? kOne : kGroup;
      if (kind_ == kGroup) id_ = -id_;
      options_ |= WEXITED;
    }
    if (kind_ == kGroup && id_ == 0) id_ = static_cast<int>(sys::invoke(__NR_getpgid, tracee.tid));
  }

  bool returns() const { return options_ & WNOHANG; }

  /// Whether there is a tracee to be waited for, be it that the kernel knows it as a child, too.
  bool hasTracees() {
    bool any = false;
    state_.guestTracers.each([&](Traced& one) { any |= isMeant(one); });
    return any;
  }

  /// Takes what there is to be told: `result` is that of the call then.
  bool take(long& result) {
    Traced* found = nullptr;
    state_.guestTracers.each([&](Traced& one) {
      if (!found && one.news && (!one.dead || options_ & WEXITED) && isMeant(one)) found = &one;
    });
    if (!found) return false;
    result = byId_ ? giveInfo(*found) : giveStatus(*found);
    if (options_ & WNOWAIT) return true;
    found->news = false;
    if (found->dead) state_.guestTracers.drop(*found);
    return true;
  }

  /// Whether what the kernel has told is the stop of a tracee, which is for us to tell.
  bool isStopOfTracee(long result) {
    int status = 0, process = static_cast<int>(result);
    if (byId_) {
      constexpr int kCodeOfStop = 5;  // CLD_STOPPED
      SignalInfo info;
      if (result < 0 || !registers_.argument(2) || !read(registers_.argument(2), &info, sizeof info)) return false;
      if (info.code != kCodeOfStop) return false;
      process = info.process;
      status = kStopped;
    } else if (result <= 0 || !registers_.argument(1) || !read(registers_.argument(1), &status, sizeof status)) {
      return false;
    }
    const Tracee* child = state_.tracees.find(process);
    return (status & 0xff) == kStopped && child && child->traced && child->traced->tracer == tracee_.process;
  }

 private:
  bool isMeant(const Traced& one) {
    if (one.tracer != tracee_.process) return false;
    if (kind_ == P_ALL) return true;
    if (kind_ == P_PID) return one.tid == id_;
    return kind_ == P_PGID && sys::invoke(__NR_getpgid, one.process) == id_;
  }

  bool read(uint64_t from, void* to, size_t n) { return readMemory(tracee_.tid, from, to, n); }
  bool write(uint64_t to, const void* from, size_t n) { return !to || writeMemory(tracee_.tid, to, from, n); }

  long giveStatus(const Traced& one) {
    uint64_t usage = registers_.argument(3);
    bool good = write(registers_.argument(1), &one.status, sizeof one.status) && giveUsage(usage, one);
    return good ? one.tid : -EFAULT;
  }

  long giveInfo(const Traced& one) {
    SignalInfo info{};
    info.number = SIGCHLD;
    info.process = one.tid;
    info.user = one.user;
    int signal = one.status & 0x7f;
    constexpr int kExited = 1, kKilled = 2, kDumped = 3, kTrapped = 4;  // CLD_*
    info.code = !one.dead ? kTrapped : !signal ? kExited : one.status & 0x80 ? kDumped : kKilled;
    info.value = one.dead && signal ? signal : one.dead ? one.status >> 8 & 0xff : one.status >> 8;
    return write(registers_.argument(2), &info, sizeof info) && giveUsage(registers_.argument(4), one) ? 0 : -EFAULT;
  }

  /// The time that it has used: profilers ask for it at every stop.
  bool giveUsage(uint64_t to, const Traced& one) {
    if (!to) return true;
    Usage usage{};
    sys::Text<32> path("/proc/");
    sys::UniqueFd file(sys::open(path.add(static_cast<int64_t>(one.tid)).add("/stat").c_str(), O_RDONLY));
    char text[512];
    long size = file.ok() ? sys::readAll(file.get(), text, sizeof text - 1) : 0;
    const char* p = text + (size > 0 ? size : 0);
    while (p > text && *p != ')') p--;
    // Behind the name of the program utime and stime are the twelfth and the thirteenth.
    constexpr unsigned kUser = 12, kSystem = 13;
    for (unsigned field = 0; p < text + size && field <= kSystem; field++) {
      while (p < text + size && *p != ' ') p++;
      const char* end = ++p;
      while (end < text + size && *end != ' ') end++;
      constexpr uint32_t kPerSecond = 100, kMicroseconds = 10000;  // USER_HZ
      uint32_t ticks;
      if (field + 1 < kUser || !sys::parseNumber(p, end, &ticks)) continue;
      int64_t* time = field + 1 == kUser ? usage.user : usage.system;
      time[0] = ticks / kPerSecond;
      time[1] = int64_t{ticks % kPerSecond} * kMicroseconds;
    }
    return write(to, &usage, sizeof usage);
  }

  State& state_;
  Tracee& tracee_;
  const Registers& registers_;
  bool byId_;
  int kind_, id_, options_;
};

/// The kernel has nothing more to tell.
void waited(Call& call) {
  Tracee& tracee = call.tracee;
  Registers& registers = call.registers;
  long number = tracee.saved.number(), result = call.result();
  Wanted wanted(call.state, tracee, tracee.saved, number);
  if (result == -ECHILD) {
    if (wanted.take(result)) return call.setResult(result);
    if (!wanted.hasTracees()) return;
    if (wanted.returns()) return call.setResult(0);
    // The registers have its arguments, and it can be made again at any time.
    tracee.sleeps = static_cast<int>(number);
    registers.setIp(registers.ip() - kCallSize);
    return call.setResult(__NR_pause);
  }
  if (!wanted.isStopOfTracee(result)) return;
  registers.setIp(registers.ip() - kCallSize);
  call.setResult(number);
}

}  // namespace

Answer waitFor(Call& call, unsigned) {
  // It may have something to wait for of us only later.
  call.tracee.waits = true;
  if (!call.state.guestTracers.any()) return Answer::proceed();
  Wanted wanted(call.state, call.tracee, call.registers, call.registers.number());
  if (!wanted.hasTracees()) return Answer::proceed();
  long result;
  if (wanted.take(result)) {
    call.tracee.waits = false;
    return Answer::give(result);
  }
  call.then(waited);
  return Answer::proceed();
}

Woken wakeWaiting(State& state, Tracee& tracee, bool signal) {
  Registers registers;
  if (!getRegisters(tracee.tid, registers)) return Woken::kNot;
  bool asleep = tracee.sleeps;
  long number = asleep ? tracee.sleeps : registers.number(), result;
  // It may not have gone to sleep yet.
  bool begun = !asleep || registers.result() == kRestartUnlessHandled;
  bool waits = asleep || ((number == __NR_wait4 || number == __NR_waitid) && registers.result() == kRestart);
  if (!waits) return Woken::kNot;
  if (!signal) {
    if (!Wanted(state, tracee, registers, number).take(result)) return Woken::kNot;
    if (!begun) registers.setIp(registers.ip() + kCallSize);
    registers.setNumber(-1);
    registers.setResult(result);
  } else if (asleep) {
    // The kernel is to end or to begin again the call that the guest has made.
    if (begun) registers.setNumber(number);
    registers.setResult(begun ? kRestart : number);
  } else {
    return Woken::kNot;
  }
  tracee.waits = false;
  tracee.sleeps = 0;
  tracee.after = nullptr;
  setRegisters(tracee.tid, registers);
  return signal ? Woken::kNot : asleep ? Woken::kAsleep : Woken::kInCall;
}

}  // namespace ptrace

#include "ptrace/tracer.hh"

#include <linux/sched.h>

#include <new>

#include "ptrace/accelerate/filter.hh"
#include "ptrace/accelerate/page.hh"
#include "ptrace/accelerate/stub.hh"
#include "ptrace/compat.hh"
#include "ptrace/exec.hh"
#include "ptrace/old.hh"
#include "ptrace/owned.hh"
#include "ptrace/procfs.hh"
#include "ptrace/request.hh"
#include "steps/context.hh"

namespace ptrace {

namespace {

constexpr int kCallStop = SIGTRAP | 0x80;
constexpr long kOptions =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
constexpr uint64_t kSignalMask = 0xff;

/// Whether it is the signal of a stop of the whole process.
bool stops(int signal) { return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU; }

}  // namespace

bool handles(int process, int signal) {
  sys::Text<32> path("/proc/");
  path.add(static_cast<int64_t>(process)).add("/status");
  sys::UniqueFd file(sys::open(path.c_str(), O_RDONLY));
  static char text[8192];
  long size = file.ok() ? sys::readAll(file.get(), text, sizeof text - 1) : 0;
  if (size <= 0) return true;
  text[size] = 0;
  for (const char* line = text; line; line = sys::find(line, '\n')) {
    if (*line == '\n') line++;
    if (!sys::startsWith(line, "SigCgt:\t")) continue;
    uint64_t caught = 0;
    for (const char* p = line + 8; *p && *p != '\n'; p++)
      caught = caught << 4 | static_cast<uint64_t>(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    return caught >> (signal - 1) & 1;
  }
  return true;
}

Tracer* makeTracer(const Plan& plan) {
  // Too large for a stack.
  void* room = reserve(sizeof(Tracer));
  // The guest's first process is a copy of this one, and only what is dumpable can be traced without privileges.
  sys::prctl(PR_SET_DUMPABLE, 1);
  // Filters, ours and those of the guest's own, are for who has given up set-id programs of the kernel's, which a traced process does
  // not have anyway. Of real users root alone can do without. The guest has it from here, and need not know.
  const wire::Step* step = tracingOf(plan);
  bool root = step && !(step->a & wire::kFakeIds) && sys::invoke(__NR_geteuid) == 0;
  if (!root) sys::prctl(PR_SET_NO_NEW_PRIVS, 1);
  return room ? new (room) Tracer(plan) : nullptr;
}

void unmake(Tracer* tracer) {
  if (!tracer) return;
  tracer->~Tracer();
  sys::invoke(__NR_munmap, tracer, sizeof *tracer);
}

const wire::Step* tracingOf(const Plan& plan) {
  for (uint32_t i = 0; i < plan.header().hostCount; i++)
    if (plan.host()[i].op == wire::Op::kTrace) return &plan.host()[i];
  return nullptr;
}

/// `guest:host` and so on, with commas.
void Tracer::takePorts(const char* text) {
  while (*text && state_.portCount < State::kMostPorts) {
    const char* colon = sys::find(text, ':');
    const char* comma = sys::find(text, ',');
    const char* end = comma ? comma : text + strlen(text);
    uint32_t guest, host;
    if (!colon || !sys::parseNumber(text, colon, &guest) || !sys::parseNumber(colon + 1, end, &host)) return;
    state_.ports[state_.portCount++] = {static_cast<uint16_t>(guest), static_cast<uint16_t>(host)};
    text = comma ? comma + 1 : end;
  }
}

/// s0 = list of the tree, the file of remembered owners, the scratch directory, the host name, the kernel release, the ports that are
/// mapped, the emulator with its options; a = wire::TraceFlag.
long Tracer::begin(Context& context, const wire::Step& step) {
  const Plan& plan = state_.plan;
  const char* tree = plan.text(step.s0);
  const char* store = Plan::next(tree);
  const char* scratch = Plan::next(store);
  const char* host = Plan::next(scratch);
  const char* release = Plan::next(host);
  auto tid = static_cast<int>(context.guest);
  state_.context = &context;
  state_.uid = static_cast<uint32_t>(sys::invoke(__NR_geteuid));
  state_.gid = static_cast<uint32_t>(sys::invoke(__NR_getegid));
  state_.fakeIds = step.a & wire::kFakeIds;
  state_.boots = step.a & wire::kBoots;
  state_.traces = usesSeccomp(step);
  if (step.a & wire::kMustSeccomp && !state_.traces) return -ENOSYS;
  state_.inProcess = state_.traces && step.a & wire::kInProcess && canAnswerInProcess();
  if (step.a & wire::kMustInProcess && !state_.inProcess) return -ENOSYS;
  if (long error = step.a & wire::kMustNotify ? tryListener() : 0; error < 0) return error;
  state_.scratch = Path(scratch);
  state_.hostname = sys::Text<65>(host);
  state_.release = sys::Text<65>(release);
  const char* ports = Plan::next(release);
  state_.emulator = Path(Plan::next(ports));
  state_.fakesLinks = step.a & wire::kFakeLinks;
  takePorts(ports);
  if (!state_.traces) {
    sayNewer(state_);
    state_.lacksLimits = lacksLimits();
    state_.lacksPlaces = lacksPlaces();
  }
  // Descriptors are needed for the programs that are started.
  rlimit64 limit;
  if (sys::prlimit(0, 7 /* RLIMIT_NOFILE */, nullptr, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    sys::prlimit(0, 7, &limit, nullptr);
  }
  if (!state_.tracees.start()) return -ENOMEM;
  // What a run before a reboot has left.
  sys::UniqueFd remains(sys::open(scratch, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!remains.ok()) return remains.error();
  emptyDirectory(remains.get());
  if (long error = sys::mkdirat(remains.get(), ".proc", 0755); error < 0) return error;
  sys::UniqueFd root(sys::open(tree, O_PATH | O_DIRECTORY));
  if (!root.ok()) return root.error();
  // The store looks for descriptors of its own from there.
  if (long error = sys::chdir("/proc"); error < 0) return error;
  struct statx top;
  state_.lacksBirths = sys::fstatx(root.get(), STATX_BTIME, &top) == 0 && !(top.stx_mask & STATX_BTIME);
  if (state_.fakeIds) {
    if (!state_.owners.load(store, true)) return -ENOMEM;
    if (long error = state_.owners.start(root.release()); error < 0) return error;
  }
  state_.view.start(tree);
  state_.view.setFirst(tid, state_.boots);
  startProc(state_);
  state_.pair.start();
  if (long error = seize(tid); error < 0) return error;
  Tracee* first = state_.tracees.add(tid);
  if (!first || !state_.tracees.renew(*first) || !state_.tracees.reroot(*first, "/")) return -ENOMEM;
  first->known = true;
  first->runner = true;
  first->root->mask = static_cast<uint32_t>(sys::invoke(__NR_umask, 022));
  sys::invoke(__NR_umask, first->root->mask);
  // It maps it itself.
  first->memory->mapped = true;
  if (!state_.fakeIds) {
    first->identity.user = {state_.uid, state_.uid, state_.uid, state_.uid};
    first->identity.group = {state_.gid, state_.gid, state_.gid, state_.gid};
  }
  // A process that is seized runs on: it is stopped for its calls to be seen.
  if (seized_ && request(PTRACE_INTERRUPT, tid, 0, 0) < 0) return -ESRCH;
  return 0;
}

long Tracer::seize(int tid) {
  // When the tracer dies, nothing of the guest goes on, which would see the host (3.8).
  constexpr long kExitKill = PTRACE_O_EXITKILL;
  long options = kOptions | (state_.traces ? PTRACE_O_TRACESECCOMP : 0);
  state_.kernelOptions = options | kExitKill;
  long error = request(PTRACE_SEIZE, tid, 0, options | kExitKill);
  state_.interrupts = error == 0;
  if (error == 0 || error == -EPERM) return error;
  seized_ = false;
  if ((error = request(PTRACE_ATTACH, tid, 0, 0)) < 0) return error;
  int status;
  if ((error = sys::wait(tid, &status, kWaitAll)) < 0) return error;
  if (request(PTRACE_SETOPTIONS, tid, 0, options | kExitKill) < 0) {
    if ((error = request(PTRACE_SETOPTIONS, tid, 0, options)) < 0) return error;
    if ((error = state_.tracees.guard()) < 0) return error;
  }
  return request(PTRACE_SYSCALL, tid, 0, 0);
}

void Tracer::take(int tid, int status) {
  handle(tid, status);
  if (state_.going == Going::kNot || killing_) return;
  ended_.going = state_.going;
  killAll();
}

void Tracer::killAll() {
  killing_ = true;
  state_.tracees.each([](Tracee& tracee) { sys::kill(tracee.process, SIGKILL); });
}

void Tracer::handle(int tid, int status) {
  if ((status & 0x7f) != 0x7f) return onGone(tid, status);
  int signal = (status >> 8) & 0xff, event = status >> 16;
  Tracee* tracee = state_.tracees.find(tid);
  if (!tracee || !tracee->known) {
    // Its maker's event is still to come.
    if (!tracee) tracee = state_.tracees.add(tid);
    if (!tracee)
      sys::kill(tid, SIGKILL);
    else
      tracee->stopped = true;
    if (killed_ > 0) killed_--, endLost();
    return;
  }
  if (state_.pair.serve(tid)) tracee->bound = true;
  onStop(*tracee, signal, event);
}

void Tracer::onGone(int tid, int status) {
  Tracee* tracee = state_.tracees.find(tid);
  state_.pair.part();
  untold_ |= !tracee || !tracee->known;
  if (tracee) {
    repay(*tracee);
    dropLoading(*tracee);
    if (tracee->traced) tellGone(*tracee, status);
    bool last = tid == tracee->process;
    state_.tracees.remove(*tracee);
    if (last && state_.guestTracers.any()) freeTracees(tid);
  }
  if (tid != state_.view.first()) {
    // Made while everything was being ended.
    if (killing_) return killAll();
    constexpr unsigned kStopsAfter = 256;
    if ((status & 0x7f) == SIGKILL) killed_ = kStopsAfter, endLost();
    return;
  }
  ended_.status = (status >> 8) & 0xff;
  ended_.signal = status & 0x7f;
  killAll();
}

void Tracer::onStop(Tracee& tracee, int signal, int event) {
  tracee.halted = false;
  if (tracee.traced && tracee.traced->fresh) setKernelOptions(state_, tracee);
  unsigned long data = 0;
  switch (event) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      if (int child = onMade(tracee, event); child && holdAtEvent(tracee, event, static_cast<uint64_t>(child))) return;
      return resume(tracee);
    case PTRACE_EVENT_VFORK_DONE:
    case PTRACE_EVENT_EXIT:
      request(PTRACE_GETEVENTMSG, tracee.tid, 0, &data);
      if (!holdAtEvent(tracee, event, data)) resume(tracee);
      return;
    case PTRACE_EVENT_EXEC: {
      Tracee* one = &tracee;
      return onExec(one);
    }
    case PTRACE_EVENT_SECCOMP: {
      data = kOurs;
      if (state_.guestFilters) request(PTRACE_GETEVENTMSG, tracee.tid, 0, &data);
      // A call at whose start it has stopped already has been looked at.
      if (data == kOurs) return tracee.inCall ? resume(tracee) : enter(tracee, true);
      if (data == kStrict) {
        sys::kill(tracee.process, SIGKILL);
        return resume(tracee);
      }
      if (holdAtEvent(tracee, event, data)) return;
      // The guest's own filter asks for a tracer that is not there.
      Registers registers;
      if (getRegisters(tracee.tid, registers)) {
        registers.setNumber(-1);
        registers.setResult(-ENOSYS);
        setRegisters(tracee.tid, registers);
      }
      return resume(tracee);
    }
    case PTRACE_EVENT_STOP: {
      if (tracee.handedOver) takeOver(tracee);
      bool group = stops(signal) && seized_;
      if (tracee.fresh && !group) return firstRun(tracee);
      if (tracee.loading) return group ? listen(tracee) : go(tracee, PTRACE_CONT, 0);
      bool woken = !group && (tracee.waits || tracee.sleeps);
      // Of the end of a call that it has slept through the kernel does not tell.
      if (woken && wakeWaiting(state_, tracee, false) == Woken::kAsleep && tracee.traced) return endCall(tracee);
      if (holdAtTrap(tracee, signal, group)) return;
      return group ? listen(tracee) : resume(tracee);
    }
    default:
      break;
  }
  // Without PTRACE_SEIZE (3.4) a new process begins with a signal that is the tracer's: to the guest it would be a stop.
  if (tracee.fresh && !seized_ && signal == SIGSTOP) return firstRun(tracee);
  if (signal == kCallStop) {
    if (tracee.inCall || (state_.carries && endsCall(tracee))) return leave(tracee);
    if (!passOwn(tracee) && !passPage(tracee) && !holdAtCall(tracee)) enter(tracee, false);
    return;
  }
  onSignal(tracee, signal);
}

/// The number of the child, if a tracer of its maker's may hear of it; else 0.
int Tracer::onMade(Tracee& maker, int event) {
  unsigned long number = 0;
  Registers registers;
  if (request(PTRACE_GETEVENTMSG, maker.tid, 0, &number) < 0 || !getRegisters(maker.tid, registers)) return 0;
  auto tid = static_cast<int>(number);
  Tracee* child = state_.tracees.find(tid);
  if (!child && untold_ && hasEnded(tid)) return 0;
  if (!child) child = state_.tracees.add(tid);
  if (!child) {
    sys::kill(tid, SIGKILL);
    return 0;
  }
  registers.compat = isCompat(maker, registers);
  bool clones = registers.number() == (registers.compat ? kCompatClone : __NR_clone);
  uint64_t flags = clones ? registers.argument(0) & ~kSignalMask : 0;
#if defined(__x86_64__)
  if (registers.number() == (registers.compat ? kCompatVfork : __NR_vfork)) flags = CLONE_VM | CLONE_VFORK;
#endif
  if (!state_.tracees.inherit(*child, maker, flags)) {
    sys::kill(tid, SIGKILL);
    return 0;
  }
  child->known = true;
  if (maker.bound) state_.pair.release(tid);
  // As it was asked for.
  if (flags && maker.changed) flags = maker.saved.argument(0) & ~kSignalMask;
  inheritTracer(*child, maker, event, flags);
  // It has the arguments of the call in its registers, too.
  if (maker.changed) {
    child->changed = true;
    child->saved = maker.saved;
  }
  child->fresh = true;
  if (child->stopped) firstRun(*child);
  return flags & CLONE_UNTRACED ? 0 : tid;
}

/// The first stop of a new process: what was changed in its maker's registers is as it was.
void Tracer::firstRun(Tracee& tracee) {
  tracee.stopped = tracee.fresh = false;
  // What was told while its maker was making it.
  if (tracee.memory->users == 1) tellPage(state_, tracee);
  if (tracee.changed) {
    Registers registers;
    if (getRegisters(tracee.tid, registers)) {
      registers.restore(tracee.saved);
      setRegisters(tracee.tid, registers);
    }
    tracee.changed = false;
  }
  if (tracee.traced && holdAtFirst(tracee)) return;
  resume(tracee);
}

void Tracer::onExec(Tracee*& tracee) {
  unsigned long former = 0;
  int tid = tracee->tid;
  request(PTRACE_GETEVENTMSG, tid, 0, &former);
  // Another thread than the first has executed: it has the number of the first now, and all others have gone without a word.
  if (former && static_cast<int>(former) != tid) {
    Tracee* old = state_.tracees.find(static_cast<int>(former));
    if (old) {
      tracee->loading = old->loading;
      old->loading = nullptr;
      state_.guestTracers.end(*tracee);
      tracee->traced = old->traced;
      old->traced = nullptr;
      if (tracee->traced) tracee->traced->tid = tid;
      tracee->identity = old->identity;
      tracee->noNewPrivileges = old->noNewPrivileges;
      tracee->loans = old->loans;
      for (unsigned i = 0; i < old->loans; i++) tracee->loan[i] = old->loan[i];
      old->loans = 0;
      if (tracee->root != old->root) state_.tracees.reroot(*tracee, Path(old->root->path).c_str());
    }
  }
  state_.tracees.each([&](Tracee& other) {
    if (other.process != tid || other.tid == tid) return;
    dropLoading(other);
    state_.guestTracers.end(other);
    state_.tracees.remove(other);
  });
  repay(*tracee);
  Loading* loading = tracee->loading;
  Registers registers;
  tracee->after = nullptr;
  tracee->changed = tracee->inStub = tracee->inPage = tracee->inCall = tracee->given = false;
  tracee->waits = false;
  tracee->sleeps = 0;
  tracee->runner = false;
  tracee->dumpable = true;
  if (!loading || !state_.tracees.renew(*tracee) || !getRegisters(tid, registers) ||
      !plantLoader(state_, *tracee, registers) || !setRegisters(tid, registers)) {
    sys::kill(tid, SIGKILL);
    return go(*tracee, PTRACE_CONT, 0);
  }
  fakeroot::Identity& who = tracee->identity;
  who.keeps = who.kept = false;
  if (loading->setsUser) who.user.effective = loading->user;
  if (loading->setsGroup) who.group.effective = loading->group;
  who.user.saved = who.user.file = who.user.effective;
  who.group.saved = who.group.file = who.group.effective;
  if (tracee->traced) startExec(*tracee, former ? static_cast<int>(former) : tid);
  go(*tracee, PTRACE_CONT, 0);
}

void Tracer::onSignal(Tracee& tracee, int signal) {
  Registers registers;
  bool fault = signal == SIGSEGV || signal == SIGBUS, trap = signal == SIGTRAP && !tracee.loading;
  if (state_.inProcess && (fault || trap) && getRegisters(tracee.tid, registers) &&
      (fault ? mendFault(state_, registers) : mendTrap(state_, tracee, registers))) {
    setRegisters(tracee.tid, registers);
    return resume(tracee);
  }
  if (signal == SIGTRAP && tracee.loading && getRegisters(tracee.tid, registers)) {
    Loading& loading = *tracee.loading;
    if (loading.mapping) {
      if (runLoader(state_, tracee, registers) && setRegisters(tracee.tid, registers)) {
        if (loading.traps) return go(tracee, PTRACE_CONT, 0);
        endLoading(tracee);
        return resume(tracee);
      }
      sys::kill(tracee.tid, SIGKILL);
      return go(tracee, PTRACE_CONT, 0);
    }
    if (registers.ip() == loaderTrap(registers) + kTrapSize) {
      uint64_t entry = loading.entry.ip();
      registers = loading.entry;
      registers.setIp(entry);
      registers.setResult(0);
      registers.setNumber(-1);
      setRegisters(tracee.tid, registers);
      endLoading(tracee);
      tellPage(state_, tracee);
      return tracee.traced ? tellExec(tracee) : resume(tracee);
    }
  }
  // While the loader runs there is nobody to take it; what would end the process may do so.
  if (tracee.loading) {
    if (signal != SIGSTOP || !tracee.traced) return go(tracee, PTRACE_CONT, signal);
    tracee.traced->delayed = true;
    return go(tracee, PTRACE_CONT, 0);
  }
  if (state_.inProcess && getRegisters(tracee.tid, registers) && leavePage(state_, tracee, registers))
    setRegisters(tracee.tid, registers);
  leaveStub(tracee);
  if (tracee.sleeps) wakeWaiting(state_, tracee, true);
  if (signal == SIGCHLD && state_.guestTracers.any()) showAsKernels(tracee.tid);
  showSender(state_, tracee.tid, signal);
  if (tracee.traced) return hold(tracee, Point::kSignal, signal);
  resume(tracee, isShielded(tracee, signal) ? 0 : signal);
}

bool Tracer::isShielded(const Tracee& tracee, int signal) {
  // The first process of a container is not hurt by what others send it, unless it has a handler for that.
  if (tracee.process != state_.view.first() || tracee.runner || killing_ || signal == SIGCHLD || !signal) return false;
  SignalInfo info{};
  bool sent = request(PTRACE_GETSIGINFO, tracee.tid, 0, &info) == 0 && info.code <= 0;
  return sent && info.process != state_.view.numberOf(tracee.process) && !handles(tracee.process, signal);
}

/// At a stop of a call, for which it has perhaps been stopped only since that began.
bool Tracer::endsCall(const Tracee& tracee) {
  unsigned long which = 0;
  return request(PTRACE_GETEVENTMSG, tracee.tid, 0, &which) == 0 && which == kLeaves;
}

/// Whether the filter tells of its calls. What the tracer carries out nobody else would see: the calls of who is traced all stop.
bool Tracer::isTold(const Tracee& tracee) const { return state_.traces && !(state_.carries && tracee.traced); }

/// Whether it stops at the two ends of every call.
bool Tracer::callStops(const Tracee& tracee) const {
  return !isTold(tracee) || (tracee.traced && tracee.traced->pace == Pace::kCalls);
}

void Tracer::resume(Tracee& tracee, int signal) {
  const Traced* traced = tracee.traced;
  if (traced && traced->pace == Pace::kSteps && !tracee.inCall) return step(tracee, signal);
  go(tracee, tracee.inCall || callStops(tracee) ? PTRACE_SYSCALL : PTRACE_CONT, signal);
  // Any stop is one for the kernel, also those that nobody hears of but us.
  if (traced && traced->interrupted) request(PTRACE_INTERRUPT, tracee.tid, 0, 0);
}

void Tracer::go(Tracee& tracee, int what, int signal) { request(what, tracee.tid, 0, signal); }

/// It stays stopped with its process, and is heard of when that goes on.
void Tracer::listen(Tracee& tracee) {
  tracee.halted = true;
  go(tracee, PTRACE_LISTEN, 0);
}

}  // namespace ptrace

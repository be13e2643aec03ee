#include "ptrace/tracer.hh"

#include <linux/sched.h>

#include <new>

#include "ptrace/accelerate/filter.hh"
#include "ptrace/accelerate/page.hh"
#include "ptrace/accelerate/stub.hh"
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

/// Whether the process has a handler for a signal.
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

}  // namespace

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
  if (long error = seize(tid); error < 0) return error;
  Tracee* first = state_.tracees.add(tid);
  if (!first || !state_.tracees.renew(*first) || !state_.tracees.reroot(*first, "/")) return -ENOMEM;
  first->known = true;
  first->runner = true;
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
  long error = request(PTRACE_SEIZE, tid, 0, options | kExitKill);
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
    return;
  }
  onStop(*tracee, signal, event);
}

void Tracer::onGone(int tid, int status) {
  Tracee* tracee = state_.tracees.find(tid);
  if (tracee) {
    repay(*tracee);
    dropLoading(*tracee);
    state_.tracees.remove(*tracee);
  }
  if (tid != state_.view.first()) {
    // Made while everything was being ended.
    if (killing_) killAll();
    return;
  }
  ended_.status = (status >> 8) & 0xff;
  ended_.signal = status & 0x7f;
  killAll();
}

void Tracer::onStop(Tracee& tracee, int signal, int event) {
  switch (event) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      onMade(tracee, event);
      return resume(tracee);
    case PTRACE_EVENT_EXEC: {
      Tracee* one = &tracee;
      return onExec(one);
    }
    case PTRACE_EVENT_SECCOMP: {
      unsigned long data = kOurs;
      if (state_.guestFilters) request(PTRACE_GETEVENTMSG, tracee.tid, 0, &data);
      if (data == kOurs) return enter(tracee);
      // The guest's own filter asks for a tracer that is not there.
      Registers registers;
      if (getRegisters(tracee.tid, registers)) {
        registers.setNumber(-1);
        registers.setResult(-ENOSYS);
        setRegisters(tracee.tid, registers);
      }
      return resume(tracee);
    }
    case PTRACE_EVENT_STOP:
      if (stops(signal) && seized_) return go(tracee, PTRACE_LISTEN, 0);
      return resume(tracee);
    default:
      break;
  }
  if (signal == kCallStop) return tracee.inCall ? leave(tracee) : enter(tracee);
  onSignal(tracee, signal);
}

void Tracer::onMade(Tracee& maker, int event) {
  unsigned long number = 0;
  Registers registers;
  if (request(PTRACE_GETEVENTMSG, maker.tid, 0, &number) < 0 || !getRegisters(maker.tid, registers)) return;
  auto tid = static_cast<int>(number);
  Tracee* child = state_.tracees.find(tid);
  if (!child) child = state_.tracees.add(tid);
  if (!child) {
    sys::kill(tid, SIGKILL);
    return;
  }
  uint64_t flags = registers.number() == __NR_clone ? registers.argument(0) & ~kSignalMask : 0;
#if defined(__x86_64__)
  if (registers.number() == __NR_vfork) flags = CLONE_VM | CLONE_VFORK;
#endif
  (void)event;
  if (!state_.tracees.inherit(*child, maker, flags)) {
    sys::kill(tid, SIGKILL);
    return;
  }
  child->known = true;
  // It has the arguments of the call in its registers, too.
  if (maker.changed) {
    child->changed = true;
    child->saved = maker.saved;
  }
  if (child->stopped) firstRun(*child);
}

/// The first stop of a new process: what was changed in its maker's registers is as it was.
void Tracer::firstRun(Tracee& tracee) {
  tracee.stopped = false;
  if (tracee.changed) {
    Registers registers;
    if (getRegisters(tracee.tid, registers)) {
      for (int i = 0; i < 6; i++) registers.slot(i) = tracee.saved.argument(i);
      setRegisters(tracee.tid, registers);
    }
    tracee.changed = false;
  }
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
    state_.tracees.remove(other);
  });
  repay(*tracee);
  Loading* loading = tracee->loading;
  Registers registers;
  tracee->after = nullptr;
  tracee->changed = tracee->inStub = tracee->inCall = tracee->given = false;
  tracee->runner = false;
  tracee->dumpable = true;
  if (!loading || !state_.tracees.renew(*tracee) || !getRegisters(tid, registers) ||
      !plantLoader(state_, *tracee, registers) || !setRegisters(tid, registers)) {
    sys::kill(tid, SIGKILL);
    return go(*tracee, PTRACE_CONT, 0);
  }
  fakeroot::Identity& who = tracee->identity;
  if (loading->setsUser) who.user.effective = loading->user;
  if (loading->setsGroup) who.group.effective = loading->group;
  who.user.saved = who.user.file = who.user.effective;
  who.group.saved = who.group.file = who.group.effective;
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
        // With a descriptor that is held the end has to be waited for, too.
        if (!state_.traces || loading.held >= 0) return go(tracee, PTRACE_CONT, 0);
        endLoading(tracee);
        return resume(tracee);
      }
      sys::kill(tracee.tid, SIGKILL);
      return go(tracee, PTRACE_CONT, 0);
    }
    if (registers.ip() == kRegion + offsetOf(tsnspawn_stub_trap) + 1) {
      uint64_t entry = loading.entry.ip();
      registers = loading.entry;
      registers.setIp(entry);
      registers.setNumber(-1);
      setRegisters(tracee.tid, registers);
      endLoading(tracee);
      return resume(tracee);
    }
  }
  // While the loader runs there is nobody to take it; what would end the process may do so.
  if (tracee.loading) return go(tracee, PTRACE_CONT, signal);
  leaveStub(tracee);
  // The first process of a container is not hurt by what others send it, unless it has a handler for that.
  if (tracee.process == state_.view.first() && !tracee.runner && !killing_ && signal != SIGCHLD) {
    struct {
      int number, error, code, gap, sender, rest[27];
    } info{};
    bool sent = request(PTRACE_GETSIGINFO, tracee.tid, 0, &info) == 0 && info.code <= 0;
    if (sent && info.sender != tracee.process && !handles(tracee.process, signal)) signal = 0;
  }
  resume(tracee, signal);
}

void Tracer::resume(Tracee& tracee, int signal) {
  bool callStops = !state_.traces || tracee.inCall;
  go(tracee, callStops ? PTRACE_SYSCALL : PTRACE_CONT, signal);
}

void Tracer::go(Tracee& tracee, int what, int signal) { request(what, tracee.tid, 0, signal); }

}  // namespace ptrace

#include "monitor/monitor.hh"

#include "fakeroot/server.hh"
#include "launch/guest.hh"
#include "monitor/console.hh"
#include "monitor/events.hh"
#include "monitor/watcher.hh"
#include "ptrace/memory.hh"
#include "ptrace/tracer.hh"

namespace {

/// How the guest ended.
struct End {
  bool failed = false;  // it never started
  int status = 0, signal = 0;
};

/// The monitor's descriptors and the guest it watches, for one run of the plan.
class Watch {
 public:
  Watch(const Plan& plan, Network& network, int signals) : context_(plan, network), signals_(signals), console_(plan) {
    if (ptrace::tracingOf(plan)) context_.tracer = ptrace::makeTracer(plan);
  }
  ~Watch() { ptrace::unmake(context_.tracer); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  End run() {
    if (!start()) return {true};
    sendEvent(wire::Event::kStarted);
    while (pid_ > 0) turn(nullptr);
    console_.drain();
    giveBack();
    return end_;
  }

  wire::Cause cause() const { return cause_; }
  /// It was told to shut down: it does not start again, whatever way it took.
  bool asked() const { return asked_; }

 private:
  bool start() {
    const Plan& plan = context_.plan;
    int cgroup = -1;
    if (!runAll(wire::Side::kOuter, plan.outer(), plan.header().outerCount)) return abandon();
    const wire::Step* birth = nullptr;
    for (uint32_t i = 0; i < plan.header().outerCount; i++) {
      const wire::Step& step = plan.outer()[i];
      if (step.op == wire::Op::kCgroup && step.flags & wire::kInto && isCgroup2(context_.slots[step.as])) birth = &step;
    }
    if (birth) cgroup = context_.slots[birth->as];
    pid_ = cloneGuest(context_, cgroup, &channel_);
    // This kernel cannot (ENOSYS: a filter hides clone3), or cannot there: it is moved into its cgroup before it goes on.
    if (cgroup >= 0 &&
        (pid_ == -ENOSYS || pid_ == -EBADF || pid_ == -EBUSY || pid_ == -EOPNOTSUPP || pid_ == -ENODEV)) {
      birth = nullptr;
      pid_ = cloneGuest(context_, -1, &channel_);
    }
    context_.network.comeBack();
    if (pid_ < 0) {
      reportClone(pid_);
      return abandon();
    }
    for (uint32_t i = 0; i < plan.header().outerCount; i++) {
      const wire::Step& step = plan.outer()[i];
      if (step.op != wire::Op::kCgroup || !(step.flags & wire::kInto) || &step == birth) continue;
      if (long error = enterCgroup(context_, step, pid_); error < 0) {
        report(wire::Side::kOuter, static_cast<int>(i), error, context_.about);
        return abandon();
      }
    }
    // Where the guest is needed to say what is meant: the maps of its ids, its network.
    context_.guest = pid_;
    if (!runAll(wire::Side::kHost, plan.host(), plan.header().hostCount)) return abandon();
    // Detached mounts that the guest has not taken yet die with the last descriptor; it has its own copies of these.
    context_.closeSlots();
    if (long error = letGuestGo(channel_); error < 0) {
      reportClone(error);
      return abandon();
    }
    return waitForExec() || abandon();
  }

  bool runAll(wire::Side side, const wire::Step* steps, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
      long error = runStep(context_, steps[i]);
      if (error >= 0) continue;
      report(side, static_cast<int>(i), error, context_.about);
      return false;
    }
    return true;
  }

  /// The late steps up to the next kResume, or the last.
  bool runLate() {
    const Plan& plan = context_.plan;
    while (late_ < plan.header().lateCount) {
      const wire::Step& step = plan.late()[late_++];
      if (step.op == wire::Op::kResume) break;
      long error = runStep(context_, step);
      if (error >= 0) continue;
      report(wire::Side::kLate, static_cast<int>(late_) - 1, error, context_.about);
      return false;
    }
    return true;
  }

  static bool isCgroup2(int fd) {
    struct {
      long type;
      char rest[240];
    } info{};
    return sys::invoke(__NR_fstatfs, fd, &info) == 0 && info.type == 0x63677270;  // CGROUP2_SUPER_MAGIC
  }

  template <size_t N>
  static void report(wire::Side side, int step, long error, const sys::Text<N>& about) {
    sendEvent(wire::Event::kFailed, static_cast<int32_t>(side), step, static_cast<int32_t>(-error), about.c_str(),
              about.size());
  }

  /// The guest's first process could not be made, or has died before it could say why.
  static void reportClone(long error) {
    sendEvent(wire::Event::kFailed, static_cast<int32_t>(wire::Side::kInner), -1, static_cast<int32_t>(-error));
  }

  /// Ends what has been started, after a failure.
  bool abandon() {
    if (pid_ > 0) sys::kill(pid_, SIGKILL);
    while (pid_ > 0) turn(nullptr);
    leaveScratch(context_);
    context_.closeSlots();
    giveBack();
    return false;
  }

  /// Watches until the guest's end of the channel closes, by its exec or by its end.
  bool waitForExec() {
    while (channel_ >= 0 && !failed_) turn(nullptr);
    if (!failed_ && !executing_ && !launcherGone_) {
      reportClone(-ECHILD);
      failed_ = true;
    }
    return !failed_;
  }

  /// Waits for one round of events and serves them.
  void turn(const __kernel_timespec* timeout) {
    pollfd fds[9];
    unsigned n = 0;
    auto add = [&](int fd, short events) {
      fds[n] = {fd, events, 0};
      return n++;
    };
    unsigned launcher = add(launcherGone_ ? -1 : wire::kEventsFd, POLLIN);
    unsigned signals = add(signals_, POLLIN);
    unsigned channel = add(channel_, POLLIN);
    unsigned notify = add(notifySocket_.get(), POLLIN);
    unsigned addresses = add(context_.network.addressChanges(), POLLIN);
    unsigned console = n;
    n += console_.watch(fds + n);
    // A tracer hears of its tracees while nothing else happens.
    if (context_.tracer && pid_ > 0 &&
        watcher_.start(fds, n, context_.tracer->pair().timer(), &context_.tracer->pair()) == 0) {
      bool something = false;
      bool left = context_.tracer->serve([&](long pid) { return something = watcher_.was(pid); });
      // What is started from here on has all processors.
      context_.tracer->pair().part();
      if (!left) takeEnd(context_.tracer->ended());
      if (!something) return;
      constexpr __kernel_timespec kNow{0, 0};
      if (sys::poll(fds, n, &kNow) < 0) return;
    } else if (sys::poll(fds, n, timeout) < 0) {
      return;
    }
    if (fds[channel].revents) readChannel();
    if (fds[notify].revents) readNotification();
    if (fds[launcher].revents) readCommand();
    if (fds[addresses].revents) context_.network.heedAddresses();
    console_.serve(fds + console);
    // As SIGPIPE would: `tsnspawn … | head` ends. A guest that was booted has more to do than to print.
    if (console_.readerGone() && context_.plan.header().killSignal == 0) kill(wire::Cause::kNoReader);
    switch (console_.takeKeys()) {
      case Keys::kNone:
        break;
      case Keys::kKill:
        kill(wire::Cause::kEscape);
        break;
      case Keys::kPowerOff:
        tell(context_.plan.header().powerOffSignal, true);
        break;
      case Keys::kReboot:
        tell(context_.plan.header().rebootSignal, false);
        break;
    }
    if (fds[signals].revents) readSignal();
  }

  /// Sends a signal to the guest's PID 1; the end that it may be is the guest's last.
  void tell(int signal, bool last) {
    if (!signal || pid_ <= 0) return;
    asked_ |= last;
    sys::kill(pid_, signal);
  }

  void kill(wire::Cause cause) {
    if (pid_ <= 0) return;
    cause_ = cause;
    asked_ = true;
    sys::kill(pid_, SIGKILL);
  }

  void readChannel() {
    GuestReport message;
    sys::Received received = sys::receiveMessage(channel_, &message, sizeof message, MSG_DONTWAIT);
    if (received.size == -EAGAIN) return;
    if (received.size != sizeof message) {
      sys::close(channel_);
      channel_ = -1;
      return;
    }
    switch (message.kind) {
      case GuestMessage::kFailed:
        failed_ = true;
        message.text[sizeof message.text - 1] = 0;
        report(wire::Side::kInner, message.step, -message.error, sys::Text<500>(message.text));
        break;
      case GuestMessage::kAwaiting:
        failed_ = !runLate();
        if (!failed_) letGuestGo(channel_);
        break;
      case GuestMessage::kNode:
        handNode(message.step);
        break;
      case GuestMessage::kFakeRoot:
        serveFakeRoot(message.step, message.error);
        break;
      case GuestMessage::kExecuting:
        executing_ = true;
        break;
      case GuestMessage::kConsole:
        console_.attach(received.fd);
        break;
      case GuestMessage::kNotifySocket:
        notifySocket_.reset(received.fd);
        break;
      case GuestMessage::kFifo:
        fifo_.reset(received.fd);
        break;
    }
  }

  /// The guest's first process may not make a device node of its own: it gets the host's.
  void handNode(int32_t step) {
    const Plan& plan = context_.plan;
    bool known = step >= 0 && static_cast<uint32_t>(step) < plan.header().innerCount;
    sys::UniqueFd node(known ? openHostNode(context_, plan.inner()[step]) : -EINVAL);
    auto result = static_cast<int32_t>(node.ok() ? 0 : node.error());
    sys::sendMessage(channel_, &result, sizeof result, node.get());
  }

  /// The guest's first process has a filter, whose listener is its descriptor `listener`.
  void serveFakeRoot(int32_t index, int32_t listener) {
    const Plan& plan = context_.plan;
    bool known = index >= 0 && static_cast<uint32_t>(index) < plan.header().innerCount;
    sys::UniqueFd process(known ? sys::invoke(__NR_pidfd_open, pid_, 0) : -EINVAL);  // 5.3
    sys::UniqueFd fd(process.ok() ? sys::invoke(__NR_pidfd_getfd, process.get(), listener, 0)
                                  : process.error());  // 5.6
    long error = fd.ok() ? ownProc(context_) : fd.error();
    if (error >= 0) {
      const wire::Step& step = plan.inner()[index];
      error = fakeRoot_ = fakeroot::start({fd.get(), context_.proc, pid_, plan.text(step.s1), step.mode == 1});
    }
    auto result = static_cast<int32_t>(error < 0 ? -error : 0);
    sys::write(channel_, &result, sizeof result);
  }

  void readNotification() {
    char text[1000];
    sys::Received received = sys::receiveMessage(notifySocket_.get(), text, sizeof text, MSG_DONTWAIT);
    if (received.fd >= 0) sys::close(received.fd);
    // Anyone in the guest can write there; only its PID 1 speaks for it.
    bool first = context_.tracer ? context_.tracer->speaksForFirst(received.sender.pid) : received.sender.pid == pid_;
    if (received.size > 0 && first) sendEvent(wire::Event::kNotify, 0, 0, 0, text, static_cast<size_t>(received.size));
  }

  void readCommand() {
    wire::CommandMessage command;
    sys::Received received = sys::receiveMessage(wire::kEventsFd, &command, sizeof command, MSG_DONTWAIT);
    if (received.size == -EAGAIN) return;
    if (received.size != sizeof command) {
      // The launcher is dead. Nothing of the guest survives it.
      launcherGone_ = true;
      if (pid_ > 0) sys::kill(pid_, SIGKILL);
      console_.abandon();
      return;
    }
    tell(command.signal, command.signal == context_.plan.header().killSignal);
  }

  void readSignal() {
    sys::SignalInfo info;
    if (sys::read(signals_, &info, sizeof info) != sizeof info) return;
    if (info.signal == SIGWINCH) console_.resize();
    int status;
    // Every process of the guest is its affair.
    if (context_.tracer) return;
    // Other children of the monitor only serve its network; the namespace ends with this one.
    if (pid_ > 0 && sys::wait(pid_, &status, WNOHANG) == pid_) {
      end_.status = (status >> 8) & 0xff;
      end_.signal = status & 0x7f;
      pid_ = 0;
    }
    if (pid_ > 0 && context_.network.hasLostHelper()) sendEvent(wire::Event::kHelperLost);
    // Without it nothing in the guest works any more.
    if (fakeRoot_ > 0 && sys::wait(-fakeRoot_, &status, WNOHANG) > 0) {
      kill(wire::Cause::kFakeRoot);
    }
  }

  /// As the kernel shows the end of a PID namespace. A payload that a signal has killed ends with the status that a shell gives it.
  void takeEnd(const ptrace::Ended& ended) {
    end_.signal = ended.going == ptrace::Going::kReboot ? SIGHUP : ended.going == ptrace::Going::kPowerOff ? SIGINT : 0;
    if (!end_.signal) end_.status = ended.signal ? 128 + ended.signal : ended.status;
    watcher_.stop();
    pid_ = 0;
  }

  /// Gives back what the host gave for this run of the plan.
  void giveBack() {
    const Plan& plan = context_.plan;
    if (context_.registered) signOff(plan, false);
    if (fakeRoot_ > 0) {
      int status;
      sys::kill(-fakeRoot_, SIGKILL);
      while (sys::wait(-fakeRoot_, &status, 0) != -ECHILD) {
      }
      fakeRoot_ = 0;
    }
    for (uint32_t i = 0; i < plan.header().outerCount; i++)
      if (plan.outer()[i].op == wire::Op::kCgroup) removeCgroup(plan, plan.outer()[i]);
  }

  Context context_;
  int signals_;
  int channel_ = -1;
  long pid_ = 0, fakeRoot_ = 0;
  uint32_t late_ = 0;
  bool failed_ = false, executing_ = false, launcherGone_ = false, asked_ = false;
  wire::Cause cause_ = wire::Cause::kItself;
  sys::UniqueFd notifySocket_, fifo_;
  ConsoleForwarder console_;
  Watcher watcher_;
  End end_;
};

/// What a reboot of the guest keeps goes when it has ended for good.
void removeTempDirectories(const Plan& plan) {
  removeWorkDirectories();
  for (uint32_t i = 0; i < plan.header().outerCount; i++)
    if (plan.outer()[i].op == wire::Op::kTempDirectory) removeTempDirectory(plan, plan.outer()[i]);
}

/// Removes systemd-nspawn's lock files; the locks themselves go with the descriptors, at the exit.
void removeLockFiles(const wire::Header& header) {
  for (uint32_t i = 0; i < header.locks; i++) {
    int fd = wire::kFirstHandedFd + static_cast<int>(header.handed + i);
    // Other readers may hold it still: the last one removes it.
    struct statx info;
    sys::Text<64> link("/proc/self/fd/");
    char path[4096];
    if (sys::lockFile(fd, F_WRLCK) < 0 || sys::fstatx(fd, STATX_NLINK, &info) < 0 || info.stx_nlink == 0) continue;
    link.add(static_cast<int64_t>(fd));
    long size = sys::invoke(__NR_readlinkat, AT_FDCWD, link.c_str(), path, sizeof path - 1);
    if (size <= 0) continue;
    path[size] = 0;
    sys::invoke(__NR_unlinkat, AT_FDCWD, path, 0);
  }
}

}  // namespace

void runMonitor(const Plan& plan) {
  // Everything is taken from a descriptor, in turn; no handler ever runs.
  sys::SignalSet watched = sys::signalBit(SIGWINCH) | (ptrace::tracingOf(plan) ? 0 : sys::signalBit(SIGCHLD));
  sys::setSignalMask(sys::kAllSignals);
  sys::UniqueFd signals(sys::invoke(__NR_signalfd4, -1, &watched, sizeof watched, O_CLOEXEC | O_NONBLOCK));
  Network network(plan);
  for (;;) {
    Watch watch(plan, network, signals.get());
    End end = watch.run();
    // An init that knows no better way to go (sysvinit has its ctrl-alt-del) shuts down for a reboot: it is down all the same.
    if (end.signal == SIGHUP && watch.asked()) end.signal = SIGINT;
    bool again = !end.failed && end.signal == SIGHUP && plan.header().restart;
    network.undo(!again);
    if (!again) removeTempDirectories(plan);
    if (!again) removeLockFiles(plan.header());
    if (end.failed) return;
    if (again) {
      sendEvent(wire::Event::kRebooting);
      continue;
    }
    sendEvent(wire::Event::kExited, end.status, end.signal, static_cast<int32_t>(watch.cause()));
    return;
  }
}

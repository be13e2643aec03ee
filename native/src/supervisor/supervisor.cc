#include "supervisor/supervisor.hh"

#include "monitor/tint.hh"
#include "steps/context.hh"
#include "sys/kernel.hh"

namespace {

constexpr int kRestartStatus = 133;  // EXIT_FORCE_RESTART of systemd-nspawn: a service manager starts the unit again

constexpr int kEventsFd = wire::kSupervisorBase + wire::kEvents;
/// How long a monitor may take to end the guest at once, before it is killed itself: it may be stopped, or hang in a mount.
constexpr __kernel_timespec kPatience{2, 0};
constexpr __kernel_timespec kPause{0, 300'000'000};
constexpr int kRepeats = 6;

using Line = sys::Text<2048>;

class Supervisor {
 public:
  Supervisor(const Plan& plan, const wire::Supervision& supervision) : plan_(plan), what_(supervision) {}

  int run(const char* const* argv, const char* const* env) {
    int signals = watchSignals();
    pollfd fds[2] = {{kEventsFd, POLLIN, 0}, {signals, POLLIN, 0}};
    while (!gone_) {
      if (sys::poll(fds, 2, timeout()) == 0) onSilence();
      if (fds[1].revents) hearSignal(signals);
      if (fds[0].revents) hearEvent();
    }
    // The monitor is PID 1 of its namespace: when it has been reaped, no process of the guest is left.
    int status = 0;
    while (sys::wait(what_.monitor, &status, 0) == -EINTR) {
    }
    tellManager("STATUS=Terminating...");
    tellManager("STOPPING=1");
    if (failed_) explainFailure(argv, env);
    return conclude(status);
  }

 private:
  /// The signals that ask for the end, a terminal that closes among them, and a unit that is stopped (KillSignal= of the scope).
  static int watchSignals() {
    sys::SignalSet ending =
        sys::signalBit(SIGTERM) | sys::signalBit(SIGINT) | sys::signalBit(SIGHUP) | sys::signalBit(SIGURG);
    sys::setSignalMask(sys::kAllSignals);
    return static_cast<int>(sys::invoke(__NR_signalfd4, -1, &ending, sizeof ending, O_CLOEXEC | O_NONBLOCK));
  }

  /// What the guest has left may belong to its other users, over whom only root of that namespace has power. It belongs to this user,
  /// who therefore is its root after setns(2): user_namespaces(7).
  void enterUsers() {
    if (what_.haveUsers && sys::invoke(__NR_setns, wire::kUsersFd, CLONE_NEWUSER) == 0) sys::unshare(CLONE_NEWNS);
  }

  /// As the monitor has: where it made its cgroups by a mount of its own, which has gone with it.
  void mountCgroups() {
    bool anew = false;
    for (uint32_t i = 0; i < plan_.header().outerCount; i++) {
      const wire::Step& step = plan_.outer()[i];
      if (step.op == wire::Op::kUnshareCgroup) anew = sys::unshare(CLONE_NEWCGROUP) == 0;
      if (!anew || step.op != wire::Op::kMount) continue;
      const char* type = plan_.text(step.s0);
      sys::mount(type, plan_.text(step.s1), type, step.a, nullptr);
      anew = !sys::equal(type, "cgroup2");
    }
  }

  void hearSignal(int signals) {
    sys::SignalInfo info;
    if (sys::read(signals, &info, sizeof info) != sizeof info) return;
    bool inOrder = !asked_ && plan_.header().killSignal != 0;
    asked_ = true;
    atOnce_ = !inOrder;
    tellGuest(inOrder ? plan_.header().killSignal : SIGKILL);
    // An init that has just begun has no handler yet, and the kernel drops what PID 1 does not handle: said again until it
    // is up, a few times.
    repeats_ = inOrder && !ready_ ? kRepeats : 0;
    if (inOrder)
      say(Line("Asked container ").add(what_.machine).add(" to shut down. Send the signal again to kill it."));
  }

  void tellGuest(int signal) {
    wire::CommandMessage command{signal};
    sys::sendMessage(kEventsFd, &command, sizeof command, -1, MSG_DONTWAIT);
  }

  /// Nothing has happened for as long as poll() waited.
  void onSilence() {
    if (atOnce_) sys::kill(what_.monitor, SIGKILL);
    if (repeats_ > 0) {
      repeats_--;
      tellGuest(plan_.header().killSignal);
    }
  }

  const __kernel_timespec* timeout() const { return atOnce_ ? &kPatience : repeats_ > 0 ? &kPause : nullptr; }

  void hearEvent() {
    wire::EventMessage message;
    sys::Received received = sys::receiveMessage(kEventsFd, &message, sizeof message);
    if (received.size != sizeof message) {
      gone_ = true;
      return;
    }
    message.text[sizeof message.text - 1] = 0;
    if (message.kind != wire::Event::kNetwork && received.fd >= 0) sys::close(received.fd);
    switch (message.kind) {
      case wire::Event::kStarted:
        // On a terminal the launcher has said it, before the monitor changed the terminal's mode.
        if (plan_.header().console != wire::Console::kInteractive && !started_)
          say(Line("Spawning container ").add(what_.machine).add(" on ").add(what_.tree).add("."));
        tellManager("STATUS=Container running.");
        if (!what_.notifyReady && !started_) tellManager("READY=1");
        started_ = true;
        break;
      case wire::Event::kNotify:
        hearNotification(message.text);
        break;
      case wire::Event::kRebooting:
        say(Line("Container ").add(what_.machine).add(" is being rebooted."));
        break;
      case wire::Event::kNetwork:
        memcpy(&network_, message.text, sizeof network_);
        inside_.reset(received.fd);
        break;
      case wire::Event::kHelperLost:
        say(Line("Container ").add(what_.machine).add(" has lost its network: the program that gave it has ended."),
            true);
        break;
      case wire::Event::kExited:
        ended_ = true;
        end_ = message;
        break;
      case wire::Event::kFailed:
        if (!failed_) failure_ = message;
        failed_ = true;
        break;
    }
  }

  /// Passes on what concerns the service manager, a line at a time: sd_notify(3).
  void hearNotification(char* text) {
    for (char* line = text; *line;) {
      char* end = line;
      while (*end && *end != '\n') end++;
      bool last = !*end;
      *end = 0;
      if (sys::equal(line, "READY=1")) {
        ready_ = true;
        // Asked while it came up: now it hears for certain.
        if (repeats_ > 0) tellGuest(plan_.header().killSignal);
        repeats_ = 0;
      }
      constexpr const char* kStatus = "STATUS=";
      if (sys::startsWith(line, kStatus))
        tellManager(Line("STATUS=Container running: ").add(line + strlen(kStatus)).c_str());
      else if (what_.notifyReady && sys::equal(line, "READY=1"))
        tellManager(line);
      line = last ? end : end + 1;
    }
  }

  void tellManager(const char* text) {
    size_t size = strlen(what_.manager);
    if (!size) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, what_.manager, size);
    if (address.sun_path[0] == '@') address.sun_path[0] = 0;  // an abstract address
    sys::UniqueFd socket(sys::invoke(__NR_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sys::invoke(__NR_sendto, socket.get(), text, strlen(text), MSG_NOSIGNAL, &address,
                sizeof address.sun_family + size);
  }

  /// Node knows the words for a step that failed. It is told which one by the environment, and does not try again.
  static constexpr const char* kFailureVariable = "TSNSPAWN_FAILURE=";
  void explainFailure(const char* const* argv, const char* const* env) {
    Line variable(kFailureVariable);
    variable.add(static_cast<int64_t>(sys::invoke(__NR_getpid)))
        .add(" ")
        .add(static_cast<int64_t>(failure_.a))
        .add(" ")
        .add(static_cast<int64_t>(failure_.b))
        .add(" ");
    variable.add(static_cast<int64_t>(failure_.c)).add(" ").add(failure_.text);
    unsigned count = 0;
    while (env[count]) count++;
    long memory = sys::invoke(__NR_mmap, nullptr, (count + 2) * sizeof(char*), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0 && memory > -4096) return;
    auto** larger = reinterpret_cast<const char**>(memory);
    memcpy(larger, env, count * sizeof(char*));
    larger[count] = variable.c_str();
    sys::setSignalMask(0);
    sys::execve(argv[0], argv, larger);
    say(Line("step failed: ").add(variable.c_str()));
  }

  int conclude(int monitorStatus) {
    Line line("Container ");
    line.add(what_.machine).add(" ");
    if (!ended_) {
      // Somebody killed the monitor, and the kernel the guest with it: what the monitor would have done last.
      restoreTerminal();
      enterUsers();
      mountCgroups();
      for (uint32_t i = 0; i < plan_.header().outerCount; i++)
        if (plan_.outer()[i].op == wire::Op::kCgroup) removeCgroup(plan_, plan_.outer()[i]);
      for (uint32_t i = 0; i < plan_.header().outerCount; i++)
        if (plan_.outer()[i].op == wire::Op::kTempDirectory) removeTemporary(plan_.outer()[i]);
      undoNetwork(plan_, network_, inside_.get(), true);
      // An entry that was optional may not be there, or be another's.
      if (started_) signOff(plan_, true);
      if (failed_) return 1;
      if (atOnce_) {
        say(line.add("has been killed."));
        return 1;
      }
      say(line.add("has been killed with its monitor (signal ").add(int64_t{monitorStatus & 0x7f}).add(")."));
      return 1;
    }
    auto cause = static_cast<wire::Cause>(end_.c);
    if (cause == wire::Cause::kEscape) {
      say(line.add("has been killed from the terminal."));
      return 1;
    }
    if (cause == wire::Cause::kFakeRoot) {
      say(line.add("has been killed, as the process that remembers its owners has gone."), true);
      return 1;
    }
    // How the kernel shows reboot(2) of a PID namespace: pid_namespaces(7).
    switch (end_.b) {
      case 0:
        if (end_.a == 0)
          line.add("exited successfully.");
        else
          line.add("failed with error code ").add(int64_t{end_.a}).add(".");
        say(line);
        return end_.a;
      case SIGINT:
        say(line.add("has been shut down."));
        return 0;
      case SIGHUP:
        say(line.add("has been rebooted."));
        return kRestartStatus;
      default:
        // Where nobody asked for that it is an error, and told as such.
        say(line.add("terminated by signal ").add(int64_t{end_.b}).add("."), !asked_ && cause == wire::Cause::kItself);
        return 1;
    }
  }

  /// The processes of a traced guest die with its tracer, but not at once, and may make files until then.
  void removeTemporary(const wire::Step& step) {
    constexpr __kernel_timespec kMoment{0, 50'000'000};
    struct statx info;
    for (int attempt = 0; attempt < 40; attempt++) {
      removeTempDirectory(plan_, step);
      if (sys::statxat(AT_FDCWD, plan_.text(step.s0), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) < 0) return;
      sys::poll(nullptr, 0, &kMoment);
    }
  }

  void restoreTerminal() {
    for (int fd = 0; fd < 2; fd++) {
      ktermios settings;
      static_assert(sizeof settings <= sizeof what_.terminal[0]);
      memcpy(&settings, what_.terminal[fd], sizeof settings);
      if (what_.haveTerminal & (1u << fd)) sys::ioctl(fd, TCSETS2, &settings);
    }
    if (plan_.header().background) sys::writeAll(1, Tint::kOff, strlen(Tint::kOff));
  }

  void say(Line& line, bool always = false) {
    line.add("\n");
    if (always || !what_.quiet) sys::writeAll(2, line.c_str(), line.size());
  }
  void say(Line&& line, bool always = false) { say(line, always); }

  const Plan& plan_;
  const wire::Supervision& what_;
  bool started_ = false, ready_ = false, asked_ = false, atOnce_ = false, gone_ = false, failed_ = false,
       ended_ = false;
  int repeats_ = 0;
  NetworkTrace network_;
  sys::UniqueFd inside_;
  wire::EventMessage failure_{}, end_{};
};

}  // namespace

int supervise(const Plan& plan, const char* const* argv, const char* const* env) {
  static wire::Supervision supervision;
  if (sys::readAll(wire::kSupervisorBase + wire::kThird, reinterpret_cast<char*>(&supervision), sizeof supervision) !=
      sizeof supervision)
    return 1;
  return Supervisor(plan, supervision).run(argv, env);
}

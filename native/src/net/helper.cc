#include "net/helper.hh"

namespace net {

namespace {

/// For a program that hangs.
constexpr __kernel_timespec kPatience{30, 0};
constexpr unsigned kMaxWords = 48;
/// Descriptor of the keeper for its report, and of the program for its own.
constexpr int kReport = 3;

/// Of the keeper to the monitor, once.
struct Report {
  int32_t error;
  char text[396];
};

/// What a program writes, of which the end counts.
class Words {
 public:
  /// False at the end, or when there is nothing more for now.
  bool read(int fd) {
    if (size_ > sizeof text_ / 2) {
      size_t half = size_ / 2;
      memmove(text_, text_ + half, size_ - half);
      size_ -= half;
    }
    long n = sys::read(fd, text_ + size_, sizeof text_ - size_);
    if (n > 0) size_ += static_cast<size_t>(n);
    return n > 0;
  }
  template <size_t N>
  void end(char (&to)[N]) const {
    size_t n = size_ < N ? size_ : N - 1;
    memcpy(to, text_ + size_ - n, n);
    to[n] = 0;
  }

 private:
  char text_[2048];
  size_t size_ = 0;
};

/// PID 1 of a PID namespace around the program, which may leave its parent and go on in the background: there it cannot get lost, and
/// ends when this process does.
class Keeper {
 public:
  Keeper(const char* const* argv, bool background) : argv_(argv), background_(background) {}

  [[noreturn]] void run() {
    sys::SignalSet watched = sys::signalBit(SIGCHLD);
    int words[2], ready[2];
    long signals = sys::invoke(__NR_signalfd4, -1, &watched, sizeof watched, O_CLOEXEC | O_NONBLOCK);
    if (long error = sys::invoke(__NR_pipe2, words, O_CLOEXEC); error < 0) fail(error);
    if (long error = sys::invoke(__NR_pipe2, ready, O_CLOEXEC); error < 0) fail(error);
    sys::fcntl(words[0], F_SETFL, O_NONBLOCK);
    program_ = sys::forkProcess();
    if (program_ == 0) execute(words[1], ready[1]);
    if (program_ < 0) fail(program_);
    sys::close(words[1]);
    sys::close(ready[1]);
    pollfd fds[] = {{static_cast<int>(signals), POLLIN, 0}, {words[0], POLLIN, 0}, {ready[0], POLLIN, 0}};
    for (;;) {
      if (sys::poll(fds, 3, nullptr) < 0) continue;
      if (fds[1].revents) {
        bool more = words_.read(words[0]);
        if (!more) fds[1].fd = -1;
      }
      if (fds[2].revents) {
        char byte;
        if (sys::read(ready[0], &byte, 1) == 1) report(0);
        fds[2].fd = -1;
      }
      if (fds[0].revents) {
        sys::SignalInfo info;
        sys::read(static_cast<int>(signals), &info, sizeof info);
        reap(words[0]);
      }
    }
  }

 private:
  [[noreturn]] void execute(int words, int ready) {
    // Keys of the caller's terminal are for the launcher, which asks the guest to shut down: until then it has a network.
    sys::setsid();
    sys::dup3(words, 2, 0);
    sys::dup3(ready, kReport, 0);
    sys::closeOnExecFrom(background_ ? kReport : kReport + 1);
    // Not only for its own sake: pasta does not start where SIGPIPE is ignored, as Node does.
    sys::resetSignals();
    const char* env[] = {nullptr};
    sys::execve(argv_[0], argv_, env);
    constexpr const char* kWords = "it cannot be executed\n";
    sys::writeAll(2, kWords, strlen(kWords));
    sys::exit(1);
  }

  void reap(int words) {
    int status;
    long pid;
    while ((pid = sys::wait(-1, &status, WNOHANG)) > 0) {
      if (pid != program_) continue;
      if (background_ && status == 0) {
        report(0);
        continue;
      }
      while (words_.read(words)) {
      }
      fail(-EREMOTEIO);
    }
    // What went into the background has ended as well.
    if (pid == -ECHILD) fail(-EREMOTEIO);
  }

  void report(long error) {
    Report report{static_cast<int32_t>(error), {}};
    if (error < 0) words_.end(report.text);
    if (!reported_) sys::write(kReport, &report, sizeof report);
    reported_ = true;
  }

  [[noreturn]] void fail(long error) {
    report(error);
    sys::exit(1);
  }

  const char* const* argv_;
  bool background_;
  bool reported_ = false;
  long program_ = 0;
  Words words_;
};

/// Leaves open the standard descriptors, on /dev/null, and the one for the report.
void arrange(int report) {
  if (report != kReport) sys::dup3(report, kReport, O_CLOEXEC);
  sys::closeFrom(kReport + 1);
  long null = sys::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < kReport; fd++) sys::dup3(static_cast<int>(null), fd, 0);
  sys::close(static_cast<int>(null));
}

/// The command line with the process id in its place.
class CommandLine {
 public:
  bool build(const char* words, uint32_t count, const char* pid) {
    if (count > kMaxWords) return false;
    unsigned filled = 0;
    for (uint32_t i = 0; i < count; i++, words = Plan::next(words)) {
      const char* gap = i ? sys::find(words, '%') : nullptr;
      argv_[i] = words;
      if (!gap) continue;
      if (filled == sizeof filled_ / sizeof *filled_) return false;
      auto& word = filled_[filled++];
      argv_[i] = word.add(words, static_cast<size_t>(gap - words)).add(pid).add(gap + 1).c_str();
    }
    argv_[count] = nullptr;
    return true;
  }
  const char* const* words() const { return argv_; }

 private:
  const char* argv_[kMaxWords + 1];
  sys::Text<64> filled_[4];
};

}  // namespace

long Helper::start(const Plan& plan, const wire::Step& step, const char* pid, sys::Text<400>* about) {
  CommandLine line;
  if (!line.build(plan.text(step.s0), step.n, pid)) return -E2BIG;
  int ends[2];
  if (long error = sys::invoke(__NR_pipe2, ends, O_CLOEXEC); error < 0) return error;
  sys::UniqueFd reading(ends[0]), writing(ends[1]);
  keeper_ = sys::invoke(__NR_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
  if (keeper_ == 0) {
    sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("tsnspawn-net"));
    arrange(writing.get());
    Keeper(line.words(), step.mode == 0).run();
  }
  writing.reset();
  if (keeper_ < 0) {
    long error = keeper_;
    keeper_ = 0;
    return error;
  }
  // No longer than there is a launcher.
  pollfd fds[2] = {{reading.get(), POLLIN, 0}, {wire::kEventsFd, 0, 0}};
  sys::poll(fds, 2, &kPatience);
  Report report{-ETIMEDOUT, {}};
  if (fds[0].revents && sys::read(reading.get(), &report, sizeof report) != sizeof report) report.error = -EREMOTEIO;
  if (report.error == 0) return 0;
  report.text[sizeof report.text - 1] = 0;
  about->add(report.text);
  stop();
  return report.error;
}

bool Helper::hasEnded() {
  if (keeper_ <= 0 || sys::wait(keeper_, nullptr, WNOHANG) != keeper_) return false;
  keeper_ = 0;
  return true;
}

void Helper::stop() {
  if (keeper_ <= 0) return;
  sys::kill(keeper_, SIGKILL);
  while (sys::wait(keeper_, nullptr, 0) == -EINTR) {
  }
  keeper_ = 0;
}

}  // namespace net

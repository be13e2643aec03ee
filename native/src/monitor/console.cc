#include "monitor/console.hh"

namespace {

constexpr char kEscape = 0x1d;  // Ctrl-]
constexpr int64_t kEscapeWindow = 1'000'000'000;

int64_t nanoseconds() {
  __kernel_timespec time;
  sys::invoke(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

bool getAttributes(int fd, ktermios& attributes) { return sys::ioctl(fd, TCGETS2, &attributes) == 0; }

}  // namespace

/// A terminal or a pipe is opened anew to be non-blocking: O_NONBLOCK on the caller's descriptor would reach every process
/// that shares it, the caller's shell too. A socket can be asked call by call. A file of the disk never blocks, and opened
/// anew it would be written from its beginning.
void ConsoleForwarder::Stream::open(int caller, int flags) {
  struct statx info;
  unsigned type = sys::fstatx(caller, STATX_TYPE, &info) == 0 ? info.stx_mode & S_IFMT : 0;
  socket = type == S_IFSOCK;
  if (type == S_IFCHR || type == S_IFIFO) {
    sys::Text<32> path("/proc/self/fd/");
    fd.reset(sys::open(path.add(caller).c_str(), flags | O_NONBLOCK | O_NOCTTY));
    if (fd.ok()) return;
    blocking = true;
  }
  fd.reset(sys::fcntl(caller, F_DUPFD_CLOEXEC, 0));
}

long ConsoleForwarder::Stream::read(char* to, size_t n) {
  return socket ? sys::invoke(__NR_recvfrom, fd.get(), to, n, MSG_DONTWAIT, nullptr, nullptr)
                : sys::read(fd.get(), to, n);
}

long ConsoleForwarder::Stream::write(const char* from, size_t n) {
  if (socket) return sys::invoke(__NR_sendto, fd.get(), from, n, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
  if (blocking) {
    constexpr size_t kPipeBuf = 4096;  // what a pipe that polls writable has room for
    constexpr __kernel_timespec kNow{0, 0};
    pollfd room{fd.get(), POLLOUT, 0};
    if (sys::poll(&room, 1, &kNow) == 0) return -EAGAIN;
    if (n > kPipeBuf) n = kPipeBuf;
  }
  return sys::write(fd.get(), from, n);
}

void ConsoleForwarder::attach(int master) {
  master_.reset(master);
  masterEnded_ = false;
  slave_.reset(sys::ioctl(master, TIOCGPTPEER, static_cast<long>(O_RDWR | O_NOCTTY | O_CLOEXEC)));
  unsigned number;
  // Before 4.13. Only where the guest has no devpts of its own does its terminal have that name here, too.
  if (!slave_.ok() && sharesDevpts_ && sys::ioctl(master, TIOCGPTN, &number) == 0) {
    sys::Text<32> name("/dev/pts/");
    slave_.reset(sys::open(name.add(number).c_str(), O_RDWR | O_NOCTTY));
  }
  sys::fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
  if (mode_ == wire::Console::kPipe) return;
  output_.open(1, O_WRONLY);
  if (readsInput()) input_.open(0, O_RDONLY);
  resize();
  if (readsInput()) enterRawMode();
  if (!tint_.on()) return;
  out_.end = static_cast<unsigned>(tint_.begin(out_.data));
  tinted_ = true;
}

void ConsoleForwarder::enterRawMode() {
  // SIGTTOU is blocked in the monitor, so this works from a background process group too.
  if (getAttributes(0, savedInput_)) {
    ktermios raw = savedInput_;
    raw.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    raw.c_cflag = (raw.c_cflag & ~static_cast<tcflag_t>(CSIZE | PARENB)) | CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    // The guest's terminal does the output processing already.
    raw.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    rawInput_ = sys::ioctl(0, TCSETS2, &raw) == 0;
  } else if (getAttributes(1, savedOutput_)) {
    ktermios raw = savedOutput_;
    raw.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    rawOutput_ = sys::ioctl(1, TCSETS2, &raw) == 0;
  }
}

void ConsoleForwarder::restoreTerminal() {
  if (rawInput_) sys::ioctl(0, TCSETS2, &savedInput_);
  if (rawOutput_) sys::ioctl(1, TCSETS2, &savedOutput_);
  if (tinted_) output_.write(Tint::kOff, strlen(Tint::kOff));
  rawInput_ = rawOutput_ = tinted_ = false;
}

void ConsoleForwarder::resize() {
  sys::WindowSize size;
  if (!master_.ok()) return;
  if (sys::ioctl(1, TIOCGWINSZ, &size) < 0 && sys::ioctl(0, TIOCGWINSZ, &size) < 0) return;
  sys::ioctl(master_.get(), TIOCSWINSZ, &size);
}

unsigned ConsoleForwarder::watch(pollfd* fds) {
  bool running = master_.ok() && !abandoned_ && mode_ != wire::Console::kPassive;
  short master = 0;
  if (running && out_.empty() && !masterEnded_) master |= POLLIN;
  if (running && !in_.empty()) master |= POLLOUT;
  fds[0] = {master ? master_.get() : -1, master, 0};
  fds[1] = {running && !out_.empty() ? output_.fd.get() : -1, POLLOUT, 0};
  fds[2] = {running && readsInput() && in_.empty() && !inputEnded_ ? input_.fd.get() : -1, POLLIN, 0};
  return 3;
}

void ConsoleForwarder::serve(const pollfd* fds) {
  if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) fromMaster();
  if (fds[0].revents & POLLOUT) toMaster();
  if (fds[1].revents) toOutput();
  if (fds[2].revents) fromInput();
}

void ConsoleForwarder::fromMaster() {
  if (!out_.empty()) return;
  // With a colour, at the end of the buffer: from there to its beginning the text becomes longer.
  size_t most = tint_.on() ? kBufferSize / (Tint::kGrowth + 1) : kBufferSize;
  char* from = out_.data + kBufferSize - most;
  long n = sys::read(master_.get(), from, most);
  if (n == -EAGAIN || n == -EINTR) return;
  if (n <= 0) {
    masterEnded_ = true;
    return;
  }
  out_.start = 0;
  out_.end =
      static_cast<unsigned>(tint_.on() ? tint_.pass(from, static_cast<size_t>(n), out_.data) : static_cast<size_t>(n));
  toOutput();
}

void ConsoleForwarder::toOutput() {
  long n = output_.write(out_.data + out_.start, out_.end - out_.start);
  if (n == -EAGAIN || n == -EINTR) return;
  readerGone_ |= n == -EPIPE;
  // The output goes nowhere then.
  out_.start = n < 0 ? out_.end : out_.start + static_cast<unsigned>(n);
}

void ConsoleForwarder::fromInput() {
  long n = input_.read(in_.data, kBufferSize - 1);
  if (n == -EAGAIN || n == -EINTR) return;
  in_.start = 0;
  if (n <= 0) {
    inputEnded_ = true;
    // The end of a file, said as a terminal says it.
    in_.data[0] = 4;
    in_.end = 1;
  } else {
    lookForEscape(in_.data, n);
    in_.end = static_cast<unsigned>(n);
  }
  toMaster();
}

void ConsoleForwarder::toMaster() {
  long n = sys::write(master_.get(), in_.data + in_.start, in_.end - in_.start);
  if (n == -EAGAIN || n == -EINTR) return;
  in_.start = n < 0 ? in_.end : in_.start + static_cast<unsigned>(n);
}

void ConsoleForwarder::lookForEscape(const char* data, long n) {
  for (long i = 0; i < n; i++) {
    if (data[i] != kEscape) {
      if (escapes_ == 2 && nanoseconds() - firstEscape_ <= kEscapeWindow) {
        if (data[i] == 'p') keys_ = Keys::kPowerOff;
        if (data[i] == 'r') keys_ = Keys::kReboot;
      }
      escapes_ = 0;
      continue;
    }
    if (escapes_ == 0 || nanoseconds() - firstEscape_ > kEscapeWindow) {
      firstEscape_ = nanoseconds();
      escapes_ = 0;
    }
    if (++escapes_ == 3) {
      escaped_ = true;
      keys_ = Keys::kKill;
      escapes_ = 0;
    }
  }
}

Keys ConsoleForwarder::takeKeys() {
  Keys keys = keys_;
  keys_ = Keys::kNone;
  return keys;
}

void ConsoleForwarder::drain() {
  if (!master_.ok() || abandoned_) return;
  // Every process of the guest is dead. With this descriptor the last end of the terminal closes, and the master reads EIO
  // after all that was written. EAGAIN only means that a work queue still carries data over: nothing would be lost by
  // waiting. But a process of the host may have the terminal open; then there is no hang-up, and silence is the end.
  constexpr __kernel_timespec kSilence{0, 50'000'000};
  slave_.reset();
  while (!escaped_) {
    if (out_.empty()) fromMaster();
    if (out_.empty() && masterEnded_) break;
    if (out_.empty()) {
      pollfd master{master_.get(), POLLIN, 0};
      if (sys::poll(&master, 1, &kSilence) == 0) break;
      continue;
    }
    // A caller that does not read holds this up, until it dies or asks for the end once more.
    pollfd fds[2] = {{output_.fd.get(), POLLOUT, 0}, {wire::kEventsFd, POLLIN, 0}};
    sys::poll(fds, 2, nullptr);
    if (fds[1].revents) break;
    toOutput();
  }
  restoreTerminal();
}

void ConsoleForwarder::abandon() {
  abandoned_ = true;
  restoreTerminal();
}

// Forwarding between the guest's pseudo terminal and the caller's standard input and output, in the monitor.
#pragma once

#include "monitor/tint.hh"
#include "plan/plan.hh"
#include "ptrace/tracer.hh"
#include "sys/kernel.hh"

/// What a key sequence of the console asks for.
enum class Keys { kNone, kKill, kPowerOff, kReboot };

class ConsoleForwarder {
 public:
  explicit ConsoleForwarder(const Plan& plan)
      : mode_(plan.header().console),
        tint_(plan.text(plan.header().background)),
        sharesDevpts_(ptrace::tracingOf(plan) != nullptr) {}
  ~ConsoleForwarder() { restoreTerminal(); }

  /// Takes over the master of the guest's terminal and, in interactive mode, the caller's terminal.
  void attach(int master);
  /// Fills in what to poll for; returns how many entries (always the same order as serve() expects).
  unsigned watch(pollfd* fds);
  void serve(const pollfd* fds);
  /// The caller's window has a new size.
  void resize();
  /// The guest has ended: brings out what is still queued in its terminal.
  void drain();
  /// The launcher has gone: nothing more is forwarded, the caller's terminal is given back.
  void abandon();

  /// Whether nobody reads the output any more.
  bool readerGone() const { return readerGone_; }
  /// The key sequence that has been typed; once.
  Keys takeKeys();

 private:
  static constexpr unsigned kBufferSize = 8192;
  struct Buffer {
    char data[kBufferSize];
    unsigned start = 0, end = 0;
    bool empty() const { return start == end; }
  };

  bool readsInput() const { return mode_ == wire::Console::kInteractive; }
  void fromMaster();
  void toOutput();
  void fromInput();
  void toMaster();
  void lookForEscape(const char* data, long n);
  void enterRawMode();
  void restoreTerminal();

  wire::Console mode_;
  Tint tint_;
  bool sharesDevpts_;  // with the host: the guest is only traced
  sys::UniqueFd master_;
  sys::UniqueFd slave_;  // keeps the master readable while nobody in the guest has the terminal open
  /// The caller's standard input or output, in a form that never blocks the monitor.
  struct Stream {
    sys::UniqueFd fd;
    bool socket = false;    // calls with MSG_DONTWAIT
    bool blocking = false;  // could not be opened anew: written to in small pieces, and only when there is room
    void open(int caller, int flags);
    long read(char* to, size_t n);
    long write(const char* from, size_t n);
  };

  Stream input_, output_;
  Buffer out_, in_;
  bool readerGone_ = false, inputEnded_ = false, masterEnded_ = false, abandoned_ = false;
  bool rawInput_ = false, rawOutput_ = false, tinted_ = false;
  ktermios savedInput_{}, savedOutput_{};
  unsigned escapes_ = 0;
  int64_t firstEscape_ = 0;
  bool escaped_ = false;  // the guest is being killed: what it still says is not waited for
  Keys keys_ = Keys::kNone;
};

// The guest's console: a pseudo terminal of the guest's own devpts, so that ttyname(3) works inside. The monitor gets its
// master. /dev/console is a link to it.
#include "steps/context.hh"

/// kControlling.
long openConsole(Context& context, const wire::Step& step) {
  sys::UniqueFd master(sys::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY));
  // Of the host's devpts, which a guest without namespaces has, it is nobody's.
  if (master.error() == -EACCES) master.reset(sys::open("/dev/ptmx", O_RDWR | O_NOCTTY));
  if (!master.ok()) return master.error();
  int locked = 0;
  if (long error = sys::ioctl(master.get(), TIOCSPTLCK, &locked); error < 0) return error;
  unsigned number = 0;
  if (long error = sys::ioctl(master.get(), TIOCGPTN, &number); error < 0) return error;
  // Through the master, not by name: nothing can be put in the way (CVE-2025-52565). Linux 4.13.
  sys::UniqueFd terminal(sys::ioctl(master.get(), TIOCGPTPEER, static_cast<long>(O_RDWR | O_NOCTTY | O_CLOEXEC)));
  sys::Text<32> name("pts/");
  name.add(number);
  if (!terminal.ok()) {
    if (long error = sys::chdir("/dev"); error < 0) return error;
    terminal.reset(sys::open(name.c_str(), O_RDWR | O_NOCTTY | O_NOFOLLOW));
    sys::chdir("/");
    if (!terminal.ok()) return terminal.error();
  }
  if (long error = sys::symlinkat(name.c_str(), AT_FDCWD, "/dev/console"); error < 0 && error != -EEXIST) return error;
  // The stub has no terminal: its payload takes it, in a session of its own.
  if (step.flags & wire::kControlling && !context.plan.header().stub)
    if (long error = sys::ioctl(terminal.get(), TIOCSCTTY, 0L); error < 0) return error;
  // Before the payload can ask: the monitor hears of this terminal only when it gets round to it.
  sys::WindowSize size;
  if (sys::ioctl(1, TIOCGWINSZ, &size) < 0 && sys::ioctl(0, TIOCGWINSZ, &size) < 0) size = {24, 80, 0, 0};
  sys::ioctl(master.get(), TIOCSWINSZ, &size);
  for (int fd = 0; fd <= 2; fd++)
    if (long error = sys::dup3(terminal.get(), fd, 0); error < 0) return error;
  GuestReport report{GuestMessage::kConsole, 0, 0, {}};
  long sent = sys::sendMessage(context.toMonitor, &report, sizeof report, master.get());
  return sent < 0 ? sent : 0;
}

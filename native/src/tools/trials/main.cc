// tsnspawn-trials: what the kernel lets this user do, found by doing it. tsnspawn doctor runs it; nothing of what it does outlives it.
//
//   tsnspawn-trials [--root] [LAYERS]   all trials, in and about the working directory
//   tsnspawn-trials --hold              a user namespace that somebody else writes the maps of
//
// A program of its own and not part of the addon: a process with one thread may do what Node's may not.
#include "sys/start.hh"
#include "tools/trials/trials.hh"

void report(const char* name, long result) {
  sys::Text<128> line(name);
  line.add(" ").add(static_cast<int64_t>(result < 0 ? -result : 0)).add("\n");
  sys::writeAll(1, line.c_str(), line.size());
}

extern "C" [[noreturn]] void trialsMain(const long* stack) {
  auto* argv = reinterpret_cast<const char* const*>(stack + 1);
  const char* option = argv[1] ? argv[1] : "";
  // executed by a trial: that it starts is all it is for
  if (sys::equal(option, "--nothing")) sys::exit(0);
  if (sys::equal(option, "--hold")) {
    holdUserNamespace();
    sys::exit(0);
  }
  const bool asRoot = sys::equal(option, "--root");
  tryHere();
  tryNamespaces(asRoot, asRoot ? argv[2] : argv[1]);
  sys::exit(0);
}

SYS_START(trialsMain);

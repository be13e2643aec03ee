// The host's procfs as the guest must see it.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// The text of a link, also of one of procfs. Its length, or -errno.
long readLinkOf(Call& call, const Place& place, char* to, size_t room);
/// Where a file of procfs would show what is not true in the guest, another one is opened in its place: that of `place` then.
/// 0 or -errno.
long standIn(Call& call, Place& place, int flags);
/// The process that the guest means by a number; 0 where it is none of the guest's.
int processOf(int number);
/// The place that a link of procfs leads to, where that is not the kernel's: exe, root.
bool magicLink(int process, const char* name, Path& guest);
void startProc(State& state);

}  // namespace ptrace

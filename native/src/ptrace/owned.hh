// What a fake root owns and may: owners that are remembered, and rights that are borrowed for the time of a call.
#pragma once

#include "ptrace/call.hh"

namespace ptrace {

/// The fake owner of a file of the host, as far as one is known.
fakeroot::Owner ownerOf(State& state, const struct statx& info, const char* host, bool follow);
/// Opens a file for setOwner(), and looks at it. 0 or -errno. `fd` may stay empty: of a link on an old kernel.
long openOwned(const Path& host, bool follow, sys::UniqueFd& fd, struct statx& info);
/// Remembers an owner. 0 or -errno.
long setOwner(State& state, int file, const struct statx& info, const fakeroot::Owner& owner);
/// When the call has made the file, it belongs to the fake user. `opens`: the result is a descriptor of it.
void ownLater(Call& call, const Place& place, bool opens);
/// It has made it.
void ownMade(Call& call);
/// The same of a placeholder for a device node.
void deviceLater(Call& call, uint32_t type, uint32_t major, uint32_t minor);

/// When the kernel has refused a hard link, symbolic ones do its work: both names lead to the file, which gets a third one.
void symlinkLater(Call& call, int from, int first, int to, int second);

/// Where the mode of a file or a directory of the caller's keeps it from what root may do, it is changed until the call has been made.
void borrowFile(Call& call, const Place& place, bool writes);
void borrowAbove(Call& call, const Place& place);
/// Gives the modes back.
void repay(Tracee& tracee);
/// The one whose call is being handled: what View::borrow takes is put on its account.
void lendTo(Tracee* tracee, uint32_t uid);

}  // namespace ptrace

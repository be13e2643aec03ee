// Which handler serves which system call.
#pragma once

#include <stdint.h>

// With it come the kernel's numbers, and table-i386.cc has others.
#ifndef CALLS_OF_I386
#include "ptrace/call.hh"
#endif

namespace ptrace {

class Call;
struct Answer;
struct Place;

/// How the arguments of a call are laid out, for the handlers that serve several.
enum Form : unsigned {
  kNone,
  kPath,  // path
  kLink,  // path, a link at its end is not followed
  kFile,  // descriptor
  kAt,    // directory, path
  kAtFlags,
  kExtended,  // the newest form
  kUsers,
  kGroups,
  kRealUser,
  kEffectiveUser,
  kRealGroup,
  kEffectiveGroup,
  // The path of a call that changes what is there.
  kChange = 32,
  // Of the older calls of i386.
  kShort = 64,      // ids of 16 bits
  kLarge = 128,     // struct stat64
  kEarliest = 256,  // struct __old_kernel_stat, struct old_utsname
};
/// What of a form says how the arguments are laid out.
constexpr unsigned kLayout = kChange - 1;

using Handler = Answer (*)(Call&, unsigned form);

/// When seccomp tells of a call.
enum class When : unsigned char {
  kAlways,
  kFakeIds,  // where the guest's users are not the kernel's
  kBoot,     // where the payload is an init
  kCarried,  // where the tracer carries out calls
  kOld,      // never: a kernel that lacks the call has no filters either
  kBits,     // where an argument has one of these bits
  kValue,    // where an argument has this value
};

struct Row {
  Handler handler;
  unsigned form;
  When when;
  uint8_t argument;
  uint32_t value;
  bool stops = false;  // the process has to stand still for it in any case
};

constexpr unsigned kMostCalls = 512;
struct Table {
  Row rows[kMostCalls];
};
/// Of this machine, and of programs of 32 bits on it.
extern const Table kTable, kCompatTable;

/// The highest number that is known; what lies above is -ENOSYS.
extern const unsigned kHighest;

/// The private call by which the runner has the tracer carry out a step before the payload is executed.
constexpr long kStepCall = 0x3fe;
/// In the place of a step: the second argument is the listener of the filter.
constexpr uint64_t kListenerStep = ~0ull;

// paths.cc
/// Puts the host's path in the place of the argument `n`, whose directory the call does not look at any more then.
Answer rewrite(Call& call, int directory, int n, unsigned how, Place* to = nullptr);
Answer usePath(Call&, unsigned);
Answer openFile(Call&, unsigned);
Answer openExtended(Call&, unsigned);
Answer access(Call&, unsigned);
Answer readLink(Call&, unsigned);
Answer makeName(Call&, unsigned);
Answer makeNode(Call&, unsigned);
Answer makeLink(Call&, unsigned);
Answer removeName(Call&, unsigned);
Answer rename(Call&, unsigned);
Answer link(Call&, unsigned);
Answer currentDirectory(Call&, unsigned);
Answer changeRoot(Call&, unsigned);
Answer watch(Call&, unsigned);
Answer setTimes(Call&, unsigned);
Answer changeOpen(Call&, unsigned);
// files.cc
Answer showFile(Call&, unsigned);
Answer giveFile(Call&, unsigned);
Answer changeMode(Call&, unsigned);
Answer listAttributes(Call&, unsigned);
// ids.cc
/// The id that an argument is.
uint32_t idArgument(const Call&, int n, unsigned form);
Answer getId(Call&, unsigned);
Answer getIds(Call&, unsigned);
Answer getGroups(Call&, unsigned);
Answer setId(Call&, unsigned);
Answer setTwoIds(Call&, unsigned);
Answer setThreeIds(Call&, unsigned);
Answer setFileId(Call&, unsigned);
Answer setGroups(Call&, unsigned);
Answer capabilities(Call&, unsigned);
Answer keepPowers(Call&);
// old.cc
Answer limit(Call&, unsigned);
// exec.cc
Answer execute(Call&, unsigned);
// processes.cc
Answer freeAffinity(Call&, unsigned);
Answer send(Call&, unsigned);
Answer sendToThread(Call&, unsigned);
Answer ownNumber(Call&, unsigned);
Answer parentNumber(Call&, unsigned);
Answer makeProcess(Call&, unsigned);
Answer leaveNamespace(Call&, unsigned);
Answer control(Call&, unsigned);
Answer loadFilter(Call&, unsigned);
// debug/
Answer traceProcess(Call&, unsigned);
Answer useMemory(Call&, unsigned);
Answer waitFor(Call&, unsigned);
// strict.cc
/// The strict mode, asked for by an argument of prctl(2) or seccomp(2).
Answer becomeStrict(Call&, int argument);
// system.cc
Answer refuse(Call&, unsigned);
Answer deny(Call&, unsigned);
Answer pretend(Call&, unsigned);
Answer nameSystem(Call&, unsigned);
Answer setName(Call&, unsigned);
Answer setMask(Call&, unsigned);
Answer restart(Call&, unsigned);
// sockets.cc
Answer useAddress(Call&, unsigned);
Answer sendTo(Call&, unsigned);
Answer showAddress(Call&, unsigned);
Answer showPeer(Call&, unsigned);
Answer openSocket(Call&, unsigned);
// messages.cc
Answer sendMessage(Call&, unsigned);
Answer receiveMessage(Call&, unsigned);
// socketcall.cc
Answer callSocket(Call&, unsigned);

}  // namespace ptrace

// Which handler serves which system call. No header of the kernel with numbers: table-i386.cc has others than the rest.
#pragma once

#include <stdint.h>

namespace fakeroot {

class Call;

/// What becomes of a call: the kernel carries it out after all, or it returns `value`.
struct Answer {
  bool proceeds;
  long value = 0;
  /// The answer has gone out together with a descriptor.
  bool sent = false;

  static Answer proceed() { return {true}; }
  static Answer give(long value) { return {false, value}; }
};

/// How the arguments of a call are laid out, for the handlers that serve several.
enum Form : unsigned {
  kPath = 1,  // path
  kLink,      // path, a link at its end is not followed
  kDescriptor,
  kAt,        // directory, path
  kExtended,  // the newest form
  kCreate,    // creat(2)
  kRead,
  kWrite,
  kUsers,
  kGroups,
  kRealUser,
  kEffectiveUser,
  kRealGroup,
  kEffectiveGroup,
  kShort = 64,  // ids of 16 bits
};

/// For CALL_IF in *-calls.def.
constexpr uint32_t kCreates = 0100;       // O_CREAT
constexpr uint32_t kUnnamed = 020000000;  // __O_TMPFILE
constexpr uint32_t kWrites = 0103;        // O_ACCMODE, O_CREAT: of a file that has to be there
constexpr uint32_t kWriteOnly = 1, kReadWrite = 2;
constexpr uint32_t kAllBits = 0xffffffff;
constexpr uint32_t kTokenLimit = 10;       // RLIMIT_LOCKS
constexpr uint32_t kPeerCredentials = 17;  // SO_PEERCRED
constexpr uint32_t kPeerGroups = 59;       // SO_PEERGROUPS

constexpr uint32_t kKeepCapabilities = 8;  // PR_SET_KEEPCAPS
constexpr uint32_t kSecureBits = 28;       // PR_SET_SECUREBITS
constexpr uint32_t kSetString = 1;         // FSCONFIG_SET_STRING

constexpr uint32_t kBind = 2, kConnect = 3, kGetOption = 15, kSendMessage = 16;  // SYS_* of socketcall(2)

using Handler = Answer (*)(Call&, unsigned form);

struct Row {
  Handler handler;
  unsigned form;
};

constexpr unsigned kMostCalls = 512;
struct Table {
  Row rows[kMostCalls];
};
extern const Table kNativeTable, kCompatTable;

// ids.cc
Answer getId(Call&, unsigned);
Answer getIds(Call&, unsigned);
Answer getGroups(Call&, unsigned);
Answer setId(Call&, unsigned);
Answer setTwoIds(Call&, unsigned);
Answer setThreeIds(Call&, unsigned);
Answer setFileId(Call&, unsigned);
Answer setGroups(Call&, unsigned);
Answer keepPowers(Call&, unsigned);
Answer setPowers(Call&, unsigned);
Answer showPowers(Call&, unsigned);
Answer limitFor(Call&, unsigned);
// execute.cc
Answer execute(Call&, unsigned);
// show.cc
Answer showFile(Call&, unsigned);
// give.cc
Answer giveFile(Call&, unsigned);
// existing.cc
/// The opening for writing of a file that has to be there.
Answer openExisting(Call&, int directory, uint64_t text, int flags);
// create.cc
Answer openFor(Call&, unsigned);
Answer makeDirectoryFor(Call&, unsigned);
Answer makeNodeFor(Call&, unsigned);
Answer makeLinkFor(Call&, unsigned);
Answer bindFor(Call&, unsigned);
// attributes.cc
Answer listNames(Call&, unsigned);
Answer setNamed(Call&, unsigned);
// sockets.cc
Answer sendCredentials(Call&, unsigned);
Answer showPeer(Call&, unsigned);
Answer noteConnection(Call&, unsigned);
Answer socketCall(Call&, unsigned);
// mounts.cc
Answer mountFor(Call&, unsigned);
Answer configureFor(Call&, unsigned);
Answer finishMountFor(Call&, unsigned);
Answer placeMountFor(Call&, unsigned);

}  // namespace fakeroot

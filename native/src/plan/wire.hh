// The launch plan as bytes: what packages/native/src/encode.ts writes and the runner reads in place, from a mapped memory
// file. A header, then the steps (outer, host, inner, late), then a heap of strings and data that the steps point into by
// offsets from the start. A list is its strings one after the other. Also the messages between the monitor and the launcher. Shared with the addon: no system header.
#pragma once

#include <stdint.h>

namespace wire {

constexpr uint32_t kMagic = 0x504e5354;  // "TSNP"
constexpr uint32_t kVersion = 6;

/// Descriptors the runner finds open when it starts, from a base on: the monitor directly behind the standard ones, the
/// supervisor further up, because they are put there while Node's threads still use the low ones. Not above 63, where the
/// kernel makes a larger table and, for a process with threads, waits milliseconds for all who may read the old one.
constexpr int kMonitorBase = 3, kSupervisorBase = 48;
enum Descriptor : int {
  kPlan,    // the plan, a memory file
  kEvents,  // socket between supervisor and monitor; its end of file is the other's death
  kThird,   // monitor: the tree, flock(2)ed; supervisor: a Supervision, in a memory file
  kRunner,  // the runner itself; gone after its exec
  kDescriptors,
};
/// Supervisor: the user namespace that was made with the monitor, where there is one.
constexpr int kUsersFd = kSupervisorBase + kDescriptors;
constexpr int kEventsFd = kMonitorBase + kEvents;
/// The lock lasts as long as the monitor.
constexpr int kLockFd = kMonitorBase + kThird;
/// What the launcher opened for slots of the plan; as long as the monitor too.
constexpr int kFirstHandedFd = kMonitorBase + kDescriptors, kMaxHanded = 48;

/// Same order as OPS in encode/fields.ts.
enum class Op : uint16_t {
  kCgroup,
  kOpenTree,
  kPropagation,
  kPivotRoot,
  kMount,
  kBind,
  kMkdir,
  kMknod,
  kSymlink,
  kWriteFile,
  kRemount,
  kUmount,
  kNotifySocket,
  kHoldFifo,
  kUnshareCgroup,
  kHostname,
  kRequireNamespacedReboot,
  kSession,
  kConsole,
  kRlimit,
  kOomScoreAdjust,
  kPersonality,
  kLookupUser,
  kIdentity,
  kChdir,
  kSeccomp,
  kExec,
  kLoopback,
  kMountDevice,
  kNewMount,
  kUserNamespace,
  kIdMap,
  kBecomeRoot,
  kActAs,
  kUnshareMounts,
  kReturnToHost,
  kAwait,
  kOverlay,
  kTempDirectory,
  kShiftOwners,
  kCover,
  kCpuAffinity,
  kExecLabel,
  kMapOwners,
  kResume,
  kDelegateCgroup,
  kJoinNetwork,
  kVeth,
  kSharedInterface,
  kMoveInterface,
  kForwardPorts,
  kCgroupWrite,
  kCgroupDevices,
  kRegister,
  kSysctl,
  kPutFile,
  kRemoveFile,
  kUserNetwork,
  kRelayPorts,
  kFakeRoot,
  kTrace,
  kRule,
  kKeepIds,
  kCount,
};

enum StepFlag : uint16_t {
  kOptional = 1 << 0,     // a missing source, type or mount point is no failure
  kRecursive = 1 << 1,    // with all mounts below
  kNoFollow = 1 << 2,     // the target must not be a symbolic link
  kRandom = 1 << 3,       // writeFile: the data is a new random UUID
  kInto = 1 << 4,         // cgroup: the guest is placed in it
  kNoNewPrivs = 1 << 5,   // identity, keepIds
  kUserShell = 1 << 6,    // exec: the looked-up user's shell comes first
  kControlling = 1 << 7,  // console: it becomes the controlling terminal
  kGrow = 1 << 8,         // mountDevice: the file system becomes as large as its device
  kTry = 1 << 9,          // whatever goes wrong is no failure
  kReplace = 1 << 10,     // takes the place of what is there
  kCoverLink = 1 << 11,   // bind: the target is the link itself, not what it leads to
  kUserXattr = 1 << 12,   // overlay: its marks are attributes that an ordinary user may set
};

/// kTrace: how the guest is traced.
enum TraceFlag : uint64_t {
  kFakeIds = 1 << 0,        // its users are not the kernel's
  kBoots = 1 << 1,          // its first process is an init
  kBySeccomp = 1 << 2,      // seccomp tells of the calls, where that can be had
  kMustSeccomp = 1 << 3,    // and it has to
  kFakeLinks = 1 << 4,      // a hard link that is refused becomes a symbolic one
  kInProcess = 1 << 5,      // most calls are answered in the process, where that can be had
  kMustInProcess = 1 << 6,  // and it has to
  kMustNotify = 1 << 7,     // the tracer carries many calls out while the process waits, and has to
};

/// kRule: what stands at a path of a traced guest.
enum class Stands : uint32_t {
  kHost,    // a place of the host
  kGuest,   // another place of the guest
  kFresh,   // an empty directory
  kHidden,  // nothing that could be used
  kFlags,   // what is there, with other flags
};

constexpr int kMaxSlots = 256;
/// Filled from the start: the locked tree, and behind it what the launcher hands on.
constexpr int kTreeSlot = 0, kFirstHandedSlot = 1;

/// One step. What the fields mean depends on the op and stands at each function in steps/.
struct Step {
  Op op;
  uint16_t flags;
  int16_t from, as;  // slots
  uint32_t mode;
  uint32_t n;           // length of data, or count of a list
  uint64_t a, b;        // numbers
  uint32_t s0, s1, s2;  // offsets of strings, data or lists of offsets; 0: none
  uint32_t reserved;
};
static_assert(sizeof(Step) == 48);

/// One forwarded port.
struct Port {
  uint16_t host, guest, udp;
};

enum class Console : uint32_t { kInteractive, kReadOnly, kPassive, kPipe };

struct Header {
  uint32_t magic, version, size;
  uint32_t outerCount, hostCount, innerCount;
  uint32_t cloneGuest;  // CLONE_NEW* of the guest's first process
  uint32_t stub;        // PID 1 is the stub, the payload PID 2
  Console console;
  int32_t killSignal;
  uint32_t restart;                       // run the plan again when the guest reboots
  uint32_t handed;                        // number of descriptors behind the usual ones
  uint32_t lateCount;                     // steps of the host side behind the inner ones, for kAwait
  uint32_t locks;                         // lock files, behind those; removed by the monitor at its end
  uint32_t listen;                        // descriptors for the payload, from 3 on: sd_listen_fds(3); behind those
  uint16_t powerOffSignal, rebootSignal;  // what the keys of the console send to PID 1; 0: nothing
  uint32_t background;                    // parameters of SGR that colour an interactive console, a string; 0: none
  uint32_t ownMounts;                     // the monitor has a mount namespace of its own from the start
};
static_assert(sizeof(Header) == 72);

enum class Side : uint32_t { kOuter, kHost, kInner, kLate };

/// Monitor to launcher.
enum class Event : uint32_t {
  kFailed,     // a = side, b = index of the step (or -1: the clone), c = errno; text: the path it was about, if any
  kStarted,    // the payload has been executed
  kNotify,     // text: an sd_notify message of the guest's PID 1
  kExited,     // a = exit status, b = signal (one of them 0), c = Cause
  kRebooting,  // the guest asked for a reboot and is started again
  kNetwork,  // text: a NetworkTrace; with a socket in the guest's network namespace, where there is something to undo in it
  kHelperLost,  // the program that gives the guest its network has ended
};

/// Who has ended the guest.
enum class Cause : int32_t {
  kItself,
  kEscape,    // the escape sequence of the console
  kNoReader,  // the monitor, because nobody reads the output any more
  kFakeRoot,  // the monitor, because the process that emulates the guest's ids is gone
};

struct EventMessage {
  Event kind;
  int32_t a, b, c;
  char text[1008];
};
static_assert(sizeof(EventMessage) == 1024);

/// What the supervisor has to know beside the plan.
struct Supervision {
  int32_t monitor;  // its process id
  uint32_t quiet;
  uint32_t notifyReady;   // READY=1 goes to the service manager when the guest says it, not when it starts
  uint32_t haveTerminal;  // bit 0, 1: there are settings of standard input, output
  char terminal[2][64];   // struct ktermios, as it was before the monitor
  char machine[128];
  char tree[1024];     // for messages; cut when it is longer
  char manager[108];   // $NOTIFY_SOCKET of the service manager, or empty
  uint32_t haveUsers;  // there is a kUsersFd
};

/// Launcher to monitor: a signal for the guest's PID 1.
struct CommandMessage {
  int32_t signal;
};

}  // namespace wire

// The calls that are answered in the guest's own processes. This code is an image of its own, which is put into each of them at one
// address: it has no variables, calls nothing outside, touches no register that a signal handler or the C library would not expect,
// and knows nothing but what it finds in the header and the rules (page.hh).
#pragma once

#include <asm/stat.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "ptrace/inprocess/page.hh"
#include "sys/syscall.hh"

namespace page {

/// The tracer is to answer the call.
constexpr long kSlow = static_cast<long>(0x8000000000000000ull);

extern "C" char page_end[];
/// Copies a text from or to the guest. Its length; `room` where it is longer; -EFAULT.
extern "C" long page_copy_text(char* to, const char* from, size_t room);
/// openat2(2) for the guest. When a signal comes while it waits, the call is the guest's own again, and the room is free.
extern "C" long page_open(long directory, const char* path, const open_how* how, size_t size, unsigned room,
                          const ptrace::Frame* frame);
using ptrace::Frame;

constexpr uint32_t kType = 0170000, kRegular = 0100000, kDirectory = 0040000, kLink = 0120000;

inline ptrace::Header& header() { return *reinterpret_cast<ptrace::Header*>(ptrace::kHeader); }
inline const ptrace::PageRules& rules() { return *reinterpret_cast<const ptrace::PageRules*>(page_end); }

/// Room for paths, as long as the call lasts.
class Room {
 public:
  Room();
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  ~Room();
  char* get() const { return at_; }
  unsigned number() const { return number_; }
  /// The last part of it, for one text.
  char* last() const { return at_ + ptrace::kRoomSize - 4096; }

 private:
  char* at_ = nullptr;
  unsigned number_ = 0;
};

constexpr long kLongest = 4000;

/// A path of the guest, and where it leads: `directory` and `host`.
class Path {
 public:
  explicit Path(const Room& room) : text_(room.get()) {}

  /// Takes it from the guest. 0, or kSlow.
  long take(int directory, const char* from);
  /// Puts the first link on the way into the path. 0, -ENOENT, -EAGAIN where there is none any more, or kSlow.
  long splice(bool follow);
  bool single() const { return !absolute_ && !hasSlash_; }
  /// Whether nothing forbids to change what is there.
  bool mayChange() const;
  bool absolute() const { return absolute_; }
  int directory() const { return directory_; }
  const char* host() const { return host_; }
  /// What the last component is in: the host's path of that ends there for the time being. -1 where it is no other directory.
  int cut();
  void join(int at) { host_[at] = '/'; }

 private:
  long normalize();
  long locate();
  /// Writes the host's path of the first `size` bytes of the text.
  bool toHost(unsigned size, char* to, const ptrace::PageRule*& rule) const;

  char* text_;
  char* host_ = nullptr;
  unsigned size_ = 0;
  int directory_ = AT_FDCWD;
  bool absolute_ = false, hasSlash_ = false, slash_ = false;
  const ptrace::PageRule* rule_ = nullptr;
};

/// Whether a directory, or the working directory, is one of which the tracer shows another picture than the kernel's, or none.
bool isShown(int directory);
/// Writes the name of a link that leads to an open file. Returns the end, where there is no null byte.
char* nameOf(int fd, char* to);
constexpr size_t kNameSize = 32;
/// The rule of a path of the guest, and of one of the host.
const ptrace::PageRule* ruleOf(const char* guest, unsigned size);
const ptrace::PageRule* ruleOfHost(const char* host, unsigned size);
/// Whether what is open, or the working directory, lies at a place that is read-only. `room`: for a path.
bool isReadOnly(int fd, char* room);

/// The directory in which a name is made or taken away, and the name.
class Parent {
 public:
  Parent(Path& path, bool makes);
  Parent(const Parent&) = delete;
  Parent& operator=(const Parent&) = delete;
  ~Parent();
  /// 0, -ENOENT, or kSlow.
  long error() const { return error_; }
  int directory() const { return fd_; }
  /// It takes a descriptor as long as this.
  bool opened() const { return opened_; }
  const char* name() const { return name_; }

 private:
  int fd_ = -1;
  bool opened_ = false;
  long error_;
  const char* name_ = nullptr;
};

/// openat2(2) without links; follows those of the guest. The descriptor, -errno that is true of the guest's path, or kSlow.
long openPath(Path& path, const open_how& how);
/// The same, as long as it takes.
long openPath(Path& path, const open_how& how, const Room& room, const Frame* frame);

/// A place that is looked at through a descriptor, which no other program that this process becomes gets.
class Place {
 public:
  Place(Path& path, bool follow)
      : fd_(openPath(
            path, {static_cast<uint64_t>(O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)), 0, RESOLVE_NO_SYMLINKS})) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    if (fd_ >= 0) sys::invoke(__NR_close, fd_);
  }
  long fd() const { return fd_; }

 private:
  long fd_;
};

// files.cc
long openFile(const Frame& frame, int directory, const char* text, int flags, unsigned mode);
long showPath(int directory, const char* text, struct stat* to, bool follow);
long showOpen(int fd, struct stat* to);
long showExtended(int directory, const char* text, int flags, unsigned mask, struct statx* to);
long access(int directory, const char* text, int mode);
long readLink(int directory, const char* text, char* to, int size);
long currentDirectory(char* to, uint64_t size);

// changes.cc
long createFile(const Frame& frame, int directory, const char* text, int flags, unsigned mode);
long makeDirectory(int directory, const char* text, unsigned mode);
long makeLink(const char* target, int directory, const char* text);
long removeName(int directory, const char* text, int flags);
long changeMode(int directory, const char* text, unsigned mode);
long changeOpen(int fd, unsigned mode);
long give(int directory, const char* text, uint32_t uid, uint32_t gid, bool follow);
long giveOpen(int fd, uint32_t uid, uint32_t gid);
long setTimes(int directory, const char* text, const void* times, int flags);

}  // namespace page

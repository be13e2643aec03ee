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

struct Frame {
  uint64_t rbp, rdi, rsi, rdx, r10, r8, r9, number, from, flags;
};

extern "C" char page_end[];
/// Copies a text of the guest. Its length; `room` where it is longer; -EFAULT.
extern "C" long page_copy_text(char* to, const char* from, size_t room);

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
  bool absolute() const { return absolute_; }
  int directory() const { return directory_; }
  const char* host() const { return host_; }

 private:
  long normalize();
  long locate();
  const ptrace::PageRule* ruleOf(const char* guest, unsigned size) const;
  /// Writes the host's path of the first `size` bytes of the text.
  bool toHost(unsigned size, char* to, const ptrace::PageRule*& rule) const;

  char* text_;
  char* host_ = nullptr;
  unsigned size_ = 0;
  int directory_ = AT_FDCWD;
  bool absolute_ = false, hasSlash_ = false, slash_ = false;
  const ptrace::PageRule* rule_ = nullptr;
};

/// openat2(2) without links; follows those of the guest. The descriptor, -errno that is true of the guest's path, or kSlow.
long openPath(Path& path, uint64_t flags, uint64_t mode = 0);

// files.cc
long openFile(int directory, const char* text, int flags, unsigned mode);
long showPath(int directory, const char* text, struct stat* to, bool follow);
long showOpen(int fd, struct stat* to);
long showExtended(int directory, const char* text, int flags, unsigned mask, struct statx* to);
long access(int directory, const char* text, int mode);
long readLink(int directory, const char* text, char* to, int size);

}  // namespace page

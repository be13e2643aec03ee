// What the guest sees: which place of the host stands for which of the guest. A path of the guest is walked component by component,
// with the guest's own links, and never by the host's rules.
#pragma once

#include "ptrace/tracee.hh"

namespace ptrace {

/// One place of the guest, with all below it.
struct Rule {
  Path guest, host;
  bool readOnly = false;
  /// Nobody may use what is there.
  bool hidden = false;
  /// It is the host's procfs.
  bool proc = false;
};

/// How the end of a path is taken.
constexpr unsigned kFollow = 0;
constexpr unsigned kNoFollow = 1;
/// On a read-only place it is refused.
constexpr unsigned kWrites = 2;
/// A link of procfs at the end is left to the kernel, which follows it to where no path may lead.
constexpr unsigned kMagic = 4;
/// The name itself is meant, also with a slash behind it: it is made, taken away or given to another.
constexpr unsigned kName = 8 | kNoFollow;
/// What is there is used: a fake root has the right to.
constexpr unsigned kUses = 16;

struct Place {
  Path guest;  // canonical
  Path host;
  const Rule* rule = nullptr;
  bool missing = false;  // the last component is not there
  bool slash = false;    // it ended in one: a directory is meant
  bool dot = false;      // it ended in one: the name is none
  bool follows = true;   // it is what a link at the end leads to
  bool changed = false;  // it is another path than the one that was given
  /// Below /proc/PID of the guest: the process, and what is behind it
  int process = 0;
};

/// What stands at the end of a path, for who wants to know it anyway: to find out whether that is a link is to ask the same.
struct Look {
  unsigned mask;
  int flags;  // AT_STATX_SYNC_TYPE and the like
  bool done = false;
  struct statx info {};
};

/// Who asks.
struct Asker {
  int tid, process;
  const char* root;  // canonical
  bool privileged;
};

/// What a path is relative to.
struct Base {
  const Path* guest;
  const Path* host;
  bool inRoot = false;  // it is as the root (openat2(2), RESOLVE_IN_ROOT)
  bool beneath = false, noLinks = false, noMagic = false;
  bool moved = false;  // the kernel has the descriptor elsewhere
};

class View {
 public:
  /// The tree. `first`: the real id of the guest's PID 1.
  void start(const char* tree) { add("/", tree, false); }
  /// What the host has at `host` (canonical) stands at `guest` (canonical). The later one wins.
  long add(const char* guest, const char* host, bool readOnly, bool hidden = false);
  /// What stands there, and at what is below it, stays, read-only the one.
  long keep(const char* guest, const char* host);
  /// The guest's first process; `shown`: as PID 1, which it can be called in any case.
  void setFirst(int process, bool shown) {
    first_ = process;
    showsFirst_ = shown;
  }
  int first() const { return first_; }
  /// The number that a process of the guest has for the guest.
  int64_t numberOf(int64_t process) const { return showsFirst_ && process == first_ ? 1 : process; }

  /// Where a path leads. 0 or -errno. `look`: where it can be had on the way.
  long resolve(const Asker& who, const Base& base, const char* text, unsigned how, Place& place, Look* look = nullptr);
  /// The place of the guest at which it sees what the host has at `host`. False where it sees it nowhere.
  bool show(const char* host, Path& guest) const;
  /// Another directory of the host that shows as `guest`.
  void alias(const char* guest, const char* host);
  /// Whether a place of the host is only an alias; `host` is where the guest's place really is then.
  bool isAlias(Path& host, const Path& guest) const;
  const Rule* ruleOf(const char* guest) const;
  const Rule* rules() const { return rules_; }
  unsigned count() const { return count_; }
  /// Another one whenever the rules have changed.
  unsigned version() const { return version_; }

  /// Told when a fake root lacks the right to search or change a directory; it returns whether there is a right now.
  bool (*borrow)(const char* host, uint32_t bits) = nullptr;
  /// Whether a process is the guest's; 0 or the number that the host has for it.
  int (*processOf)(int number) = nullptr;
  /// The text of a magic link of a process, if it shows as another than the kernel's.
  bool (*magic)(int process, const char* name, Path& guest) = nullptr;

 private:
  static constexpr unsigned kMost = 256;
  void locate(Place& place) const;

  void index();

  Rule rules_[kMost];
  /// Lengths of the guest's paths, side by side: the rules themselves lie far apart.
  uint16_t sizes_[kMost];
  unsigned count_ = 0, version_ = 0;
  Path aliasGuest_, aliasHost_;
  int first_ = 0;
  bool showsFirst_ = false;
};

/// Whether `path` is `prefix` or lies below it; what is behind the prefix then, with its slash.
const char* below(const char* path, const Path& prefix);

}  // namespace ptrace

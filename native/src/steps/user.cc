// The payload's user, from the guest's own /etc/passwd and /etc/group. They are foreign input, read as plain text: no NSS,
// whose modules would be code of the tree. Numbers are whole decimal fields, nothing more lenient (CVE-2026-30892).
#include "steps/context.hh"

namespace {

/// Reads a file of colon separated lines through a window, so that its size does not matter; a line longer than the
/// window is skipped.
class Lines {
 public:
  explicit Lines(const char* path) : fd_(sys::open(path, O_RDONLY | O_NONBLOCK)) {
    // A hostile tree may have a device or a FIFO here, which never ends.
    struct statx info;
    if (fd_.ok() && (sys::fstatx(fd_.get(), STATX_TYPE, &info) < 0 || !S_ISREG(info.stx_mode))) fd_.reset();
  }
  bool ok() const { return fd_.ok(); }

  /// The next line, without its end; null after the last.
  char* next() {
    for (;;) {
      for (size_t i = start_; i < end_; i++) {
        if (window_[i] != '\n') continue;
        window_[i] = 0;
        char* line = window_ + start_;
        start_ = i + 1;
        if (!skipping_) return line;
        skipping_ = false;
        i = start_ - 1;
      }
      if (start_ == 0 && end_ == sizeof window_ - 1) {
        skipping_ = true;
        end_ = 0;
      }
      memmove(window_, window_ + start_, end_ - start_);
      end_ -= start_;
      start_ = 0;
      long got = total_ < kMostBytes ? sys::read(fd_.get(), window_ + end_, sizeof window_ - 1 - end_) : 0;
      if (got > 0) total_ += static_cast<size_t>(got);
      if (got <= 0) {
        if (end_ == 0 || skipping_) return nullptr;
        window_[end_] = 0;
        end_ = 0;
        return window_;
      }
      end_ += static_cast<size_t>(got);
    }
  }

 private:
  sys::UniqueFd fd_;
  char window_[16384];
  static constexpr size_t kMostBytes = 16 * 1024 * 1024;
  size_t start_ = 0, end_ = 0, total_ = 0;
  bool skipping_ = false;
};

/// Cuts a line at its colons, in place; the number of fields.
unsigned split(char* line, char* fields[], unsigned most) {
  unsigned n = 0;
  fields[n++] = line;
  for (; *line; line++) {
    if (*line != ':') continue;
    *line = 0;
    if (n == most) break;
    fields[n++] = line + 1;
  }
  return n;
}

bool number(const char* text, uint32_t* out) { return sys::parseNumber(text, text + strlen(text), out); }

bool isMember(char* members, const char* user) {
  for (char* p = members;; p++) {
    if (*p && *p != ',') continue;
    bool last = !*p;
    *p = 0;
    if (sys::equal(members, user)) return true;
    if (last) return false;
    members = p + 1;
  }
}

long addGroups(User& user) {
  Lines lines("/etc/group");
  if (!lines.ok()) return 0;
  while (char* line = lines.next()) {
    char* fields[4];
    uint32_t gid;
    if (split(line, fields, 4) != 4 || !number(fields[2], &gid) || gid == user.gid) continue;
    if (!isMember(fields[3], user.name.c_str())) continue;
    if (user.groupCount == User::kMaxGroups) return -E2BIG;
    user.groups[user.groupCount++] = gid;
  }
  return 0;
}

long findUser(Context& context, const wire::Step& step) {
  const char* wanted = context.plan.text(step.s0);
  User& user = context.user;
  uint32_t wantedId = 0;
  bool byNumber = number(wanted, &wantedId);
  if (byNumber && wantedId == 0xffffffffu) return -EINVAL;  // (uid_t)-1 means "leave as it is" to setresuid(2)
  Lines lines("/etc/passwd");
  while (char* line = lines.ok() ? lines.next() : nullptr) {
    char* fields[7];
    uint32_t uid, gid;
    static char noShell[] = "";
    fields[6] = noShell;
    if (split(line, fields, 7) < 6 || !number(fields[2], &uid) || !number(fields[3], &gid)) continue;
    if (byNumber ? uid != wantedId : !sys::equal(fields[0], wanted)) continue;
    user.uid = uid;
    user.gid = gid;
    user.name = sys::Text<256>(fields[0]);
    user.home = sys::Text<1024>(*fields[5] ? fields[5] : "/");
    user.shell = sys::Text<1024>(fields[6]);
    user.groupCount = 0;
    // As systemd-nspawn has it: the primary group is not named again, and root, like the init of a system, has none beside it.
    return uid == 0 ? 0 : addGroups(user);
  }
  // Root is root also in a tree without a user database.
  if (sys::equal(wanted, "root") || (byNumber && wantedId == 0)) return 0;
  if (!byNumber) {
    context.about.add(wanted);
    return -ESRCH;
  }
  user.uid = user.gid = wantedId;
  user.name = sys::Text<256>(wanted);
  user.home = sys::Text<1024>("/");
  return 0;
}

/// Adds the groups of these names; one that the guest does not have is none.
long addGroupsNamed(User& user, const char* names, unsigned count) {
  if (!count) return 0;
  Lines lines("/etc/group");
  while (char* line = lines.ok() ? lines.next() : nullptr) {
    char* fields[3];
    uint32_t gid;
    if (split(line, fields, 3) != 3 || !number(fields[2], &gid)) continue;
    const char* name = names;
    for (unsigned i = 0; i < count; i++, name = Plan::next(name)) {
      if (!sys::equal(fields[0], name)) continue;
      if (user.groupCount == User::kMaxGroups) return -E2BIG;
      user.groups[user.groupCount++] = gid;
    }
  }
  return 0;
}

long takeAccount(Context& context, const wire::Step& step) {
  User& user = context.user;
  const char* home = context.plan.text(step.s2);
  const char* shell = Plan::next(home);
  user.uid = static_cast<uint32_t>(step.a);
  user.gid = static_cast<uint32_t>(step.b);
  user.name = sys::Text<256>(context.plan.text(step.s0));
  user.home = sys::Text<1024>(home);
  user.shell = sys::Text<1024>(shell);
  user.groupCount = 0;
  return addGroupsNamed(user, Plan::next(shell), step.mode);
}

}  // namespace

/// s0 = name or number; s1, n = list of group numbers, the user's own first, in place of those of the guest's files. s2: the user
/// is not in these; a, b = user and group id, s2 = list of home, shell and `mode` names of groups.
long lookupUser(Context& context, const wire::Step& step) {
  if (context.plan.text(step.s2)) return takeAccount(context, step);
  if (long error = findUser(context, step); error < 0 || step.n == 0) return error;
  User& user = context.user;
  if (step.n > User::kMaxGroups) return -E2BIG;
  const char* item = context.plan.text(step.s1);
  for (user.groupCount = 0; user.groupCount < step.n; item = Plan::next(item))
    if (!number(item, &user.groups[user.groupCount++])) return -EINVAL;
  user.gid = user.groups[0];
  return 0;
}

// What stands at the places of the guest: carried out step by step, before the payload is executed, in the order of the view.
#include "ptrace/table.hh"
#include "ptrace/tracer.hh"
#include "steps/context.hh"

namespace ptrace {

namespace {

constexpr uint64_t kReadOnlyFlag = 1;  // MS_RDONLY

unsigned typeAt(const char* host) {
  struct statx info;
  return sys::statxat(AT_FDCWD, host, 0, STATX_TYPE, &info) < 0 ? 0 : info.stx_mode & S_IFMT;
}

/// The path of the host without links.
long canonical(const char* path, Path& to) {
  sys::UniqueFd fd(sys::open(path, O_PATH));
  if (!fd.ok()) return fd.error();
  sys::Text<40> link("/proc/self/fd/");
  char text[4096];
  long size = sys::readlinkat(AT_FDCWD, link.add(static_cast<int64_t>(fd.get())).c_str(), text, sizeof text - 1);
  if (size < 0) return size;
  text[size] = 0;
  to = Path(text);
  return 0;
}

/// What cannot be made where it belongs is made in the scratch directory, and seen there all the same.
long glue(State& state, const Place& place, bool directory) {
  Path host = state.scratch;
  host.add("/glue").add(static_cast<int64_t>(state.tickets++));
  long error =
      directory ? sys::mkdirat(AT_FDCWD, host.c_str(), 0755) : sys::mknodat(AT_FDCWD, host.c_str(), S_IFREG | 0644, 0);
  return error < 0 ? error : state.view.add(place.guest.c_str(), host.c_str(), false);
}

/// Makes what is missing of a place, its last component as a directory or as an empty file.
long makePlace(Call& call, const char* target, bool directory, bool noFollow, Place& place) {
  Path part;
  for (const char* p = target; *p;) {
    const char* end = p;
    while (*end == '/') end++;
    while (*end && *end != '/') end++;
    part.add(p, static_cast<size_t>(end - p));
    const char* rest = end;
    while (*rest == '/') rest++;
    bool last = !*rest;
    if (long error = call.resolve(AT_FDCWD, part.c_str(), last && noFollow ? kNoFollow : kFollow, place); error < 0)
      return error;
    if (place.missing) {
      long error = !last || directory ? sys::mkdirat(AT_FDCWD, place.host.c_str(), 0755)
                                      : sys::mknodat(AT_FDCWD, place.host.c_str(), S_IFREG | 0644, 0);
      if (error == -EACCES || error == -EROFS || error == -EPERM) error = glue(call.state, place, !last || directory);
      if (error < 0 && error != -EEXIST) return error;
    }
    p = end;
  }
  return 0;
}

}  // namespace

/// s0 = source, s1 = target; mode = wire::Stands; a = MS_* flags; b = mode of a fresh directory; kOptional, kNoFollow: a link is no
/// target, kCoverLink: it is one itself.
long Tracer::carryOut(Call& call) {
  const Plan& plan = state_.plan;
  uint64_t index = call.argument(0);
  if (index >= plan.header().innerCount) return -EINVAL;
  const wire::Step& step = plan.inner()[index];
  if (step.op != wire::Op::kRule) return -EINVAL;
  const char* target = plan.text(step.s1);
  const auto stands = static_cast<wire::Stands>(step.mode);
  bool optional = step.flags & wire::kOptional, readOnly = step.a & kReadOnlyFlag;
  bool noFollow = step.flags & (wire::kNoFollow | wire::kCoverLink);
  static Place place, from;
  Path host;
  switch (stands) {
    case wire::Stands::kHost:
      if (long error = canonical(plan.text(step.s0), host); error < 0) return optional ? 0 : error;
      break;
    case wire::Stands::kGuest:
      if (long error = call.resolve(AT_FDCWD, plan.text(step.s0), kFollow, from); error < 0 || from.missing)
        return optional ? 0 : error < 0 ? error : -ENOENT;
      host = from.host;
      break;
    case wire::Stands::kFresh:
      host = state_.scratch;
      host.add("/fs").add(static_cast<int64_t>(state_.tickets++));
      if (long error = sys::mkdirat(AT_FDCWD, host.c_str(), 0700); error < 0) return error;
      if (long error = sys::chmodat(AT_FDCWD, host.c_str(), static_cast<unsigned>(step.b)); error < 0) return error;
      break;
    case wire::Stands::kHidden:
    case wire::Stands::kFlags:
      if (long error = call.resolve(AT_FDCWD, target, kFollow, place); error < 0 || place.missing)
        return optional ? 0 : error < 0 ? error : -ENOENT;
      host = place.host;
      if (stands == wire::Stands::kFlags) return readOnly ? state_.view.keep(place.guest.c_str(), host.c_str()) : 0;
      bool directory = typeAt(host.c_str()) == S_IFDIR;
      host = state_.scratch;
      host.add("/none").add(static_cast<int64_t>(state_.tickets++));
      if (long error =
              directory ? sys::mkdirat(AT_FDCWD, host.c_str(), 0) : sys::mknodat(AT_FDCWD, host.c_str(), S_IFREG, 0);
          error < 0)
        return error;
      break;
  }
  bool directory = typeAt(host.c_str()) == S_IFDIR;
  if (long error = makePlace(call, target, directory, noFollow, place); error < 0) return optional ? 0 : error;
  if (step.flags & wire::kNoFollow && !(step.flags & wire::kCoverLink)) {
    char text[1];
    if (sys::readlinkat(AT_FDCWD, place.host.c_str(), text, sizeof text) >= 0) return -ELOOP;
  }
  return state_.view.add(place.guest.c_str(), host.c_str(), readOnly, stands == wire::Stands::kHidden);
}

}  // namespace ptrace

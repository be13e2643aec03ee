// The calls about the ids of a process.
#include "fakeroot/call.hh"

namespace fakeroot {

namespace {

constexpr uint32_t kMostGroups = 65536;  // NGROUPS_MAX
constexpr uint32_t kOverflow = 65534;    // what does not fit into 16 bits

/// An id argument of either size; -1 is -1 in both.
uint32_t idArgument(const Call& call, int n, unsigned form) {
  auto id = static_cast<uint32_t>(call.argument(n));
  if (!(form & kShort)) return id;
  id &= 0xffff;
  return id == 0xffff ? kNoId : id;
}

uint32_t shown(uint32_t id, unsigned form) { return form & kShort && id > 0xffff ? kOverflow : id; }

/// Writes one id, in its size, as the `n`th of an array.
bool writeId(const Call& call, uint64_t to, size_t n, uint32_t id, unsigned form) {
  id = shown(id, form);
  size_t size = form & kShort ? 2 : 4;
  return call.write(to + n * size, &id, size);
}

Four& fourOf(Identity& identity, unsigned form) { return (form & ~kShort) == kUsers ? identity.user : identity.group; }

/// As the kernel keeps them. Longer lists than anyone has stay as they are.
void sort(uint32_t* groups, uint32_t count) {
  if (count > 1024) return;
  for (uint32_t i = 1; i < count; i++)
    for (uint32_t j = i; j > 0 && groups[j] < groups[j - 1]; j--) {
      uint32_t lower = groups[j];
      groups[j] = groups[j - 1];
      groups[j - 1] = lower;
    }
}

/// Gives the process the changed ids, unless the change was refused.
Answer finish(Call& call, Identity& identity, long error) {
  if (error < 0) return Answer::give(error);
  identity.settle(call.identity());
  if (!call.isValid()) return Answer::proceed();
  return Answer::give(call.state.identities.give(call.thread, identity));
}

}  // namespace

Answer getId(Call& call, unsigned form) {
  const Identity& identity = call.identity();
  switch (form & ~kShort) {
    case kRealUser:
      return Answer::give(shown(identity.user.real, form));
    case kEffectiveUser:
      return Answer::give(shown(identity.user.effective, form));
    case kRealGroup:
      return Answer::give(shown(identity.group.real, form));
    default:
      return Answer::give(shown(identity.group.effective, form));
  }
}

Answer getIds(Call& call, unsigned form) {
  Identity identity = call.identity();
  const Four& ids = fourOf(identity, form);
  const uint32_t three[] = {ids.real, ids.effective, ids.saved};
  if (!call.isValid()) return Answer::proceed();
  for (int i = 0; i < 3; i++)
    if (!writeId(call, call.argument(i), 0, three[i], form)) return Answer::give(-EFAULT);
  return Answer::give(0);
}

Answer getGroups(Call& call, unsigned form) {
  const Identity& identity = call.identity();
  int room = call.number(0);
  auto count = static_cast<int>(identity.groupCount);
  if (room < 0 || (room > 0 && room < count)) return Answer::give(-EINVAL);
  if (room == 0) return Answer::give(count);
  if (!call.isValid()) return Answer::proceed();
  for (int i = 0; i < count; i++)
    if (!writeId(call, call.argument(1), static_cast<size_t>(i), identity.groups[i], form))
      return Answer::give(-EFAULT);
  return Answer::give(count);
}

Answer setGroups(Call& call, unsigned form) {
  static uint32_t groups[kMostGroups];
  auto count = static_cast<uint32_t>(call.argument(0));
  Identity identity = call.identity();
  if (!identity.privileged()) return Answer::give(-EPERM);
  if (count > kMostGroups) return Answer::give(-EINVAL);
  if (form & kShort) {
    static uint16_t narrow[kMostGroups];
    if (!call.read(call.argument(1), narrow, count * sizeof *narrow) && count) return Answer::give(-EFAULT);
    for (uint32_t i = 0; i < count; i++) groups[i] = narrow[i];
  } else if (count && !call.read(call.argument(1), groups, count * sizeof *groups)) {
    return Answer::give(-EFAULT);
  }
  sort(groups, count);
  identity.groups = groups;
  identity.groupCount = count;
  return finish(call, identity, 0);
}

Answer setId(Call& call, unsigned form) {
  Identity identity = call.identity();
  return finish(call, identity, setOne(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form)));
}

Answer setTwoIds(Call& call, unsigned form) {
  Identity identity = call.identity();
  return finish(
      call, identity,
      setTwo(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form), idArgument(call, 1, form)));
}

Answer setThreeIds(Call& call, unsigned form) {
  Identity identity = call.identity();
  return finish(call, identity,
                setThree(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form),
                         idArgument(call, 1, form), idArgument(call, 2, form)));
}

Answer setFileId(Call& call, unsigned form) {
  Identity identity = call.identity();
  uint32_t old = setFile(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form));
  finish(call, identity, 0);
  return Answer::give(old);  // in all its bits, also for 16 of them
}

/// prctl(2) PR_SET_KEEPCAPS, and PR_SET_SECUREBITS, which can say the same. The kernel does it as well: there is no harm in it.
Answer keepPowers(Call& call, unsigned) {
  Identity identity = call.identity();
  constexpr uint64_t kKeepBit = 1 << 4;  // SECBIT_KEEP_CAPS
  identity.keeps = call.number(0) == PR_SET_KEEPCAPS ? call.argument(1) == 1 : call.argument(1) & kKeepBit;
  if (call.isValid()) call.state.identities.give(call.thread, identity);
  return Answer::proceed();
}

/// capset(2): powers that were kept end when they are put down.
Answer setPowers(Call& call, unsigned) {
  constexpr uint32_t kOverIds = 1u << CAP_SETUID | 1u << CAP_SETGID;
  Identity identity = call.identity();
  if (!identity.kept) return Answer::proceed();
  __user_cap_data_struct low;
  if (!call.read(call.argument(1), &low, sizeof low) || low.permitted & kOverIds) return Answer::proceed();
  identity.kept = false;
  if (call.isValid()) call.state.identities.give(call.thread, identity);
  return Answer::proceed();
}

/// capget(2): who is not root has no capabilities but those that come with an exec, though this process has those of the guest's root.
Answer showPowers(Call& call, unsigned) {
  const Identity& identity = call.identity();
  if (identity.privileged() || identity.able || !call.argument(1)) return Answer::proceed();
  __user_cap_header_struct header;
  if (!call.read(call.argument(0), &header, sizeof header)) return Answer::proceed();
  if (header.pid != 0 && header.pid != call.numberOf(call.thread)) return Answer::proceed();
  bool wide = header.version == _LINUX_CAPABILITY_VERSION_3;
  if (!wide && header.version != _LINUX_CAPABILITY_VERSION_1) return Answer::proceed();
  auto line = [&](const char* key) { return static_cast<uint64_t>(call.status(key, 16)); };
  // Put aside, or given up.
  uint64_t effective = identity.gaveUp() ? line("CapAmb") : 0;
  uint64_t permitted = identity.gaveUp() ? effective : line("CapPrm"), inheritable = line("CapInh");
  __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++)
    data[i] = {static_cast<uint32_t>(effective >> 32 * i), static_cast<uint32_t>(permitted >> 32 * i),
               static_cast<uint32_t>(inheritable >> 32 * i)};
  if (!call.isValid()) return Answer::proceed();
  return Answer::give(call.write(call.argument(1), data, wide ? sizeof data : sizeof *data) ? 0 : -EFAULT);
}

/// The limit that the token is kept in has none as far as the guest is concerned.
Answer limitFor(Call& call, unsigned form) {
  constexpr uint64_t kNone[] = {~0ull, ~0ull};
  uint64_t to = form == kExtended ? call.argument(3) : form == kRead ? call.argument(1) : 0;
  if (to == 0) return Answer::give(0);
  if (!call.isValid()) return Answer::proceed();
  // Halves of 32 bits for 32-bit programs, in all but prlimit64.
  size_t size = call.compat && form != kExtended ? sizeof kNone / 2 : sizeof kNone;
  return Answer::give(call.write(to, kNone, size) ? 0 : -EFAULT);
}

}  // namespace fakeroot

// The calls about the fake ids of a process: credentials(7).
#include "ptrace/table.hh"

namespace ptrace {

namespace {

using fakeroot::Four;
using fakeroot::Identity;

constexpr uint32_t kMostGroups = 65536;  // NGROUPS_MAX

Four& fourOf(Identity& identity, unsigned form) { return (form & kLayout) == kUsers ? identity.user : identity.group; }

/// How a call of 16 bits shows an id that does not fit.
uint16_t shortId(uint32_t id) { return id > 0xffff ? 65534 : static_cast<uint16_t>(id); }
/// What it means by one: "leave it" has fewer bits, too.
uint32_t longId(uint16_t id) { return id == 0xffff ? fakeroot::kNoId : id; }

}  // namespace

uint32_t idArgument(const Call& call, int n, unsigned form) {
  auto id = static_cast<uint32_t>(call.argument(n));
  return form & kShort ? longId(static_cast<uint16_t>(id)) : id;
}

namespace {

/// Lists of groups are kept for ever: there are few.
const uint32_t* keep(const uint32_t* groups, uint32_t count) {
  constexpr size_t kRoom = 1 << 24;
  static uint32_t* all = nullptr;
  static size_t used = 0;
  if (!all) all = static_cast<uint32_t*>(reserve(kRoom * sizeof *all));
  if (!all || used + count + 1 > kRoom) return nullptr;
  for (size_t at = 0; at < used; at += all[at] + 1)
    if (all[at] == count && memcmp(all + at + 1, groups, count * sizeof *groups) == 0) return all + at + 1;
  all[used] = count;
  memcpy(all + used + 1, groups, count * sizeof *groups);
  used += count + 1;
  return all + used - count;
}

/// What a change of the ids has led to.
Answer finish(Identity& identity, const Identity& before, long error) {
  identity.settle(before);
  return Answer::give(error);
}

}  // namespace

Answer getId(Call& call, unsigned form) {
  const Identity& identity = call.identity();
  auto show = [&](uint32_t id) { return Answer::give(form & kShort ? shortId(id) : id); };
  switch (form & kLayout) {
    case kRealUser:
      return show(identity.user.real);
    case kEffectiveUser:
      return show(identity.user.effective);
    case kRealGroup:
      return show(identity.group.real);
    default:
      return show(identity.group.effective);
  }
}

Answer getIds(Call& call, unsigned form) {
  const Four& ids = fourOf(call.identity(), form);
  const uint32_t three[] = {ids.real, ids.effective, ids.saved};
  for (int i = 0; i < 3; i++) {
    const uint16_t half = shortId(three[i]);
    bool written = form & kShort ? call.write(call.argument(i), &half, sizeof half)
                                 : call.write(call.argument(i), &three[i], sizeof three[i]);
    if (!written) return Answer::give(-EFAULT);
  }
  return Answer::give(0);
}

Answer getGroups(Call& call, unsigned form) {
  const Identity& identity = call.identity();
  int room = call.number(0);
  auto count = static_cast<int>(identity.groupCount);
  if (room < 0 || (room > 0 && room < count)) return Answer::give(-EINVAL);
  if (room == 0 || count == 0) return Answer::give(count);
  if (form & kShort) {
    static uint16_t halves[kMostGroups];
    for (int i = 0; i < count; i++) halves[i] = shortId(identity.groups[i]);
    if (!call.write(call.argument(1), halves, identity.groupCount * sizeof *halves)) return Answer::give(-EFAULT);
  } else if (!call.write(call.argument(1), identity.groups, identity.groupCount * sizeof *identity.groups)) {
    return Answer::give(-EFAULT);
  }
  return Answer::give(count);
}

Answer setGroups(Call& call, unsigned form) {
  static uint32_t groups[kMostGroups];
  auto count = static_cast<uint32_t>(call.argument(0));
  Identity& identity = call.identity();
  if (!identity.privileged()) return Answer::give(-EPERM);
  if (count > kMostGroups) return Answer::give(-EINVAL);
  size_t width = form & kShort ? sizeof(uint16_t) : sizeof *groups;
  if (count && !call.read(call.argument(1), groups, count * width)) return Answer::give(-EFAULT);
  // From the last one on, as the longer ones take the place of the others.
  for (uint32_t i = form & kShort ? count : 0; i-- > 0;) {
    uint16_t half;
    memcpy(&half, reinterpret_cast<char*>(groups) + i * width, width);
    groups[i] = longId(half);
  }
  for (uint32_t i = 1; i < count; i++)
    for (uint32_t j = i; j > 0 && groups[j] < groups[j - 1]; j--) {
      uint32_t lower = groups[j];
      groups[j] = groups[j - 1];
      groups[j - 1] = lower;
    }
  const uint32_t* kept = keep(groups, count);
  if (!kept) return Answer::give(-ENOMEM);
  identity.groups = kept;
  identity.groupCount = count;
  return Answer::give(0);
}

Answer setId(Call& call, unsigned form) {
  Identity& identity = call.identity();
  const Identity before = identity;
  return finish(identity, before,
                fakeroot::setOne(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form)));
}

Answer setTwoIds(Call& call, unsigned form) {
  Identity& identity = call.identity();
  const Identity before = identity;
  return finish(identity, before,
                fakeroot::setTwo(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form),
                                 idArgument(call, 1, form)));
}

Answer setThreeIds(Call& call, unsigned form) {
  Identity& identity = call.identity();
  const Identity before = identity;
  return finish(identity, before,
                fakeroot::setThree(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form),
                                   idArgument(call, 1, form), idArgument(call, 2, form)));
}

Answer setFileId(Call& call, unsigned form) {
  Identity& identity = call.identity();
  return Answer::give(fakeroot::setFile(fourOf(identity, form), identity.privileged(), idArgument(call, 0, form)));
}

/// prctl(2) PR_SET_KEEPCAPS, and PR_SET_SECUREBITS, which can say the same.
Answer keepPowers(Call& call) {
  constexpr uint64_t kKeepBit = 1 << 4;  // SECBIT_KEEP_CAPS
  bool bits = call.number(0) == PR_SET_SECUREBITS;
  if (bits && !call.privileged()) return Answer::give(-EPERM);
  if (!bits && call.argument(1) > 1) return Answer::give(-EINVAL);
  call.identity().keeps = bits ? call.argument(1) & kKeepBit : call.argument(1) == 1;
  return Answer::give(0);
}

/// capget(2), with `form` capset(2): a fake root has them all, and giving some up changes nothing; powers that were kept end when
/// those over ids are put down.
Answer capabilities(Call& call, unsigned form) {
  __user_cap_header_struct header;
  if (!call.read(call.argument(0), &header, sizeof header)) return Answer::give(-EFAULT);
  __user_cap_data_struct data[2]{};
  bool old = header.version == _LINUX_CAPABILITY_VERSION_1;
  if (!old && header.version != _LINUX_CAPABILITY_VERSION_2 && header.version != _LINUX_CAPABILITY_VERSION_3)
    return Answer::proceed();
  size_t size = old ? sizeof *data : sizeof data;
  if (form) {
    if (!call.read(call.argument(1), data, size)) return Answer::give(-EFAULT);
    constexpr uint32_t kOverIds = 1u << CAP_SETUID | 1u << CAP_SETGID;
    bool gives = call.identity().privileged() || call.tracee.runner || !(data[0].permitted | data[1].permitted);
    if (!(data[0].permitted & kOverIds)) call.identity().kept = false;
    return Answer::give(gives ? 0 : -EPERM);
  }
  if (call.argument(1) == 0) return Answer::proceed();
  constexpr uint64_t kAll = (1ull << 41) - 1;
  uint64_t held = call.identity().privileged() ? kAll : 0;
  for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted = static_cast<uint32_t>(held >> 32 * i);
  return Answer::give(call.write(call.argument(1), data, size) ? 0 : -EFAULT);
}

}  // namespace ptrace

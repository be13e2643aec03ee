// Session, limits, user and privileges of the payload: the tail of a launch.
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "steps/context.hh"

namespace {

using Capabilities = uint64_t;
constexpr Capabilities bit(int capability) { return 1ull << capability; }

struct CapabilitySets {
  Capabilities effective, permitted, inheritable;
};

long getCapabilities(CapabilitySets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  if (long error = sys::invoke(__NR_capget, &header, data); error < 0) return error;
  auto join = [](uint32_t low, uint32_t high) { return low | static_cast<Capabilities>(high) << 32; };
  sets = {join(data[0].effective, data[1].effective), join(data[0].permitted, data[1].permitted),
          join(data[0].inheritable, data[1].inheritable)};
  return 0;
}

long setCapabilities(const CapabilitySets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++)
    data[i] = {static_cast<uint32_t>(sets.effective >> 32 * i), static_cast<uint32_t>(sets.permitted >> 32 * i),
               static_cast<uint32_t>(sets.inheritable >> 32 * i)};
  return sys::invoke(__NR_capset, &header, data);
}

/// The bounding set as it is now.
Capabilities boundingSet() {
  Capabilities set = 0;
  for (int i = 0; i < 64; i++) {
    long held = sys::prctl(PR_CAPBSET_READ, static_cast<unsigned long>(i));
    if (held < 0) break;  // EINVAL: past the last capability of this kernel
    if (held) set |= bit(i);
  }
  return set;
}

}  // namespace

/// A session of its own without a controlling terminal, umask 0022, an empty session keyring.
long startSession(Context&, const wire::Step&) {
  sys::invoke(__NR_umask, 0022);
  // The launcher's keyring would let the guest read the caller's keys. Kernels without keyrings, and filters: no matter.
  sys::invoke(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
  long result = sys::setsid();
  return result < 0 ? result : 0;
}

/// s0 = name.
long setHostname(Context& context, const wire::Step& step) {
  const char* name = context.plan.text(step.s0);
  return sys::invoke(__NR_sethostname, name, strlen(name));
}

/// Before Linux 3.4 reboot(2) knew no PID namespaces. CAD_ON changes nothing anywhere: it is the state after boot. In a
/// PID namespace of a newer kernel it is EINVAL.
long requireNamespacedReboot(Context&, const wire::Step&) {
  long result = sys::invoke(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_ON, nullptr);
  return result == 0 ? -ENOSYS : 0;
}

/// mode = RLIMIT_*; a, b = soft and hard, ~0 for infinity; kOptional: less will do.
long setLimit(Context& context, const wire::Step& step) {
  rlimit64 limit{step.a, step.b};
  // Of a guest with a user namespace the monitor sets them: its own root could not raise a hard limit.
  auto set = [&](const rlimit64* to, rlimit64* old) {
    return sys::prlimit(context.guest, static_cast<int>(step.mode), to, old);
  };
  long error = set(&limit, nullptr);
  if (error != -EPERM || !(step.flags & wire::kOptional)) return error;
  // Without CAP_SYS_RESOURCE, or above fs.nr_open, a hard limit cannot be raised: as near as it goes.
  rlimit64 old;
  if ((error = set(nullptr, &old)) < 0) return error;
  if (limit.rlim_max > old.rlim_max) limit.rlim_max = old.rlim_max;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  return set(&limit, nullptr);
}

/// a = -1000 … 1000, as a signed number.
long adjustOomScore(Context& context, const wire::Step& step) {
  sys::UniqueFd file;
  if (context.guest) {
    sys::Text<40> path;
    path.add(context.guest).add("/oom_score_adj");
    file.reset(ownProc(context) < 0 ? -ENOENT : sys::openat(context.proc, path.c_str(), O_WRONLY));
  } else {
    file.reset(sys::open("/proc/self/oom_score_adj", O_WRONLY));
  }
  if (!file.ok()) return file.error();
  sys::Text<24> number;
  number.add(static_cast<int64_t>(step.a));
  return sys::writeAll(file.get(), number.c_str(), number.size());
}

/// s0, n = the processors, a bit each, of n bytes.
long setAffinity(Context& context, const wire::Step& step) {
  return sys::invoke(__NR_sched_setaffinity, 0, step.n, context.plan.data(step.s0));
}

/// a = PER_*.
long setPersonality(Context&, const wire::Step& step) {
  long result = sys::invoke(__NR_personality, step.a);
  return result < 0 ? result : 0;
}

/// a = bounding set, b = ambient set; kNoNewPrivs.
///
/// Bounding first, while CAP_SETPCAP is there. Permitted and effective stay as they are until the exec, because
/// seccomp(2) still needs CAP_SYS_ADMIN; the exec then computes them: for root from the bounding and inheritable sets, for
/// anyone else from the ambient set (capabilities(7)). A user other than root gets no inheritable ones (CVE-2022-29162).
long takeIdentity(Context& context, const wire::Step& step) {
  CapabilitySets sets;
  if (long error = getCapabilities(sets); error < 0) return error;
  Capabilities held = boundingSet();
  for (int i = 0; i < 64; i++) {
    if (!(held & bit(i)) || step.a & bit(i)) continue;
    if (long error = sys::prctl(PR_CAPBSET_DROP, static_cast<unsigned long>(i)); error < 0) return error;
  }
  const User& user = context.user;
  // So that the user can open the terminal anew by its name.
  if (user.uid != 0 && context.plan.header().console != wire::Console::kPipe)
    if (long error = sys::invoke(__NR_fchown, 0, user.uid, -1); error < 0) return error;
  sys::prctl(PR_SET_KEEPCAPS, 1);
  if (long error = sys::invoke(__NR_setgroups, user.groupCount, user.groups); error < 0) return error;
  if (long error = sys::invoke(__NR_setresgid, user.gid, user.gid, user.gid); error < 0) return error;
  if (long error = sys::invoke(__NR_setresuid, user.uid, user.uid, user.uid); error < 0) return error;
  sys::prctl(PR_SET_KEEPCAPS, 0);
  Capabilities kept = held & step.a & sets.permitted;
  // What is left to do as another user, to change the directory and to find the program, is done with that user's rights.
  sets.effective = user.uid == 0 ? sets.permitted : sets.permitted & bit(CAP_SYS_ADMIN);
  sets.inheritable = user.uid == 0 ? kept : kept & step.b;
  if (long error = setCapabilities(sets); error < 0) return error;
  for (int i = 0; i < 64; i++) {
    if (!(step.b & bit(i))) continue;
    if (long error = sys::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, static_cast<unsigned long>(i)); error < 0)
      return error;
  }
  if (step.flags & wire::kNoNewPrivs)
    if (long error = sys::prctl(PR_SET_NO_NEW_PRIVS, 1); error < 0) return error;
  return 0;
}

long raiseCapabilities() {
  CapabilitySets sets;
  if (long error = getCapabilities(sets); error < 0) return error;
  sets.effective = sets.permitted;
  return setCapabilities(sets);
}

long dropToBoundingSet() {
  CapabilitySets sets;
  if (long error = getCapabilities(sets); error < 0) return error;
  sets.permitted &= boundingSet();
  sets.effective = sets.permitted;
  return setCapabilities(sets);
}

/// s0 = path; without one the user's home, or / where that cannot be entered.
long changeDirectory(Context& context, const wire::Step& step) {
  if (const char* path = context.plan.text(step.s0)) return sys::chdir(path);
  return sys::chdir(context.user.home.c_str()) < 0 ? sys::chdir("/") : 0;
}

/// s0 = SELinux label.
long setExecLabel(Context& context, const wire::Step& step) {
  sys::UniqueFd file(sys::open("/proc/self/attr/exec", O_WRONLY));
  if (!file.ok()) return file.error();
  // A label that went into a file of the tree would be one that was silently not taken (CVE-2019-16884).
  struct {
    long type;
    char rest[240];
  } info{};
  if (sys::invoke(__NR_fstatfs, file.get(), &info) < 0 || info.type != 0x9fa0 /* PROC_SUPER_MAGIC */) return -EXDEV;
  const char* label = context.plan.text(step.s0);
  return sys::writeAll(file.get(), label, strlen(label));
}

/// s0, n = the filter, an array of n / 8 instructions.
long loadSeccomp(Context& context, const wire::Step& step) {
  sock_fprog program{static_cast<unsigned short>(step.n / sizeof(sock_filter)),
                     const_cast<sock_filter*>(static_cast<const sock_filter*>(context.plan.data(step.s0)))};
  return sys::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, reinterpret_cast<unsigned long>(&program));
}

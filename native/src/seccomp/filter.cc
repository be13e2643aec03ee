#include "seccomp/filter.hh"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <sstream>

#include "seccomp/groups.hh"

namespace seccomp {

namespace {

#if defined(__x86_64__)
constexpr uint32_t kCompatArch = SCMP_ARCH_X86;
#elif defined(__aarch64__)
constexpr uint32_t kCompatArch = SCMP_ARCH_ARM;
#else
#error "the system call filter knows x86-64 and aarch64 so far"
#endif

Names words(const char* text) {
  std::istringstream stream(text);
  Names list;
  for (std::string word; stream >> word;) list.push_back(word);
  return list;
}

void expand(const std::string& name, std::set<std::string>& into) {
  if (name[0] != '@') {
    into.insert(name);
    return;
  }
  for (const Group& group : kGroups)
    if (name == group.name)
      for (const std::string& member : words(group.members)) expand(member, into);
}

bool contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What is open to a container or known to be closed to it: every call with an answer of its own.
std::set<std::string> answered() {
  std::set<std::string> calls;
  for (const Group& group : kGroups) expand(group.name, calls);
  for (const Opening& opening : kOpenings)
    for (const std::string& name : words(opening.members)) expand(name, calls);
  for (const std::string& name : words(kRefused)) calls.insert(name);
  return calls;
}

std::set<std::string> known() {
  std::set<std::string> calls = answered();
  for (const std::string& name : words(kUnknown)) calls.insert(name);
  return calls;
}

constexpr int kNoSuchCall = -1, kElsewhere = -2;

/// The number of a call that this libseccomp does not know, kElsewhere where only another architecture has it.
int recentNumber(const std::string& name) {
  for (const RecentCall& call : kRecentCalls)
    if (name == call.name) return call.number;
  for (const RecentCall& call : kRecentX86_64)
    if (name == call.name) return kCompatArch == SCMP_ARCH_X86 ? call.number : kElsewhere;
  return kNoSuchCall;
}

void insertAll(const Names& names, std::set<std::string>& calls) {
  for (const std::string& name : names)
    if (auto members = membersOf(name)) calls.insert(members->begin(), members->end());
}

}  // namespace

std::optional<Names> membersOf(const std::string& name) {
  std::set<std::string> calls;
  if (name == "@known") {
    calls = known();
  } else if (name[0] == '@') {
    expand(name, calls);
    if (calls.empty()) return {};
  } else {
    if (seccomp_syscall_resolve_name(name.c_str()) == __NR_SCMP_ERROR && !known().count(name)) return {};
    calls = {name};
  }
  return Names(calls.begin(), calls.end());
}

Names allNames() {
  std::set<std::string> calls = known();
  Names names(calls.begin(), calls.end());
  for (const Group& group : kGroups) names.emplace_back(group.name);
  names.emplace_back("@known");
  return names;
}

Names allCapabilities() {
  Names names;
  for (const Opening& opening : kOpenings)
    if (opening.capability) names.emplace_back(opening.capability);
  return names;
}

Program compileOpen(const Names& capabilities, const Names& more) {
  std::set<std::string> open;
  for (const Opening& opening : kOpenings)
    if (!opening.capability || contains(capabilities, opening.capability)) insertAll(words(opening.members), open);
  insertAll(more, open);
  std::set<std::string> calls = answered();
  calls.insert(open.begin(), open.end());

  Builder program(SCMP_ACT_ERRNO(ENOSYS), SCMP_ACT_ERRNO(ENOSYS));
  for (const bool compat : {false, true}) {
    if (compat) program.addCompat();
    for (const std::string& name : calls)
      program.add(open.count(name) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), name, compat);
  }
  return program.finish();
}

Program compileClosed(const Names& capabilities, const Names& names) {
  std::set<std::string> closed;
  for (const Opening& opening : kOpenings)
    if (opening.capability && contains(capabilities, opening.capability)) insertAll(words(opening.members), closed);
  insertAll(names, closed);

  Builder program(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW);
  for (const bool compat : {false, true}) {
    if (compat) program.addCompat();
    for (const std::string& name : closed) program.add(SCMP_ACT_ERRNO(EPERM), name, compat);
  }
  return program.finish();
}

Program compileProfile(uint32_t action, const Names& architectures, const std::vector<Rule>& rules) {
  Builder program(action, SCMP_ACT_KILL);
  // Calls by number come first, while the native architecture is alone: see Builder::add().
  for (const Rule& rule : rules)
    for (const std::string& name : rule.names)
      if (rule.action != action && rule.arguments.empty() && recentNumber(name) >= 0)
        program.add(rule.action, name, false);
  for (const std::string& name : architectures) program.addArchitecture(name);
  for (const Rule& rule : rules) {
    if (rule.action == action) continue;
    for (const std::string& name : rule.names)
      if (const int call = seccomp_syscall_resolve_name(name.c_str()); call != __NR_SCMP_ERROR)
        program.add(rule.action, call, rule.arguments);
  }
  return program.finish();
}

Builder::Builder(uint32_t call, uint32_t arch) : context_(seccomp_init(call)) {
  check(context_ == nullptr ? -ENOMEM : 0, "seccomp_init");
  check(seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, arch), "action for other architectures");
  check(seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");
}

void Builder::addCompat() { check(seccomp_arch_add(context_, kCompatArch), "compat architecture"); }

void Builder::addArchitecture(const std::string& name) {
  const uint32_t arch = seccomp_arch_resolve_name(name.c_str());
  // EEXIST: it is there. EDOM: one of the other byte order, which never runs here.
  const int result = arch == 0 ? 0 : seccomp_arch_add(context_, arch);
  check(result == -EEXIST || result == -EDOM ? 0 : result, "architecture " + name);
}

void Builder::add(uint32_t action, const std::string& name, bool compat) {
  const int call = seccomp_syscall_resolve_name(name.c_str());
  // Only while the native architecture is alone libseccomp takes a number without a name. On the other one, a call newer
  // than this libseccomp does not exist; a C library then falls back to older ones.
  if ((call != __NR_SCMP_ERROR) != compat) return;
  const int number = compat ? call : recentNumber(name);
  if (number == kElsewhere) return;
  // A name that nobody knows is a typing error in the table.
  check(number == kNoSuchCall && !compat ? -EINVAL : 0, name);
  add(action, number);
}

void Builder::add(uint32_t action, int call, const std::vector<scmp_arg_cmp>& arguments) {
  if (!failure_.empty()) return;
  const int result =
      seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(arguments.size()), arguments.data());
  // Two rules that say the same.
  check(result == -EEXIST ? 0 : result, "rule for call " + std::to_string(call));
}

Program Builder::finish() {
  if (!failure_.empty()) return {{}, failure_};
  // libseccomp before 2.6 writes to descriptors only.
  const int file = memfd_create("seccomp", MFD_CLOEXEC);
  check(file < 0 ? -errno : 0, "memfd_create");
  check(seccomp_export_bpf(context_, file), "seccomp_export_bpf");
  Program program{{}, failure_};
  const off_t size = lseek(file, 0, SEEK_END);
  if (failure_.empty() && size > 0) {
    program.bytes.resize(static_cast<size_t>(size));
    if (pread(file, program.bytes.data(), program.bytes.size(), 0) != size) program.failure = "short read";
  }
  close(file);
  return program;
}

void Builder::check(int result, const std::string& what) {
  if (result < 0 && failure_.empty()) failure_ = what + ": " + strerror(-result);
}

}  // namespace seccomp

// Maps arguments of N-API, nothing else; what starts machines is in machine-binding.cc, what images need in image-binding.cc, what
// is about single files in files-binding.cc. The typed face is packages/native/src/addon.ts.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <napi.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "addon/bytes.hh"
#include "addon/cgroup.hh"
#include "addon/content.hh"
#include "addon/files-binding.hh"
#include "addon/ids.hh"
#include "addon/image-binding.hh"
#include "addon/limits.hh"
#include "addon/lock.hh"
#include "addon/machine-binding.hh"
#include "addon/reboot.hh"
#include "addon/tree.hh"
#include "steps/remove.hh"

extern "C" const unsigned char tsnspawn_seccomp_default_start[], tsnspawn_seccomp_default_end[];
extern "C" const unsigned char tsnspawn_seccomp_privileged_start[], tsnspawn_seccomp_privileged_end[];
extern "C" const unsigned char tsnspawn_seccomp_arguments_start[], tsnspawn_seccomp_arguments_end[];
extern "C" const unsigned char tsnspawn_seccomp_suppress_sync_start[], tsnspawn_seccomp_suppress_sync_end[];
extern "C" const unsigned char tsnspawn_seccomp_fakeroot_start[], tsnspawn_seccomp_fakeroot_end[];

namespace {

/// lockTree(path, exclusive, identity) → descriptor, or -errno; the identity is that of openTree()
Napi::Value lockTreeBinding(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), lockTree(encoded(info[0]), info[1].ToBoolean(), encoded(info[2])));
}

/// removeDirectory(fd, path)
void removeDirectoryBinding(const Napi::CallbackInfo& info) {
  removeDirectory(info[0].ToNumber(), encoded(info[1]).c_str());
}

/// takeLockFiles(path, exclusive) → descriptors, or -errno
Napi::Value takeLockFilesBinding(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::vector<int> files;
  int error = takeLockFiles(encoded(info[0]), info[1].ToBoolean(), files);
  if (error < 0) return Napi::Number::New(env, error);
  auto list = Napi::Array::New(env, files.size());
  for (uint32_t i = 0; i < files.size(); i++) list.Set(i, Napi::Number::New(env, files[i]));
  return list;
}

/// releaseLockFile(descriptor)
Napi::Value releaseLockFileBinding(const Napi::CallbackInfo& info) {
  releaseLockFile(info[0].ToNumber());
  return info.Env().Undefined();
}

/// openTree(path) → {fd, path, identity, readOnly}: the directory, not locked, its real path, whether its file system is
/// mounted read-only; or -errno
Napi::Value openTree(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = open(encoded(info[0]).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Napi::Number::New(env, -errno);
  struct statvfs status;
  bool readOnly = fstatvfs(fd, &status) == 0 && status.f_flag & ST_RDONLY;
  auto object = Napi::Object::New(env);
  object.Set("fd", Napi::Number::New(env, fd));
  object.Set("path", decoded(env, realPath(fd)));
  object.Set("identity", Napi::String::New(env, identity(fd)));
  object.Set("readOnly", Napi::Boolean::New(env, readOnly));
  struct stat owner {};
  fstat(fd, &owner);
  object.Set("uid", Napi::Number::New(env, owner.st_uid));
  object.Set("gid", Napi::Number::New(env, owner.st_gid));
  return object;
}

/// capabilities() → [permitted, bounding], each [bits 0 to 31, bits 32 to 63]
Napi::Value capabilities(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  syscall(SYS_capget, &header, data);
  uint32_t bounding[2] = {};
  for (int i = 0; i < 64 && prctl(PR_CAPBSET_READ, i) >= 0; i++)
    if (prctl(PR_CAPBSET_READ, i)) bounding[i / 32] |= 1u << i % 32;
  auto pair = [&](uint32_t low, uint32_t high) {
    auto list = Napi::Array::New(env, 2);
    list.Set(0u, Napi::Number::New(env, low));
    list.Set(1u, Napi::Number::New(env, high));
    return list;
  };
  auto sets = Napi::Array::New(env, 2);
  sets.Set(0u, pair(data[0].permitted, data[1].permitted));
  sets.Set(1u, pair(bounding[0], bounding[1]));
  return sets;
}

/// readInTree(tree, path, most) → Buffer of at most `most` bytes, or undefined where there is no such regular file
Napi::Value readInTree(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  // Not blocking: a FIFO in a hostile tree must not hold up the launcher.
  int fd = openInTree(info[0].ToNumber(), encoded(info[1]), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  std::string content;
  if (fd < 0 || !readRegular(fd, info[2].ToNumber().Uint32Value(), content)) return env.Undefined();
  return Napi::Buffer<char>::Copy(env, content.data(), content.size());
}

/// readBeside(directory, name, most, confined) → Buffer of at most `most` bytes, undefined where there is no such file, or
/// -errno; -EINVAL for what is no regular file. Confined: a link is not followed out of the directory, but -EXDEV. An empty Buffer for
/// /dev/null, by which an administrator says that there is to be nothing.
Napi::Value readBeside(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  std::string directory = encoded(info[0]), name = encoded(info[1]);
  int fd;
  if (info[3].ToBoolean()) {
    int beside = openPlace(AT_FDCWD, directory.c_str(), O_DIRECTORY);
    fd = beside < 0 ? -1 : openat(beside, name.c_str(), kFlags | O_NOFOLLOW);
    if (fd < 0) fd = -errno;
    if (fd == -ELOOP && (fd = openInTree(beside, name, kFlags)) == -ENOENT) fd = -EXDEV;
    if (beside >= 0) close(beside);
  } else {
    fd = open((directory + "/" + name).c_str(), kFlags);
    if (fd < 0) fd = -errno;
  }
  if (fd == -ENOENT || fd == -ENOTDIR) return env.Undefined();
  if (fd < 0) return Napi::Number::New(env, fd);
  struct stat status;
  bool null = fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
  std::string content;
  if (!readRegular(fd, info[2].ToNumber().Uint32Value(), content) && !null) return Napi::Number::New(env, -EINVAL);
  return Napi::Buffer<char>::Copy(env, content.data(), content.size());
}

/// resolveInTree(tree, path) → the path inside the tree that it leads to, or undefined
Napi::Value resolveInTreeBinding(const Napi::CallbackInfo& info) {
  std::string resolved = resolveInTree(info[0].ToNumber(), encoded(info[1]));
  return resolved.empty() ? info.Env().Undefined() : decoded(info.Env(), resolved);
}

/// readText(path) → a file as UTF-8, or undefined when it cannot be read. For the files of /proc, whose size is not known
/// beforehand: Node's own way takes several times as long when it is called for the first time.
Napi::Value readText(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = open(encoded(info[0]).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return env.Undefined();
  std::string content;
  char buffer[16384];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) content.append(buffer, static_cast<size_t>(n));
  close(fd);
  return n < 0 ? env.Undefined() : Napi::String::New(env, content);
}

Napi::Value given(Napi::Env env, const Content& content) {
  if (content.error) return Napi::Number::New(env, -content.error);
  return Napi::Buffer<uint8_t>::Copy(env, content.bytes.data(), content.bytes.size());
}

/// readFile(path, most) → Buffer with a regular file, or -errno
Napi::Value readFileBinding(const Napi::CallbackInfo& info) {
  return given(info.Env(), readFile(encoded(info[0]), info[1].ToNumber().Uint32Value()));
}

/// readSocket(path, most) → Buffer with what the socket there says, or -errno
Napi::Value readSocketBinding(const Napi::CallbackInfo& info) {
  return given(info.Env(), readSocket(encoded(info[0]), info[1].ToNumber().Uint32Value()));
}

/// lockIds(base, size) → descriptor of the lock, or -errno
Napi::Value lockIdsBinding(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), lockIds(info[0].ToNumber().Uint32Value(), info[1].ToNumber().Uint32Value()));
}

/// ownsCgroup() → boolean
Napi::Value ownsCgroupBinding(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), ownsCgroup()); }

/// mapsOwners(directory) → boolean
Napi::Value mapsOwnersBinding(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), mapsOwners(info[0].ToNumber()));
}

/// commandLine() → the words that this process was started with, from the kernel
Napi::Value commandLine(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto list = Napi::Array::New(env);
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  for (std::string word; std::getline(file, word, '\0');) list.Set(list.Length(), decoded(env, word));
  return list;
}

/// closeFd(descriptor)
Napi::Value closeFd(const Napi::CallbackInfo& info) {
  close(info[0].ToNumber());
  return info.Env().Undefined();
}

/// exit(status): ends the process at once. Node's own way out frees every page of its heap first: milliseconds that the
/// caller of a short command waits for. Nothing may be left unwritten.
Napi::Value exitNow(const Napi::CallbackInfo& info) { _exit(info[0].ToNumber()); }

/// isTerminal(descriptor) → boolean
Napi::Value isTerminal(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), isatty(info[0].ToNumber()));
}

/// canOpen(path) → whether the device can be opened for reading and writing
Napi::Value canOpen(const Napi::CallbackInfo& info) {
  int fd = open(encoded(info[0]).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) close(fd);
  return Napi::Boolean::New(info.Env(), fd >= 0);
}

/// refusedProcessors(numbers) → those that a thread of this process may not run on
Napi::Value refusedProcessors(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto asked = info[0].As<Napi::Array>();
  auto refused = Napi::Array::New(env);
  std::vector<uint32_t> numbers(asked.Length());
  for (uint32_t i = 0; i < numbers.size(); i++) numbers[i] = asked.Get(i).ToNumber();
  std::vector<bool> may(numbers.size());
  // Tried, in a thread that is of no other use: neither the set of this thread nor that of the machine tells.
  std::thread([&] {
    constexpr uint32_t kBits = 8 * sizeof(long), kMost = 8192;
    for (size_t i = 0; i < numbers.size(); i++) {
      unsigned long set[kMost / kBits] = {};
      if (numbers[i] < kMost) set[numbers[i] / kBits] = 1ul << numbers[i] % kBits;
      may[i] = syscall(SYS_sched_setaffinity, 0, sizeof set, set) == 0;
    }
  }).join();
  for (size_t i = 0; i < numbers.size(); i++)
    if (!may[i]) refused.Set(refused.Length(), Napi::Number::New(env, numbers[i]));
  return refused;
}

/// limits(pid) → soft and hard value of each RLIMIT_*, in the order of their numbers; 0 is this process. Empty where the
/// kernel refuses (prlimit(2): another user's process).
Napi::Value limits(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto list = Napi::Array::New(env);
  auto add = [&](rlim64_t value) {
    double number = value == RLIM64_INFINITY ? std::numeric_limits<double>::infinity() : static_cast<double>(value);
    list.Set(list.Length(), Napi::Number::New(env, number));
  };
  for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
    rlimit64 limit;
    if (limitsOfProcess(info[0].ToNumber(), resource, &limit) < 0) break;
    add(limit.rlim_cur);
    add(limit.rlim_max);
  }
  return list;
}

/// interfaceName(name) → the interface that has this name or alternative name, as the kernel shows it, or undefined
Napi::Value interfaceName(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string name = encoded(info[0]);
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool found = ioctl(fd, SIOCGIFINDEX, &request) == 0 && ioctl(fd, SIOCGIFNAME, &request) == 0;
  close(fd);
  return found ? Napi::String::New(env, request.ifr_name) : env.Undefined();
}

/// networkNamespace(path) → what is there: network, missing, denied, other
Napi::Value networkNamespace(const Napi::CallbackInfo& info) {
  int fd = open(encoded(info[0]).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const char* kind = errno == EACCES || errno == EPERM     ? "denied"
                     : errno == ENOENT || errno == ENOTDIR ? "missing"
                                                           : "other";
  if (fd >= 0) {
    kind = ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET ? "network" : "other";
    close(fd);
  }
  return Napi::String::New(info.Env(), kind);
}

/// ownsNetwork() → whether this process's network namespace belongs to its user namespace
Napi::Value ownsNetwork(const Napi::CallbackInfo& info) {
  int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  int owner = network < 0 ? -1 : ioctl(network, NS_GET_USERNS);
  struct stat theirs, ours;
  bool own = owner >= 0 && fstat(owner, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
             theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
  close(owner);
  close(network);
  return Napi::Boolean::New(info.Env(), own);
}

/// rebootsHost() → whether reboot(2) in a PID namespace is that of the host
Napi::Value rebootsHostBinding(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), rebootsHost()); }

Napi::Value bytes(Napi::Env env, const unsigned char* start, const unsigned char* end) {
  return Napi::Buffer<uint8_t>::Copy(env, start, static_cast<size_t>(end - start));
}

/// seccompFilter(name) → the BPF program made at build time
Napi::Value seccompFilter(const Napi::CallbackInfo& info) {
  std::string name = encoded(info[0]);
  if (name == "suppress-sync")
    return bytes(info.Env(), tsnspawn_seccomp_suppress_sync_start, tsnspawn_seccomp_suppress_sync_end);
  if (name == "fakeroot") return bytes(info.Env(), tsnspawn_seccomp_fakeroot_start, tsnspawn_seccomp_fakeroot_end);
  if (name == "privileged")
    return bytes(info.Env(), tsnspawn_seccomp_privileged_start, tsnspawn_seccomp_privileged_end);
  if (name == "arguments") return bytes(info.Env(), tsnspawn_seccomp_arguments_start, tsnspawn_seccomp_arguments_end);
  return bytes(info.Env(), tsnspawn_seccomp_default_start, tsnspawn_seccomp_default_end);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exportMachine(env, exports);
  exportImage(env, exports);
  exportFiles(env, exports);
  exports.Set("removeDirectory", Napi::Function::New<removeDirectoryBinding>(env));
  exports.Set("lockTree", Napi::Function::New<lockTreeBinding>(env));
  exports.Set("takeLockFiles", Napi::Function::New<takeLockFilesBinding>(env));
  exports.Set("releaseLockFile", Napi::Function::New<releaseLockFileBinding>(env));
  exports.Set("openTree", Napi::Function::New<openTree>(env));
  exports.Set("readInTree", Napi::Function::New<readInTree>(env));
  exports.Set("readBeside", Napi::Function::New<readBeside>(env));
  exports.Set("resolveInTree", Napi::Function::New<resolveInTreeBinding>(env));
  exports.Set("readText", Napi::Function::New<readText>(env));
  exports.Set("readFile", Napi::Function::New<readFileBinding>(env));
  exports.Set("readSocket", Napi::Function::New<readSocketBinding>(env));
  exports.Set("lockIds", Napi::Function::New<lockIdsBinding>(env));
  exports.Set("ownsCgroup", Napi::Function::New<ownsCgroupBinding>(env));
  exports.Set("mapsOwners", Napi::Function::New<mapsOwnersBinding>(env));
  exports.Set("commandLine", Napi::Function::New<commandLine>(env));
  exports.Set("closeFd", Napi::Function::New<closeFd>(env));
  exports.Set("exit", Napi::Function::New<exitNow>(env));
  exports.Set("isTerminal", Napi::Function::New<isTerminal>(env));
  exports.Set("canOpen", Napi::Function::New<canOpen>(env));
  exports.Set("capabilities", Napi::Function::New<capabilities>(env));
  exports.Set("refusedProcessors", Napi::Function::New<refusedProcessors>(env));
  exports.Set("limits", Napi::Function::New<limits>(env));
  exports.Set("interfaceName", Napi::Function::New<interfaceName>(env));
  exports.Set("networkNamespace", Napi::Function::New<networkNamespace>(env));
  exports.Set("ownsNetwork", Napi::Function::New<ownsNetwork>(env));
  exports.Set("rebootsHost", Napi::Function::New<rebootsHostBinding>(env));
  exports.Set("seccompFilter", Napi::Function::New<seccompFilter>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(tsnspawn, init)

// What node:fs lacks about a file that is open already, if only with O_PATH: arguments of N-API to system calls, nothing else.
#include "addon/files-binding.hh"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "addon/bytes.hh"

namespace {

/// The calls for extended attributes take no descriptor made with O_PATH, but this way to it, also where it is one of a link.
std::string pathOf(const Napi::Value& descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor.ToNumber().Int32Value());
}

/// inspect(fd) → what statx(2) and, of a link, readlink(2) say; or -errno
Napi::Value inspect(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = info[0].ToNumber();
  struct statx status;
  if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &status) < 0)
    return Napi::Number::New(env, -errno);
  auto object = Napi::Object::New(env);
  auto number = [&](const char* name, double value) { object.Set(name, Napi::Number::New(env, value)); };
  auto text = [&](const char* name, const std::string& value) { object.Set(name, Napi::String::New(env, value)); };
  number("mode", status.stx_mode);
  number("uid", status.stx_uid);
  number("gid", status.stx_gid);
  number("links", status.stx_nlink);
  number("size", static_cast<double>(status.stx_size));
  number("modified", static_cast<double>(status.stx_mtime.tv_sec));
  number("major", status.stx_rdev_major);
  number("minor", status.stx_rdev_minor);
  number("mount", static_cast<double>(status.stx_mnt_id));  // 5.8
  text("device", std::to_string(status.stx_dev_major) + ":" + std::to_string(status.stx_dev_minor));
  text("inode", std::to_string(status.stx_ino));
  bool born = status.stx_mask & STATX_BTIME;
  text("birth", born ? std::to_string(status.stx_btime.tv_sec) + "." + std::to_string(status.stx_btime.tv_nsec)
                     : std::string("0.0"));
  if (S_ISLNK(status.stx_mode)) {
    std::vector<char> target(PATH_MAX);
    ssize_t size = readlinkat(fd, "", target.data(), target.size());
    if (size < 0) return Napi::Number::New(env, -errno);
    object.Set("target", Napi::Buffer<char>::Copy(env, target.data(), static_cast<size_t>(size)));
  }
  return object;
}

/// attributes(fd) → [name, value]... of all extended attributes that the caller may see, or -errno
Napi::Value attributes(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string path = pathOf(info[0]);
  auto list = Napi::Array::New(env);
  char names[XATTR_LIST_MAX];
  ssize_t size = listxattr(path.c_str(), names, sizeof names);
  if (size < 0 && errno == EOPNOTSUPP) return list;
  if (size < 0) return Napi::Number::New(env, -errno);
  std::vector<char> value(size > 0 ? XATTR_SIZE_MAX : 0);
  for (const char* name = names; name < names + size; name += std::char_traits<char>::length(name) + 1) {
    ssize_t length = getxattr(path.c_str(), name, value.data(), value.size());
    if (length < 0 && errno == ENODATA) continue;  // removed meanwhile, or listed for those alone who may see it
    if (length < 0) return Napi::Number::New(env, -errno);
    auto pair = Napi::Array::New(env, 2);
    pair.Set(0u, decoded(env, name));
    pair.Set(1u, Napi::Buffer<char>::Copy(env, value.data(), static_cast<size_t>(length)));
    list.Set(list.Length(), pair);
  }
  return list;
}

/// setAttribute(fd, name, value) → 0 or -errno
Napi::Value setAttribute(const Napi::CallbackInfo& info) {
  auto value = info[2].As<Napi::Uint8Array>();
  int set = setxattr(pathOf(info[0]).c_str(), encoded(info[1]).c_str(), value.Data(), value.ByteLength(), 0);
  return Napi::Number::New(info.Env(), set < 0 ? -errno : 0);
}

/// removeAttribute(fd, name) → 0 or -errno
Napi::Value removeAttribute(const Napi::CallbackInfo& info) {
  int removed = removexattr(pathOf(info[0]).c_str(), encoded(info[1]).c_str());
  return Napi::Number::New(info.Env(), removed < 0 ? -errno : 0);
}

}  // namespace

void exportFiles(Napi::Env env, Napi::Object exports) {
  exports.Set("inspect", Napi::Function::New<inspect>(env));
  exports.Set("attributes", Napi::Function::New<attributes>(env));
  exports.Set("setAttribute", Napi::Function::New<setAttribute>(env));
  exports.Set("removeAttribute", Napi::Function::New<removeAttribute>(env));
}

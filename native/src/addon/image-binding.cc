// The functions of the addon that disk images need: arguments of N-API to those of image.hh, nothing else.
#include "addon/image-binding.hh"

#include <sys/xattr.h>

#include "addon/bytes.hh"
#include "addon/image.hh"
#include "addon/tree.hh"

namespace {

/// openImage(path, writable) → {fd, path, identity, kind, size, sectorSize, readOnly}, or -errno
Napi::Value openImageBinding(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  OpenedImage image;
  if (int error = openImage(encoded(info[0]), info[1].ToBoolean(), image); error < 0)
    return Napi::Number::New(env, error);
  auto object = Napi::Object::New(env);
  object.Set("fd", Napi::Number::New(env, image.fd));
  object.Set("path", decoded(env, realPath(image.fd)));
  object.Set("identity", Napi::String::New(env, identity(image.fd)));
  object.Set("kind", Napi::String::New(env, image.kind));
  object.Set("size", Napi::Number::New(env, static_cast<double>(image.size)));
  object.Set("sectorSize", Napi::Number::New(env, image.sectorSize));
  object.Set("readOnly", Napi::Boolean::New(env, image.readOnly));
  return object;
}

/// lockFile(descriptor, exclusive) → 0 or -errno
Napi::Value lockFileBinding(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), lockFile(info[0].ToNumber(), info[1].ToBoolean()));
}

/// attachLoop(descriptor, {offset, size, readOnly}) → {fd, path}, or -errno
Napi::Value attachLoopBinding(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto options = info[1].As<Napi::Object>();
  auto bytes = [&](const char* name) { return static_cast<uint64_t>(options.Get(name).ToNumber().Int64Value()); };
  std::string path;
  int fd = attachLoop(info[0].ToNumber(), {bytes("offset"), bytes("size")}, options.Get("readOnly").ToBoolean(), path);
  if (fd < 0) return Napi::Number::New(env, fd);
  auto object = Napi::Object::New(env);
  object.Set("fd", Napi::Number::New(env, fd));
  object.Set("path", Napi::String::New(env, path));
  return object;
}

/// hasFileSystem(type) → whether this kernel knows it
Napi::Value hasFileSystemBinding(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), hasFileSystem(encoded(info[0])));
}

/// mountReadOnly(device, type, options) → descriptor of the root directory, or -errno
Napi::Value mountReadOnlyBinding(const Napi::CallbackInfo& info) {
  auto list = info[2].As<Napi::Array>();
  std::vector<std::string> options;
  for (uint32_t i = 0; i < list.Length(); i++) options.push_back(encoded(list.Get(i)));
  return Napi::Number::New(info.Env(), mountReadOnly(info[0].ToNumber(), encoded(info[1]), options));
}

/// extendedAttribute(descriptor, name) → its value, or undefined
Napi::Value extendedAttribute(const Napi::CallbackInfo& info) {
  char value[4096];
  ssize_t size = fgetxattr(info[0].ToNumber(), encoded(info[1]).c_str(), value, sizeof value);
  if (size < 0) return info.Env().Undefined();
  return Napi::String::New(info.Env(), value, static_cast<size_t>(size));
}

}  // namespace

void exportImage(Napi::Env env, Napi::Object exports) {
  exports.Set("openImage", Napi::Function::New<openImageBinding>(env));
  exports.Set("lockFile", Napi::Function::New<lockFileBinding>(env));
  exports.Set("attachLoop", Napi::Function::New<attachLoopBinding>(env));
  exports.Set("hasFileSystem", Napi::Function::New<hasFileSystemBinding>(env));
  exports.Set("mountReadOnly", Napi::Function::New<mountReadOnlyBinding>(env));
  exports.Set("extendedAttribute", Napi::Function::New<extendedAttribute>(env));
}

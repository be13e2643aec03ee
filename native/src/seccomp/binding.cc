// The addon that compiles system call filters. It is apart from the other one, which every launch loads: libseccomp, linked
// into it, is needed by those alone whose filter is not the built-in one. The typed face is packages/native/src/filters.ts.
#include <napi.h>

#include "seccomp/filter.hh"

namespace {

seccomp::Names strings(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  seccomp::Names names;
  for (uint32_t i = 0; i < list.Length(); i++) names.push_back(list.Get(i).ToString().Utf8Value());
  return names;
}

Napi::Value array(Napi::Env env, const seccomp::Names& names) {
  auto list = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); i++) list.Set(i, Napi::String::New(env, names[i]));
  return list;
}

Napi::Value bytes(Napi::Env env, const seccomp::Program& program) {
  if (program.failure.empty()) return Napi::Buffer<char>::Copy(env, program.bytes.data(), program.bytes.size());
  Napi::Error::New(env, program.failure).ThrowAsJavaScriptException();
  return env.Undefined();
}

/// compile(opens, capabilities, names) → the program that opens, or the one that closes these
Napi::Value compile(const Napi::CallbackInfo& info) {
  const auto compile = info[0].ToBoolean() ? seccomp::compileOpen : seccomp::compileClosed;
  return bytes(info.Env(), compile(strings(info[1]), strings(info[2])));
}

scmp_arg_cmp comparison(const Napi::Object& from) {
  const auto number = [&](const char* name) {
    return static_cast<scmp_datum_t>(from.Get(name).ToNumber().DoubleValue());
  };
  scmp_arg_cmp result{};
  result.arg = static_cast<unsigned>(number("index"));
  result.op = static_cast<scmp_compare>(number("op"));
  result.datum_a = number("value");
  result.datum_b = number("valueTwo");
  return result;
}

/// compileProfile(action, architectures, [{names, action, args: [{index, op, value, valueTwo}]}]) → the program
Napi::Value compileProfile(const Napi::CallbackInfo& info) {
  const auto list = info[2].As<Napi::Array>();
  std::vector<seccomp::Rule> rules;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto from = list.Get(i).As<Napi::Object>();
    const auto args = from.Get("args").As<Napi::Array>();
    seccomp::Rule rule{strings(from.Get("names")), from.Get("action").ToNumber().Uint32Value(), {}};
    for (uint32_t j = 0; j < args.Length(); j++) rule.arguments.push_back(comparison(args.Get(j).As<Napi::Object>()));
    rules.push_back(rule);
  }
  return bytes(info.Env(), seccomp::compileProfile(info[0].ToNumber().Uint32Value(), strings(info[1]), rules));
}

/// members(name) → the calls that a call or @group stands for, or undefined where there is none of that name
Napi::Value members(const Napi::CallbackInfo& info) {
  const auto calls = seccomp::membersOf(info[0].ToString().Utf8Value());
  return calls ? array(info.Env(), *calls) : info.Env().Undefined();
}

/// names() → every name of the table
Napi::Value names(const Napi::CallbackInfo& info) { return array(info.Env(), seccomp::allNames()); }

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("compile", Napi::Function::New<compile>(env));
  exports.Set("compileProfile", Napi::Function::New<compileProfile>(env));
  exports.Set("members", Napi::Function::New<members>(env));
  exports.Set("names", Napi::Function::New<names>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(seccomp, init)

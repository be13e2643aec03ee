// The functions of the addon that start machines and other programs: arguments of N-API to those of spawn.hh and namespace.hh, and the
// messages of a monitor to a callback.
#include "addon/machine-binding.hh"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "addon/bytes.hh"
#include "addon/namespace.hh"
#include "addon/spawn.hh"
#include "plan/wire.hh"

namespace {

/// One running monitor: a thread waits for its messages, because the event loop's pool has but four slots and a container
/// may run for months.
class Monitor : public Napi::ObjectWrap<Monitor> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Monitor",
                       {InstanceAccessor<&Monitor::pid>("pid"), InstanceMethod<&Monitor::signal>("signal")});
  }

  explicit Monitor(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

  ~Monitor() override {
    if (events_ >= 0) close(events_);
  }

  /// Takes over the monitor `pid`; `callback(kind, a, b, c, text)` hears its messages, kind -1 is its end.
  void watch(Napi::Env env, pid_t pid, int events, Napi::Function callback) {
    pid_ = pid;
    events_ = events;
    Ref();
    auto tell = Napi::ThreadSafeFunction::New(env, callback, "tsnspawn events", 0, 1, [this](Napi::Env) { Unref(); });
    std::thread([pid, events, tell]() mutable {
      auto send = [&](const wire::EventMessage& message, int kind) {
        auto copy = std::make_unique<wire::EventMessage>(message);
        tell.BlockingCall(copy.release(), [kind](Napi::Env e, Napi::Function f, wire::EventMessage* m) {
          std::unique_ptr<wire::EventMessage> owned(m);
          f.Call({Napi::Number::New(e, kind), Napi::Number::New(e, m->a), Napi::Number::New(e, m->b),
                  Napi::Number::New(e, m->c), Napi::String::New(e, m->text)});
        });
      };
      wire::EventMessage message{};
      for (;;) {
        ssize_t n = recv(events, &message, sizeof message, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n != static_cast<ssize_t>(sizeof message)) break;
        message.text[sizeof message.text - 1] = 0;
        send(message, static_cast<int>(message.kind));
      }
      // The monitor is PID 1 of its namespace: when it has been reaped, no process of the guest is left.
      int status = 0;
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      wire::EventMessage last{};
      last.a = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
      last.b = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      send(last, -1);
      tell.Release();
    }).detach();
  }

 private:
  Napi::Value pid(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), pid_); }

  /// signal(number): sends it to the guest's PID 1. False when the monitor has gone.
  Napi::Value signal(const Napi::CallbackInfo& info) {
    wire::CommandMessage command{info[0].ToNumber().Int32Value()};
    ssize_t sent = send(events_, &command, sizeof command, MSG_NOSIGNAL | MSG_DONTWAIT);
    return Napi::Boolean::New(info.Env(), sent == static_cast<ssize_t>(sizeof command));
  }

  pid_t pid_ = -1;
  int events_ = -1;
};

struct AddonData {
  Napi::FunctionReference monitorClass;
  bool haveTerminal[2] = {false, false};
  termios terminal[2];
};

Napi::Value failure(Napi::Env env, const char* what, int error, const std::string& about = "") {
  auto object = Napi::Error::New(env, what);
  if (!about.empty()) object.Set("about", Napi::String::New(env, about));
  object.Set("syscall", Napi::String::New(env, what));
  object.Set("errno", Napi::Number::New(env, error));
  object.ThrowAsJavaScriptException();
  return env.Undefined();
}

/// {uids, gids, newuidmap, newgidmap, denySetgroups}, or undefined, with what the pointers point to.
class MapsOptions {
 public:
  explicit MapsOptions(const Napi::Value& value) {
    if (!value.IsObject()) return;
    auto maps = value.As<Napi::Object>();
    auto text = [&](const char* name) {
      Napi::Value one = maps.Get(name);
      return one.IsString() ? texts_.emplace_back(encoded(one)).c_str() : nullptr;
    };
    maps_ = {text("uids"), text("gids"), text("newuidmap"), text("newgidmap"), maps.Get("denySetgroups").ToBoolean()};
  }
  const UserMaps& maps() const { return maps_; }

 private:
  std::list<std::string> texts_;
  UserMaps maps_;
};

/// The arguments of launch() and supervise(), with what the pointers of the request point to.
class LaunchOptions {
 public:
  explicit LaunchOptions(Napi::Object options)
      : maps_(options.Get("maps")), plan_(options.Get("plan").As<Napi::Uint8Array>()) {
    name_ = encoded(options.Get("name"));
    env_ = strings(options.Get("env"));
    auto handed = options.Get("handed").As<Napi::Array>();
    for (uint32_t i = 0; i < handed.Length(); i++) handed_.push_back(handed.Get(i).ToNumber());
    request_ = {plan_.Data(),
                plan_.ByteLength(),
                options.Get("lockFd").ToNumber(),
                handed_.data(),
                handed_.size(),
                options.Get("stdout").ToNumber(),
                name_.c_str(),
                (envPointers_ = pointers(env_)).data(),
                static_cast<unsigned long>(options.Get("namespaces").ToNumber().Int64Value()),
                maps_.maps()};
  }
  const SpawnRequest& request() const { return request_; }

  static std::vector<std::string> strings(const Napi::Value& value) {
    auto list = value.As<Napi::Array>();
    std::vector<std::string> result;
    for (uint32_t i = 0; i < list.Length(); i++) result.push_back(encoded(list.Get(i)));
    return result;
  }
  static std::vector<const char*> pointers(const std::vector<std::string>& list) {
    std::vector<const char*> result;
    for (const auto& item : list) result.push_back(item.c_str());
    result.push_back(nullptr);
    return result;
  }

 private:
  MapsOptions maps_;
  Napi::Uint8Array plan_;
  std::string name_;
  std::vector<std::string> env_;
  std::vector<int> handed_;
  std::vector<const char*> envPointers_;
  SpawnRequest request_;
};

/// launch({plan, lockFd, handed, stdout, name, env, namespaces}, callback) → Monitor
Napi::Value launch(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  LaunchOptions options(info[0].As<Napi::Object>());
  SpawnResult started = spawnMonitor(options.request());
  if (started.pid < 0) return failure(env, started.failed, started.error, started.about);
  Napi::Object object = env.GetInstanceData<AddonData>()->monitorClass.New({});
  Monitor::Unwrap(object)->watch(env, started.pid, started.events.release(), info[1].As<Napi::Function>());
  return object;
}

/// runInNamespace({argv, env, maps}) → the exit status of the program, which was root of a user namespace
Napi::Value runInNamespaceBinding(const Napi::CallbackInfo& info) {
  auto options = info[0].As<Napi::Object>();
  auto argv = LaunchOptions::strings(options.Get("argv"));
  auto env = LaunchOptions::strings(options.Get("env"));
  MapsOptions maps(options.Get("maps"));
  NamespaceResult result =
      runInNamespace({LaunchOptions::pointers(argv).data(), LaunchOptions::pointers(env).data(), maps.maps()});
  if (result.failed) return failure(info.Env(), result.failed, result.error, result.about);
  return Napi::Number::New(info.Env(), result.status);
}

template <size_t N>
void copyText(char (&to)[N], const Napi::Value& value) {
  std::string from = value.IsUndefined() ? "" : encoded(value);
  // Cut rather than refused: these are words for messages.
  size_t size = from.copy(to, N - 1);
  to[size] = 0;
}

/// supervise({… of launch, machine, tree, manager, quiet, notifyReady, interactive, argv}): starts the monitor and becomes
/// its supervisor. Returns never; throws when it fails.
Napi::Value supervise(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto object = info[0].As<Napi::Object>();
  LaunchOptions options(object);
  wire::Supervision supervision{};
  copyText(supervision.machine, object.Get("machine"));
  copyText(supervision.tree, object.Get("tree"));
  copyText(supervision.manager, object.Get("manager"));
  if (strlen(supervision.manager) == sizeof supervision.manager - 1) supervision.manager[0] = 0;
  supervision.quiet = object.Get("quiet").ToBoolean();
  supervision.notifyReady = object.Get("notifyReady").ToBoolean();
  if (object.Get("interactive").ToBoolean()) saveTerminal(supervision);
  HeldSignals held;
  SpawnResult started = spawnMonitor(options.request());
  if (started.pid < 0) return failure(env, started.failed, started.error, started.about);
  supervision.monitor = started.pid;
  auto argv = LaunchOptions::strings(object.Get("argv"));
  // The monitor ends by itself when this process does.
  return failure(env, "exec", becomeSupervisor(started, supervision, LaunchOptions::pointers(argv).data()));
}

/// saveTerminal(): remembers the settings of standard input and output, for a monitor that dies while it has them raw.
Napi::Value saveTerminal(const Napi::CallbackInfo& info) {
  auto* data = info.Env().GetInstanceData<AddonData>();
  for (int fd = 0; fd < 2; fd++) data->haveTerminal[fd] = tcgetattr(fd, &data->terminal[fd]) == 0;
  return info.Env().Undefined();
}

/// restoreTerminal(): puts them back.
Napi::Value restoreTerminal(const Napi::CallbackInfo& info) {
  auto* data = info.Env().GetInstanceData<AddonData>();
  // From a background process group this raises SIGTTOU, which would stop the launcher.
  sigset_t stop, old;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &stop, &old);
  for (int fd = 0; fd < 2; fd++)
    if (data->haveTerminal[fd]) tcsetattr(fd, TCSANOW, &data->terminal[fd]);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return info.Env().Undefined();
}

}  // namespace

void exportMachine(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData();
  env.SetInstanceData(data);
  data->monitorClass = Napi::Persistent(Monitor::define(env));
  exports.Set("launch", Napi::Function::New<launch>(env));
  exports.Set("supervise", Napi::Function::New<supervise>(env));
  exports.Set("runInNamespace", Napi::Function::New<runInNamespaceBinding>(env));
  exports.Set("saveTerminal", Napi::Function::New<saveTerminal>(env));
  exports.Set("restoreTerminal", Napi::Function::New<restoreTerminal>(env));
}

// The payload: its environment, the search for its program inside the guest, and the exec.
#include "steps/context.hh"

namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A null terminated list of strings in anonymous memory; the process is replaced soon, so nothing is given back.
class StringList {
 public:
  explicit StringList(unsigned most) {
    long address = sys::invoke(__NR_mmap, nullptr, (most + 1) * sizeof(char*), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    items_ = address < 0 && address > -4096 ? nullptr : reinterpret_cast<const char**>(address);
  }
  bool ok() const { return items_; }
  void push(const char* text) { items_[size_++] = text; }
  const char* const* get() const { return items_; }
  const char*& operator[](unsigned i) { return items_[i]; }
  unsigned size() const { return size_; }

 private:
  const char** items_;
  unsigned size_ = 0;
};

bool sameName(const char* a, const char* b) {
  while (*a && *a == *b && *a != '=') a++, b++;
  return *a == '=' && *b == '=';
}

/// Sets a variable `NAME=value`; a later one of the same name wins.
void set(StringList& env, const char* variable) {
  for (unsigned i = 0; i < env.size(); i++) {
    if (!sameName(env[i], variable)) continue;
    env[i] = variable;
    return;
  }
  env.push(variable);
}

const char* valueOf(StringList& env, const char* prefix) {
  for (unsigned i = 0; i < env.size(); i++)
    if (sys::startsWith(env[i], prefix)) return env[i] + strlen(prefix);
  return nullptr;
}

/// Whether the error of one candidate means that the next one may do.
bool missing(long error) { return error == -ENOENT || error == -ENOTDIR; }

/// A program, of another architecture if it could not be executed: nothing for a shell.
bool isElf(const char* path) {
  sys::UniqueFd file(sys::open(path, O_RDONLY | O_NONBLOCK));
  char magic[4];
  return file.ok() && sys::read(file.get(), magic, 4) == 4 && memcmp(magic, "\177ELF", 4) == 0;
}

long tryExec(const char* path, StringList& argv, StringList& env) {
  long error = sys::execve(path, argv.get(), env.get());
  if (error != -ENOEXEC || isElf(path)) return error;
  // A script without #!: POSIX has the shell run it, as execvp(3) does.
  StringList shell(argv.size() + 2);
  if (!shell.ok()) return -ENOMEM;
  shell.push("/bin/sh");
  shell.push(path);
  for (unsigned i = 1; i < argv.size(); i++) shell.push(argv[i]);
  sys::execve("/bin/sh", shell.get(), env.get());
  return -ENOEXEC;
}

long searchPath(const char* name, StringList& argv, StringList& env) {
  const char* path = valueOf(env, "PATH=");
  if (!path) path = kDefaultPath;
  long result = -ENOENT;
  while (*path) {
    const char* end = sys::find(path, ':');
    size_t size = end ? static_cast<size_t>(end - path) : strlen(path);
    sys::Text<4096> full;
    full.add(path, size).add(size ? "/" : "").add(name);
    long error = tryExec(full.c_str(), argv, env);
    // Something is there but may not be run: worth more to the user than "not found" of a later directory.
    if (!missing(error)) result = error;
    path += size + (end ? 1 : 0);
  }
  return result;
}

}  // namespace

/// s0, n = list of candidates, each a pair of path and argv[0] (an empty argv[0] is the path); s1, a = list of arguments;
/// s2, b = list of variables; kUserShell.
long execPayload(Context& context, const wire::Step& step) {
  const Plan& plan = context.plan;
  const User& user = context.user;
  StringList env(static_cast<unsigned>(step.b) + 4);
  StringList argv(static_cast<unsigned>(step.a) + 1);
  if (!env.ok() || !argv.ok()) return -ENOMEM;
  static sys::Text<1100> home("HOME=");
  static sys::Text<300> name("USER="), login("LOGNAME=");
  static sys::Text<1100> shell("SHELL=");
  env.push(home.add(user.home.c_str()).c_str());
  env.push(name.add(user.name.c_str()).c_str());
  env.push(login.add(user.name.c_str()).c_str());
  if (step.flags & wire::kUserShell && user.shell.size()) env.push(shell.add(user.shell.c_str()).c_str());
  const char* item = plan.text(step.s2);
  for (unsigned i = 0; i < step.b; i++, item = Plan::next(item)) set(env, item);

  argv.push("");
  item = plan.text(step.s1);
  for (unsigned i = 0; i < step.a; i++, item = Plan::next(item)) argv.push(item);

  long result = -ENOENT;
  if (step.flags & wire::kUserShell && user.shell.size()) {
    // The leading dash makes it a login shell.
    const char* base = user.shell.c_str();
    for (const char* p = base; *p; p++)
      if (*p == '/') base = p + 1;
    static sys::Text<300> dashed("-");
    argv[0] = dashed.add(base).c_str();
    result = tryExec(user.shell.c_str(), argv, env);
    context.about.add(user.shell.c_str());
  }
  item = plan.text(step.s0);
  for (unsigned i = 0; missing(result) && i < step.n; i++) {
    const char* path = item;
    const char* zeroth = Plan::next(path);
    item = Plan::next(zeroth);
    argv[0] = *zeroth ? zeroth : path;
    result = sys::find(path, '/') ? tryExec(path, argv, env) : searchPath(path, argv, env);
    context.about = sys::Text<400>(path);
  }
  return result;
}

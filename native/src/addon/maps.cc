#include "addon/maps.hh"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <vector>

namespace {

int writeFile(const std::string& path, const char* text) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0) return errno;
  // In one call: the kernel takes a map once.
  return write(fd.get(), text, strlen(text)) == static_cast<ssize_t>(strlen(text)) ? 0 : errno;
}

/// Starts `program PID NUMBER...` with its words going into `said`. Returns its process id, or -errno.
pid_t start(const char* program, pid_t target, const char* map, int said) {
  std::vector<std::string> words{program, std::to_string(target)};
  std::istringstream numbers(map);
  for (std::string word; numbers >> word;) words.push_back(word);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, said, 1);
  posix_spawn_file_actions_adddup2(&actions, said, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // The caller has blocked all signals for its own clone.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  int error = posix_spawn(&pid, program, &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error ? -error : pid;
}

bool succeeded(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Both programs at once: each takes a millisecond or two, most of it its start.
MapResult runHelpers(pid_t pid, const UserMaps& maps) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return {errno, "pipe"};
  Fd heard(ends[0]), said(ends[1]);
  pid_t uids = start(maps.newuidmap, pid, maps.uids, said.get());
  pid_t gids = start(maps.newgidmap, pid, maps.gids, said.get());
  said = Fd();
  bool first = uids > 0 && succeeded(uids), second = gids > 0 && succeeded(gids);
  if (first && second) return {};
  if (uids < 0) return {-uids, maps.newuidmap};
  if (gids < 0) return {-gids, maps.newgidmap};
  char text[400];
  ssize_t size = read(heard.get(), text, sizeof text);
  std::string about(text, size > 0 ? static_cast<size_t>(size) : 0);
  about.resize(about.find_first_of("\n") == std::string::npos ? about.size() : about.find_first_of("\n"));
  return {EPERM, about.empty() ? (first ? maps.newgidmap : maps.newuidmap) : about};
}

}  // namespace

MapResult writeMaps(pid_t pid, const UserMaps& maps) {
  if (maps.newuidmap) return runHelpers(pid, maps);
  std::string process = "/proc/" + std::to_string(pid);
  // Before the map of groups (user_namespaces(7)): else leaving a group would get around what is forbidden to it.
  if (maps.denySetgroups)
    if (int error = writeFile(process + "/setgroups", "deny")) return {error, "setgroups"};
  if (int error = writeFile(process + "/uid_map", maps.uids)) return {error, "uid_map"};
  if (int error = writeFile(process + "/gid_map", maps.gids)) return {error, "gid_map"};
  return {};
}

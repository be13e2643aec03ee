// The cases of the conformance set. Each is a promise in words and a function that asks the kernel and says, line by line, what it was
// told; what is right is what the same case says in a real chroot. A case runs in a process and an empty directory of its own.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct Case {
  const char* promise;
  const char* file;
  void (*run)(void);
};

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
/// CASE("promise") { ... }: all of them are in the section "cases", in the order of the files.
#define CASE(words)                                                                                       \
  static void JOIN(run, __LINE__)(void);                                                                  \
  static const struct Case JOIN(case, __LINE__) = {words, __FILE__, JOIN(run, __LINE__)};                 \
  static const struct Case* const JOIN(row, __LINE__) __attribute__((section("cases"), used, retain)) =   \
      &JOIN(case, __LINE__);                                                                              \
  static void JOIN(run, __LINE__)(void)

/// A line: what was asked, and the answer.
#define SAY(what, ...) (printf("  %s: ", what), printf(__VA_ARGS__), printf("\n"), fflush(stdout))

static inline const char* nameOf(int error) {
  const char* name = strerrorname_np(error);
  return name ? name : "success";
}
static inline long sayValue(const char* what, long value) {
  if (value < 0) SAY(what, "%s", nameOf(errno));
  else SAY(what, "%ld", value);
  return value;
}
static inline long sayDone(const char* what, long value) {
  SAY(what, "%s", value < 0 ? nameOf(errno) : "ok");
  return value;
}
static inline void sayOpened(const char* what, long fd) {
  if (sayDone(what, fd) >= 0) close((int)fd);
}
/// The first line of an open file, which is closed.
static inline void sayText(const char* what, long fd) {
  char text[4096] = "";
  long size = fd < 0 ? -1 : read((int)fd, text, sizeof text - 1);
  if (size < 0) SAY(what, "%s", nameOf(errno));
  if (size >= 0) text[size] = 0, text[strcspn(text, "\n")] = 0, SAY(what, "'%s'", text);
  if (fd >= 0) close((int)fd);
}

/// The value or the error of a call.
#define VALUE(...) sayValue(#__VA_ARGS__, (long)(__VA_ARGS__))
/// Whether it succeeded.
#define DO(...) sayDone(#__VA_ARGS__, (long)(__VA_ARGS__))
/// The same of a descriptor, which is closed.
#define OPEN(...) sayOpened(#__VA_ARGS__, (long)(__VA_ARGS__))
#define TEXT(...) sayText(#__VA_ARGS__, (long)(__VA_ARGS__))
/// What a condition is, in the words of the program.
#define HOLDS(...) SAY(#__VA_ARGS__, "%s", (__VA_ARGS__) ? "yes" : "no")

static inline void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) SAY("put", "%s: %s", path, nameOf(errno));
  close(fd);
}

static inline void sayStatus(const char* what, int status) {
  if (WIFSIGNALED(status)) SAY(what, "signal %d", WTERMSIG(status));
  else if (WIFSTOPPED(status)) SAY(what, "stopped by %d", WSTOPSIG(status));
  else if (WIFCONTINUED(status)) SAY(what, "continued");
  else SAY(what, "status %d", WEXITSTATUS(status));
}
static inline void sayChild(const char* what, pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) SAY(what, "%s", nameOf(errno));
  else sayStatus(what, status);
}
/// CHILD(what, { ... }): a child that does this, and how it ended.
#define CHILD(what, ...)            \
  do {                              \
    fflush(stdout);                 \
    pid_t child_ = fork();          \
    if (child_ == 0) {              \
      __VA_ARGS__;                  \
      fflush(stdout);               \
      _exit(0);                     \
    }                               \
    sayChild(what, child_);         \
  } while (0)

/// Programs of the tree.
extern char self[];  // this one, linked statically
#define DYNAMIC "/conformance/dynamic"
#define POSITION "/conformance/position"

/// Makes every call that an engine may answer in the process itself, often enough: all cases find it so.
void warm(void);

/// What this program does when a case has executed it with these arguments.
int again(int argc, char** argv);

/// A file and a directory of the host that nobody in the tree is to reach, and the text of that file.
extern const char* secret;
extern const char* secretDir;
#define SECRET_TEXT "nobody in the tree reads this"
/// Whether an open file, which is closed, is that of the host; what else it is does not matter.
static inline void kept(const char* what, long fd) {
  char text[64] = "";
  struct stat info;
  const char* how = "kept out";
  if (fd >= 0) {
    if (read((int)fd, text, sizeof text - 1) > 0 && strncmp(text, SECRET_TEXT, strlen(SECRET_TEXT)) == 0) how = "READ";
    else if (fstatat((int)fd, "file", &info, 0) == 0 && info.st_size == (long)strlen(SECRET_TEXT)) how = "REACHED";
    close((int)fd);
  }
  SAY(what, "%s", how);
}
#define KEPT(...) kept(#__VA_ARGS__, (long)(__VA_ARGS__))

/// Waits, a bounded time, until a condition holds.
#define UNTIL(...)                                                                                          \
  do                                                                                                        \
    for (int turn_ = 0; turn_ < 2000 && !(__VA_ARGS__); turn_++) nanosleep(&(struct timespec){0, 2000000}, NULL); \
  while (0)

// The cases of the conformance set: each does something by the kernel's own calls and says in one line what came of it. The same
// program runs in a real chroot, where the line says what is right.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOME "/conformance"

/// One line: the name of the case, and the value.
#define SAY(name, ...) (printf("%s\t", name), printf(__VA_ARGS__), printf("\n"), fflush(stdout))
/// What a call has returned, or the name of its error.
#define CALL(name, expression) \
  do {                         \
    errno = 0;                 \
    long result_ = (long)(expression); \
    if (result_ < 0) SAY(name, "%s", strerrorname_np(errno)); \
    else SAY(name, "%ld", result_); \
  } while (0)
/// The same where any number that is no error will do; a descriptor is closed.
#define DOES(name, expression) \
  do {                         \
    errno = 0;                 \
    long result_ = (long)(expression); \
    if (result_ < 0) SAY(name, "%s", strerrorname_np(errno)); \
    else SAY(name, "ok");      \
  } while (0)
#define OPENS(name, expression) \
  do {                         \
    errno = 0;                 \
    int fd_ = (int)(expression); \
    if (fd_ < 0) SAY(name, "%s", strerrorname_np(errno)); \
    else SAY(name, "ok"), close(fd_); \
  } while (0)

/// The text of a file that is opened, one line of it.
static inline void show(const char* name, int fd) {
  char text[256] = "";
  if (fd < 0) {
    SAY(name, "%s", strerrorname_np(errno));
    return;
  }
  long n = read(fd, text, sizeof text - 1);
  if (n < 0) SAY(name, "read: %s", strerrorname_np(errno));
  else {
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    SAY(name, "%s", text);
  }
  close(fd);
}

static inline void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) SAY("put", "%s: %s", path, strerrorname_np(errno));
  close(fd);
}

/// The status of a child that runs this.
#define CHILD(name, ...)                                                     \
  do {                                                                        \
    fflush(stdout);                                                           \
    pid_t child_ = fork();                                                    \
    if (child_ == 0) {                                                        \
      __VA_ARGS__;                                                                  \
      _exit(0);                                                               \
    }                                                                         \
    int status_ = -1;                                                         \
    waitpid(child_, &status_, 0);                                             \
    if (WIFSIGNALED(status_)) SAY(name, "signal %d", WTERMSIG(status_));      \
    else SAY(name, "status %d", WEXITSTATUS(status_));                        \
  } while (0)

void paths(void);
void links(void);
void attributes(void);
void programs(char* self);
void processes(void);
void threads(void);
void sockets(void);
void ids(void);
void procfs(void);
void escapes(void);
/// What this program is when it executes itself with arguments.
int again(int argc, char** argv);

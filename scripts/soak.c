// usage: soak SECONDS HOST [THREADS]   in the guest, beside other work: asks for HOST, which only the host has, in all ways that reach
// a path, and for HOST/both, which both have with other words in it. Says what has reached the host, and ends with status 99 then.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static char only[200], both[200], program[200];
static time_t end;

static void reached(const char* how) {
  char text[300];
  int size = snprintf(text, sizeof text, "UNTRANSLATED: %s of %s\n", how, only);
  write(1, text, (size_t)size);
  _exit(99);
}

/// Nothing is there, whatever else went wrong.
static void absent(const char* how, long result) {
  if (result >= 0) reached(how);
}

static void* ask(void* none) {
  struct stat info;
  struct statx more;
  struct statfs system;
  char text[64];
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strncpy(name.sun_path, only, sizeof name.sun_path - 1);
  while (time(NULL) < end) {
    absent("open", open(only, O_RDONLY));
    absent("openat", openat(AT_FDCWD, only, O_PATH));
    absent("stat", stat(only, &info));
    absent("lstat", lstat(only, &info));
    absent("statx", statx(AT_FDCWD, only, 0, STATX_BASIC_STATS, &more));
    absent("statfs", statfs(only, &system));
    absent("access", access(only, F_OK));
    absent("readlink", readlink(only, text, sizeof text));
    absent("chmod", chmod(only, 0600));
    absent("chown", chown(only, 0, 0));
    absent("rename", rename(only, "/tmp/taken"));
    absent("unlink", unlink(only));
    absent("truncate", truncate(only, 0));
    absent("getxattr", getxattr(only, "user.x", text, sizeof text));
    int end = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(end, (struct sockaddr*)&name, sizeof name) == 0 || errno == ECONNREFUSED) reached("connect");
    close(end);
    int fd = open(both, O_RDONLY);
    if (fd >= 0) {
      long size = read(fd, text, sizeof text);
      if (size != 6 || memcmp(text, "guest\n", 6) != 0) reached("both");
      close(fd);
    }
    pid_t child = vfork();
    if (child == 0) {
      execl(program, program, NULL);
      _exit(7);
    }
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 7) reached("exec");
    // so that hundreds of them leave something for the others
    nanosleep(&(struct timespec){0, 300000000}, NULL);
  }
  return none;
}

int main(int count, char** words) {
  // it has been executed where it is not
  if (count < 3) return 0;
  end = time(NULL) + atol(words[1]);
  snprintf(only, sizeof only, "%s/only", words[2]);
  snprintf(both, sizeof both, "%s/both", words[2]);
  snprintf(program, sizeof program, "%s/program", words[2]);
  pthread_t thread;
  for (int i = 1; i < (count > 3 ? atoi(words[3]) : 1); i++) pthread_create(&thread, NULL, ask, NULL);
  ask(NULL);
  return 0;
}

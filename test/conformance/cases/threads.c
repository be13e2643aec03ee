// Threads: they share what processes do not, and any of them may execute a program.
#include <pthread.h>

#include "case.h"

static void* reads(void* bad) {
  char path[64], text[16] = "";
  for (int i = 0; i < 200; i++) {
    snprintf(path, sizeof path, HOME "/t%ld", (long)pthread_self() % 7);
    struct stat info;
    int fd = open(HOME "/dir/../file", O_RDONLY);
    if (fd < 0 || read(fd, text, 5) != 5 || memcmp(text, "hello", 5) != 0) ++*(int*)bad;
    close(fd);
    if (stat(path, &info) == 0 || errno != ENOENT) ++*(int*)bad;
    if (access("dir/inner", F_OK) != 0) ++*(int*)bad;
  }
  return NULL;
}

static void* executes(void* unused) {
  (void)unused;
  execl("/bin/sh", "sh", "-c", "echo \"a thread that executes	$(cat /conformance/file)\"; exit 6", NULL);
  return NULL;
}

static void* waits(void* unused) {
  (void)unused;
  pause();
  return NULL;
}

static void* moves(void* unused) {
  (void)unused;
  chdir("/");
  return NULL;
}

static void* forks(void* bad) {
  for (int i = 0; i < 5; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(access(HOME "/file", F_OK) == 0 ? 0 : 1);
    int status = 1;
    waitpid(pid, &status, 0);
    if (status) ++*(int*)bad;
  }
  return NULL;
}

static void* ends(void* unused) {
  (void)unused;
  usleep(20000);
  int fd = open(HOME "/file", O_RDONLY);
  _exit(fd >= 0 ? 11 : 12);
}

void threads(void) {
  pthread_t thread[16];
  int bad[16] = {0}, sum = 0;
  for (int i = 0; i < 16; i++) pthread_create(&thread[i], NULL, reads, &bad[i]);
  for (int i = 0; i < 16; i++) pthread_join(thread[i], NULL), sum += bad[i];
  SAY("threads that open and look at the same time", "%d", sum);
  for (int i = 0; i < 8; i++) bad[i] = 0, pthread_create(&thread[i], NULL, forks, &bad[i]);
  sum = 0;
  for (int i = 0; i < 8; i++) pthread_join(thread[i], NULL), sum += bad[i];
  SAY("threads that fork", "%d", sum);
  pthread_create(&thread[0], NULL, moves, NULL);
  pthread_join(thread[0], NULL);
  char text[64];
  SAY("the directory of one is that of all", "%s", getcwd(text, sizeof text));
  chdir(HOME);
  CHILD("a thread executes while others wait", {
    pthread_create(&thread[0], NULL, waits, NULL);
    pthread_create(&thread[1], NULL, executes, NULL);
    pause();
  });
  CHILD("the first thread ends first", {
    pthread_create(&thread[0], NULL, ends, NULL);
    syscall(SYS_exit, 0);
  });
  CHILD("the first thread executes while others wait", {
    for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, waits, NULL);
    execl("/bin/true", "true", NULL);
  });
}

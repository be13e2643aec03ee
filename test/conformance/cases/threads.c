// Threads.
#include <linux/futex.h>
#include <pthread.h>

#include "case.h"

static pthread_t start(void* (*function)(void*), void* argument) {
  pthread_t thread = 0;
  int error = pthread_create(&thread, NULL, function, argument);
  if (error) SAY("pthread_create", "%s", nameOf(error));
  return thread;
}
static long join(pthread_t thread) {
  void* result = NULL;
  pthread_join(thread, &result);
  return (long)result;
}

static void* stats(void* nothing) {
  (void)nothing;
  struct stat info;
  long right = 0;
  for (int i = 0; i < 200; i++) right += stat("/conformance/mark", &info) == 0 && stat("/conformance/nowhere", &info) < 0 && errno == ENOENT;
  return (void*)right;
}
CASE("threads ask for paths at the same time") {
  pthread_t thread[8];
  for (int i = 0; i < 8; i++) thread[i] = start(stats, NULL);
  long right = 0;
  for (int i = 0; i < 8; i++) right += join(thread[i]);
  VALUE(right);
}

static void* moves(void* nothing) {
  (void)nothing;
  return (void*)(long)chdir("dir");
}
CASE("threads share the current directory") {
  char text[256];
  mkdir("dir", 0755);
  VALUE(join(start(moves, NULL)));
  SAY("getcwd", "%s", strrchr(getcwd(text, sizeof text), '/'));
}

static void* leaves(void* nothing) {
  (void)nothing;
  char text[256];
  DO(unshare(CLONE_FS));
  DO(chdir("dir"));
  SAY("getcwd", "%s", strrchr(getcwd(text, sizeof text), '/'));
  return NULL;
}
CASE("a thread may have a directory of its own") {
  char text[256];
  mkdir("dir", 0755);
  join(start(leaves, NULL));
  SAY("getcwd", "%s", strrchr(getcwd(text, sizeof text), '/'));
  DO(access("dir", F_OK));
}

static void* becomesUser(void* nothing) {
  (void)nothing;
  syscall(SYS_setresuid, -1, 77, -1);
  return (void*)syscall(SYS_geteuid);
}
CASE("a thread's ids are its own, those of the C library everybody's") {
  CHILD("threads", {
    VALUE(join(start(becomesUser, NULL)));
    VALUE(geteuid());
  });
}

static void* ends(void* nothing) {
  (void)nothing;
  syscall(SYS_exit_group, 7);
  return NULL;
}
CASE("a thread ends the process") {
  CHILD("process", { join(start(ends, NULL)); pause(); });
}

static void* sleepsAndSays(void* nothing) {
  (void)nothing;
  UNTIL(0 == access("gone", F_OK));
  TEXT(open("/conformance/mark", O_RDONLY));
  fflush(stdout);
  _exit(5);
}
CASE("threads go on when the first has ended") {
  CHILD("process", {
    start(sleepsAndSays, NULL);
    put("gone", "");
    syscall(SYS_exit, 0);
  });
}

static void* forks(void* nothing) {
  (void)nothing;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(access("/conformance/mark", F_OK) == 0 ? 3 : 4);
  int status = 0;
  waitpid(child, &status, 0);
  return (void*)(long)WEXITSTATUS(status);
}
CASE("a thread forks, and executes programs") {
  VALUE(join(start(forks, NULL)));
  CHILD("exec", execl(self, "name", "threadexec", NULL));
}

static void* short_(void* nothing) { return nothing; }
CASE("five hundred threads that end at once") {
  int right = 0;
  for (int i = 0; i < 50; i++) {
    pthread_t thread[10];
    for (int n = 0; n < 10; n++) thread[n] = start(short_, (void*)1l);
    for (int n = 0; n < 10; n++) right += (int)join(thread[n]);
  }
  VALUE(right);
}

static void* onSmallStack(void* nothing) {
  (void)nothing;
  struct stat info;
  return (void*)(long)(syscall(SYS_stat, "/conformance/mark", &info) == 0);
}
CASE("a thread with the smallest stack") {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  pthread_t thread;
  VALUE(pthread_create(&thread, &attributes, onSmallStack, NULL));
  VALUE(join(thread));
}

static volatile int turn;
static void* wakes(void* nothing) {
  (void)nothing;
  UNTIL(turn == 1);
  struct stat info;
  stat("/conformance/mark", &info);
  turn = 2;
  syscall(SYS_futex, &turn, FUTEX_WAKE, 1, NULL, NULL, 0);
  return NULL;
}
CASE("a thread that waits is woken by another") {
  pthread_t thread = start(wakes, NULL);
  turn = 1;
  while (turn != 2) syscall(SYS_futex, &turn, FUTEX_WAIT, 1, NULL, NULL, 0);
  join(thread);
  VALUE(turn);
}

static void* opensFifo(void* nothing) {
  (void)nothing;
  return (void*)(long)(open("fifo", O_RDONLY) >= 0);
}
CASE("one thread waits in open while another goes on") {
  mkfifo("fifo", 0600);
  pthread_t thread = start(opensFifo, NULL);
  struct stat info;
  int right = 0;
  for (int i = 0; i < 50; i++) right += stat("fifo", &info) == 0;
  VALUE(right);
  OPEN(open("fifo", O_WRONLY));
  VALUE(join(thread));
}

static char text[64];
static volatile int stop;
static void* flips(void* nothing) {
  (void)nothing;
  while (!stop) memcpy(text, "/conformance/none", 18), memcpy(text, "/conformance/mark", 18);
  return NULL;
}
CASE("a path that another thread changes leads to one place or the other") {
  memcpy(text, "/conformance/mark", 18);
  stop = 0;
  pthread_t thread = start(flips, NULL);
  int odd = 0;
  for (int i = 0; i < 3000; i++) {
    int fd = open(text, O_RDONLY);
    odd += fd < 0 && errno != ENOENT;
    close(fd);
  }
  stop = 1;
  join(thread);
  VALUE(odd);
}

static void* loops(void* nothing) {
  (void)nothing;
  struct stat info;
  for (;;) stat("/conformance/mark", &info);
  return NULL;
}
CASE("a process with busy threads is killed") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 4; i++) start(loops, NULL);
    loops(NULL);
  }
  struct stat info;
  for (int i = 0; i < 100; i++) stat("/conformance/mark", &info);
  kill(child, SIGKILL);
  sayChild("process", child);
}

CASE("the busy threads of a program that is replaced are gone") {
  CHILD("process", {
    for (int i = 0; i < 4; i++) start(loops, NULL);
    execl(self, "name", "ids", NULL);
  });
}

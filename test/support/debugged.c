// A program to be debugged: what it does is its first argument.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int watched;

int deep(int n) {
  if (n > 0) return deep(n - 1) + 1;
  watched = 42;
  return 7;
}

static void* run(void* none) {
  deep(2);
  return none;
}

/// Says that it is there, and goes on when it is told to.
static void meet(void) {
  char byte;
  printf("ready\n");
  fflush(stdout);
  if (read(0, &byte, 1) < 0) exit(1);
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "threads") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
  } else if (strcmp(what, "forks") == 0) {
    int status;
    pid_t child = fork();
    if (child == 0) _exit(deep(1));
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
  } else if (strcmp(what, "faults") == 0) {
    *(volatile char*)8 = 1;
  } else if (strcmp(what, "waits") == 0) {
    meet();
    close(open("/etc/hostname", O_RDONLY));
  } else {
    printf("%d\n", deep(3));
  }
  return 5;
}

// Changes its ids in one thread, by way of the C library, and looks at them in others.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_barrier_t barrier;

static void* look(void* wrong) {
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  if (getuid() != 1000 || geteuid() != 1000 || getgid() != 1001 || setuid(0) == 0) *(int*)wrong = 1;
  return NULL;
}

int main(void) {
  enum { COUNT = 8 };
  pthread_t threads[COUNT];
  int wrong = 0;
  pthread_barrier_init(&barrier, NULL, COUNT + 1);
  for (int i = 0; i < COUNT; i++) pthread_create(&threads[i], NULL, look, &wrong);
  pthread_barrier_wait(&barrier);
  if (setgid(1001) || setuid(1000)) wrong = 1;
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < COUNT; i++) pthread_join(threads[i], NULL);
  puts(wrong ? "wrong" : "ok");
  return wrong;
}

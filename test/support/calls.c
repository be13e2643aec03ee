// Makes system calls by their numbers, and says what each returned: a line "NUMBER ANSWER" each, where the answer is a
// number or the name of an errno.
// usage: calls native|compat NUMBER[,ARGUMENT]...
//   compat   as a 32-bit program would make them: the same gate into the kernel, so no 32-bit compiler is needed
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long compat(const long* a) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3]), "S"(a[4]), "D"(a[5])
                   : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
#else
  (void)a;
  return -ENOEXEC;
#endif
}

int main(int argc, char** argv) {
  for (int i = 2; i < argc; i++) {
    long a[6] = {0};
    char* word = argv[i];
    for (int n = 0; n < 6 && *word; n++) {
      a[n] = strtol(word, &word, 0);
      if (*word == ',') word++;
    }
    long result;
    if (strcmp(argv[1], "compat") == 0) {
      result = compat(a);
    } else {
      result = syscall(a[0], a[1], a[2], a[3], a[4], a[5]);
      if (result < 0) result = -errno;
    }
    if (result < 0 && strerrorname_np((int)-result))
      printf("%ld %s\n", a[0], strerrorname_np((int)-result));
    else
      printf("%ld %ld\n", a[0], result);
    fflush(stdout);
  }
  return 0;
}

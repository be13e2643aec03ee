// Does the same things with its ids wherever it is run: a number of random calls, what each answered, and what it made of the
// process. To be run as root, and compared.
// usage: identity native|compat SEED COUNT
//   compat   as a 32-bit program calls, with ids of 16 and of 32 bits
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int compat;
static uint64_t state;

// Where 32 bits reach.
static uint32_t three[3];
static uint32_t list[64];
static uint16_t narrow[64];

static unsigned draw(unsigned below) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned)(state >> 33) % below;
}

static long compatCall(long nr, long a, long b, long c) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(0L), "D"(0L)
                   : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
#else
  (void)nr, (void)a, (void)b, (void)c;
  return -ENOSYS;
#endif
}

static long nativeCall(long nr, long a, long b, long c) {
  long result = syscall(nr, a, b, c);
  return result < 0 ? -errno : result;
}

enum { SETUID, SETGID, SETREUID, SETREGID, SETRESUID, SETRESGID, SETFSUID, SETFSGID, CALLS };
static const struct {
  const char* name;
  int arguments;
  long native, wide, narrow;
} calls[CALLS] = {
    {"setuid", 1, SYS_setuid, 213, 23},        {"setgid", 1, SYS_setgid, 214, 46},
    {"setreuid", 2, SYS_setreuid, 203, 70},    {"setregid", 2, SYS_setregid, 204, 71},
    {"setresuid", 3, SYS_setresuid, 208, 164}, {"setresgid", 3, SYS_setresgid, 210, 170},
    {"setfsuid", 1, SYS_setfsuid, 215, 138},   {"setfsgid", 1, SYS_setfsgid, 216, 139},
};

static long drawId(int small) {
  static const long ids[] = {-1, 0, 0, 0, 1, 2, 1000, 1001, 65533, 70000};
  long id = ids[draw(sizeof ids / sizeof *ids)];
  return small && id > 65535 ? 3 : id;
}

static void show(void) {
  if (compat) {
    compatCall(209, (long)&three[0], (long)&three[1], (long)&three[2]);
    printf(" uid %u %u %u", three[0], three[1], three[2]);
    compatCall(211, (long)&three[0], (long)&three[1], (long)&three[2]);
    printf(" gid %u %u %u", three[0], three[1], three[2]);
    memset(narrow, 0, sizeof narrow);
    compatCall(165, (long)&narrow[0], (long)&narrow[2], (long)&narrow[4]);
    printf(" short %u %u %u", narrow[0], narrow[2], narrow[4]);
    printf(" one %ld %ld %ld %ld %ld %ld", compatCall(24, 0, 0, 0), compatCall(49, 0, 0, 0), compatCall(199, 0, 0, 0),
           compatCall(201, 0, 0, 0), compatCall(200, 0, 0, 0), compatCall(202, 0, 0, 0));
    printf(" fs %ld %ld", compatCall(215, -1, 0, 0), compatCall(216, -1, 0, 0));
    long count = compatCall(205, 64, (long)list, 0);
    printf(" groups %ld:", count);
    for (long i = 0; i < count; i++) printf(" %u", list[i]);
    count = compatCall(80, 64, (long)narrow, 0);
    printf(" %ld:", count);
    for (long i = 0; i < count; i++) printf(" %u", narrow[i]);
  } else {
    nativeCall(SYS_getresuid, (long)&three[0], (long)&three[1], (long)&three[2]);
    printf(" uid %u %u %u", three[0], three[1], three[2]);
    nativeCall(SYS_getresgid, (long)&three[0], (long)&three[1], (long)&three[2]);
    printf(" gid %u %u %u", three[0], three[1], three[2]);
    printf(" one %u %u %u %u", getuid(), geteuid(), getgid(), getegid());
    printf(" fs %ld %ld", nativeCall(SYS_setfsuid, -1, 0, 0), nativeCall(SYS_setfsgid, -1, 0, 0));
    long count = nativeCall(SYS_getgroups, 64, (long)list, 0);
    printf(" groups %ld %ld %ld:", count, nativeCall(SYS_getgroups, 0, 0, 0), nativeCall(SYS_getgroups, 1, (long)three, 0));
    for (long i = 0; i < count; i++) printf(" %u", list[i]);
  }
  printf("\n");
}

static void setSomeGroups(void) {
  unsigned count = draw(6);
  int small = compat && draw(2);
  for (unsigned i = 0; i < count; i++) narrow[i] = (uint16_t)(list[i] = draw(2) ? draw(50) : small ? 60000 : 100000 + draw(9));
  long answer = !compat ? nativeCall(SYS_setgroups, count, (long)list, 0)
                : small ? compatCall(81, count, (long)narrow, 0)
                        : compatCall(206, count, (long)list, 0);
  printf("setgroups %u = %ld", count, answer);
}

static void sequence(void) {
  for (int turn = 0; turn < 8; turn++) {
    if (draw(5) == 0) {
      setSomeGroups();
    } else {
      int which = (int)draw(CALLS), small = compat && draw(2);
      long a[3] = {0, 0, 0};
      printf("%s", calls[which].name);
      for (int i = 0; i < calls[which].arguments; i++) printf(" %ld", a[i] = drawId(small));
      long answer = compat ? compatCall(small ? calls[which].narrow : calls[which].wide, a[0], a[1], a[2])
                           : nativeCall(calls[which].native, a[0], a[1], a[2]);
      printf(" = %ld", answer);
    }
    show();
  }
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  compat = strcmp(argv[1], "compat") == 0;
  int first = atoi(argv[2]), count = atoi(argv[3]);
  for (int i = 0; i < count; i++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      state = (uint64_t)(first + i) * 0x9e3779b97f4a7c15ull;
      printf("--- %d\n", first + i);
      sequence();
      exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status) return 1;
  }
  return 0;
}

// Calls that are made again and again from one place: an engine may answer them in the process itself from the second time on, and
// nothing is to tell.
#include <elf.h>
#include <pthread.h>
#include <setjmp.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#include "case.h"

enum { OFTEN = 50 };
#define MANY(...) for (int turn_ = 0; turn_ < OFTEN; turn_++) __VA_ARGS__

void warm(void) {
  struct stat info;
  struct statx more;
  char link[64];
  int here = open(".", O_PATH);
  mkdir("warm", 0755), chdir("warm");
  for (int turn = 0; turn < 5; turn++) {
    int file = open("file", O_CREAT | O_WRONLY | O_TRUNC, 0644);
    close(creat("second", 0600)), close(openat(AT_FDCWD, "third", O_CREAT | O_RDWR, 0600));
    mkdir("one", 0755), mkdirat(AT_FDCWD, "two", 0755), symlink("file", "link"), symlinkat("file", AT_FDCWD, "more");
    fchmod(file, 0600), chmod("file", 0644), fchmodat(AT_FDCWD, "file", 0644, 0);
    fchown(file, 0, 0), chown("file", 0, 0), lchown("file", 0, 0), fchownat(AT_FDCWD, "file", 0, 0, 0);
    utimensat(AT_FDCWD, "link", NULL, AT_SYMLINK_NOFOLLOW), futimens(file, NULL);
    close(file), close(open("file", O_RDONLY)), close(openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY));
    stat("file", &info), lstat("link", &info), fstat(1, &info), fstatat(AT_FDCWD, ".", &info, 0);
    syscall(SYS_stat, "file", &info), statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &more);
    access("file", R_OK), faccessat(AT_FDCWD, "file", R_OK, 0);
    readlink("link", link, sizeof link), readlinkat(AT_FDCWD, "link", link, sizeof link);
    unlink("file"), unlink("second"), unlink("link"), unlink("more"), unlinkat(AT_FDCWD, "third", 0), rmdir("one"), rmdir("two");
    getuid(), geteuid(), getgid(), getegid();
  }
  fchdir(here), close(here), rmdir("warm");
}

static int countDescriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

static sigjmp_buf out;
static volatile sig_atomic_t seen;
static void leaps(int signal) {
  (void)signal;
  siglongjmp(out, 1);
}
static void counts(int signal) {
  struct stat info;
  (void)signal;
  seen += stat("/conformance/mark", &info) == 0;
}
static void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(signal, &action, NULL);
}
static void alarmIn(int microseconds, int again) {
  struct itimerval time = {{0, again}, {0, microseconds}};
  setitimer(ITIMER_REAL, &time, NULL);
}

CASE("handlers leap out of calls that wait, more often than there is room") {
  mkfifo("fifo", 0600);
  handle(SIGALRM, leaps, SA_NODEFER);
  int left = 0, before = countDescriptors();
  for (int i = 0; i < 80; i++) {
    if (sigsetjmp(out, 1)) {
      left++;
      continue;
    }
    alarmIn(1000, 0);
    close(open("fifo", O_RDONLY));
  }
  VALUE(left);
  HOLDS(countDescriptors() == before);
  struct stat info;
  DO(stat("/conformance/mark", &info));
  TEXT(open("/conformance/mark", O_RDONLY));
}

#if defined(__x86_64__)
extern char __executable_start[], etext[];
static volatile sig_atomic_t inside;
static void looks(int signal, siginfo_t* info, void* context) {
  unsigned long ip = (unsigned long)((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
  (void)signal, (void)info;
  inside += ip >= (unsigned long)__executable_start && ip < (unsigned long)etext;
}
CASE("a handler finds a call that waits in the code of the program") {
  mkfifo("fifo", 0600);
  struct sigaction action = {.sa_sigaction = looks, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &action, NULL);
  for (int i = 0; i < 3; i++) {
    alarmIn(2000, 0);
    OPEN(open("fifo", O_RDONLY));
    alarmIn(2000, 0);
    OPEN(open("fifo", O_WRONLY | O_CREAT, 0600));
  }
  VALUE((long)inside);
}
#endif

CASE("a call that waits is interrupted after it has been made often") {
  mkfifo("fifo", 0600);
  handle(SIGALRM, counts, 0);
  alarmIn(5000, 0);
  OPEN(open("fifo", O_RDONLY));
  VALUE((long)seen);
  handle(SIGALRM, counts, SA_RESTART);
  alarmIn(5000, 5000);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    usleep(50000);
    int fd = open("fifo", O_WRONLY);
    write(fd, "through\n", 8);
    _exit(0);
  }
  TEXT(open("fifo", O_RDONLY));
  alarmIn(0, 0);
  HOLDS(seen > 2);
  sayChild("child", child);
}

CASE("signals at any moment of a call that is made often") {
  struct stat info;
  handle(SIGALRM, counts, SA_RESTART);
  int right = 0, before = countDescriptors();
  alarmIn(300, 300);
  for (int i = 0; i < 5000; i++)
    right += stat("/conformance/mark", &info) == 0 && info.st_uid == 0 && stat("/conformance/no/where", &info) < 0 && errno == ENOENT;
  alarmIn(0, 0);
  VALUE(right);
  HOLDS(countDescriptors() == before && seen > 0);
}

CASE("addresses that lead nowhere, after good ones") {
  struct stat info;
  char* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  memset(page, 'x', 4096);
  void (*before)(int) = signal(SIGSEGV, leaps);
  DO(stat(NULL, &info));
  DO(stat((char*)16, &info));
  DO(stat(page, &info));
  DO(stat("/conformance/mark", (struct stat*)8));
  DO(lstat("/conformance/mark", (struct stat*)-4096));
  DO(fstat(1, NULL));
  DO(open((char*)-1l, O_RDONLY));
  DO(access(page + 4000, F_OK));
  DO(readlink("/conformance", (char*)8, 10));
  strcpy(page + 4096 - 18, "/conformance/mark");
  DO(stat(page + 4096 - 18, &info));
  HOLDS(signal(SIGSEGV, before) == leaps);
}

CASE("descriptors may be closed and replaced, all of them") {
  struct stat info;
  int null = open("/conformance/mark", O_RDONLY);
  for (int fd = 3; fd < 400; fd++) dup2(null, fd);
  int right = 0;
  MANY(right += stat("/conformance/mark", &info) == 0 && access("/conformance/nowhere", F_OK) < 0);
  VALUE(right);
  VALUE(open("/conformance/mark", O_RDONLY));
  closefrom(3);
  right = 0;
  MANY(right += stat("/conformance/mark", &info) == 0);
  VALUE(right);
  VALUE(open("/conformance/mark", O_RDONLY));
  struct rlimit none = {4, 4};
  setrlimit(RLIMIT_NOFILE, &none);
  DO(stat("/conformance/mark", &info));
  DO(access("/conformance/mark", R_OK));
  DO(open("/conformance/mark", O_RDONLY));
  closefrom(0);
  int wrong = stat("/conformance/mark", &info) != 0 || fstat(0, &info) == 0 || errno != EBADF || open("/conformance/mark", O_RDONLY) != 0;
  _exit(wrong);
}

static volatile int stop;
static void* hammers(void* nothing) {
  (void)nothing;
  struct stat info;
  long wrong = 0;
  while (!stop) {
    wrong += stat("/conformance/mark", &info) != 0 || info.st_uid != 0;
    wrong += access("/conformance/nowhere", F_OK) == 0 || errno != ENOENT;
    int fd = open("/conformance/mark", O_RDONLY);
    wrong += fd < 0 || fstat(fd, &info) != 0;
    close(fd);
  }
  return (void*)wrong;
}
CASE("threads call from the same places while another makes processes") {
  pthread_t threads[4];
  long wrong = 0;
  stop = 0;
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, hammers, NULL);
  int failed = 0;
  for (int i = 0; i < 60; i++) {
    struct stat info;
    int status = 0;
    pid_t child = i % 3 == 2 ? vfork() : fork();
    if (child == 0) {
      if (i % 3 == 1) execl(DYNAMIC, "dynamic", "true", NULL);
      _exit(stat("/conformance/mark", &info) != 0 || access("/conformance/nowhere", F_OK) == 0);
    }
    waitpid(child, &status, 0);
    failed += status != 0 && i % 3 != 1;
  }
  stop = 1;
  for (int i = 0; i < 4; i++) {
    void* result = NULL;
    pthread_join(threads[i], &result);
    wrong += (long)result;
  }
  VALUE(wrong);
  VALUE(failed);
}

#if defined(__x86_64__)
CASE("code that is made while it runs calls what it says at the moment") {
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const unsigned char text[] = {0xb8, SYS_getuid, 0, 0, 0, 0x0f, 0x05, 0xc3};
  memcpy(code, text, sizeof text);
  long (*call)(void) = (long (*)(void))code;
  CHILD("code", {
    setresuid(5, 6, 7);
    MANY(call());
    VALUE(call());
    HOLDS(memcmp(code, text, sizeof text) == 0);
    code[1] = SYS_geteuid;
    VALUE(call());
    MANY(call());
    VALUE(call());
  });
}

/// Writes a program of so many bytes of code, which lie at 0x400078, into the same file as before; and what it ends with.
static int runCode(const unsigned char* code, size_t size, unsigned flags) {
  struct {
    Elf64_Ehdr head;
    Elf64_Phdr segment;
    unsigned char code[128];
  } image = {.head = {.e_ident = ELFMAG "\2\1\1",
                      .e_type = ET_EXEC,
                      .e_machine = EM_X86_64,
                      .e_version = 1,
                      .e_entry = 0x400078,
                      .e_phoff = sizeof(Elf64_Ehdr),
                      .e_ehsize = sizeof(Elf64_Ehdr),
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = 1},
             .segment = {PT_LOAD, flags, 0, 0x400000, 0x400000, sizeof image, sizeof image, 4096}};
  memcpy(image.code, code, size);
  int fd = open("code", O_CREAT | O_WRONLY, 0755), status = 0;
  if (write(fd, &image, sizeof image) != sizeof image) SAY("write", "%s", nameOf(errno));
  close(fd);
  pid_t child = fork();
  if (child == 0) execl("code", "code", NULL), _exit(127);
  waitpid(child, &status, 0);
  return status;
}
CASE("what was called often in a file that is another one now is forgotten") {
  // mov $3, %ebx; 1: mov $getuid, %eax; syscall; dec %ebx; jnz 1b; mov $5, %edi; mov $exit, %eax; syscall
  const unsigned char calls[] = {0xbb, 3,    0,    0, 0, 0xb8, SYS_getuid, 0, 0, 0, 0x0f, 0x05, 0xff, 0xcb, 0x75, 0xf5,
                                 0xbf, 5,    0,    0, 0, 0xb8, SYS_exit,   0, 0, 0, 0x0f, 0x05};
  // jmp 1f; six bytes; 1: mov $7, %edi; mov $exit, %eax; syscall
  const unsigned char leaps[] = {0xeb, 6, 0, 0, 0, 0, 0, 0, 0xbf, 7, 0, 0, 0, 0xb8, SYS_exit, 0, 0, 0, 0x0f, 0x05};
  for (int i = 0; i < 3; i++) {
    VALUE(WEXITSTATUS(runCode(calls, sizeof calls, PF_R | PF_X)));
    VALUE(runCode(leaps, sizeof leaps, PF_R | PF_X));
  }
}

CASE("a program that writes its own code calls what it says then") {
  // mov $3, %ebx; 1: mov $getuid, %eax; syscall; dec %ebx; jnz 1b; movl $exit, 1b+1; mov $7, %edi; jmp 1b
  const unsigned char code[] = {0xbb, 3,    0,    0,    0,    0xb8, SYS_getuid, 0, 0, 0,        0x0f, 0x05, 0xff, 0xcb, 0x75, 0xf5, 0xc7,
                                0x04, 0x25, 0x7e, 0x00, 0x40, 0x00, SYS_exit,   0, 0, 0, 0xbf, 7,    0,    0,    0,    0xeb, 0xe3};
  for (int i = 0; i < 4; i++) VALUE(WEXITSTATUS(runCode(code, sizeof code, PF_R | PF_W | PF_X)));
}

CASE("a call to which two ways lead is the one of the way that was taken") {
  // mov $getuid, %eax; 1: syscall; ret; mov $access, %eax; jmp 1b
  const unsigned char text[] = {0x90, 0xb8, SYS_getuid, 0, 0, 0, 0x0f, 0x05, 0xc3, 0xb8, SYS_access, 0, 0, 0, 0xeb, 0xf6};
  const int ways[] = {9, 1, 1, 1, 9, 9, 1, 9};
  int fd = open("library", O_CREAT | O_RDWR, 0755);
  DO(write(fd, text, sizeof text));
  ftruncate(fd, 4096);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    CHILD("called", {
      // as near to the program as its libraries would be
      char* code = mmap((void*)0x20000000, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
      long result = ((long (*)(long, long))(code + ways[i]))(0, 0);
      SAY("it", "%ld", result);
    });
}

CASE("a program that is written anew is read anew") {
  static char bytes[1 << 20];
  int from = open(DYNAMIC, O_RDONLY), to = open("copy", O_CREAT | O_WRONLY, 0755);
  long size = read(from, bytes, sizeof bytes);
  HOLDS(size > 0 && write(to, bytes, (size_t)size) == size);
  close(from), close(to);
  for (int i = 0; i < 3; i++) {
    // what was read of it may be kept when it has not been written for a while
    usleep(50000);
    pid_t child = fork();
    if (child == 0) execl("copy", "dynamic", "true", NULL), _exit(127);
    sayChild("as it is", child);
    // it begins where nothing is to be executed, and where it did
    Elf64_Addr entry = i % 2 ? ((Elf64_Ehdr*)bytes)->e_entry : 0;
    to = open("copy", O_WRONLY);
    DO(pwrite(to, &entry, sizeof entry, offsetof(Elf64_Ehdr, e_entry)));
    close(to);
  }
}

CASE("a constant that is moved into another register before a call stays there") {
  // mov $3, %ebx; mov $-100, %edi; 1: mov $newfstatat, %eax; xor %esi, %esi; mov $-100, %r15d; syscall; dec %ebx; jnz 1b;
  // xor %edi, %edi; cmp $-100, %r15d; sete %dil; mov $exit, %eax; syscall
  const unsigned char code[] = {0xbb, 3,    0,    0,    0,    0xbf, 0x9c, 0xff, 0xff, 0xff, 0xb8, 6,    1,    0,   0,    0x31,
                                0xf6, 0x41, 0xbf, 0x9c, 0xff, 0xff, 0xff, 0x0f, 0x05, 0xff, 0xcb, 0x75, 0xed, 0x31, 0xff, 0x41,
                                0x83, 0xff, 0x9c, 0x40, 0x0f, 0x94, 0xc7, 0xb8, SYS_exit, 0, 0, 0, 0x0f, 0x05};
  for (int i = 0; i < 3; i++) VALUE(runCode(code, sizeof code, PF_R | PF_X));
}

CASE("text that is made writable stays in use") {
  unsigned long page = (unsigned long)&stat & ~4095ul;
  struct stat info;
  DO(mprotect((void*)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC));
  MANY(stat("/conformance/mark", &info));
  DO(stat("/conformance/mark", &info));
  DO(mprotect((void*)page, 8192, PROT_READ | PROT_EXEC));
  DO(stat("/conformance/mark", &info));
  DO(stat("/conformance/nowhere", &info));
}
#endif

CASE("two hundred children, of which each goes its own way") {
  int failed = 0;
  for (int i = 0; i < 200; i++) {
    pid_t child = fork();
    if (child == 0) {
      struct stat info;
      char name[32];
      sprintf(name, "%d", i);
      int wrong = mkdir(name, 0755) != 0 || chdir(name) != 0 || stat("../0", &info) != 0 || stat("0", &info) == 0;
      if (i % 2) wrong |= setuid(1000 + (unsigned)i) != 0 || getuid() != 1000 + (unsigned)i;
      else wrong |= chroot(".") != 0 || stat("/conformance/mark", &info) == 0 || getuid() != 0;
      _exit(wrong);
    }
    int status;
    waitpid(child, &status, 0);
    failed += status != 0;
  }
  VALUE(failed);
  struct stat info;
  DO(stat("/conformance/mark", &info));
  VALUE(getuid());
}

CASE("links that change are followed to where they lead now") {
  mkdir("a", 0755), mkdir("b", 0755), mkdir("a/deep", 0755), put("a/file", "in a\n"), put("b/file", "in b\n"), put("a/deep/up", "deep\n");
  symlink("a", "way"), symlink("../file", "a/deep/back"), symlink("/conformance/mark", "a/absolute"), symlink("loop", "loop");
  symlink("way/deep/./up", "long"), symlink("nowhere", "broken"), symlink("b", "new");
  MANY(close(open("way/file", O_RDONLY)));
  TEXT(open("way/file", O_RDONLY));
  DO(rename("new", "way"));
  TEXT(open("way/file", O_RDONLY));
  unlink("way"), symlink("a", "way");
  TEXT(open("way/deep/back", O_RDONLY));
  TEXT(open("way/absolute", O_RDONLY));
  TEXT(open("long", O_RDONLY));
  OPEN(open("loop", O_RDONLY));
  OPEN(open("broken", O_RDONLY));
  OPEN(open("broken/more", O_RDONLY));
  OPEN(open("way", O_RDONLY | O_NOFOLLOW));
  OPEN(open("way/", O_RDONLY | O_NOFOLLOW));
  OPEN(open("way/file/", O_RDONLY));
  OPEN(open("way/file/..", O_RDONLY));
  struct stat info;
  DO(lstat("way", &info));
  HOLDS(S_ISLNK(info.st_mode));
  DO(lstat("way/", &info));
  HOLDS(S_ISDIR(info.st_mode));
  DO(stat("broken", &info));
  DO(lstat("broken", &info));
  char text[64] = "";
  VALUE(readlink("way", text, sizeof text));
  VALUE(readlink("way", text, 0));
  VALUE(readlink("way/file", text, sizeof text));
  VALUE(readlink("a/deep/back", text, 3));
  int place = open("way", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  DO(fstat(place, &info));
  HOLDS(S_ISLNK(info.st_mode));
}

CASE("/proc is that of the tree by a descriptor, too, and after many calls") {
  struct stat info;
  int proc = open("/proc", O_RDONLY | O_DIRECTORY), own = open("/proc/self", O_PATH);
  char name[32], text[64];
  sprintf(name, "%d/status", getpid());
  MANY(fstatat(proc, name, &info, 0), close(openat(proc, name, O_RDONLY)));
  DO(fstatat(proc, name, &info, 0));
  HOLDS(faccessat(proc, "self/exe", F_OK, 0) == 0);
  HOLDS(readlinkat(own, "exe", text, sizeof text) > 0 && strncmp(text, "/conformance/cases", 18) == 0);
  DO(fchdir(proc));
  DO(stat(name, &info));
  DO(chdir("/proc/self"));
  HOLDS(readlink("exe", text, sizeof text) > 0 && strncmp(text, "/conformance/cases", 18) == 0);
  OPEN(open("status", O_RDONLY));
  OPEN(open("/proc/1/status", O_RDONLY));
}

CASE("where a process is it is told, after many calls") {
  const char* places[] = {"/", "/conformance", "/readonly", "/proc", "/proc/self", "/dev", "."};
  char text[4096];
  mkdir("deep", 0755), chdir("deep");
  MANY(getcwd(text, sizeof text));
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    DO(chdir(places[i]));
    HOLDS(getcwd(text, sizeof text) == text);
    if (strncmp(text, "/proc/", 6) != 0) SAY(places[i], "%s", text);
  }
  HOLDS(getcwd(text, strlen(text) + 1) == text);
  DO(getcwd(text, strlen(text)) ? 0 : -1);
  DO(getcwd((char*)8, 100) ? 0 : -1);
  chdir("/conformance"), mkdir("gone", 0755), chdir("gone"), rmdir("../gone");
  DO(getcwd(text, sizeof text) ? 0 : -1);
}

CASE("owners are those that were given, after many calls") {
  struct stat info;
  put("file", ""), put("other", "text"), mkdir("dir", 0755), symlink("file", "link");
  MANY(stat("file", &info));
  DO(chown("file", 5, 6));
  DO(stat("file", &info));
  HOLDS(info.st_uid == 5 && info.st_gid == 6);
  DO(lchown("link", 7, 8));
  DO(lstat("link", &info));
  HOLDS(info.st_uid == 7 && info.st_gid == 8);
  DO(chown("dir", 9, (gid_t)-1));
  DO(stat("./dir", &info));
  HOLDS(info.st_uid == 9 && info.st_gid == 0);
  int fd = open("other", O_RDONLY);
  DO(fchown(fd, 10, 11));
  DO(fstat(fd, &info));
  HOLDS(info.st_uid == 10 && info.st_gid == 11);
  DO(fstatat(AT_FDCWD, "other", &info, AT_SYMLINK_NOFOLLOW));
  HOLDS(info.st_uid == 10);
}

CASE("what is made, changed and taken away is so, wherever it is named from") {
  struct stat info;
  umask(027);
  int dir = open(".", O_PATH);
  OPEN(open("new", O_CREAT | O_EXCL | O_WRONLY, 0666));
  OPEN(open("new", O_CREAT | O_EXCL | O_WRONLY, 0666));
  DO(stat("new", &info));
  VALUE((long)(info.st_mode & 07777)), VALUE((long)info.st_uid);
  int file = openat(dir, "second", O_CREAT | O_RDWR | O_APPEND, 04711);
  VALUE((long)fcntl(file, F_GETFL));
  DO(fstat(file, &info));
  VALUE((long)(info.st_mode & 07777));
  DO(mkdirat(dir, "deep", 02777));
  DO(mkdir("deep", 0777));
  DO(mkdir("deep/er/", 0777));
  DO(mkdir("no/where", 0777));
  DO(mkdir("/conformance/../conformance/new/more", 0777));
  OPEN(open("deep/file", O_CREAT | O_WRONLY, 0666));
  OPEN(open("deep/file", O_WRONLY | O_TRUNC));
  OPEN(open("deep", O_WRONLY));
  OPEN(open("deep", O_CREAT | O_RDONLY, 0666));
  OPEN(open("deep/no/file", O_CREAT | O_WRONLY, 0666));
  DO(symlink("deep", "link")), DO(symlink("deep", "link")), DO(symlink("nothing", "dangling"));
  OPEN(open("link/file", O_RDWR));
  OPEN(open("link/made", O_CREAT | O_RDWR, 0640));
  OPEN(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0640));
  OPEN(open("dangling", O_CREAT | O_RDWR, 0640));
  DO(access("nothing", F_OK));
  DO(chmod("link/made", 07777)), DO(stat("deep/made", &info));
  VALUE((long)(info.st_mode & 07777));
  DO(fchmod(file, 0444)), DO(fstat(file, &info));
  VALUE((long)(info.st_mode & 07777));
  OPEN(open("second", O_WRONLY));
  DO(chmod("deep", 0500)), OPEN(open("deep/may", O_CREAT | O_WRONLY, 0600)), DO(chmod("deep", 0755));
  struct timespec times[2] = {{100, 5}, {200, 6}};
  DO(futimens(file, times)), DO(utimensat(dir, "link", times, AT_SYMLINK_NOFOLLOW)), DO(utimensat(dir, "deep", times, 0));
  DO(fstat(file, &info));
  VALUE((long)info.st_mtim.tv_sec), VALUE((long)info.st_mtim.tv_nsec);
  DO(lstat("link", &info));
  VALUE((long)info.st_mtim.tv_sec);
  DO(rmdir("deep")), DO(unlink("deep")), DO(rmdir("new")), DO(unlink("nowhere")), DO(unlink("link")), DO(unlink("deep/file"));
  DO(unlinkat(dir, "second", 0)), DO(unlinkat(dir, "second", 0)), DO(rmdir("deep/er")), DO(rmdir(".")), DO(unlink("deep/made"));
  DO(fstat(file, &info));
  VALUE((long)info.st_nlink);
}

CASE("read-only places stay so by descriptors and by paths that begin there") {
  struct stat info;
  DO(mkdir("/readonly/dir", 0755));
  OPEN(open("/readonly/new", O_CREAT | O_WRONLY, 0600));
  int place = open("/readonly", O_PATH);
  HOLDS(place >= 0);
  OPEN(openat(place, "new", O_CREAT | O_WRONLY, 0600));
  DO(mkdirat(place, "dir", 0755));
  DO(symlinkat("x", place, "link"));
  DIR* list = opendir("/readonly");
  for (struct dirent* one; list && (one = readdir(list));) {
    if (one->d_name[0] == '.') continue;
    int file = openat(place, one->d_name, O_RDONLY);
    HOLDS(file < 0 || (fchmod(file, 0600) < 0 && errno == EROFS && futimens(file, NULL) < 0 && errno == EROFS));
    HOLDS(openat(place, one->d_name, O_WRONLY) < 0 && unlinkat(place, one->d_name, 0) < 0);
    HOLDS(fchownat(place, one->d_name, 3, 3, 0) < 0 && fchmodat(place, one->d_name, 0600, 0) < 0 && errno == EROFS);
  }
  DO(chdir("/readonly"));
  OPEN(open("new", O_CREAT | O_WRONLY, 0600));
  DO(mkdir("dir", 0755));
  DO(stat("new", &info));
}

CASE("what another user makes is that user's") {
  struct stat info;
  mkdir("open", 0777), chmod("open", 0777), mkdir("group", 0755), chown("group", 0, 50), chmod("group", 02777);
  OPEN(open("group/file", O_CREAT | O_WRONLY, 0600));
  DO(stat("group/file", &info));
  VALUE((long)info.st_gid);
  DO(mkdir("group/dir", 0755));
  DO(stat("group/dir", &info));
  VALUE((long)info.st_gid), HOLDS(info.st_mode & 02000);
  CHILD("user", {
    setgid(7), setuid(6);
    VALUE(getuid()), VALUE(getegid());
    OPEN(open("open/file", O_CREAT | O_WRONLY, 0600));
    DO(mkdir("open/dir", 0755)), DO(symlink("file", "open/link"));
    DO(stat("open/file", &info));
    VALUE((long)info.st_uid), VALUE((long)info.st_gid);
    DO(lstat("open/link", &info));
    VALUE((long)info.st_uid);
    DO(chown("open/file", 8, 8));
    DO(chmod("open", 0700));
  });
  DO(stat("open/dir", &info));
  VALUE((long)info.st_uid), VALUE((long)info.st_gid);
}

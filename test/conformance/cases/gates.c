// int 0x80: the gate that 32-bit programs had first, and that 64-bit programs can use as well. Calls have the numbers, the registers and
// the structures of i386 then.
#include <grp.h>
#include <sys/un.h>

#include "case.h"

#if defined(__x86_64__) || defined(__i386__)
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

/// Memory that 32 bits can name.
static void* low(size_t size) {
  static char* next;
  static size_t left;
  size = (size + 15) & ~15ul;
  if (left < size) {
    left = 1 << 16;
    next = mmap(NULL, left, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  }
  left -= size;
  return (next += size) - size;
}
static void* text(const char* from) { return strcpy(low(strlen(from) + 1), from); }
static uint32_t at(const void* pointer) { return (uint32_t)(unsigned long)pointer; }

static long gate(long number, long a, long b, long c, long d) {
  long result;
#if defined(__x86_64__)
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(0l) : "memory", "r8", "r9", "r10", "r11");
#else
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
#endif
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}
static long gatePath(long number, const char* path, long b, long c) { return gate(number, at(text(path)), b, c, 0); }

static uint32_t word(const char* from) {
  uint32_t value;
  memcpy(&value, from, sizeof value);
  return value;
}
static unsigned half(const char* from) {
  uint16_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

/// As stat(2) and as stat64(2) of i386 tell it.
static void sayFile(const char* path) {
  char* to = low(96);
  if (sayDone("stat", gatePath(106, path, at(to), 0)) == 0)
    SAY("old", "mode %o, %u:%u, links %u", half(to + 8), half(to + 12), half(to + 14), half(to + 10));
  if (sayDone("stat64", gatePath(195, path, at(to), 0)) == 0)
    SAY("new", "mode %o, %u:%u, links %u", word(to + 16), word(to + 24), word(to + 28), word(to + 20));
}

CASE("the old gate leads to the tree's files") {
  sayText("open", gatePath(5, "/conformance/mark", O_RDONLY, 0));
  sayText("openat", gate(295, AT_FDCWD, at(text("/conformance/mark")), O_RDONLY, 0));
  sayDone("nothing", gatePath(33, "/conformance/nothing", F_OK, 0));
  sayDone("mkdir", gatePath(39, "made", 0750, 0));
  sayDone("again", gatePath(39, "made", 0750, 0));
  sayDone("chdir", gatePath(12, "made", 0, 0));
  sayText("creat", gatePath(8, "file", 0640, 0));
  sayFile("file");
  sayFile("/conformance/mark");
  char here[4096], *there = low(4096);
  SAY("getcwd", "%d", getcwd(here, sizeof here) && gate(183, at(there), 4096, 0, 0) > 0 && strcmp(here, there) == 0);
  long size = gatePath(85, "/proc/self/exe", at(there), 4096);
  there[size > 0 ? size : 0] = 0;
  SAY("exe", "%s", there);
  sayDone("symlink", gate(83, at(text("file")), at(text("link")), 0, 0));
  sayDone("rename", gate(38, at(text("file")), at(text("other")), 0, 0));
  sayText("dangling", gatePath(5, "link", O_RDONLY, 0));
  sayDone("truncate64", gatePath(193, "other", 70000, 0));
  sayDone("statfs64", gatePath(268, "other", 84, at(low(84))));
  sayDone("unlink", gatePath(10, "other", 0, 0));
  sayDone("umask", gate(60, 022, 0, 0, 0));
  sayDone("no call", gate(2000, 0, 0, 0, 0));
}

CASE("ids of 16 bits are those that fit") {
  close(creat("file", 0644));
  sayDone("chown", gatePath(182, "file", 7, 8));
  sayFile("file");
  sayDone("chown of one", gatePath(182, "file", 0xffff, 9));
  sayFile("file");
  sayDone("chown32", gatePath(212, "file", 70000, -1));
  sayFile("file");
  sayValue("getuid", gate(24, 0, 0, 0, 0));
  sayValue("getuid32", gate(199, 0, 0, 0, 0));
  gid_t groups[] = {5, 70000};
  setgroups(2, groups);
  char* to = low(64);
  sayValue("getgroups", gate(80, 8, at(to), 0, 0));
  SAY("groups", "%u %u", half(to), half(to + 2));
  sayValue("getgroups32", gate(205, 8, at(to), 0, 0));
  SAY("groups", "%u %u", word(to), word(to + 4));
  uint16_t halves[] = {9, 4};
  memcpy(to, halves, sizeof halves);
  sayDone("setgroups", gate(81, 2, at(to), 0, 0));
  SAY("groups", "%d", getgroups(2, groups));
  SAY("groups", "%u %u", groups[0], groups[1]);
  sayDone("setresuid", gate(164, 0xffff, 1000, 0xffff, 0));
  sayDone("getresuid", gate(165, at(to), at(to + 2), at(to + 4), 0));
  SAY("users", "%u %u %u", half(to), half(to + 2), half(to + 4));
  sayDone("getresuid32", gate(209, at(to), at(to + 4), at(to + 8), 0));
  SAY("users", "%u %u %u", word(to), word(to + 4), word(to + 8));
}

static long socketCall(long number, uint32_t a, uint32_t b, uint32_t c) {
  const uint32_t list[] = {a, b, c, 0, 0, 0};
  return gate(102, number, at(memcpy(low(sizeof list), list, sizeof list)), 0, 0);
}

CASE("local sockets by the call that has its arguments in a list") {
  struct sockaddr_un* name = low(sizeof *name);
  name->sun_family = AF_UNIX;
  strcpy(name->sun_path, "socket");
  uint32_t size = sizeof name->sun_family + 7, *shown = low(sizeof *shown);
  long server = socketCall(1, AF_UNIX, SOCK_STREAM, 0), client = socketCall(1, AF_UNIX, SOCK_STREAM, 0);
  sayDone("bind", socketCall(2, server, at(name), size));
  sayDone("listen", socketCall(4, server, 1, 0));
  sayDone("connect", socketCall(3, client, at(name), size));
  memset(name, 0, sizeof *name);
  *shown = sizeof *name;
  sayDone("getpeername", socketCall(7, client, at(name), at(shown)));
  SAY("name", "%u %s", *shown, name->sun_path);
  strcpy(name->sun_path, "none");
  sayDone("nobody", socketCall(3, socketCall(1, AF_UNIX, SOCK_STREAM, 0), at(name), size));
}

/// A list of addresses of 32 bits.
static uint32_t list(const char* a, const char* b, const char* c) {
  const uint32_t words[] = {at(text(a)), b ? at(text(b)) : 0, c ? at(text(c)) : 0, 0};
  return at(memcpy(low(sizeof words), words, sizeof words));
}

static void executes(const char* what, const char* path, uint32_t arguments) {
  fflush(stdout);
  long child = gate(2, 0, 0, 0, 0);
  if (child == 0) {
    gate(11, at(text(path)), arguments, list("VALUE=executed", NULL, NULL), 0);
    _exit(errno);
  }
  int status = 0;
  if (child > 0) waitpid((pid_t)child, &status, 0);
  SAY(what, "%x", status);
}

CASE("programs and scripts are executed by the old gate") {
  executes("program", "/bin/sh", list("sh", "-c", "echo \"  program: $VALUE\""));
  int fd = creat("script", 0755);
  dprintf(fd, "#!/bin/sh\necho \"  script: $0 $1 $VALUE\"\n");
  close(fd);
  executes("script", "script", list("sh", "one", NULL));
  executes("nothing", "nothing", list("sh", NULL, NULL));
}

CASE("a child of the old gate sees the tree") {
  fflush(stdout);
  long child = gate(120, SIGCHLD, 0, 0, 0);
  if (child == 0) _exit(access("/conformance/mark", F_OK) == 0 && gatePath(33, "/conformance/mark", F_OK, 0) == 0 ? 7 : 1);
  int status = 0;
  if (child > 0) waitpid((pid_t)child, &status, 0);
  SAY("child", "%d", WEXITSTATUS(status));
}

static unsigned long before[8] __attribute__((used)), after[8] __attribute__((used)), spared[2] __attribute__((used));
enum { AX, BX, CX, DX, SI, DI, BP, SP };

/// Makes a call with all these registers, the stack pointer too, and leaves them in `after`.
void gateWith(void);
#if defined(__x86_64__)
__asm__(
    ".text\n.globl gateWith\ngateWith:\n"
    "push %rbx\npush %rbp\nmov %rsp, spared(%rip)\nmov before(%rip), %rax\nmov before+8(%rip), %rbx\n"
    "mov before+16(%rip), %rcx\nmov before+24(%rip), %rdx\nmov before+32(%rip), %rsi\nmov before+40(%rip), %rdi\n"
    "mov before+48(%rip), %rbp\nmov before+56(%rip), %rsp\nint $0x80\n"
    "mov %rax, after(%rip)\nmov %rbx, after+8(%rip)\nmov %rcx, after+16(%rip)\nmov %rdx, after+24(%rip)\n"
    "mov %rsi, after+32(%rip)\nmov %rdi, after+40(%rip)\nmov %rbp, after+48(%rip)\nmov %rsp, after+56(%rip)\n"
    "mov spared(%rip), %rsp\npop %rbp\npop %rbx\nret\n");
#else
// The address of the variables is found on the way, and kept where no register is needed for it: below what the stack is then.
__asm__(
    ".text\n.globl gateWith\ngateWith:\n"
    "push %ebx\npush %ebp\npush %esi\npush %edi\ncall 1f\n1: pop %eax\nadd $_GLOBAL_OFFSET_TABLE_+(.-1b), %eax\n"
    "mov %esp, spared@GOTOFF(%eax)\nmov before@GOTOFF+28(%eax), %esp\nmov before@GOTOFF+4(%eax), %ebx\n"
    "mov before@GOTOFF+8(%eax), %ecx\nmov before@GOTOFF+12(%eax), %edx\nmov before@GOTOFF+16(%eax), %esi\n"
    "mov before@GOTOFF+20(%eax), %edi\nmov before@GOTOFF+24(%eax), %ebp\nmov before@GOTOFF(%eax), %eax\n"
    "int $0x80\n"
    "push %eax\ncall 1f\n1: pop %eax\nadd $_GLOBAL_OFFSET_TABLE_+(.-1b), %eax\n"
    "mov %ebx, after@GOTOFF+4(%eax)\nmov %ecx, after@GOTOFF+8(%eax)\nmov %edx, after@GOTOFF+12(%eax)\n"
    "mov %esi, after@GOTOFF+16(%eax)\nmov %edi, after@GOTOFF+20(%eax)\nmov %ebp, after@GOTOFF+24(%eax)\n"
    "pop %ecx\nmov %ecx, after@GOTOFF(%eax)\nmov %esp, after@GOTOFF+28(%eax)\n"
    "mov spared@GOTOFF(%eax), %esp\npop %edi\npop %esi\npop %ebp\npop %ebx\nret\n");
#endif

static void makes(const char* what, long number, const void* a, unsigned long b) {
  unsigned long here[512];
  for (unsigned i = 0; i < 8; i++) before[i] = 0x11111111ul * i;
  before[AX] = (unsigned long)number, before[BX] = (unsigned long)a, before[CX] = b, before[DX] = 0, before[SP] = (unsigned long)(here + 256);
  gateWith();
  long result = (long)after[AX];
  SAY(what, "%s", result < 0 ? nameOf((int)-result) : "ok");
  for (int i = BX; i <= SP; i++)
    if (before[i] != after[i]) SAY("lost", "register %d", i);
}

CASE("calls by the old gate lose no register") {
  char* to = low(96);
  for (int i = 0; i < 3; i++) {
    makes("open", 5, text("/conformance/mark"), O_RDONLY);
    makes("missing", 5, text("/conformance/nothing"), O_RDONLY);
    makes("stat64", 195, text("/conformance/mark"), at(to));
    makes("mkdir", 39, text("made"), 0755);
    makes("getpid", 20, 0, 0);
  }
}
#endif

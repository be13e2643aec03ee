// Calls are made by the kernel's own rules for registers and stacks: nothing that a program may rely on is lost.
#include <sys/auxv.h>

#include "case.h"

#if defined(__x86_64__)
/// rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15 rsp, before a call and after it, and where it returned to.
static unsigned long before[16] __attribute__((used)), after[16] __attribute__((used)), kept_[8] __attribute__((used));
static unsigned long returned __attribute__((used));
enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, RSP };

/// Makes a call with all registers as they are in `before`, the stack pointer too, and leaves them in `after`.
void callWith(void);
__asm__(
    ".text\n.globl callWith\ncallWith:\n"
    "mov %rbx, kept_(%rip)\nmov %rbp, kept_+8(%rip)\nmov %r12, kept_+16(%rip)\nmov %r13, kept_+24(%rip)\n"
    "mov %r14, kept_+32(%rip)\nmov %r15, kept_+40(%rip)\nmov %rsp, kept_+48(%rip)\n"
    "mov before(%rip), %rax\nmov before+8(%rip), %rbx\nmov before+24(%rip), %rdx\nmov before+32(%rip), %rsi\n"
    "mov before+40(%rip), %rdi\nmov before+48(%rip), %rbp\nmov before+56(%rip), %r8\nmov before+64(%rip), %r9\n"
    "mov before+72(%rip), %r10\nmov before+88(%rip), %r12\nmov before+96(%rip), %r13\nmov before+104(%rip), %r14\n"
    "mov before+112(%rip), %r15\nmov before+120(%rip), %rsp\n"
    "syscall\n1:\n"
    "mov %rax, after(%rip)\nmov %rbx, after+8(%rip)\nmov %rcx, after+16(%rip)\nmov %rdx, after+24(%rip)\n"
    "mov %rsi, after+32(%rip)\nmov %rdi, after+40(%rip)\nmov %rbp, after+48(%rip)\nmov %r8, after+56(%rip)\n"
    "mov %r9, after+64(%rip)\nmov %r10, after+72(%rip)\nmov %r11, after+80(%rip)\nmov %r12, after+88(%rip)\n"
    "mov %r13, after+96(%rip)\nmov %r14, after+104(%rip)\nmov %r15, after+112(%rip)\nmov %rsp, after+120(%rip)\n"
    "lea 1b(%rip), %rax\nmov %rax, returned(%rip)\n"
    "mov kept_(%rip), %rbx\nmov kept_+8(%rip), %rbp\nmov kept_+16(%rip), %r12\nmov kept_+24(%rip), %r13\n"
    "mov kept_+32(%rip), %r14\nmov kept_+40(%rip), %r15\nmov kept_+48(%rip), %rsp\nret\n");

static void makes(const char* what, long number, const void* a, const void* b, unsigned long stack) {
  unsigned long here = 0;
  for (int i = 0; i < 16; i++) before[i] = 0x1111111111111111ul * (unsigned)i;
  before[RAX] = (unsigned long)number, before[RDI] = (unsigned long)a, before[RSI] = (unsigned long)b;
  before[RDX] = 0, before[R10] = 0;
  before[RSP] = stack ? stack : (unsigned long)&here - 4096;
  callWith();
  long value = (long)after[RAX];
  SAY(what, "%s", value < 0 ? nameOf((int)-value) : "ok");
  for (int i = 0; i < 16; i++) {
    static const char* const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rsp"};
    if (i == RAX || i == RCX || i == R11) continue;
    if (after[i] != before[i]) SAY("changed", "%s", names[i]);
  }
}

CASE("a call leaves all registers but three as they were") {
  struct stat info;
  makes("stat", SYS_stat, "/conformance/mark", &info, 0);
  HOLDS(after[RCX] == returned);
  makes("stat of nothing", SYS_stat, "/conformance/nowhere", &info, 0);
  makes("lstat of a relative path", SYS_lstat, ".", &info, 0);
  makes("open", SYS_open, "/conformance/mark", O_RDONLY, 0);
  makes("access", SYS_access, "/conformance/mark", (void*)R_OK, 0);
  makes("mkdir", SYS_mkdir, "dir", (void*)0755, 0);
  makes("rename", SYS_rename, "dir", "renamed", 0);
  makes("chdir", SYS_chdir, "renamed", NULL, 0);
  makes("getuid", SYS_getuid, NULL, NULL, 0);
  makes("exec that fails", SYS_execve, "/conformance/nowhere", NULL, 0);
  makes("exec of a directory", SYS_execve, "/conformance", NULL, 0);
  makes("a call that is not there", 9999, "/conformance/nowhere", NULL, 0);
}

CASE("what lies below the stack pointer is kept") {
  unsigned char* stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct stat info;
  memset(stack, 0xa5, 65536);
  makes("stat", SYS_stat, "/conformance/mark", &info, (unsigned long)stack + 32768);
  makes("open", SYS_open, "/conformance/mark", O_RDONLY, (unsigned long)stack + 32768);
  makes("exec", SYS_execve, "/conformance/nowhere", NULL, (unsigned long)stack + 32768);
  int changed = 0;
  for (int i = 32768 - 128; i < 65536; i++) changed += stack[i] != 0xa5;
  VALUE(changed);
}

CASE("a call needs no stack") {
  struct stat info;
  char* page = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page, 4096);
  makes("at its end", SYS_stat, "/conformance/mark", &info, (unsigned long)page + 4096 + 8);
  makes("without any", SYS_stat, "/conformance/mark", &info, 16);
  makes("without any", SYS_open, "/conformance/mark", O_RDONLY, 0xdead000000000000ul);
  makes("without any", SYS_mkdir, "dir", (void*)0755, 16);
  makes("without any", SYS_unlink, "dir", NULL, 8);
}

CASE("memory that may not be written is no place of the engine's") {
  char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(page, "/conformance/mark");
  mprotect(page, 4096, PROT_READ);
  TEXT(open(page, O_RDONLY));
  SAY("text", "%s", page);
  TEXT(open("/conformance/../conformance/./mark", O_RDONLY));
  static char text[] = "/conformance/mark";
  TEXT(open(text, O_RDONLY));
  SAY("text", "%s", text);
}

CASE("time is told without a call, and by the old page of calls") {
  struct timespec now;
  DO(clock_gettime(CLOCK_MONOTONIC, &now));
  HOLDS(time(NULL) > 1000000000);
  HOLDS(getauxval(AT_SYSINFO_EHDR) != 0);
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[256];
  int old = 0;
  while (maps && fgets(line, sizeof line, maps)) old |= strstr(line, "[vsyscall]") != NULL;
  CHILD("time", {
    long (*told)(long*) = (long (*)(long*))0xffffffffff600400ul;
    if (old) HOLDS(told(NULL) > 1000000000);
  });
}
#endif

CASE("a program may map and unmap what it likes") {
  char* low = mmap((void*)0x10000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  HOLDS(low == (void*)0x10000);
  char* high = mmap(NULL, 1ul << 32, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  HOLDS(high != MAP_FAILED);
  DO(munmap(high, 1ul << 32));
  TEXT(open("/conformance/mark", O_RDONLY));
}

CASE("a child without memory of its own does not disturb its parent's calls") {
  for (int i = 0; i < 20; i++) {
    pid_t child = vfork();
    if (child == 0) {
      struct stat info;
      int bad = 0;
      for (int n = 0; n < 10; n++) bad |= stat("/conformance/mark", &info) != 0 || access("/conformance/nowhere", F_OK) == 0;
      _exit(bad);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) sayStatus("vfork", status);
  }
  TEXT(open("/conformance/mark", O_RDONLY));
}

// The guest's own tracers: debuggers and their like.
#include <elf.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "traced.h"

static volatile long watched = 1;

static void asks(void) {
  struct stat info;
  syscall(SYS_stat, "/conformance/mark", &info);
  syscall(SYS_getppid);
}
static void changes(void) { _exit((int)watched); }
static void waits(void) {
  for (;;) pause();
}

CASE("a child asks to be traced, and stops") {
  pid_t child = traced(changes);
  sayStatus("stop", waited(child));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  sayStatus("end", waited(child));
}

CASE("a traced program stops when it is executed") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    execl(self, "x", "exit", "5", NULL);
  }
  sayStatus("exec", waited(child));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  sayStatus("end", waited(child));
}

CASE("memory of a traced process is read and written") {
  pid_t child = traced(changes);
  waited(child);
  VALUE(ptrace(PTRACE_PEEKDATA, child, &watched, NULL));
  DO(ptrace(PTRACE_POKEDATA, child, &watched, 33));
  long value = 0;
  struct iovec here = {&value, sizeof value}, there = {(void*)&watched, sizeof value};
  VALUE(process_vm_readv(child, &here, 1, &there, 1, 0));
  VALUE(value);
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStatus("end", waited(child));
}

CASE("calls of a traced process are seen as it makes them") {
  pid_t child = traced(asks);
  waited(child);
  DO(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD));
  int seen = 0, right = 0, status;
  char text[32] = "";
  for (int i = 0; i < 50; i++) {
    if (ptrace(PTRACE_SYSCALL, child, NULL, 0) < 0) break;
    status = waited(child);
    if (!WIFSTOPPED(status)) break;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    seen++;
#if defined(__x86_64__)
    struct user_regs_struct registers;
    ptrace(PTRACE_GETREGS, child, NULL, &registers);
    if (registers.orig_rax == SYS_stat) {
      struct iovec here = {text, sizeof text - 1}, there = {(void*)registers.rdi, 18};
      process_vm_readv(child, &here, 1, &there, 1, 0);
      right++;
    }
#endif
  }
  VALUE(right);
  SAY("path", "%s", text);
  HOLDS(seen >= 5);
}

CASE("a call of a traced process is changed and its answer replaced") {
#if defined(__x86_64__)
  void answers(void) { _exit((int)syscall(SYS_getppid)); }
  pid_t child = traced(answers);
  waited(child);
  ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD);
  struct user_regs_struct registers;
  int status = 0;
  for (int i = 0; i < 20; i++) {
    if (ptrace(PTRACE_SYSCALL, child, NULL, 0) < 0) break;
    status = waited(child);
    if (!WIFSTOPPED(status)) break;
    ptrace(PTRACE_GETREGS, child, NULL, &registers);
    if (registers.orig_rax == SYS_getppid && (long)registers.rax != -ENOSYS) registers.rax = 99, ptrace(PTRACE_SETREGS, child, NULL, &registers);
  }
  sayStatus("end", status);
#endif
}

CASE("a process is attached to and left again") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) waits();
  if (DO(ptrace(PTRACE_ATTACH, child, NULL, NULL)) < 0) return;
  sayStatus("stop", waited(child));
  DO(ptrace(PTRACE_DETACH, child, NULL, 0));
  kill(child, SIGTERM);
  sayStatus("end", waited(child));
}

CASE("a process is seized and interrupted") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) waits();
  if (DO(ptrace(PTRACE_SEIZE, child, NULL, NULL)) < 0) return;
  DO(ptrace(PTRACE_INTERRUPT, child, NULL, NULL));
  sayStatus("stop", waited(child));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  kill(child, SIGKILL);
  sayStatus("end", waited(child));
}

CASE("signals of a traced process are seen and may be dropped") {
  void raises(void) { raise(SIGUSR1); _exit(4); }
  pid_t child = traced(raises);
  waited(child);
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStatus("stop", waited(child));
  siginfo_t info = {0};
  DO(ptrace(PTRACE_GETSIGINFO, child, NULL, &info));
  VALUE(info.si_signo == SIGUSR1);
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStatus("end", waited(child));
}

CASE("a traced process goes step by step") {
  pid_t child = traced(changes);
  waited(child);
  int steps = 0, status = 0;
  while (steps < 50 && ptrace(PTRACE_SINGLESTEP, child, NULL, 0) == 0 && WIFSTOPPED(status = waited(child))) steps++;
  VALUE(steps);
  ptrace(PTRACE_KILL, child, NULL, 0);
  kill(child, SIGKILL);
}

CASE("children of a traced process are traced") {
  void makes(void) { pid_t child = fork(); if (child == 0) _exit(3); waitpid(child, NULL, 0); _exit(4); }
  pid_t child = traced(makes);
  waited(child);
  DO(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL));
  ptrace(PTRACE_CONT, child, NULL, 0);
  int status = waited(child);
  HOLDS(status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8));
  unsigned long inner = 0;
  ptrace(PTRACE_GETEVENTMSG, child, NULL, &inner);
  status = waited((pid_t)inner);
  HOLDS(WIFSTOPPED(status));
  ptrace(PTRACE_CONT, (pid_t)inner, NULL, 0);
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStatus("inner", waited((pid_t)inner));
  status = waited(child);
  while (WIFSTOPPED(status)) ptrace(PTRACE_CONT, child, NULL, 0), status = waited(child);
  sayStatus("end", status);
}

CASE("who is traced says so, and is not traced twice") {
  void twice(void) { _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM ? 6 : 7); }
  pid_t child = traced(twice);
  waited(child);
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", child);
  FILE* file = fopen(path, "r");
  int tracer = -1;
  while (file && fgets(line, sizeof line, file)) sscanf(line, "TracerPid: %d", &tracer);
  HOLDS(tracer == getpid());
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStatus("end", waited(child));
  DO(ptrace(PTRACE_PEEKDATA, 1, &watched, NULL));
  DO(ptrace(PTRACE_ATTACH, getpid(), NULL, NULL));
}

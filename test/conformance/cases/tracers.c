// The guest's own tracers again: what they hear of, in which order, and who hears of it.
#include <elf.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "traced.h"

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
// <sys/ptrace.h> and <linux/ptrace.h> do not go together.
struct CallInfo {
  uint8_t op, gap[3];
  uint32_t arch;
  uint64_t ip, sp, words[8];
};
#define GET_SYSCALL_INFO 0x420e

static volatile long watched = 1;
static const char* const path = "/conformance/mark";

/// A stop with its event, or an end.
static void sayStop(const char* what, int status) {
  if (WIFSTOPPED(status)) SAY(what, "stop %d event %d", WSTOPSIG(status) & 0x7f, status >> 16);
  else sayStatus(what, status);
}
static void waits(void) {
  for (;;) pause();
}

/// A child, and a child of that which runs `function`. The first one ends as the second has, but for a signal: with 100 and its number.
static pid_t grandchild(void (*function)(void), pid_t* child) {
  int ends[2];
  pid_t number = 0;
  if (pipe(ends) < 0) return 0;
  fflush(stdout);
  *child = fork();
  if (*child == 0) {
    pid_t inner = fork();
    if (inner == 0) function(), _exit(0);
    if (write(ends[1], &inner, sizeof inner) < 0) _exit(98);
    int status;
    waitpid(inner, &status, 0);
    _exit(WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status));
  }
  if (read(ends[0], &number, sizeof number) < 0) number = 0;
  close(ends[0]), close(ends[1]);
  return number;
}

CASE("a tracer waits for what is no child of its own") {
  pid_t child, inner = grandchild(waits, &child);
  int status = 0;
  siginfo_t info = {0};
  DO(waitpid(inner, &status, __WALL));
  DO(ptrace(PTRACE_ATTACH, inner, NULL, NULL));
  DO(waitid(P_PID, (id_t)inner, &info, WEXITED | WSTOPPED | WNOWAIT));
  HOLDS(info.si_pid == inner && info.si_code == CLD_TRAPPED && info.si_status == SIGSTOP);
  HOLDS(waitpid(inner, &status, __WALL) == inner);
  sayStop("stop", status);
  VALUE(waitpid(inner, &status, __WALL | WNOHANG));
  DO(ptrace(PTRACE_CONT, inner, NULL, 0));
  VALUE(waitpid(inner, &status, __WALL | WNOHANG));
  kill(inner, SIGUSR1);
  sayStop("signal", waited(inner));
  DO(ptrace(PTRACE_CONT, inner, NULL, SIGUSR1));
  sayStop("end", waited(inner));
  sayStop("parent", waited(child));
  DO(waitpid(inner, &status, __WALL));
}

CASE("whoever is left may be waited for again by others only") {
  pid_t child, inner = grandchild(waits, &child);
  int status = 0;
  DO(ptrace(PTRACE_SEIZE, inner, NULL, NULL));
  VALUE(waitpid(inner, &status, __WALL | WNOHANG));
  VALUE(waitpid(-getpgrp(), &status, __WALL | WNOHANG));
  DO(ptrace(PTRACE_DETACH, inner, NULL, 0));
  DO(ptrace(PTRACE_INTERRUPT, inner, NULL, 0));
  sayStop("stop", waited(inner));
  DO(ptrace(PTRACE_DETACH, inner, NULL, 0));
  DO(waitpid(inner, &status, __WALL | WNOHANG));
  DO(ptrace(PTRACE_CONT, inner, NULL, 0));
  kill(inner, SIGKILL);
  sayStop("parent", waited(child));
}

static volatile sig_atomic_t heard;
static siginfo_t told;
static void hear(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  heard++;
  told = *info;
}

CASE("a signal ends the wait for a tracee, or has it begun again") {
  pid_t child, inner = grandchild(waits, &child);
  for (int restart = 0; restart < 2; restart++) {
    struct sigaction action = {.sa_sigaction = hear, .sa_flags = SA_SIGINFO | (restart ? SA_RESTART : 0)};
    sigaction(SIGALRM, &action, NULL);
    if (restart == 0) ptrace(PTRACE_SEIZE, inner, NULL, NULL);
    heard = 0;
    pid_t helper = 0;
    if (restart) {
      fflush(stdout);
      // Not a child that could be waited for.
      if (fork() == 0) {
        pid_t parent = getppid();
        if ((helper = fork()) != 0) _exit(0);
        usleep(20000), kill(parent, SIGALRM), usleep(20000), kill(inner, SIGUSR1);
        _exit(0);
      }
      waitpid(-1, NULL, 0);
    } else {
      ualarm(20000, 0);
    }
    int status = 0;
    VALUE(waitpid(inner, &status, __WALL) == inner ? 1 : -1);
    HOLDS(heard == 1);
    if (restart) sayStop("stop", status);
  }
  kill(inner, SIGKILL);
  sayStop("end", waited(inner));
  sayStop("parent", waited(child));
}

CASE("SIGCHLD tells a tracer of a stop") {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, &old);
  struct sigaction action = {.sa_sigaction = hear, .sa_flags = SA_SIGINFO};
  sigaction(SIGCHLD, &action, NULL);
  pid_t child = traced(waits);
  heard = 0;
  sigsuspend(&old);
  HOLDS(heard == 1);
  HOLDS(told.si_pid == child);
  HOLDS(told.si_code == CLD_TRAPPED);
  VALUE(told.si_status);
  sayStop("stop", waited(child));
  kill(child, SIGKILL);
  sayStop("end", waited(child));
}

CASE("a program is executed, forks, and ends before the eyes of its tracer") {
  void does(void) {
    pid_t inner = vfork();
    if (inner == 0) execl(self, "x", "exit", "5", NULL), _exit(9);
    waitpid(inner, NULL, 0);
    _exit(6);
  }
  pid_t child = traced(does), other = 0;
  waited(child);
  DO(ptrace(PTRACE_SETOPTIONS, child, NULL,
            PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE));
  ptrace(PTRACE_CONT, child, NULL, 0);
  char lines[2][400] = {"", ""};
  for (int left = 2, turn = 0; left > 0 && turn < 40; turn++) {
    int status;
    unsigned long message = 0;
    pid_t who = waitpid(-1, &status, __WALL);
    if (who < 0) break;
    char* line = lines[who != child];
    size_t size = strlen(line);
    if (!WIFSTOPPED(status)) {
      snprintf(line + size, sizeof *lines - size, " status %d", WEXITSTATUS(status));
      left--;
      continue;
    }
    int event = status >> 16;
    if (event) ptrace(PTRACE_GETEVENTMSG, who, NULL, &message);
    if (event == PTRACE_EVENT_VFORK) other = (pid_t)message;
    const char* right = event == PTRACE_EVENT_EXIT ? (message == 5 << 8 || message == 6 << 8 ? " right" : " wrong")
                        : event == PTRACE_EVENT_VFORK_DONE ? (message == (unsigned long)other ? " right" : " wrong")
                        : event == PTRACE_EVENT_EXEC ? (message == (unsigned long)who ? " right" : " wrong") : "";
    if (WSTOPSIG(status) != SIGCHLD)
      snprintf(line + size, sizeof *lines - size, " %d/%d%s", WSTOPSIG(status), event, right);
    ptrace(PTRACE_CONT, who, NULL, WSTOPSIG(status) == SIGCHLD ? SIGCHLD : 0);
  }
  SAY("parent", "%s", lines[0]);
  SAY("child", "%s", lines[1]);
}

CASE("the calls of an exec are seen in their order") {
  void executes(void) {
    execl("/conformance/nothing", "x", NULL);
    execl(self, "x", "exit", "5", NULL);
  }
  pid_t child = traced(executes);
  waited(child);
  ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC);
  for (int turn = 0; turn < 9; turn++) {
    ptrace(PTRACE_SYSCALL, child, NULL, 0);
    int status = waited(child);
    sayStop("stop", status);
    if (!WIFSTOPPED(status)) return;
#if defined(__x86_64__)
    struct user_regs_struct registers;
    ptrace(PTRACE_GETREGS, child, NULL, &registers);
    if (registers.orig_rax == SYS_execve) SAY("execve", "%ld", (long)registers.rax);
#endif
    struct CallInfo info = {0};
    VALUE(ptrace(GET_SYSCALL_INFO, child, sizeof info, &info) > 0 ? info.op : -1);
  }
  kill(child, SIGKILL);
  waited(child);
}

static void* ends(void* none) { return none; }
CASE("threads of a traced process are traced, and their ends are told") {
  void makes(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, ends, NULL);
    pthread_join(thread, NULL);
    // Or the end of the process would be that of the thread.
    raise(SIGUSR1);
    _exit(4);
  }
  pid_t child = traced(makes);
  waited(child);
  ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACECLONE);
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStop("clone", waited(child));
  unsigned long inner = 0;
  ptrace(PTRACE_GETEVENTMSG, child, NULL, &inner);
  sayStop("thread", waited((pid_t)inner));
  DO(ptrace(PTRACE_CONT, (pid_t)inner, NULL, 0));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  sayStop("thread", waited((pid_t)inner));
  sayStop("signal", waited(child));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  sayStop("end", waited(child));
}

static void* executes(void* none) {
  execl(self, "x", "exit", "5", NULL);
  return none;
}
CASE("another thread of a traced process executes a program") {
  void makes(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, executes, NULL);
    waits();
  }
  pid_t child = traced(makes);
  waited(child);
  ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
  ptrace(PTRACE_CONT, child, NULL, 0);
  waited(child);
  unsigned long inner = 0, former = 0;
  ptrace(PTRACE_GETEVENTMSG, child, NULL, &inner);
  waited((pid_t)inner);
  // The other way round the number may be that of the new program already.
  ptrace(PTRACE_CONT, child, NULL, 0);
  ptrace(PTRACE_CONT, (pid_t)inner, NULL, 0);
  sayStop("exec", waited(child));
  DO(ptrace(PTRACE_GETEVENTMSG, child, NULL, &former));
  HOLDS(former == inner);
  DO(ptrace(PTRACE_CONT, (pid_t)inner, NULL, 0));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  sayStop("end", waited(child));
}

CASE("a seized process stops with its group, and is heard of when it goes on") {
  void stops(void) {
    raise(SIGSTOP);
    _exit(3);
  }
  fflush(stdout);
  int go[2];
  if (pipe(go) < 0) return;
  pid_t child = fork();
  if (child == 0) {
    char byte;
    if (read(go[0], &byte, 1) < 0) _exit(9);
    stops();
  }
  if (DO(ptrace(PTRACE_SEIZE, child, NULL, NULL)) < 0) return;
  DO(write(go[1], "x", 1));
  sayStop("signal", waited(child));
  DO(ptrace(PTRACE_LISTEN, child, NULL, 0));
  DO(ptrace(PTRACE_CONT, child, NULL, SIGSTOP));
  sayStop("group", waited(child));
  siginfo_t info;
  DO(ptrace(PTRACE_GETSIGINFO, child, NULL, &info));
  DO(ptrace(PTRACE_LISTEN, child, NULL, 0));
  DO(ptrace(PTRACE_PEEKDATA, child, &watched, NULL));
  int status;
  VALUE(waitpid(child, &status, WNOHANG | WUNTRACED));
  kill(child, SIGCONT);
  sayStop("woken", waited(child));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  sayStop("continued", waited(child));
  DO(ptrace(PTRACE_CONT, child, NULL, SIGCONT));
  sayStop("end", waited(child));
}

CASE("a traced process that stops with its group has no signal to show") {
  void stops(void) {
    raise(SIGTSTP);
    _exit(3);
  }
  setpgid(0, 0);
  pid_t child = traced(stops);
  sayStop("stop", waited(child));
  ptrace(PTRACE_CONT, child, NULL, SIGSTOP);
  sayStop("group", waited(child));
  siginfo_t info;
  DO(ptrace(PTRACE_GETSIGINFO, child, NULL, &info));
  DO(ptrace(PTRACE_LISTEN, child, NULL, 0));
  DO(ptrace(PTRACE_INTERRUPT, child, NULL, 0));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  sayStop("signal", waited(child));
  kill(child, SIGKILL);
  sayStop("end", waited(child));
}

CASE("a stopped process is attached to") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) waits();
  int status;
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  sayStop("before", status);
  if (DO(ptrace(PTRACE_ATTACH, child, NULL, NULL)) < 0) return;
  sayStop("stop", waited(child));
  DO(ptrace(PTRACE_DETACH, child, NULL, 0));
  kill(child, SIGKILL);
  sayStop("end", waited(child));
}

CASE("tracees go on when their tracer has ended, or end with it") {
  for (int kills = 0; kills < 2; kills++) {
    fflush(stdout);
    int report[2];
    if (pipe(report) < 0) return;
    pid_t child = fork();
    if (child == 0) waits();
    pid_t tracer = fork();
    if (tracer == 0) {
      long error = ptrace(PTRACE_SEIZE, child, NULL, kills ? PTRACE_O_EXITKILL : 0);
      ptrace(PTRACE_INTERRUPT, child, NULL, 0);
      int status = waited(child);
      _exit(error == 0 && WIFSTOPPED(status) ? 0 : 1);
    }
    int status = waited(tracer);
    sayStop("tracer", status);
    if (!kills || status != 0) kill(child, SIGTERM);
    sayStop("tracee", waited(child));
  }
}

CASE("a traced process that is killed in a stop is gone") {
  pid_t child = traced(waits);
  sayStop("stop", waited(child));
  kill(child, SIGKILL);
  sayStop("end", waited(child));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
}

CASE("a call is made step by step, and is the same") {
  void asks(void) {
    struct stat info;
    long result = syscall(SYS_stat, path, &info);
    _exit(result == 0 && S_ISREG(info.st_mode) ? 0 : 1);
  }
  pid_t child = traced(asks);
  waited(child);
  int steps = 0, status = 0;
  while (steps < 5000 && ptrace(PTRACE_SINGLESTEP, child, NULL, 0) == 0 && WIFSTOPPED(status = waited(child)))
    steps += WSTOPSIG(status) == SIGTRAP;
  VALUE(steps);
  sayStop("end", status);
}

#if defined(__x86_64__)
/// Runs a child to the start of a call.
static int toCall(pid_t child, unsigned long number, struct user_regs_struct* registers) {
  for (int turn = 0; turn < 100; turn++) {
    if (ptrace(PTRACE_SYSCALL, child, NULL, 0) < 0 || !WIFSTOPPED(waited(child))) return 0;
    ptrace(PTRACE_GETREGS, child, NULL, registers);
    if (registers->orig_rax == number && (long)registers->rax == -ENOSYS) return 1;
  }
  return 0;
}

CASE("a tracer has another call made, another file looked at, or none") {
  void asks(void) {
    struct stat info;
    _exit(syscall(SYS_stat, path, &info) == 0 ? 0 : errno);
  }
  char other[] = "/conformance/none";
  for (int turn = 0; turn < 4; turn++) {
    struct user_regs_struct registers;
    pid_t child = traced(asks);
    waited(child);
    HOLDS(toCall(child, SYS_stat, &registers));
    if (turn == 0) registers.orig_rax = (unsigned long)-1;
    if (turn == 1) registers.orig_rax = (unsigned long)-1, registers.rax = (unsigned long)-EDOM;
    if (turn == 2) registers.orig_rax = SYS_access, registers.rsi = 0;
    if (turn == 3) {
      struct iovec here = {other, sizeof other}, there = {(void*)(registers.rsp - 4096), sizeof other};
      VALUE(process_vm_writev(child, &here, 1, &there, 1, 0));
      registers.rdi = registers.rsp - 4096;
    }
    DO(ptrace(PTRACE_SETREGS, child, NULL, &registers));
    DO(ptrace(PTRACE_SYSCALL, child, NULL, 0));
    sayStop("exit", waited(child));
    ptrace(PTRACE_GETREGS, child, NULL, &registers);
    SAY("call", "%ld = %ld", (long)registers.orig_rax, (long)registers.rax);
    DO(ptrace(PTRACE_CONT, child, NULL, 0));
    sayStop("end", waited(child));
  }
}

CASE("a tracer is told which call it is") {
  void asks(void) {
    struct stat info;
    syscall(SYS_stat, "/conformance/none", &info);
  }
  struct user_regs_struct registers;
  struct CallInfo info = {0};
  pid_t child = traced(asks);
  waited(child);
  VALUE(ptrace(GET_SYSCALL_INFO, child, sizeof info, &info));
  VALUE(info.op);
  ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD);
  HOLDS(toCall(child, SYS_stat, &registers));
  VALUE(ptrace(GET_SYSCALL_INFO, child, sizeof info, &info));
  HOLDS(info.op == 1 && info.words[0] == SYS_stat && info.words[1] == registers.rdi && info.ip == registers.rip);
  unsigned long message = 0;
  VALUE(ptrace(PTRACE_GETEVENTMSG, child, NULL, &message) < 0 ? -1 : (long)message);
  ptrace(PTRACE_SYSCALL, child, NULL, 0);
  waited(child);
  VALUE(ptrace(GET_SYSCALL_INFO, child, sizeof info, &info));
  SAY("exit", "%d, %ld", info.op, (long)info.words[0]);
  VALUE(ptrace(PTRACE_GETEVENTMSG, child, NULL, &message) < 0 ? -1 : (long)message);
  kill(child, SIGKILL);
  waited(child);
}

CASE("registers of a traced process are read and written, in all forms") {
  pid_t child = traced(waits);
  waited(child);
  struct user_regs_struct registers, same;
  struct user_fpregs_struct floats;
  char vector[16384];
  DO(ptrace(PTRACE_GETREGS, child, NULL, &registers));
  struct iovec place = {&same, sizeof same};
  DO(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &place));
  HOLDS(place.iov_len == sizeof registers && memcmp(&registers, &same, sizeof same) == 0);
  DO(ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &place));
  HOLDS((unsigned long)ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, regs.rip), NULL) == registers.rip);
  DO(ptrace(PTRACE_POKEUSER, child, offsetof(struct user, regs.r15), 77));
  VALUE(ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, regs.r15), NULL));
  DO(ptrace(PTRACE_POKEUSER, child, sizeof(struct user) + 4096, 77));
  DO(ptrace(PTRACE_GETFPREGS, child, NULL, &floats));
  DO(ptrace(PTRACE_SETFPREGS, child, NULL, &floats));
  place = (struct iovec){vector, sizeof vector};
  DO(ptrace(PTRACE_GETREGSET, child, NT_X86_XSTATE, &place));
  HOLDS(place.iov_len >= 512 && place.iov_len < sizeof vector);
  DO(ptrace(PTRACE_SETREGSET, child, NT_X86_XSTATE, &place));
  DO(ptrace(PTRACE_GETREGSET, child, 0x77777, &place));
  DO(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, NULL));
  kill(child, SIGKILL);
  waited(child);
}

__attribute__((noinline)) static int reached(int value) {
  __asm__ volatile("" : "+r"(value));
  return value + 1;
}
CASE("a breakpoint and a watchpoint stop a traced process") {
  void goes(void) {
    watched = 5;
    _exit(reached(7));
  }
  struct user_regs_struct registers;
  pid_t child = traced(goes);
  waited(child);
  // DR0 is the address, DR7 says that four bytes of it are written.
  DO(ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[0]), &watched));
  DO(ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 0xd0101));
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStop("watchpoint", waited(child));
  siginfo_t info;
  ptrace(PTRACE_GETSIGINFO, child, NULL, &info);
  VALUE(info.si_code);
  VALUE(ptrace(PTRACE_PEEKDATA, child, &watched, NULL));
  DO(ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 0));
  long code = ptrace(PTRACE_PEEKTEXT, child, reached, NULL);
  DO(ptrace(PTRACE_POKETEXT, child, reached, (code & ~0xffl) | 0xcc));
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStop("breakpoint", waited(child));
  ptrace(PTRACE_GETREGS, child, NULL, &registers);
  HOLDS(registers.rip == (unsigned long)reached + 1);
  registers.rip--;
  registers.rdi = 20;
  DO(ptrace(PTRACE_SETREGS, child, NULL, &registers));
  DO(ptrace(PTRACE_POKETEXT, child, reached, code));
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStop("end", waited(child));
}
#endif

CASE("signals of a traced process are looked at before they come, and changed") {
  void raises(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    raise(SIGUSR1);
    _exit(4);
  }
  pid_t child = traced(raises);
  waited(child);
  ptrace(PTRACE_CONT, child, NULL, 0);
  sayStop("stop", waited(child));
  uint64_t mask = 0;
  DO(ptrace(PTRACE_GETSIGMASK, child, sizeof mask, &mask));
  HOLDS(mask == 1u << (SIGUSR2 - 1));
  DO(ptrace(PTRACE_GETSIGMASK, child, 4, &mask));
  struct {
    uint64_t offset;
    uint32_t flags;
    int32_t count;
  } which = {0, 0, 4};
  siginfo_t infos[4];
  memset(infos, 0, sizeof infos);
  VALUE(ptrace(PTRACE_PEEKSIGINFO, child, &which, infos));
  VALUE(infos[0].si_signo == SIGUSR2);
  siginfo_t info;
  ptrace(PTRACE_GETSIGINFO, child, NULL, &info);
  info.si_signo = SIGTERM;
  DO(ptrace(PTRACE_SETSIGINFO, child, NULL, &info));
  DO(ptrace(PTRACE_CONT, child, NULL, SIGTERM));
  sayStop("end", waited(child));
}

CASE("requests that cannot be are refused") {
  pid_t child, other = 0;
  int status;
  unsigned long message = 0;
  siginfo_t info;
  waited(child = traced(waits));
  DO(ptrace(PTRACE_ATTACH, child, NULL, NULL));
  DO(ptrace(PTRACE_SEIZE, child, NULL, NULL));
  DO(ptrace(PTRACE_SETOPTIONS, child, NULL, 1l << 30));
  DO(ptrace(PTRACE_PEEKDATA, child, 8, NULL));
  DO(ptrace(PTRACE_POKEDATA, child, 8, NULL));
  DO(ptrace(PTRACE_CONT, child, NULL, 100));
  DO(ptrace(PTRACE_LISTEN, child, NULL, 0));
  DO(ptrace(PTRACE_INTERRUPT, child, NULL, 0));
  DO(ptrace(PTRACE_GETEVENTMSG, child, NULL, &message));
  DO(ptrace((enum __ptrace_request)0x4777, child, NULL, NULL));
  DO(syscall(SYS_ptrace, PTRACE_GETSIGINFO, child, NULL, 8));
  DO(ptrace(PTRACE_CONT, child, NULL, 0));
  DO(ptrace(PTRACE_PEEKDATA, child, &watched, NULL));
  DO(ptrace(PTRACE_GETSIGINFO, child, NULL, &info));
  DO(ptrace(PTRACE_DETACH, child, NULL, 0));
  fflush(stdout);
  if ((other = fork()) == 0) waits();
  DO(ptrace(PTRACE_SEIZE, other, 1, NULL));
  DO(ptrace(PTRACE_SEIZE, other, NULL, 1l << 30));
  DO(ptrace(PTRACE_CONT, other, NULL, 0));
  DO(ptrace(PTRACE_KILL, other, NULL, 0));
  DO(ptrace(PTRACE_ATTACH, 999999999, NULL, NULL));
  DO(waitpid(other, &status, 0x10000));
  kill(child, SIGKILL), kill(other, SIGKILL);
  sayStop("end", waited(child));
  sayStop("end", waited(other));
}

CASE("who is traced traces another") {
  void traces(void) {
    pid_t inner = traced(waits);
    int status = waited(inner);
    if (!WIFSTOPPED(status) || ptrace(PTRACE_CONT, inner, NULL, SIGTERM) < 0) _exit(1);
    status = waited(inner);
    _exit(WIFSIGNALED(status) ? WTERMSIG(status) : 2);
  }
  pid_t child = traced(traces);
  waited(child);
  DO(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD));
  int status = 0, stops = 0;
  while (stops++ < 500 && ptrace(PTRACE_SYSCALL, child, NULL, 0) == 0 && WIFSTOPPED(status = waited(child)))
    if (WSTOPSIG(status) == SIGCHLD) stops--;
  sayStop("end", status);
}

// Signals: while calls are made, while they wait, and what stops.
#include <poll.h>
#include <setjmp.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <ucontext.h>

#include "case.h"

static volatile sig_atomic_t count, calls;
static void counts(int signal) {
  (void)signal;
  count++;
}
static void calls_(int signal) {
  (void)signal;
  struct stat info;
  int error = errno;
  calls += stat("/conformance/mark", &info) == 0 && lstat("/conformance/nowhere", &info) < 0;
  errno = error;
}
static void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(signal, &action, NULL);
}

CASE("a handler may use paths while a path is used") {
  struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
  struct stat info;
  handle(SIGALRM, calls_, SA_RESTART);
  setitimer(ITIMER_REAL, &often, NULL);
  int right = 0;
  for (int i = 0; i < 2000; i++) right += stat("/conformance/mark", &info) == 0 && stat("/conformance/gone", &info) < 0 && errno == ENOENT;
  setitimer(ITIMER_REAL, &never, NULL);
  VALUE(right);
  HOLDS(calls > 0);
}

CASE("open of a fifo is interrupted, or begun again") {
  mkfifo("fifo", 0600);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    handle(SIGUSR1, counts, 0);
    put("ready", "");
    OPEN(open("fifo", O_RDONLY));
    HOLDS(count >= 1);
    handle(SIGUSR1, counts, SA_RESTART);
    put("again", "");
    TEXT(open("fifo", O_RDONLY));
    HOLDS(count >= 2);
    _exit(0);
  }
  UNTIL(access("ready", F_OK) == 0);
  for (int i = 0; i < 500 && access("again", F_OK) != 0; i++) kill(child, SIGUSR1), usleep(20000);
  for (int i = 0; i < 5; i++) kill(child, SIGUSR1), usleep(5000);
  int fd = open("fifo", O_WRONLY);
  write(fd, "through\n", 8);
  close(fd);
  sayChild("child", child);
}

CASE("read is interrupted, or begun again") {
  int ends[2];
  pipe(ends);
  struct itimerval soon = {{0, 0}, {0, 20000}};
  char byte;
  handle(SIGALRM, counts, 0);
  setitimer(ITIMER_REAL, &soon, NULL);
  VALUE(read(ends[0], &byte, 1));
  handle(SIGALRM, counts, SA_RESTART);
  fflush(stdout);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    for (int i = 0; i < 3; i++) usleep(10000), kill(parent, SIGALRM);
    write(ends[1], "x", 1);
    _exit(0);
  }
  VALUE(read(ends[0], &byte, 1));
  sayChild("child", child);
}

CASE("nanosleep goes on after a stop and after a handler") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {0, 300000000}, left = {0, 0}, begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    put("ready", "");
    VALUE(nanosleep(&time, &left));
    clock_gettime(CLOCK_MONOTONIC, &end);
    HOLDS((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >= 299);
    handle(SIGALRM, counts, SA_RESTART);
    struct itimerval soon = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    time.tv_sec = 5;
    VALUE(nanosleep(&time, &left));
    HOLDS(left.tv_sec >= 4);
    _exit(0);
  }
  UNTIL(access("ready", F_OK) == 0);
  usleep(30000);
  kill(child, SIGSTOP);
  usleep(30000);
  kill(child, SIGCONT);
  sayChild("child", child);
}

/// The letter of a process's state.
static char stateOf(pid_t process) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", process);
  int fd = open(path, O_RDONLY);
  read(fd, text, sizeof text - 1);
  close(fd);
  char* end = strrchr(text, ')');
  return end ? end[2] : '?';
}

CASE("a stopped process stops, its parent is told, and it goes on") {
  fflush(stdout);
  int ends[2];
  pipe(ends);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    raise(SIGSTOP);
    read(ends[0], &byte, 1);  // until its parent has been told
    _exit(access("/conformance/mark", F_OK) == 0 ? 6 : 7);
  }
  int status;
  waitpid(child, &status, WUNTRACED);
  sayStatus("child", status);
  char state = stateOf(child);
  HOLDS(state == 'T' || state == 't');
  kill(child, SIGCONT);
  waitpid(child, &status, WCONTINUED);
  sayStatus("child", status);
  write(ends[1], "x", 1);
  if (WIFCONTINUED(status)) sayChild("child", child);
}

CASE("a process that is stopped from outside does nothing") {
  fflush(stdout);
  static volatile int* shared;
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = fork();
  if (child == 0) {
    struct stat info;
    for (;;) stat("/conformance/mark", &info), ++*shared;
  }
  UNTIL(*shared > 10);
  int status;
  DO(kill(child, SIGSTOP));
  waitpid(child, &status, WUNTRACED);
  sayStatus("child", status);
  int before = *shared;
  usleep(50000);
  HOLDS(*shared == before);
  kill(child, SIGCONT);
  UNTIL(*shared > before);
  HOLDS(*shared > before);
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  kill(child, SIGKILL);
  sayChild("child", child);
}

CASE("SIGTSTP stops, unless there is a handler") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    handle(SIGTSTP, counts, 0);
    raise(SIGTSTP);
    VALUE(count);
    handle(SIGTSTP, SIG_DFL, 0);
    setpgid(0, 0);
    raise(SIGTSTP);
    _exit(9);
  }
  setpgid(child, child);
  int status;
  waitpid(child, &status, WUNTRACED);
  sayStatus("child", status);
  kill(child, SIGCONT);
  if (WIFSTOPPED(status)) sayChild("child", child);
}

CASE("SIGCHLD tells of children that end and that stop") {
  handle(SIGCHLD, counts, 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) raise(SIGSTOP), _exit(0);
  int status;
  waitpid(child, &status, WUNTRACED);
  UNTIL(count >= 1);
  HOLDS(count >= 1);
  kill(child, SIGCONT);
  waitpid(child, &status, 0);
  UNTIL(count >= 2);
  HOLDS(count >= 2);
}

static siginfo_t seen;
static void looks(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  seen = *info;
}
CASE("a handler is told who sent the signal and with what") {
  struct sigaction action = {.sa_sigaction = looks, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  kill(getpid(), SIGUSR1);
  HOLDS(seen.si_pid == getpid() && seen.si_code == SI_USER && seen.si_uid == 0);
  sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1234});
  HOLDS(seen.si_code == SI_QUEUE && seen.si_value.sival_int == 1234);
  raise(SIGUSR1);
  HOLDS(seen.si_code == SI_TKILL && seen.si_pid == getpid() && seen.si_uid == 0);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    setresuid(8, 0, 0);
    kill(parent, SIGUSR1);
    pause();
  }
  UNTIL(seen.si_pid == child);
  HOLDS(seen.si_code == SI_USER && seen.si_pid == child && seen.si_uid == 8);
  kill(child, SIGKILL), waitpid(child, NULL, 0);
  sigaction(SIGCHLD, &action, NULL);
  child = fork();
  if (child == 0) setresuid(8, 8, 8), _exit(3);
  UNTIL(seen.si_signo == SIGCHLD);
  HOLDS(seen.si_code == CLD_EXITED && seen.si_pid == child && seen.si_status == 3);
  sigaction(SIGSEGV, &action, NULL);
  static sigjmp_buf back;
  void jumps(int signal, siginfo_t* info, void* context) { (void)signal, (void)context; seen = *info; siglongjmp(back, 1); }
  action.sa_sigaction = jumps;
  sigaction(SIGSEGV, &action, NULL);
  if (sigsetjmp(back, 1) == 0) *(volatile int*)0x1230 = 1;
  HOLDS(seen.si_addr == (void*)0x1230 && seen.si_code == SEGV_MAPERR);
}

CASE("SIGTRAP and SIGSYS are the program's own") {
  handle(SIGTRAP, counts, 0);
  handle(SIGSYS, counts, 0);
  struct sigaction old;
  sigaction(SIGSYS, NULL, &old);
  HOLDS(old.sa_handler == counts);
  raise(SIGTRAP);
  VALUE(count);
  raise(SIGSYS);
  VALUE(count);
#if defined(__x86_64__)
  __asm__ volatile("int3");
  VALUE(count);
#endif
  CHILD("by default", { handle(SIGTRAP, SIG_DFL, 0); raise(SIGTRAP); });
  CHILD("by default", { handle(SIGSYS, SIG_DFL, 0); raise(SIGSYS); });
}

CASE("with all signals blocked paths are still those of the tree") {
  sigset_t all, got;
  sigfillset(&all);
  DO(sigprocmask(SIG_SETMASK, &all, NULL));
  TEXT(open("/conformance/mark", O_RDONLY));
  sigprocmask(SIG_SETMASK, NULL, &got);
  SAY("blocked", "%d %d %d", sigismember(&got, SIGSYS), sigismember(&got, SIGTRAP), sigismember(&got, SIGKILL));
  raise(SIGTERM);
  sigpending(&got);
  VALUE(sigismember(&got, SIGTERM));
  struct timespec none = {0, 0};
  VALUE(sigtimedwait(&got, NULL, &none));
}

CASE("a signalfd reads signals") {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, 0);
  kill(getpid(), SIGUSR1);
  struct signalfd_siginfo info;
  VALUE(read(fd, &info, sizeof info));
  HOLDS(info.ssi_signo == SIGUSR1 && info.ssi_pid == (uint32_t)getpid());
}

CASE("a handler on its own stack uses paths") {
  static char stack[65536];
  stack_t how = {.ss_sp = stack, .ss_size = sizeof stack};
  DO(sigaltstack(&how, NULL));
  handle(SIGUSR1, calls_, SA_ONSTACK);
  raise(SIGUSR1);
  VALUE(calls);
}

CASE("sigsuspend and pause end with a signal, and the mask is back") {
  sigset_t blocked, none, got;
  sigemptyset(&none), sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1);
  handle(SIGUSR1, calls_, 0);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  raise(SIGUSR1);
  VALUE(sigsuspend(&none));
  VALUE(calls);
  sigprocmask(SIG_SETMASK, NULL, &got);
  VALUE(sigismember(&got, SIGUSR1));
}

CASE("a signal to a group reaches all of it") {
  int ends[2];
  pipe(ends);
  fflush(stdout);
  pid_t child[3];
  for (int i = 0; i < 3; i++) {
    child[i] = fork();
    if (child[i] == 0) setpgid(0, i ? child[0] : 0), write(ends[1], "r", 1), pause(), _exit(1);
    setpgid(child[i], child[0]);
  }
  char bytes[3];
  for (int n = 0; n < 3;) n += (int)read(ends[0], bytes, 3);
  DO(kill(-child[0], SIGTERM));
  for (int i = 0; i < 3; i++) sayChild("member", child[i]);
  DO(kill(-child[0], SIGTERM));
  DO(kill(99999, 0));
  DO(kill(getpid(), 99));
}

CASE("a handler that jumps out of a call") {
  static sigjmp_buf back;
  void jumps(int signal) { (void)signal; siglongjmp(back, 1); }
  mkfifo("fifo", 0600);
  handle(SIGALRM, jumps, 0);
  struct itimerval soon = {{0, 0}, {0, 20000}};
  for (int i = 0; i < 3; i++) {
    if (sigsetjmp(back, 1) == 0) {
      setitimer(ITIMER_REAL, &soon, NULL);
      open("fifo", O_RDONLY);
    }
    TEXT(open("/conformance/mark", O_RDONLY));
  }
}

CASE("poll, select and epoll wait no longer than told, and wake for signals") {
  int ends[2];
  pipe(ends);
  struct pollfd one = {ends[0], POLLIN, 0};
  VALUE(poll(&one, 1, 10));
  handle(SIGALRM, counts, SA_RESTART);
  struct itimerval soon = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  VALUE(poll(&one, 1, 5000));
  write(ends[1], "x", 1);
  VALUE(poll(&one, 1, 5000));
}

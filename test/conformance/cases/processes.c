// Making processes, signals, stops, and what the kernel does with calls that are interrupted.
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>

#include "case.h"

extern char** environ;
static volatile int heard;
static void hear(int signal) { heard = signal; }

/// A handler that itself makes calls with paths.
static void look(int signal) {
  heard = signal;
  int fd = open(HOME "/dir/inner", O_RDONLY);
  close(fd);
}

static int inChild(void* unused) {
  (void)unused;
  int fd = open(HOME "/file", O_RDONLY);
  _exit(fd >= 0 ? 7 : 8);
}

static void making(void) {
  CHILD("fork", _exit(3));
  int status;
  static char stack[65536];
  pid_t pid = clone(inChild, stack + sizeof stack, SIGCHLD, NULL);
  waitpid(pid, &status, 0);
  SAY("clone", "%d", WEXITSTATUS(status));
  pid = clone(inChild, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  waitpid(pid, &status, 0);
  SAY("clone that shares the memory", "%d", WEXITSTATUS(status));
  pid = clone(inChild, stack + sizeof stack, CLONE_UNTRACED | SIGCHLD, NULL);
  waitpid(pid, &status, 0);
  SAY("clone of a child that nobody is to trace", "%d", WEXITSTATUS(status));
  pid = vfork();
  if (pid == 0) {
    open("file", O_RDONLY);
    _exit(access(HOME "/file", F_OK) == 0 ? 5 : 6);
  }
  waitpid(pid, &status, 0);
  SAY("vfork", "%d", WEXITSTATUS(status));
  char* words[] = {"sh", "-c", "exit 9", NULL};
  SAY("posix_spawn", "%d", posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ));
  waitpid(pid, &status, 0);
  SAY("its status", "%d", WEXITSTATUS(status));
  SAY("posix_spawn of nothing", "%d", posix_spawn(&pid, "/nowhere", NULL, NULL, words, environ));
  chdir("/");
  pid = fork();
  if (pid == 0) chdir(HOME), _exit(0);
  waitpid(pid, &status, 0);
  char text[64];
  SAY("a child's directory is its own", "%s", getcwd(text, sizeof text));
  pid = clone(inChild, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL);
  waitpid(pid, &status, 0);
  chdir(HOME);
  CHILD("many children at once", {
    for (int i = 0; i < 40; i++)
      if (fork() == 0) _exit(access(HOME "/file", F_OK) == 0 ? 0 : 1);
    int bad = 0, one;
    while (wait(&one) > 0) bad += one != 0;
    _exit(bad);
  });
}

static void signals(void) {
  CHILD("killed by a signal", raise(SIGTERM));
  CHILD("killed by a fault", *(volatile int*)8 = 1);
  struct sigaction action = {.sa_handler = hear};
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
  SAY("a handler", "%d", heard == SIGUSR1);
  CALL("kill of nobody", kill(999999, 0));
  DOES("kill of oneself", kill(getpid(), 0));
  CALL("a signal that is none", kill(getpid(), 99));
  int ends[2];
  char byte;
  pipe(ends);
  pid_t parent = getpid();
  heard = 0;
  pid_t pid = fork();
  if (pid == 0) usleep(50000), kill(parent, SIGUSR1), _exit(0);
  CALL("a call that is interrupted", read(ends[0], &byte, 1));
  waitpid(pid, NULL, 0);
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  pid = fork();
  if (pid == 0) usleep(50000), kill(parent, SIGUSR1), usleep(50000), write(ends[1], "x", 1), _exit(0);
  CALL("a call that goes on", read(ends[0], &byte, 1));
  waitpid(pid, NULL, 0);
  mkfifo("waits", 0644);
  action.sa_handler = look;
  sigaction(SIGUSR1, &action, NULL);
  heard = 0;
  pid = fork();
  if (pid == 0) usleep(50000), kill(parent, SIGUSR1), usleep(50000), close(open("waits", O_WRONLY)), _exit(0);
  OPENS("an open that waits goes on, whatever its handler opens", open("waits", O_RDONLY));
  SAY("the handler has run", "%d", heard == SIGUSR1);
  waitpid(pid, NULL, 0);
  action.sa_flags = 0;
  sigaction(SIGUSR1, &action, NULL);
  pid = fork();
  if (pid == 0) usleep(50000), kill(parent, SIGUSR1), _exit(0);
  OPENS("an open that waits is interrupted", open("waits", O_RDONLY));
  waitpid(pid, NULL, 0);
  unlink("waits");
  struct timespec time = {0, 30000000}, left;
  DOES("nanosleep", nanosleep(&time, &left));
  action.sa_handler = SIG_DFL;
  sigaction(SIGUSR1, &action, NULL);
  close(ends[0]), close(ends[1]);
}

static void stopping(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    struct timespec time = {0, 200000000};
    nanosleep(&time, NULL);
    raise(SIGSTOP);
    _exit(access(HOME "/file", F_OK) == 0 ? 4 : 5);
  }
  waitpid(pid, &status, WUNTRACED);
  SAY("a child stops", "%d", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
  usleep(20000);
  SAY("and stays so", "%d", waitpid(pid, &status, WNOHANG));
  kill(pid, SIGCONT);
  waitpid(pid, &status, WCONTINUED);
  SAY("it goes on", "%d", WIFCONTINUED(status));
  waitpid(pid, &status, 0);
  SAY("to its end", "%d", WEXITSTATUS(status));
  pid = fork();
  if (pid == 0) {
    struct timespec time = {0, 150000000};
    _exit(nanosleep(&time, NULL) == 0 ? 0 : 1);
  }
  usleep(20000);
  kill(pid, SIGSTOP), waitpid(pid, &status, WUNTRACED), kill(pid, SIGCONT);
  waitpid(pid, &status, 0);
  SAY("a sleep goes on after a stop", "%d", WEXITSTATUS(status));
}

static void system_(void) {
  struct utsname names;
  uname(&names);
  SAY("uname", "%s %s", names.sysname, names.machine);
  DOES("sethostname", sethostname("other", 5));
  uname(&names);
  SAY("is what uname says", "%s", names.nodename);
  CALL("io_uring is not there or made", syscall(SYS_io_uring_setup, 0, NULL) < 0 ? 0 : 1);
  CALL("a call that is none", syscall(9999));
  CALL("a call of x32", syscall(0x40000000 + 2, "file", O_RDONLY));
  SAY("prctl of the name", "%ld", (long)prctl(PR_SET_NAME, "named"));
  CHILD("no new privileges", {
    SAY("are not there", "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    DOES("are there", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SAY("and stay", "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  });
  CHILD("not dumpable", {
    DOES("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0));
    SAY("PR_GET_DUMPABLE", "%d", prctl(PR_GET_DUMPABLE));
    show("and files are still found", open("file", O_RDONLY));
  });
  CHILD("a root of its own", {
    mkdir("jail", 0755), mkdir("jail/in", 0755);
    put("jail/in/file", "jailed\n");
    DOES("chroot", chroot("jail"));
    show("absolute paths begin there", open("/in/file", O_RDONLY));
    DOES("chdir there", chdir("/in"));
    char text[64];
    SAY("getcwd says so", "%s", getcwd(text, sizeof text));
    OPENS("nothing is above", open("/../file", O_RDONLY));
    OPENS("nor outside", open(HOME "/file", O_RDONLY));
    CHILD("a child has it, too", show("there", open("/in/file", O_RDONLY)));
  });
  unlink("jail/in/file"), rmdir("jail/in"), rmdir("jail");
}

void processes(void) {
  making();
  signals();
  stopping();
  system_();
}

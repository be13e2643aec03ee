// Processes: how they are made, who is whose child, and how they end.
#include <linux/sched.h>
#include <sys/resource.h>

#include "case.h"

CASE("children end as they say") {
  CHILD("status", _exit(42));
  CHILD("signal", raise(SIGKILL));
  CHILD("abort", { prctl(PR_SET_DUMPABLE, 0); abort(); });
  CHILD("fault", *(volatile int*)8 = 1);
  VALUE(waitpid(-1, NULL, 0));
  VALUE(waitpid(1, NULL, WNOHANG));
}

CASE("a process knows itself, its parent and its children") {
  pid_t me = getpid();
  HOLDS(me > 1 && getppid() == 1);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    HOLDS(getppid() == me && getpid() != me);
    _exit(0);
  }
  sayChild("child", child);
}

CASE("orphans are the first process's") {
  int ends[2];
  pipe(ends);
  CHILD("parent", {
    pid_t parent = getpid();
    if (fork() == 0) {
      UNTIL(getppid() != parent);
      int above = getppid();
      write(ends[1], &above, sizeof above);
      _exit(0);
    }
  });
  int above = 0;
  read(ends[0], &above, sizeof above);
  VALUE(above);
}

CASE("a subreaper gets the orphans below it") {
  int ends[2];
  pipe(ends);
  CHILD("reaper", {
    DO(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t reaper = getpid();
    pid_t middle = fork();
    if (middle == 0) {
      pid_t parent = getpid();
      if (fork() == 0) {
        UNTIL(getppid() != parent);
        int right = getppid() == reaper;
        write(ends[1], &right, sizeof right);
        _exit(3);
      }
      _exit(0);
    }
    sayChild("middle", middle);
    int status = 0;
    HOLDS(waitpid(-1, &status, 0) > 0);
    sayStatus("orphan", status);
  });
  int right = 0;
  read(ends[0], &right, sizeof right);
  VALUE(right);
}

CASE("many children at once") {
  pid_t child[60];
  for (int i = 0; i < 60; i++)
    if ((child[i] = fork()) == 0) {
      struct stat info;
      for (int n = 0; n < 20; n++)
        if (stat("/conformance/mark", &info) < 0) _exit(100);
      _exit(i);
    }
  int right = 0;
  for (int i = 0; i < 60; i++) {
    int status;
    right += waitpid(child[i], &status, 0) == child[i] && WIFEXITED(status) && WEXITSTATUS(status) == i;
  }
  VALUE(right);
}

CASE("children that make children") {
  CHILD("tree", {
    for (int i = 0; i < 5; i++) fork();
    int bad = access("/conformance/mark", F_OK) != 0;
    for (int status; wait(&status) > 0;) bad |= status != 0;
    if (bad) _exit(1);
  });
}

CASE("a child shares its parent's directory when asked to") {
  char text[256];
  mkdir("dir", 0755);
  static char stack[65536] __attribute__((aligned(16)));
  fflush(stdout);
  int move(void* nothing) { (void)nothing; return chdir("dir") < 0; }
  pid_t child = clone(move, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL);
  sayChild("mover", child);
  SAY("getcwd", "%s", strrchr(getcwd(text, sizeof text), '/'));
  child = clone(move, stack + sizeof stack, SIGCHLD, NULL);
  sayChild("mover", child);
  SAY("getcwd", "%s", strrchr(getcwd(text, sizeof text), '/'));
}

CASE("a child shares its parent's memory when asked to") {
  static char stack[65536] __attribute__((aligned(16)));
  static volatile int seen;
  fflush(stdout);
  int writes(void* nothing) {
    (void)nothing;
    struct stat info;
    for (int i = 0; i < 50; i++) seen += stat("/conformance/mark", &info) == 0;
    return 0;
  }
  pid_t child = clone(writes, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
  struct stat info;
  int own = 0;
  for (int i = 0; i < 50; i++) own += stat("/conformance", &info) == 0;
  sayChild("writer", child);
  VALUE(seen);
  VALUE(own);
}

CASE("clone3 makes a child or is not there") {
  struct clone_args how = {.exit_signal = SIGCHLD};
  fflush(stdout);
  long child = syscall(SYS_clone3, &how, sizeof how);
  if (child == 0) _exit(access("/conformance/mark", F_OK) == 0 && access(secret, F_OK) != 0 ? 0 : 1);
  int status = 0;
  HOLDS((child < 0 && errno == ENOSYS) || (waitpid((pid_t)child, &status, 0) == child && status == 0));
}

CASE("process groups and sessions") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    HOLDS(setpgid(0, 0) == 0 && getpgid(0) == getpid());
    HOLDS(getsid(0) == getsid(getppid()));
    pid_t inner = fork();
    if (inner == 0) {
      HOLDS(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
      DO(setsid());
      _exit(0);
    }
    sayChild("session", inner);
    _exit(0);
  }
  sayChild("group", child);
  DO(setpgid(1, 0));
  DO(getpgid(99999));
}

CASE("waitid, wait4 and their options") {
  siginfo_t info = {0};
  struct rusage usage;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(5);
  DO(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
  SAY("waitid", "%d %d %d", info.si_pid == child, info.si_status, info.si_code);
  int status;
  HOLDS(wait4(child, &status, 0, &usage) == child);
  sayStatus("wait4", status);
  child = fork();
  if (child == 0) pause(), _exit(1);
  VALUE(waitpid(child, &status, WNOHANG));
  kill(child, SIGTERM);
  HOLDS(waitpid(-getpgrp(), &status, 0) == child);
  sayStatus("waitpid of the group", status);
}

CASE("a process's death signal reaches its child") {
  int ends[2];
  pipe(ends);
  CHILD("parent", {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      write(ends[1], "r", 1);
      pause();
    }
    char byte;
    read(ends[0], &byte, 1);
  });
  close(ends[1]);
  char byte;
  VALUE(read(ends[0], &byte, 1));
}

CASE("pidfds of children") {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) pause(), _exit(1);
  int fd = (int)syscall(SYS_pidfd_open, child, 0);
  DO(fd);
  DO(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  sayChild("child", child);
  DO(syscall(SYS_pidfd_open, 99999, 0));
  HOLDS(syscall(SYS_pidfd_open, 1, 0) >= 0);
}

CASE("priorities and limits are the process's") {
  errno = 0;
  DO(setpriority(PRIO_PROCESS, 0, 5));
  VALUE(getpriority(PRIO_PROCESS, 0));
  struct rlimit limit = {10, 20}, got;
  DO(setrlimit(RLIMIT_CORE, &limit));
  DO(prlimit(getpid(), RLIMIT_CORE, NULL, &got));
  VALUE(got.rlim_cur);
  cpu_set_t set;
  HOLDS(sched_getaffinity(0, sizeof set, &set) >= 0 && CPU_COUNT(&set) > 0);
}

CASE("a process can close every descriptor and go on") {
  CHILD("closed", {
    int out = dup(1);
    dup2(out, 900);
    for (int fd = 3; fd < 900; fd++) close(fd);
    syscall(SYS_close_range, 3, 899, 0);
    TEXT(open("/conformance/mark", O_RDONLY));
    int dir = open("/conformance", O_RDONLY | O_DIRECTORY);
    TEXT(openat(dir, "mark", O_RDONLY));
    execl(self, "name", "descriptors", NULL);
  });
}

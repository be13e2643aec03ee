// Seccomp filters that the guest makes for itself.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "case.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/// For this call an answer, for the others to go on.
static long filter(unsigned number, unsigned answer, unsigned others) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, others),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#define ALLOW SECCOMP_RET_ALLOW

CASE("a filter answers with an error") {
  CHILD("filtered", {
    DO(filter(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, ALLOW));
    VALUE(syscall(SYS_getppid));
    TEXT(open("/conformance/mark", O_RDONLY));
    DO(access("/conformance/nowhere", F_OK));
  });
}

CASE("a filter answers for a call that takes a path") {
  CHILD("filtered", {
    DO(filter(SYS_mkdir, SECCOMP_RET_ERRNO | EDOM, ALLOW));
    VALUE(syscall(SYS_mkdir, "x", 0755));
    DO(access("x", F_OK));
    DO(filter(SYS_openat, SECCOMP_RET_ERRNO | EXDEV, ALLOW));
    OPEN(open("/conformance/mark", O_RDONLY));
  });
}

CASE("a filter kills") {
  CHILD("filtered", {
    filter(SYS_getppid, SECCOMP_RET_KILL_PROCESS, ALLOW);
    syscall(SYS_getppid);
  });
  CHILD("for a path", {
    filter(SYS_mkdir, SECCOMP_RET_KILL_PROCESS, ALLOW);
    syscall(SYS_mkdir, "x", 0755);
  });
}

static siginfo_t seen;
static long at;
static void traps(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  seen = *info;
  at++;
}
CASE("a filter's trap reaches the guest's handler") {
  CHILD("filtered", {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = traps, action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, NULL);
    filter(SYS_getppid, SECCOMP_RET_TRAP | 77, ALLOW);
    syscall(SYS_getppid);
    VALUE(at);
    HOLDS(seen.si_syscall == SYS_getppid && seen.si_errno == 77 && seen.si_arch == ARCH && seen.si_call_addr != NULL);
    filter(SYS_mkdir, SECCOMP_RET_TRAP | 78, ALLOW);
    syscall(SYS_mkdir, "x", 0755);
    VALUE(at);
    VALUE(seen.si_syscall == SYS_mkdir);
    TEXT(open("/conformance/mark", O_RDONLY));
  });
  CHILD("without a handler", {
    filter(SYS_getppid, SECCOMP_RET_TRAP, ALLOW);
    syscall(SYS_getppid);
  });
}

CASE("a filter that asks a tracer when there is none") {
  CHILD("filtered", {
    filter(SYS_getppid, SECCOMP_RET_TRACE | 1, ALLOW);
    VALUE(syscall(SYS_getppid));
    filter(SYS_mkdir, SECCOMP_RET_TRACE | 1, ALLOW);
    DO(syscall(SYS_mkdir, "x", 0755));
  });
}

CASE("a filter that knows few calls sees those that were made") {
  CHILD("filtered", {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_stat, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    static char text[64];
    static struct stat info;
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    long fd = syscall(SYS_open, "/conformance/mark", O_RDONLY), n = syscall(SYS_read, fd, text, sizeof text);
    long other = syscall(SYS_stat, "/conformance/nowhere", &info);
    syscall(SYS_exit_group, n > 0 && other < 0 ? 11 : 12);
  });
}

CASE("the strict mode") {
  CHILD("strict", {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_write, 1, "  strict\n", 9);
    syscall(SYS_exit, 3);
  });
  CHILD("strict open", {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_open, "/conformance/mark", O_RDONLY);
  });
  CHILD("strict by seccomp(2)", {
    syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
    char byte;
    syscall(SYS_read, 0, &byte, 0);
    syscall(SYS_write, 1, "  strict\n", 9);
    syscall(SYS_getpid);
    syscall(SYS_exit, 3);
  });
  CHILD("strict with an argument", {
    DO(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
    DO(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, ""));
  });
  CHILD("strict behind a filter", {
    filter(SYS_mkdir, SECCOMP_RET_ERRNO | EDOM, ALLOW);
    DO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
  });
  static int ends[2];  // A handler that used what is on the stack would need the stack to be executable.
  pipe(ends);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    void stops(int signal) { write(ends[1], "h", 1); }
    signal(SIGUSR1, stops);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    write(ends[1], "r", 1);
    for (;;) {
    }
  }
  char byte = 0;
  read(ends[0], &byte, 1), kill(child, SIGUSR1), read(ends[0], &byte, 1);
  SAY("a handler runs", "%c", byte);
  kill(child, SIGTERM);
  sayChild("and it ends", child);
}

CASE("who may make a filter") {
  CHILD("user", {
    setuid(1000);
    DO(filter(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, ALLOW));
    DO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    VALUE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    DO(filter(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, ALLOW));
    VALUE(syscall(SYS_getppid));
  });
  VALUE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  VALUE(prctl(PR_GET_SECCOMP));
  DO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
  unsigned action = SECCOMP_RET_TRAP;
  DO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

CASE("a filter stays over exec and for children") {
  CHILD("filtered", {
    filter(SYS_mkdir, SECCOMP_RET_ERRNO | EDOM, ALLOW);
    VALUE(prctl(PR_GET_SECCOMP));
    CHILD("child", DO(syscall(SYS_mkdir, "x", 0755)));
    execl(DYNAMIC, "name", "arguments", NULL);
  });
}

// Programs that are executed, and what they find.
#include <elf.h>
#include <spawn.h>
#include <sys/auxv.h>

#include "case.h"

extern char** environ;

static void script(const char* path, const char* text, mode_t mode) {
  put(path, text);
  chmod(path, mode);
}
/// What a program says of itself when it is executed by this path.
#define RUN(path, ...)                      \
  CHILD(path, {                             \
    execl(path, __VA_ARGS__, NULL);         \
    SAY("exec", "%s", nameOf(errno));       \
  })

CASE("a static program") { RUN(self, "name", "arguments", "one", "two words", ""); }

CASE("a static program without a fixed place") { RUN(POSITION, "name", "arguments"); }

CASE("a dynamic program finds its interpreter in the tree") { RUN(DYNAMIC, "name", "arguments"); }

CASE("the interpreter itself is executed") {
  RUN("/lib64/ld-linux-x86-64.so.2", "ld.so", DYNAMIC, "arguments", "x");
}

CASE("what cannot be executed says why") {
  put("text", "no program");
  mkdir("dir", 0755);
  script("empty", "", 0755), script("garbage", "\x7f" "ELF garbage", 0755), script("mine", "#!/nowhere\n", 0755);
  symlink("loop", "loop");
  RUN("text", "x");
  RUN("dir", "x");
  RUN("nowhere", "x");
  RUN("empty", "x");
  RUN("garbage", "x");
  RUN("mine", "x");
  RUN("loop", "x");
  RUN("text/x", "x");
  RUN("", "x");
  VALUE(syscall(SYS_execve, 8, NULL, NULL));
  VALUE(syscall(SYS_execve, self, 8, NULL));
}

CASE("a process goes on after an exec that failed") {
  char text[256];
  VALUE(execl("nowhere", "x", NULL));
  TEXT(open("/conformance/mark", O_RDONLY));
  SAY("getcwd", "%s", getcwd(text, sizeof text) ? "there" : nameOf(errno));
  VALUE(execl("/", "x", NULL));
  sigset_t none;
  sigemptyset(&none);
  VALUE(sigprocmask(SIG_SETMASK, &none, NULL));
}

CASE("a script is run by the program that it names") {
  script("script", "#!/conformance/cases arguments\n", 0755);
  RUN("./script", "name", "one", "two");
  script("spaces", "#! \t/conformance/cases \t arguments with spaces \t\n", 0755);
  RUN("./spaces", "name", "one");
  script("plain", "#!/conformance/dynamic\n", 0755);
  RUN("./plain", "name");
}

CASE("a script's program may be relative, and is looked for from the current directory") {
  mkdir("dir", 0755);
  symlink("/conformance/cases", "interpreter");
  script("dir/script", "#!interpreter arguments\n", 0755);
  RUN("dir/script", "name");
  chdir("dir");
  RUN("./script", "name");
}

CASE("a script may be run by a script, but not for ever") {
  script("first", "#!/conformance/cases arguments\n", 0755);
  char line[300], path[256];
  snprintf(line, sizeof line, "#!%s/first more\n", getcwd(path, sizeof path));
  script("second", line, 0755);
  RUN("./second", "name", "one");
  snprintf(line, sizeof line, "#!%s/loop\n", path);
  script("loop", line, 0755);
  RUN("./loop", "x");
}

CASE("a shell script runs programs of the tree") {
  script("script", "#!/bin/sh\necho \"$0 $1\"; cd /conformance && . ./script.inc\n/conformance/dynamic arguments \"$@\" | while read line; do echo \"  $line\"; done\n", 0755);
  put("/conformance/script.inc", "echo '  included'\n");
  RUN("./script", "name", "one");
}

CASE("#! lines that are odd") {
  char line[600];
  script("nothing", "#!\n", 0755);
  RUN("./nothing", "x");
  script("blank", "#!   \n", 0755);
  RUN("./blank", "x");
  memset(line, 'x', sizeof line);
  memcpy(line, "#!/", 3), line[599] = 0;
  script("long", line, 0755);
  RUN("./long", "x");
  script("without", "#!/conformance/cases", 0755);
  RUN("./without", "name", "arguments");
  memcpy(line, "#!/conformance/cases arguments ", 31), line[598] = '\n';
  script("cut", line, 0755);
  RUN("./cut", "name");
}

CASE("a script that may not be read is not run for a user") {
  script("script", "#!/conformance/cases arguments\n", 0711);
  chmod(".", 0755);
  CHILD("user", {
    setuid(1000);
    execl("./script", "name", NULL);
    SAY("exec", "%s", nameOf(errno));
  });
}

CASE("arguments and environment arrive as they were given") {
  char* arguments[] = {"zero", "list", "", "a b", "\xff\x01", NULL};
  char* environment[] = {"A=1", "EMPTY=", "no equals", NULL};
  CHILD("exec", execve(self, arguments, environment));
  char* none[] = {NULL};
  CHILD("no environment", execve(self, arguments, none));
}

CASE("ten thousand arguments") {
  char** many = calloc(10003, sizeof *many);
  many[0] = "x", many[1] = "count";
  for (int i = 2; i < 10002; i++) many[i] = "argument";
  CHILD("exec", execv(self, many));
  char* huge = malloc(200000);
  memset(huge, 'x', 199999), huge[199999] = 0;
  many[2] = huge;
  CHILD("too long a one", { execv(self, many); SAY("exec", "%s", nameOf(errno)); });
  many[3] = NULL, huge[131000] = 0;
  CHILD("a long one", execv(self, many));
}

CASE("exec without any argument") {
  char* none[] = {NULL};
  CHILD("exec", { execve(self, none, none); SAY("exec", "%s", nameOf(errno)); });
}

CASE("/proc/self/exe, comm and cmdline are the program's own") {
  symlink("/conformance/cases", "link");
  RUN("./link", "called", "exe");
  RUN(DYNAMIC, "called", "exe");
  RUN(POSITION, "called", "exe");
  script("script", "#!/conformance/cases exe\n", 0755);
  RUN("./script", "called");
}

CASE("the auxiliary vector is the kernel's") {
  RUN(self, "called", "auxv");
  RUN(DYNAMIC, "called", "auxv");
  RUN(POSITION, "called", "auxv");
  RUN("../auxv", "called", "auxv");
}

CASE("the heap begins behind the program, and memory is not executable for nothing") {
  RUN(self, "x", "maps");
  RUN(DYNAMIC, "x", "maps");
  RUN(POSITION, "x", "maps");
}

CASE("execveat of a path, of a descriptor, and of a link") {
  int dir = open("/conformance", O_RDONLY | O_DIRECTORY), program = open(self, O_PATH), file = open(self, O_RDONLY);
  char* arguments[] = {"name", "arguments", NULL};
  CHILD("below a directory", syscall(SYS_execveat, dir, "cases", arguments, environ, 0));
  CHILD("by a descriptor of a path", syscall(SYS_execveat, program, "", arguments, environ, AT_EMPTY_PATH));
  CHILD("by a descriptor", syscall(SYS_execveat, file, "", arguments, environ, AT_EMPTY_PATH));
  symlink("/conformance/cases", "link");
  CHILD("a link", { VALUE(syscall(SYS_execveat, AT_FDCWD, "link", arguments, environ, AT_SYMLINK_NOFOLLOW)); });
  CHILD("no flag", { VALUE(syscall(SYS_execveat, program, "", arguments, environ, 0)); });
  CHILD("no descriptor", { VALUE(syscall(SYS_execveat, 999, "x", arguments, environ, 0)); });
  CHILD("a directory", { VALUE(syscall(SYS_execveat, dir, "", arguments, environ, AT_EMPTY_PATH)); });
}

CASE("fexecve of a program and of a script") {
  script("script", "#!/conformance/cases descriptor\n", 0755);
  char* arguments[] = {"name", "arguments", NULL};
  int program = open(DYNAMIC, O_RDONLY | O_CLOEXEC), text = open("script", O_RDONLY), closed = open("script", O_RDONLY | O_CLOEXEC);
  CHILD("a program", fexecve(program, arguments, environ));
  CHILD("a script", fexecve(text, arguments, environ));
  CHILD("a script that closes", { fexecve(closed, arguments, environ); SAY("exec", "%s", nameOf(errno)); });
}

CASE("a program is executed from memory") {
  int memory = (int)syscall(SYS_memfd_create, "memory", 1), file = open(self, O_RDONLY);
  static char block[65536];
  for (long n; (n = read(file, block, sizeof block)) > 0;) write(memory, block, (size_t)n);
  char* arguments[] = {"name", "arguments", NULL};
  CHILD("exec", { fexecve(memory, arguments, environ); SAY("exec", "%s", nameOf(errno)); });
}

CASE("a program that was removed still runs, and can be executed by /proc/self/exe") {
  DO(link("/conformance/cases", "program"));
  CHILD("program", {
    execl("./program", "name", "removed", NULL);
    SAY("exec", "%s", nameOf(errno));
  });
}

CASE("exec closes what it is to close and keeps the rest") {
  fcntl(open("/conformance/mark", O_RDONLY), F_DUPFD, 100);
  fcntl(open("/conformance/mark", O_RDONLY), F_DUPFD_CLOEXEC, 101);
  RUN(self, "name", "descriptors");
}

CASE("exec resets handlers and keeps what is ignored and blocked") {
  CHILD("exec", {
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, (void (*)(int))exit);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP), sigaddset(&set, SIGSYS), sigaddset(&set, SIGTRAP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    execl(self, "name", "signals", NULL);
  });
}

CASE("exec by a thread that is not the first") { RUN(self, "name", "threadexec"); }

CASE("vfork and exec") {
  fflush(stdout);
  for (int i = 0; i < 5; i++) {
    pid_t child = vfork();
    if (child == 0) {
      if (access("/conformance/mark", F_OK) != 0) _exit(3);
      execl(self, "name", "exit", "7", NULL);
      _exit(4);
    }
    sayChild("vfork", child);
  }
  pid_t child = vfork();
  if (child == 0) {
    execl("nowhere", "x", NULL);
    _exit(errno == ENOENT ? 9 : 10);
  }
  sayChild("that failed", child);
}

CASE("posix_spawn does its file actions in the tree") {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 5, "/conformance/mark", O_RDONLY, 0);
  posix_spawn_file_actions_addchdir_np(&actions, "/conformance");
  char* arguments[] = {"name", "spawned", NULL};
  pid_t child = 0;
  fflush(stdout);
  int error = posix_spawn(&child, self, &actions, NULL, arguments, environ);
  sayChild("spawned", child);
  VALUE(error);
  VALUE(posix_spawn(&child, "nowhere", &actions, NULL, arguments, environ));
}

CASE("a hundred programs one after the other") {
  int right = 0;
  for (int i = 0; i < 100; i++) {
    pid_t child = fork();
    char number[8];
    snprintf(number, sizeof number, "%d", i);
    if (child == 0) execl(i % 2 ? self : DYNAMIC, "name", "exit", number, NULL), _exit(99);
    int status;
    waitpid(child, &status, 0);
    right += WIFEXITED(status) && WEXITSTATUS(status) == i;
  }
  VALUE(right);
}

CASE("a new program has a clean state of registers and of the stack") { RUN(self, "name", "entry"); }

CASE("a file that is written to is not executed") {
  static char block[65536];
  int from = open(self, O_RDONLY), to = open("copy", O_CREAT | O_RDWR, 0755);
  for (long n; (n = read(from, block, sizeof block)) > 0;) write(to, block, (size_t)n);
  RUN("./copy", "name", "exit", "1");
  close(to);
  RUN("./copy", "name", "exit", "2");
}

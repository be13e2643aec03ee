// Executing programs: ELF files and scripts.
#include <sys/auxv.h>

#include "case.h"

extern char** environ;

int again(int argc, char** argv) {
  char text[256];
  if (strcmp(argv[1], "words") == 0) {
    SAY(argc > 3 ? argv[3] : "again", "%s %d %s", argv[0], argc, argv[2]);
    return 0;
  }
  if (strcmp(argv[1], "self") == 0) {
    long n = readlink("/proc/self/exe", text, sizeof text);
    SAY("/proc/self/exe after an exec", "%.*s", (int)n, text);
    SAY("AT_EXECFN", "%s", (char*)getauxval(AT_EXECFN));
    SAY("AT_SECURE", "%lu", getauxval(AT_SECURE));
    SAY("AT_UID", "%lu", getauxval(AT_UID));
    int fd = open("/proc/self/comm", O_RDONLY);
    show("comm", fd);
    return 0;
  }
  if (strcmp(argv[1], "effective") == 0) {
    SAY("the ids of a set-id program", "%u:%u %u:%u", getuid(), getgid(), geteuid(), getegid());
    return 0;
  }
  return 1;
}

static void script(const char* path, const char* text) {
  put(path, text);
  chmod(path, 0755);
}

void programs(char* self) {
  char path[256];
  snprintf(path, sizeof path, "%s", self);
  CHILD("an exec of itself", execl(path, "zeroth", "words", "one", "words of an exec", NULL));
  CHILD("and what it knows of itself", execl(path, "zeroth", "self", NULL));
  CHILD("a program with an interpreter", execl("/bin/true", "true", NULL));
  CHILD("by a relative path", (chdir("/bin"), execl("./sh", "sh", "-c", "exit 3", NULL)));
  CHILD("what is not there", CALL("exec of nothing", execl("/nowhere", "x", NULL)));
  CHILD("a directory", CALL("exec of a directory", execl("/bin/.", "x", NULL)));
  CHILD("no permission", CALL("exec of what may not be", execl("file", "x", NULL)));
  put("garbage", "garbage, no program\n"), chmod("garbage", 0755);
  CHILD("no program", CALL("exec of garbage", execl("garbage", "x", NULL)));
  put("empty", ""), chmod("empty", 0755);
  CHILD("nothing in it", CALL("exec of an empty file", execl("empty", "x", NULL)));
  put("elf", "\177ELF\2\1\1"), chmod("elf", 0755);
  CHILD("a broken one", CALL("exec of half a header", execl("elf", "x", NULL)));
  script("script", "#!/bin/sh\necho \"a script	$0 $*\"\nexit 5\n");
  CHILD("a script", execl(HOME "/script", "zeroth", "one", "two", NULL));
  CHILD("a script by a relative path", execl("./script", "zeroth", NULL));
  script("argument", "#!/bin/sh -e\nfalse\necho not here\n");
  CHILD("its interpreter's argument", execl("argument", "x", NULL));
  script("blanks", "#!  /bin/sh   -e  \nfalse\nexit 4\n");
  CHILD("with blanks around", execl("blanks", "x", NULL));
  script("nested", "#!" HOME "/script inner\n");
  CHILD("a script of a script", execl("nested", "x", "last", NULL));
  script("looping", "#!" HOME "/looping\n");
  CHILD("a script of itself", CALL("exec of it", execl("looping", "x", NULL)));
  script("missing", "#!/nowhere\n");
  CHILD("a script of nothing", CALL("exec without an interpreter", execl("missing", "x", NULL)));
  script("many", "#!/bin/sh\necho \"many arguments	$#\"\n");
  char* words[3000];
  for (int i = 0; i < 2999; i++) words[i] = "word";
  words[2999] = NULL;
  CHILD("a script with many", execv("many", words));
  symlink("script", "linked");
  CHILD("a link to a script", execl("linked", "x", NULL));
  int fd = open("script", O_RDONLY), program = open(path, O_RDONLY | O_CLOEXEC), dir = open(HOME, O_RDONLY);
  CHILD("execveat", syscall(SYS_execveat, dir, "script", (char*[]){"x", NULL}, environ, 0));
  CHILD("fexecve", fexecve(program, (char*[]){"zeroth", "words", "one", "words of a descriptor", NULL}, environ));
  CHILD("fexecve of a script", fexecve(fd, (char*[]){"zeroth", NULL}, environ));
  CHILD("close-on-exec", {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    char shell[64];
    snprintf(shell, sizeof shell, "test -e /dev/fd/%d", fd);
    execl("/bin/sh", "sh", "-c", shell, NULL);
  });
  char copy[400];
  snprintf(copy, sizeof copy, "cp %s setid && chown 5:6 setid && chmod 6755 setid", path);
  CHILD("a set-id program is made", execl("/bin/sh", "sh", "-c", copy, NULL));
  CHILD("a set-id program", (setgid(3), setuid(4), execl("setid", "x", "effective", NULL)));
  CHILD("the environment", {
    char* environment[] = {"VAR=value", NULL};
    execle("/bin/sh", "sh", "-c", "echo \"a variable	$VAR\"", NULL, environment);
  });
  CHILD("a failing exec leaves the arguments", {
    CALL("exec", execl("/nowhere/at/all", "x", NULL));
    show("and the next call works", open("file", O_RDONLY));
  });
  CHILD("a pipeline of a shell", execl("/bin/sh", "sh", "-c", "echo \"a pipeline	$(echo abc | tr b x | cat)\"", NULL));
  close(fd), close(program), close(dir);
  static const char* const all[] = {"garbage", "empty", "elf", "script", "argument", "blanks", "nested", "looping", "missing",
                                    "many", "linked", "setid"};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) unlink(all[i]);
}
